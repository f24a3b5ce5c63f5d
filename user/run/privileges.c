/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Capabilities. See privileges.h. */
#include "run/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(capability) (1ULL << (capability))
/* /proc/PID/root and map_files, memory (process_vm_readv), files that only their owner may read. */
#define READ (BIT(CAP_SYS_PTRACE) | BIT(CAP_CHECKPOINT_RESTORE) | BIT(CAP_DAC_READ_SEARCH))
/*
 * CAP_SYS_RESOURCE: limits of the memory for BPF maps, before Linux 5.11. CAP_SYS_ADMIN: the clock around BPF
 * programs (BPF_ENABLE_STATS), by which the overhead is known, and probes by perf events.
 */
#define TRACE (READ | BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_SYS_RESOURCE) | BIT(CAP_SYS_ADMIN))

static const uint64_t kept[] = {
    [PRIVILEGES_READ] = READ,
    [PRIVILEGES_TRACE] = TRACE,
    [PRIVILEGES_MARK] = READ | BIT(CAP_SYS_ADMIN),
    [PRIVILEGES_SIGNAL] = BIT(CAP_KILL),
};

/* Those of tracing, in words. admin: CAP_SYS_ADMIN stands for it. */
static const struct {
	const char *name;
	int number;
	bool needed, admin;
} of_tracing[] = {
    {"CAP_BPF", CAP_BPF, true, true},
    {"CAP_PERFMON", CAP_PERFMON, true, true},
    {"CAP_SYS_PTRACE", CAP_SYS_PTRACE, false, false},
    {"CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH, false, false},
    {"CAP_CHECKPOINT_RESTORE", CAP_CHECKPOINT_RESTORE, false, true},
    {"CAP_SYS_ADMIN", CAP_SYS_ADMIN, false, false},
};

int privileges_lacking(struct privileges_lacking *out)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3];
	uint64_t have;

	*out = (struct privileges_lacking){0};
	if (syscall(SYS_capget, &head, now))
		return -errno;
	have = now[0].effective | (uint64_t)now[1].effective << 32;
	out->others = !(have & BIT(CAP_SYS_PTRACE));
	for (size_t i = 0; i < ARRAY_LEN(of_tracing); i++) {
		char *to = of_tracing[i].needed ? out->needed : out->helpful;
		size_t n = strlen(to);

		if (have & BIT(of_tracing[i].number) || (of_tracing[i].admin && have & BIT(CAP_SYS_ADMIN)))
			continue;
		snprintf(to + n, sizeof(out->needed) - n, "%s%s", n ? ", " : "", of_tracing[i].name);
	}
	return 0;
}

int privileges_keep(enum privileges p, bool file, struct error *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3];
	uint64_t keep = kept[p] | (file ? BIT(CAP_DAC_OVERRIDE) : 0);
	int rc;

	/* Kernels before 5.9 lack the newest of them; CAP_SYS_ADMIN was for all. */
	if (prctl(PR_CAPBSET_READ, CAP_CHECKPOINT_RESTORE) < 0)
		keep |= BIT(CAP_SYS_ADMIN);
	rc = syscall(SYS_capget, &head, now) ? -errno : 0;
	for (size_t i = 0; i < ARRAY_LEN(now); i++) {
		now[i].permitted &= (uint32_t)(keep >> 32 * i);
		now[i].effective &= (uint32_t)(keep >> 32 * i);
		now[i].inheritable = 0;
	}
	if (!rc && (syscall(SYS_capset, &head, now) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)))
		rc = -errno;
	return rc ? error_set(err, rc, EXIT_FAILED, "give up privileges", NULL, "%s", strerror(-rc)) : 0;
}

int privileges_pass_on(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3];
	uint64_t have;

	if (syscall(SYS_capget, &head, now))
		return -errno;
	for (size_t i = 0; i < ARRAY_LEN(now); i++)
		now[i].inheritable = now[i].permitted;
	if (syscall(SYS_capset, &head, now))
		return -errno;
	have = now[0].permitted | (uint64_t)now[1].permitted << 32;
	for (int c = 0; c < 64; c++)
		if (have & BIT(c) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0))
			return -errno;
	return 0;
}
