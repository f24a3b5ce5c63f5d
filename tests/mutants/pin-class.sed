# Arrays of different types and one length are taken for each other.
s/o.identity != p->identity/(u32)o.identity != (u32)p->identity/
