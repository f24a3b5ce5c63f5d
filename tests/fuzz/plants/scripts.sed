# The end of a row of Python's table of lines.
s/	while (t->at < t->n) {$/	for (;;) {/
