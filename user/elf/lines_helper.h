/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * File, line and inlined functions of addresses, found by a process of its own for each file. DWARF is a
 * program that its author chose, and libdw runs it: it cannot be interrupted, nor told how much memory it may
 * take. A process can: the kernel holds it to its memory (RLIMIT_AS) and its time, nobody waits for it longer
 * than he likes, and when it ends, for whatever reason, only this file's lines are lost.
 */
#ifndef JNITRACE_LINES_HELPER_H
#define JNITRACE_LINES_HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "elf/elf_lines.h"

struct lines_helper; /* opaque */

/* What is kept of a file from one helper to the next. Start zeroed; outlives the helper. */
struct lines_history {
	uint64_t spent_ns; /* CPU time of all helpers so far */
	bool read;         /* its bytes are charged: the system keeps them */
	bool late;         /* a signal was heard (budget_heard()), when so much was spent: */
	uint64_t late_from_ns;
	uint64_t allowed_ns; /* of CPU time, for all helpers; 0: what a file has at first */
	uint64_t again_ns;   /* CLOCK_MONOTONIC: no helper before that, as the last one took all it may */
};
/* Has the file had so much time that it has to wait for more? */
bool lines_history_rests(const struct lines_history *h);

/*
 * e: a file with DWARF, open during the call. Pays for the memory the helper may take; others are let go of
 * for that, see budget_add_reclaimable(): out must be where the only pointer to the helper stays, and becomes
 * NULL then. 0, -EDQUOT (it would take too much), -EPROTO or -errno.
 */
int lines_helper_open(const struct elf_image *e, pid_t root_pid, struct lines_history *history,
		      struct lines_helper **out);
void lines_helper_close(struct lines_helper *h);

/*
 * As elf_lines_at(), texts living until the next call. Waits until the budget's slice is over, or not at all
 * where nobody may wait, and then returns -EAGAIN: ask again for this address, before any other
 * (lines_helper_asked()). -EDQUOT: the file takes too much time or memory, -EPROTO: it has no lines after
 * all, -ETIME: it has had its CPU time. Then all further calls say the same. After -ETIME another helper may
 * be opened when lines_history_rests() says no more; it has twice the time, so that a file that is large is
 * read in the end, and one that never answers takes a fiftieth of a CPU. -ETIMEDOUT: it has not run for 10 s
 * though it could have had a CPU: it was stopped, or its file does not answer.
 */
int lines_helper_at(struct lines_helper *h, uint64_t vaddr, struct elf_line *out, size_t max);
/* Is an answer still to come, and for which address? */
bool lines_helper_asked(const struct lines_helper *h, uint64_t *vaddr);

#endif
