/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Do local references pile up in some thread? The VM's own chains tell, without a probe, so it can be said
 * where they are not traced. A look is what one moment shows: what is told is the most that was seen, and
 * whether it became more from look to look.
 */
#ifndef JNITRACE_LOCAL_PILE_H
#define JNITRACE_LOCAL_PILE_H

#include "model/report.h"
#include "model/vm.h"

#define PILE_FRAMES 32 /* pushed by one thread and not popped: more than nesting takes */

struct pile_watch {
	struct vm_pile first, last; /* since it only grows */
	double first_s, last_s;
	bool begun;
};

/*
 * A look at t_s (since attach). many: so many references are worth a word. True: out is another thread than
 * before, whose name is not known yet.
 */
bool pile_take(struct pile_watch *w, const struct vm_pile *look, double t_s, uint64_t many,
	       struct report_pile *out);

#endif
