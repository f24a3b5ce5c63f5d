/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Attach an empty program by uprobe_multi and wait: what any tracer of these sites costs at least.
 * Usage: floor OBJECT PID LIBRARY OFFSET...; prints a line like the tool's own when it is live.
 */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned long offsets[16];
	LIBBPF_OPTS(bpf_uprobe_multi_opts, o, .offsets = offsets);
	struct bpf_object *obj;
	struct bpf_program *prog;

	if (argc < 5 || argc > 4 + 16)
		return 2;
	for (int i = 4; i < argc; i++)
		offsets[o.cnt++] = strtoul(argv[i], NULL, 0);
	obj = bpf_object__open_file(argv[1], NULL);
	if (!obj || bpf_object__load(obj))
		return 1;
	prog = bpf_object__find_program_by_name(obj, "empty");
	if (!prog || !bpf_program__attach_uprobe_multi(prog, atoi(argv[2]), argv[3], NULL, &o))
		return 1;
	fprintf(stderr, "jnitrace: tracing %s: %zu probes\n", argv[2], (size_t)o.cnt);
	pause();
	return 0;
}
