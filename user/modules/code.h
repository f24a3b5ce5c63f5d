/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The code of one process: which modules are mapped where, now and before. Addresses of stacks are taken by
 * it, by the unwinder and by symbols alike.
 *
 * A layout is what was mapped at one moment; it never changes, so the parts of the tool share it. A new one
 * is read with code_read(), told to whom it concerns, and then taken with code_take().
 */
#ifndef JNITRACE_CODE_H
#define JNITRACE_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "modules/modules.h"
#include "proc/proc.h"

/* A mapping of code. */
struct placement {
	uint64_t start, end, offset; /* bytes; offset in the file */
	uint64_t base;               /* lowest address of this file's group of mappings */
	uint64_t dev, ino;           /* as maps shows them, which stat() may not; 0: the vdso */
	struct module *module;       /* the layout, or the history, has a reference */
	/* Told by the dynamic linker, and no mapping: the build-id in memory ("": there was none), which the
	 * file at the module's path must have; base is what is added to link-time addresses. NULL: a mapping.
	 */
	const char *build_id;
};
/* Address of the file's first byte, were it mapped. */
static inline uint64_t placement_origin(const struct placement *p)
{
	return p->start - p->offset;
}

/*
 * Which code its addresses mean: a hash of the file and of the origin, equal whenever that file lies there
 * again. Never 0.
 */
uint32_t placement_code(const struct placement *p);

#define CODE_MAX_MODULES (1 << 14) /* different files of one process that are kept */

struct layout {
	unsigned int references;
	bool full; /* there is more code than is kept */
	size_t n, cap;
	struct placement *v; /* by address */
};
void layout_get(struct layout *l);
void layout_put(struct layout *l); /* NULL: nothing */
/* Does l have this module's piece at this place? */
bool layout_has(const struct layout *l, const struct placement *p);

struct code;

/*
 * id is copied; not owned are book and payer, the share that pays for what is read of its files (NULL:
 * nobody's). The target's root is kept open where it is another than ours. 0 or -ENOMEM.
 */
int code_new(struct modules *book, const struct proc_id *id, struct share *payer, struct code **out);
void code_free(struct code *c);
/*
 * What the process's runtime knows of its code, before a layout is read. The code in [start, end) keeps a
 * frame pointer at its calls, without an unwind table that says so (end 0: none); so does what it generates
 * as it runs, in memory without a file, if it generates any.
 */
void code_set_runtime(struct code *c, uint64_t start, uint64_t end, bool generates);
/*
 * The layout by these mappings: the present one when nothing has changed, which is cheap. closed: libraries
 * were closed since the last time, so that another file may lie where one was, even under its name.
 * *out is a reference. 0 or -ENOMEM.
 */
int code_read(struct code *c, const struct proc_maps *maps, bool closed, struct layout **out);
/* From here on next is the present layout; takes the reference. What it lacks is history. 0 or -ENOMEM. */
int code_take(struct code *c, struct layout *next);
/* Is there more code in the process than is kept? */
bool code_full(const struct code *c);
/* What is mapped at an address; NULL: no code of a file is. */
const struct placement *code_at(const struct code *c, uint64_t addr);
/* The same, or else what was mapped there last. It is valid until code_take(). */
const struct placement *code_once_at(const struct code *c, uint64_t addr);
/*
 * A library that the process has opened: it may be closed again before a layout is read. Numbers grow. 0 or
 * -ENOMEM.
 */
struct code_opened;
int code_opened(struct code *c, const struct code_opened *o);
/*
 * Where an address of the library of that number is: in the mapping that is there, if it is of that library
 * yet, else in what is known of it. NULL: it is forgotten, or was never told. Valid until the next
 * code_opened() or code_take().
 */
const struct placement *code_opened_at(const struct code *c, uint32_t number, uint64_t addr);
/* The number of the last one that was told; 0: none. */
uint32_t code_opened_last(const struct code *c);

/*
 * Have the contents of p's module readable until module_rest(): by the mapping while the process lives, else
 * by its path in the root that the process had. 0 or -errno.
 */
int code_use(const struct code *c, const struct placement *p);
/* Who pays for what is read from here on: this process. */
void code_pay(const struct code *c);
struct budget *code_budget(const struct code *c);
/* Whose root to look into for what belongs to its files. */
pid_t code_root_pid(const struct code *c);

#endif
