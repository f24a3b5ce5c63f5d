# The answer of a helper is taken for what a compiler would have made of it.
s/uint8_t has_function, has_file;/bool has_function, has_file;/
