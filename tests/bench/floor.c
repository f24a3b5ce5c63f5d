/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Attach an empty program and wait: what any tracer of these places costs at least. By uprobe_multi where
 * there is such a thing, else one perf link each.
 * Usage: floor OBJECT PID LIBRARY [r]OFFSET...; r: a return probe. Prints a line like the tool's own when
 * live.
 */
#include <bpf/libbpf.h>
#include <bpf/libbpf_version.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_PLACES 256
/* BPF_TRACE_UPROBE_MULTI, which an older system's <linux/bpf.h> does not name. */
#define ATTACH_UPROBE_MULTI ((enum bpf_attach_type)48)
#define HAVE_MULTI          (LIBBPF_MAJOR_VERSION > 1 || LIBBPF_MINOR_VERSION >= 3)

struct places {
	unsigned long offset[MAX_PLACES];
	size_t n;
};

static struct bpf_program *load(const char *path, bool multi)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	struct bpf_program *prog = obj ? bpf_object__find_program_by_name(obj, "empty") : NULL;

	if (!prog)
		return NULL;
#if HAVE_MULTI
	if (multi)
		bpf_program__set_expected_attach_type(prog, ATTACH_UPROBE_MULTI);
#else
	(void)multi;
#endif
	return bpf_object__load(obj) ? NULL : prog;
}

static bool attach(struct bpf_program *prog, bool multi, int pid, const char *library, const struct places *p,
		   bool ret)
{
	if (!p->n)
		return true;
#if HAVE_MULTI
	LIBBPF_OPTS(bpf_uprobe_multi_opts, m, .offsets = p->offset, .cnt = p->n, .retprobe = ret);

	if (multi)
		return bpf_program__attach_uprobe_multi(prog, pid, library, NULL, &m);
#else
	(void)multi;
#endif
	for (size_t i = 0; i < p->n; i++)
		if (!bpf_program__attach_uprobe(prog, ret, pid, library, p->offset[i]))
			return false;
	return true;
}

int main(int argc, char **argv)
{
	struct places entries = {0}, returns = {0};
	bool live = false;

	if (argc < 5 || argc > 4 + MAX_PLACES)
		return 2;
	for (int i = 4; i < argc; i++) {
		struct places *p = argv[i][0] == 'r' ? &returns : &entries;

		p->offset[p->n++] = strtoul(argv[i] + (p == &returns), NULL, 0);
	}
	libbpf_set_print(NULL);
	for (int multi = 1; multi >= 0 && !live; multi--) {
		struct bpf_program *prog = load(argv[1], multi);

		live = prog && attach(prog, multi, atoi(argv[2]), argv[3], &entries, false) &&
		       attach(prog, multi, atoi(argv[2]), argv[3], &returns, true);
	}
	if (!live)
		return 1;
	fprintf(stderr, "jnitrace: tracing %s: %zu probes\n", argv[2], entries.n + returns.n);
	pause();
	return 0;
}
