# The name of a counter behind the end of its entry.
s/ || e.bytes - e.name < name_bytes ||/ ||/
