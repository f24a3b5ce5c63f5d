# A name that is longer than its place.
s/	if (n > cap - 1)$/	if (n > cap + 4096)/
