/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The pages that probes are to be put into: no other part of a target is known here. */
#include "proc/foreign.h"
#include "run/target_priv.h"

int target_touch(const struct target *t, size_t file, int fd)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < t->sites.n; i++)
		if (t->sites.v[i].file == file)
			rc = foreign_touch(t->id.pid, fd, t->sites.v[i].offset);
	return rc;
}
