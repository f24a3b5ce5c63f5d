# The suffix of a clone is looked for behind the end of its name.
s/if (len - i - 1 >= n \&\& !memcmp/if (!memcmp/
