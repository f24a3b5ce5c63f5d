/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who a process is to a person: all JVMs are called java. Everything here is the target's to choose: it is
 * bounded and cleaned for a terminal, and "" where it is not known.
 */
#ifndef JNITRACE_WHO_H
#define JNITRACE_WHO_H

#include "model/report.h"
#include "proc/proc.h"
#include "run/deployed.h"

struct who {
	char main[256];     /* main class or jar file, by its arguments (names_main_of()) */
	char command[4096]; /* line: arguments, separated by blanks; cut off where it is longer */
	char user[64];      /* name by its own /etc/passwd, else the number of the effective user id */
	char container[65]; /* id: 64 hexadecimal digits in the path of its cgroup */
	char cgroup[4352];  /* path, as this process sees it; the kernel tells none beyond PATH_MAX */
	char host[65];      /* of this host */
	struct deployed deployed;
};

/* Read it anew; what cannot be read is "". podinfo: the folder of its pod's files, in its own root; NULL:
 * DEPLOYED_PODINFO.
 */
void who_read(pid_t pid, const char *podinfo, struct who *out);
/* Let t say it; who lives as long as t. */
void who_tell(const struct who *who, struct report_target *t);

/* The container's id in the text of /proc/PID/cgroup, and the path of the cgroup. Of unlimited text; for
 * tests. */
void who_cgroup_of(const char *text, struct who *out);
/* Name of this user id in the text of a passwd file; false: none. */
bool who_user_of(const char *text, uint32_t uid, char *out, size_t cap);

#endif
