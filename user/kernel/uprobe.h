/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Attach programs to user code: by one link for many probes (uprobe_multi: libbpf 1.3; Linux 6.6,
 * used from 6.10 on, see kernel_features.c), or a perf event each. */
#ifndef JNITRACE_UPROBE_H
#define JNITRACE_UPROBE_H

#include <bpf/libbpf.h>
#include <bpf/libbpf_version.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In libbpf, when this is built; the kernel is asked (kernel_features.h). */
#define HAVE_UPROBE_MULTI (LIBBPF_MAJOR_VERSION > 1 || LIBBPF_MINOR_VERSION >= 3)
/* BPF_TRACE_UPROBE_MULTI of linux/bpf.h since 6.6: the system's headers may be older than its libbpf. */
#define ATTACH_UPROBE_MULTI ((enum bpf_attach_type)48)

struct uprobe_where {
	pid_t pid;        /* -1: every process that maps the file */
	const char *path; /* where the kernel finds the file's inode */
	bool at_return;
	bool multi; /* the programs were loaded for it: uprobe_want_multi() */
};
/* Its programs are to be attached by uprobe_multi. Before the load. */
void uprobe_want_multi(struct bpf_object *obj);
/* Offsets are in the file, bytes. NULL with errno. */
struct bpf_link *uprobe_attach(const struct bpf_program *p, const struct uprobe_where *w,
			       unsigned long offset, uint64_t cookie);
/* The same for n of them, all by one link. */
struct bpf_link *uprobe_attach_multi(const struct bpf_program *p, const struct uprobe_where *w,
				     const unsigned long *offsets, const uint64_t *cookies, size_t n);

#endif
