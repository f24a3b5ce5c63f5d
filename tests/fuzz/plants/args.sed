# More names of processes than there is room for.
s/if (o->nr_names == OPTS_MAX_NAMES)/if (o->nr_names > OPTS_MAX_NAMES)/
