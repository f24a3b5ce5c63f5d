# The end of a path is not compared.
s/return n == strlen(text) \&\& !memcmp/return n \&\& !memcmp/
