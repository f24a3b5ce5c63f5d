# Columns of a table that lie outside of its entries.
s/if (t->col\[c\] > t->stride_bytes - s->col\[c\].bytes)/if (t->col[c] > UINT32_MAX)/
