# A program whose call behind the constant is no tail call, so that nothing keeps it from a private stack.
s/bpf_tail_call(ctx, &others, 0);     /bpf_map_lookup_elem(\&others, ctx);/
