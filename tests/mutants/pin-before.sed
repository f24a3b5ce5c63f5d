# A native method that began before the tracer came is taken for one that began since.
s/return before && \*before == pc;/return before \&\& *before == pc + 1;/
