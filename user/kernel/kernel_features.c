/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/kernel_features.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/uprobe.h"

#if HAVE_UPROBE_MULTI
/*
 * Try to make a link that cannot be made and look at how it is refused: a kernel
 * with uprobe_multi says EBADF for a directory. Kernels before 46ba0e49b642 (6.10)
 * filter by thread, not by process, so that only the main thread's calls are seen;
 * fixed ones say EINVAL for an impossible pid where the others looked it up (ESRCH).
 */
static bool have_uprobe_multi(void)
{
	struct bpf_insn insns[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, load, .expected_attach_type = ATTACH_UPROBE_MULTI);
	LIBBPF_OPTS(bpf_link_create_opts, link);
	unsigned long offset = 0;
	bool have = false;
	int prog, fd;

	prog = bpf_prog_load(BPF_PROG_TYPE_KPROBE, NULL, "GPL", insns, ARRAY_LEN(insns), &load);
	if (prog < 0)
		return false;
	link.uprobe_multi.path = "/";
	link.uprobe_multi.offsets = &offset;
	link.uprobe_multi.cnt = 1;
	fd = bpf_link_create(prog, -1, ATTACH_UPROBE_MULTI, &link);
	if (fd < 0 && errno == EBADF) {
		link.uprobe_multi.pid = -1;
		fd = bpf_link_create(prog, -1, ATTACH_UPROBE_MULTI, &link);
		have = fd < 0 && errno == EINVAL;
	}
	if (fd >= 0)
		close(fd);
	close(prog);
	return have;
}
#else
static bool have_uprobe_multi(void)
{
	return false;
}
#endif

int features_check_bpf(struct error *err)
{
	struct bpf_insn insns[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, NULL, "GPL", insns, ARRAY_LEN(insns), NULL);

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (fd == -EPERM || fd == -EACCES)
		return error_set(err, fd, EXIT_PERMISSION, "load a BPF program",
				 "run as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE", "%s",
				 strerror(-fd));
	return error_set(err, fd, EXIT_FAILED, "load a BPF program", "the kernel needs CONFIG_BPF_SYSCALL",
			 "%s", strerror(-fd));
}

int features_check_btf(struct error *err)
{
	if (!access("/sys/kernel/btf/vmlinux", R_OK))
		return 0;
	return error_set(err, -ENOENT, EXIT_FAILED, "read /sys/kernel/btf/vmlinux",
			 "use a kernel built with CONFIG_DEBUG_INFO_BTF=y", "%s", strerror(errno));
}

int features_check_uprobes(struct error *err)
{
	if (!access("/sys/bus/event_source/devices/uprobe/type", R_OK))
		return 0;
	return error_set(err, -ENOENT, EXIT_FAILED, "find uprobes in /sys/bus/event_source/devices",
			 "use a kernel built with CONFIG_UPROBE_EVENTS=y", "%s", strerror(errno));
}

/* The last number of a list such as "0-2,4-7", + 1; 0: not known. */
static int possible_ids(void)
{
	FILE *f = fopen("/sys/devices/system/cpu/possible", "re");
	char list[4096] = "";
	const char *last = list;

	if (f) {
		if (!fgets(list, sizeof(list), f))
			*list = 0;
		fclose(f);
	}
	for (const char *p = list; *p; p++)
		if (*p == '-' || *p == ',')
			last = p + 1;
	return *last >= '0' && *last <= '9' ? (int)strtoul(last, NULL, 10) + 1 : 0;
}

int features_detect(struct features *out, struct error *err)
{
	int rc = features_check_bpf(err);

	memset(out, 0, sizeof(*out));
	rc = rc ?: features_check_btf(err);
	rc = rc ?: features_check_uprobes(err);
	if (rc)
		return rc;
	out->uprobe_multi = have_uprobe_multi();
	out->nr_cpus = libbpf_num_possible_cpus();
	out->cpu_ids = possible_ids();
	if (out->cpu_ids < out->nr_cpus)
		out->cpu_ids = out->nr_cpus;
	return out->nr_cpus > 0 ? 0 : error_set(err, out->nr_cpus, EXIT_FAILED, "count CPUs", NULL, "sysfs");
}

const char *features_libbpf(void)
{
	return libbpf_version_string();
}

bool features_built_multi(void)
{
	return HAVE_UPROBE_MULTI;
}
