/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The agent's page: all JVMs of a host, how their tables grow, what was found, and which call sites hold
 * most. The stacks are in the page of --format html, to which it leads.
 */
#ifndef JNITRACE_HOST_PAGE_H
#define JNITRACE_HOST_PAGE_H

#include "base/util.h"
#include "model/agent_self.h"
#include "view/agent.h"

struct host_page {
	const struct agent_self *self;
	const struct agent_seen *seen;
	double every_s; /* a reading of the tables */
	void (*curve)(const struct census *c, enum vm_table table, struct curve *out); /* how a table went */
};
/*
 * What is too much for a browser is left out, and counted. false: built without pages, nothing is written.
 * Out of memory: out->failed.
 */
bool host_page_write(struct buf *out, const struct host_page *p);

#endif
