/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The targets of a command: those that -p names, and with -a those that are found. */
#ifndef JNITRACE_TARGETS_H
#define JNITRACE_TARGETS_H

#include "judge/history_room.h"
#include "run/discover.h"
#include "run/options.h"
#include "run/target.h"

struct target_list { /* start zeroed; its targets know where it is */
	struct target **v;
	size_t n, cap;
	struct history_room histories;
	struct target_shared shared; /* owned, but for the options */
	struct discovery *discovery; /* NULL: without -a */
};

/* With the targets that -p names. stop_fd: as of budget_new(). 0, or -errno with err. */
int targets_open(struct target_list *l, const struct options *o, int stop_fd, struct error *err);
/* out: may be NULL. 0, or -errno with err. */
int targets_add(struct target_list *l, pid_t pid, bool asked_for, struct target **out, struct error *err);
/* Free the i-th; the last one takes its place. */
void targets_remove(struct target_list *l, size_t i);
/* Families are to be switched: call it before the first target is found. */
void targets_may_switch(struct target_list *l);
/* Those that some target has functions of, and that can be. */
uint32_t targets_switchable(const struct target_list *l);
/* Trace these families from now on, of all of them and of those that are to come. 0, or -errno with err. */
int targets_switch(struct target_list *l, uint32_t families, struct error *err);
/* And what they share: no tracer may use its modules any more. */
void targets_free(struct target_list *l);

#endif
