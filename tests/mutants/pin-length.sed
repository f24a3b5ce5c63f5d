# Arrays of one type and different lengths are taken for each other.
s/o.identity != p->identity/(o.identity ^ p->identity) >> 32/
