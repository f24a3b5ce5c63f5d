/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Capabilities. See privileges.h. */
#include "run/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
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
