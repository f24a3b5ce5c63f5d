# Numbers are read behind the end of call frame information.
s/if ((size_t)(c->end - c->p) < n) {/if ((size_t)(c->end - c->p) + 1 < n) {/
