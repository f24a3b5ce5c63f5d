/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What symbols know of a module, for all targets: each address of it is symbolized once. */
#ifndef JNITRACE_MODULE_SYMBOLS_H
#define JNITRACE_MODULE_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/report.h"
#include "modules/code.h"
#include "symbols/links.h"

struct module_symbols; /* a module's part MODULE_SYMBOLS */

/* One reference more, made if there are none; its file is not read yet. NULL: no memory. */
struct module_symbols *module_symbols_get(struct module *m);
void module_symbols_put(struct module_symbols *s);

/* Read the file, where p has it mapped, unless that was done. What cannot be read is no error.
 * 0, -ENOMEM or -EINTR: not now (see budget_check()).
 */
int module_symbols_read(struct module_symbols *s, const struct code *code, const struct placement *p);
/*
 * There is no time to read it now: its addresses have what is known without, and are pending until there is.
 * 0 or -ENOMEM.
 */
int module_symbols_put_off(struct module_symbols *s, const struct placement *p);
/* DWARF that nobody has asked for some seconds is closed: it can be 500 MiB. */
void module_symbols_tidy(struct module_symbols *s);

/* Base name, cleaned; FRAME_VM: it is a VM. */
const char *module_symbols_name(const struct module_symbols *s);
enum frame_type module_symbols_type(const struct module_symbols *s);

/* A symbolized return address: what is inlined there comes first. Valid until the next call. */
struct symbolized {
	const struct frame *frames; /* their texts live as long as the reference */
	size_t n;
	enum link link;
	bool pending; /* names, or lines and inlined functions, are still looked for: ask again */
};
/* vaddr: link-time. 0 or -ENOMEM. */
int module_symbols_at(struct module_symbols *s, const struct code *code, const struct placement *p,
		      uint64_t vaddr, struct symbolized *out);
/*
 * The function that begins at a link-time address, as a frame; its symbol is NULL when only the unwind tables
 * know it. 1, 0 (none begins there) or -ENOMEM.
 */
int module_symbols_function(struct module_symbols *s, uint64_t vaddr, struct frame *out);

#endif
