/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * JVMs whose reference tables are read again and again: those that were named, or all of this host, which are
 * looked for before each round.
 */
#ifndef JNITRACE_CENSUS_LIST_H
#define JNITRACE_CENSUS_LIST_H

#include "judge/service.h"
#include "model/census.h"
#include "run/loop.h"
#include "run/options.h"

struct census_list; /* opaque */

struct census_list_request {
	bool threads; /* those of each JVM, too, where all are read */
	bool judges;  /* whether they grow */
	bool ends;    /* a round that a signal interrupts reads no more: census_list_read() is -EINTR */
};

/*
 * o: which JVMs, and what is read of them (classes, budget_ms, limit, limit_bytes, runtime); it and loop
 * outlive the result. 0, or -errno with err.
 */
int census_list_new(const struct options *o, struct loop *loop, const struct census_list_request *req,
		    struct census_list **out, struct error *err);
void census_list_free(struct census_list *l);

/* From now on services are named by these, which outlive l or the next call. */
void census_list_services(struct census_list *l, const struct service_rules *rules);

/*
 * A round: look for new ones, read each, drop those that have ended. -errno with err, of one that was named:
 * it cannot be read; -EINTR: see census_list_request.
 */
int census_list_read(struct census_list *l, struct error *err);
/* Between two rounds: drop those that have ended since. How many; census_list_fresh() is to be called then.
 */
size_t census_list_drop_ended(struct census_list *l);
/* JVMs that are known now, those that are refused or start just now among them. */
size_t census_list_n(const struct census_list *l);
/* Was a JVM read at any time? */
bool census_list_has_read(const struct census_list *l);
/* Was the first of the named ones too busy each time it was looked at? Its pid, or 0. */
pid_t census_list_unknown(const struct census_list *l);
/*
 * What the last round has read, the fastest growing first, refused ones (census.refused) last; as long as l
 * and until the next round. 0 or -ENOMEM.
 */
int census_list_fresh(struct census_list *l, const struct census *const **out, size_t *n);
/* How a table of one of those went; none where nobody judges whether they grow: n is 0. */
void census_list_curve(const struct census *fresh, enum vm_table table, struct curve *out);

#endif
