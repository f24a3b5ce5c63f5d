/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every file here needs. */
#include "runtime/art/art.h"

#include <errno.h>
#include <stdio.h>

#define JAVA_HEAP_END (1ull << 32) /* references are of 32 bits: ART: runtime/mirror/object_reference.h */

int art_error(const struct art *a, struct error *err, int rc, const char *why)
{
	char what[64];

	snprintf(what, sizeof(what), "cannot read the VM of process %d", (int)a->pid);
	return error_set(err, rc, rc == -ESRCH ? EXIT_NO_TARGET : EXIT_FAILED, what, NULL, "%s", why);
}

bool art_in_code(const struct art *a, uint64_t addr)
{
	return elf_is_code(a->file->elf, addr - a->file->bias);
}

bool art_is_library(const struct art *a, const struct mapping *m)
{
	return m->ino && m->ino == a->file->mapping.ino && m->dev == a->file->mapping.dev;
}

bool art_may_hold_env(const struct art *a, const struct mapping *m)
{
	return m->readable && m->writable && m->start >= JAVA_HEAP_END && (!m->ino || art_is_library(a, m));
}
