# The name of a section behind the end of all names.
/^static bool name_starts/,/^}/s/len <= e->sh_names.n - sh->sh_name \&\&/len \&\&/
