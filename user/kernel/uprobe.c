/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/uprobe.h"

#include <errno.h>

#include "base/util.h"

void uprobe_want_multi(struct bpf_object *obj)
{
	struct bpf_program *p;

	/* Not by SEC("uprobe.multi"): libbpf before 1.3 does not know that name. */
	bpf_object__for_each_program (p, obj)
		if (bpf_program__type(p) == BPF_PROG_TYPE_KPROBE)
			bpf_program__set_expected_attach_type(p, ATTACH_UPROBE_MULTI);
}

struct bpf_link *uprobe_attach_multi(const struct bpf_program *p, const struct uprobe_where *w,
				     const unsigned long *offsets, const uint64_t *cookies, size_t n)
{
#if HAVE_UPROBE_MULTI
	LIBBPF_OPTS(bpf_uprobe_multi_opts, o, .offsets = offsets, .cookies = (const __u64 *)cookies, .cnt = n,
		    .retprobe = w->at_return);

	return bpf_program__attach_uprobe_multi(p, w->pid, w->path, NULL, &o);
#else
	(void)p, (void)w, (void)offsets, (void)cookies, (void)n;
	errno = EOPNOTSUPP;
	return NULL;
#endif
}

struct bpf_link *uprobe_attach(const struct bpf_program *p, const struct uprobe_where *w,
			       unsigned long offset, uint64_t cookie)
{
	LIBBPF_OPTS(bpf_uprobe_opts, perf, .bpf_cookie = cookie, .retprobe = w->at_return);

	if (w->multi)
		return uprobe_attach_multi(p, w, &offset, &cookie, 1);
	return bpf_program__attach_uprobe_opts(p, w->pid, w->path, offset, &perf);
}
