/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * CPython behind struct runtime: the frames of its interpreter, in stacks of functions that are traced as
 * pairs. Of the versions in layout.c; others are refused. Frames of the main interpreter, not of others in
 * the same process.
 */
#include "runtime/python/row.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/strset.h"
#include "runtime/python/code.h"
#include "runtime/python/layout.h"

struct instance {
	struct vm vm;
	char version[16];
	struct python_reader reader;
	uint64_t runtime; /* run-time address of _PyRuntime */
	char refused[PLAN_WHY_MAX];
	struct strset texts;
	uint64_t unnamed;
};

static int open(pid_t pid, const struct vm_file *file, const struct proc_maps *maps, bool early,
		struct vm **out, struct error *err)
{
	struct elf_wanted wanted[] = {
	    {.name = "_PyRuntime"}, {.name = "Py_Version"}, {.name = "PyCode_Type"}};
	struct instance *i = calloc(1, sizeof(*i));
	uint32_t version = 0; /* major, minor, micro and level, a byte each (cpython: Include/patchlevel.h) */

	(void)maps;
	(void)early;
	(void)err;
	if (!i)
		return -ENOMEM;
	i->vm.runtime = &python_runtime;
	elf_find_symbols(file->elf, ELF_DYNSYM, wanted, ARRAY_LEN(wanted));
	if (wanted[1].vaddr) /* since 3.11 */
		elf_read(file->elf, wanted[1].vaddr, &version, sizeof(version));
	if (version)
		snprintf(i->version, sizeof(i->version), "%u.%u.%u", version >> 24, version >> 16 & 255,
			 version >> 8 & 255);
	i->reader = (struct python_reader){pid, python_layout_of(version >> 24, version >> 16 & 255),
					   wanted[2].vaddr + file->bias};
	i->runtime = wanted[0].vaddr + file->bias;
	if (elf_machine(file->elf) != EM_X86_64)
		snprintf(i->refused, sizeof(i->refused), "they are read on x86-64 only");
	else if (!i->reader.layout || !wanted[0].vaddr || !wanted[2].vaddr)
		snprintf(i->refused, sizeof(i->refused),
			 "Python %s is not known to this version (3.11 and 3.13 are)",
			 version ? i->version : "before 3.11");
	*out = &i->vm;
	return 0;
}

static void close(struct vm *vm)
{
	strset_free(&((struct instance *)vm)->texts);
	free(vm);
}

static const char *version(const struct vm *vm)
{
	return ((const struct instance *)vm)->version;
}

static void fill_config(const struct python_layout *l, uint64_t interpreter, struct script_config *c)
{
	c->frame_words = PYTHON_FRAME_WORDS;
	c->list_head = interpreter + l->threads;
	c->list_next = l->next;
	c->list_thread = l->thread;
	c->state_frame = l->frame;
	c->holder_frame = l->cframe_frame;
	c->holder_next = l->cframe_previous;
	c->code_word = (uint8_t)(l->code / 8);
	c->pc_word = (uint8_t)(l->place / 8);
	c->previous_word = (uint8_t)(l->previous / 8);
	c->flags_offset = l->owner;
	c->last = (struct script_flags){0xff, l->last};
	if (l->has_no_code)
		c->hidden[0] = (struct script_flags){0xff, l->has_no_code};
	c->check_at[0] = l->first_line;
	c->check_at[1] = l->stack_size;
	c->on = 1;
}

static void plan_scripts(struct vm *vm, struct plan_scripts *out)
{
	const struct instance *i = (const struct instance *)vm;
	uint64_t interpreter, next;

	snprintf(out->why, sizeof(out->why), "%s", i->refused);
	if (i->refused[0]) {
		out->state = PLAN_NEVER;
		return;
	}
	/* the newest first, each with the next: the last one is the main one */
	if (proc_read(i->reader.pid, i->runtime + i->reader.layout->interpreters, &interpreter,
		      sizeof(interpreter)) ||
	    !interpreter ||
	    proc_read(i->reader.pid, i->runtime + i->reader.layout->interpreters + 8, &next, sizeof(next)))
		return;                                                   /* it has not begun */
	fill_config(i->reader.layout, next ?: interpreter, &out->config); /* head, main: side by side */
	out->state = PLAN_READY;
}

static int frames_add(struct vm *vm, const struct raw_frame *raw, struct frames *out)
{
	struct instance *i = (struct instance *)vm;
	struct frame *f = VEC_ADD(out);
	struct python_name name;

	if (!f)
		return -ENOMEM;
	*f = (struct frame){.type = FRAME_SCRIPT};
	if (!python_code_name(&i->reader, raw->a & RAW_ADDR_MASK, raw->b & SCRIPT_PC_MASK,
			      (uint32_t)(raw->b >> SCRIPT_CHECK_SHIFT), &name)) {
		i->unnamed++;
		f->symbol = "[Python frame]";
		f->lacks = END_UNNAMED;
		return 0;
	}
	f->symbol = strset_add(&i->texts, name.symbol);
	f->file = name.file[0] ? strset_add(&i->texts, name.file) : NULL;
	f->line = name.line;
	return f->symbol && (f->file || !name.file[0]) ? 0 : -ENOMEM;
}

static uint64_t frames_unnamed(const struct vm *vm)
{
	return ((const struct instance *)vm)->unnamed;
}

/* --- the row -------------------------------------------------------------------------------------- */

static const char *const libraries[] = {"libpython3*", "python3*", "python", NULL};
static const char *const bottom[] = {"libpython3*", "python3*", NULL};

const struct runtime python_runtime = {
    .name = "python",
    .shown = "Python",
    .language = "Python",
    .api = "python",
    .frames_only = true,
    .libraries = libraries,
    .exports = "_PyRuntime",
    .bottom = bottom,
    .absent = "it maps no libpython3, and its program exports no _PyRuntime",
    .absent_advice = "name a process of Python: see pgrep -a python3",
    .open = open,
    .close = close,
    .version = version,
    .plan_scripts = plan_scripts,
    .frames_add = frames_add,
    .frames_unnamed = frames_unnamed,
};
