# A line of cgroups that lacks its path.
s/if (n <= longest || path\[1\]/if (n < longest || path[1]/
