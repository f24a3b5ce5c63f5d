/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses of one process as places in modules, and what is there. */
#ifndef JNITRACE_NATIVES_H
#define JNITRACE_NATIVES_H

#include "symbols/module_symbols.h"

struct natives;

/* code is not owned. 0 or -ENOMEM. */
int natives_new(const struct code *code, struct natives **out);
void natives_free(struct natives *n);
/* Of code, see code_budget(). */
struct budget *natives_budget(const struct natives *n);
/* Close what was not asked for in a while. */
void natives_tidy(struct natives *n);

/*
 * The module of an address: what is mapped there now, else (past) what was last. NULL in *out: no file is, or
 * there are too many. 0, -ENOMEM, -EAGAIN (no time is left to read it: another time) or -EINTR.
 */
struct native_place {
	struct module_symbols *module; /* read, if it can be */
	const struct placement *placement;
	uint64_t vaddr; /* link-time */
};
int natives_place(struct natives *n, uint64_t addr, bool past, struct native_place *out);
/* Frames that have no name because there are too many modules. */
uint64_t natives_nameless(const struct natives *n);
/* Is it known what was opened, up to this number? Else the next code_opened() may tell. */
bool natives_know_opened(const struct natives *n, uint32_t number);
/* As natives_at(), in the opened library of that number. */
int natives_opened_at(struct natives *n, uint32_t number, uint64_t pc, struct symbolized *out,
		      struct native_place *where);
/* The symbolized return address pc; out->n is 0: pc is in no file. *where: its place. 0 or -ENOMEM. */
int natives_at(struct natives *n, uint64_t pc, struct symbolized *out, struct native_place *where);

/* An address whose lines are still looked for. It lives as long as the natives. */
struct later;
const struct later *natives_later(struct natives *n, const struct native_place *where);
/* As natives_at(); where it was then. */
int natives_again(struct natives *n, const struct later *l, struct symbolized *out);

#endif
