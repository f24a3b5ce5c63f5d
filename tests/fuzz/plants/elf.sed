# A note is believed to be as long as it says.
/desc_at + h.n_descsz/,/goto stop/s/if (end > it->n)/if (desc_at > it->n)/
