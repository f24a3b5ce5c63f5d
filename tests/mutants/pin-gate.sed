# What began before the tracer came is taken to be known when it is not yet.
s/if (!known || !key.sp)/if ((!known \&\& !r->valid) || !key.sp)/
