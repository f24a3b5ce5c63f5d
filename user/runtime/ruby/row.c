/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ruby behind struct runtime: the frames of its interpreter, in stacks of functions that are traced as pairs.
 * Of the versions in layout.c, where the interpreter is found in the process and looks as they do; others are
 * refused.
 */
#include "runtime/ruby/row.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strset.h"
#include "elf/elf_tls.h"
#include "runtime/ruby/code.h"
#include "runtime/ruby/layout.h"
#include "runtime/ruby/shape.h"

struct instance {
	struct vm vm;
	char version[16];
	struct ruby_reader reader;
	struct script_config config;
	char refused[PLAN_WHY_MAX]; /* "": config is whole */
	struct strset texts;
	uint64_t unnamed;
};

/* --- an instance ---------------------------------------------------------------------------------- */

static void read_version(const struct elf_image *e, char out[16])
{
	struct elf_wanted wanted = {.name = "ruby_version"};
	char text[16] = "";

	elf_find_symbols(e, ELF_DYNSYM, &wanted, 1);
	if (wanted.vaddr)
		elf_read(e, wanted.vaddr, text, sizeof(text) - 1);
	text_clean(out, 16, text, strnlen(text, sizeof(text)));
}

/* Where the running thread's execution context is: by its symbol, or one of a few words. NULL, or why not. */
static const char *find_state(const struct vm_file *file, pid_t pid, struct script_config *c)
{
	struct elf_tls tls;

	if (elf_tls_read(file->elf, "ruby_current_ec", &tls) || !tls.bytes)
		return "the thread-local variables of its library were not found";
	if (tls.offset >= 0) {
		c->tls_offset = tls.offset;
		c->tls_words = 1;
	} else if (tls.bytes / 8 <= SCRIPT_TLS_WORDS) {
		c->tls_words = (uint8_t)(tls.bytes / 8);
	} else {
		return "its library does not say which thread-local variable is ruby_current_ec";
	}
	if (!tls.module_at ||
	    proc_read(pid, tls.module_at + file->bias, &c->tls_module, sizeof(c->tls_module)) ||
	    !c->tls_module || c->tls_module > UINT16_MAX)
		return "the number of its library's thread-local variables was not found";
	return NULL;
}

static void fill_config(const struct ruby_layout *l, const struct ruby_interpreter *interpreter,
			struct script_config *c)
{
	c->frame_words = c->stride_words = l->frame_words;
	c->state_frame = RUBY_EC_CFP;
	c->state_stack = RUBY_EC_STACK;
	c->code_word = RUBY_CF_ISEQ_WORD;
	c->code_field = RUBY_ISEQ_BODY;
	c->pc_word = RUBY_CF_PC_WORD;
	c->flags_by_pointer = 1;
	c->flags_offset = RUBY_CF_EP_WORD * 8;
	c->hidden[0] = (struct script_flags){RUBY_FLAG_CFRAME, RUBY_FLAG_CFRAME};
	c->hidden[1] = (struct script_flags){RUBY_MAGIC_MASK, RUBY_MAGIC_DUMMY};
	c->last = (struct script_flags){RUBY_FLAG_FINISH, RUBY_FLAG_FINISH};
	c->check_at[0] = RUBY_BODY_SIZE;
	c->check_at[1] = RUBY_BODY_LINE;
	for (size_t i = 0; i < interpreter->nr_returns; i++)
		c->returns[i] = interpreter->returns[i];
	c->on = 1;
}

/* 0, -ENOMEM or -ESRCH; what else is wrong is said in i->refused. */
static int understand(struct instance *i, const struct vm_file *file, const struct proc_maps *maps)
{
	const char *why = NULL;
	int rc = 0;

	i->reader.layout = ruby_layout_of(i->version);
	if (elf_machine(file->elf) != EM_X86_64)
		why = "they are read on x86-64 only";
	else if (i->reader.layout)
		rc = ruby_find_interpreter(file, maps, i->reader.layout->id_call, &i->reader.interpreter);
	if (!i->reader.layout)
		snprintf(i->refused, sizeof(i->refused), "Ruby %s is not known to this version (%s are)",
			 i->version[0] ? i->version : "of an unknown version", ruby_layouts_known());
	else if (!why && rc)
		why = "its interpreter was not found by the table of its instructions";
	else if (!why)
		why = find_state(file, maps->pid, &i->config);
	if (why)
		snprintf(i->refused, sizeof(i->refused), "%s", why);
	if (!i->refused[0])
		fill_config(i->reader.layout, &i->reader.interpreter, &i->config);
	return rc == -ENOMEM || rc == -ESRCH ? rc : 0;
}

static int open(pid_t pid, const struct vm_file *file, const struct proc_maps *maps, bool early,
		struct vm **out, struct error *err)
{
	struct instance *i = calloc(1, sizeof(*i));
	int rc;

	(void)early;
	(void)err;
	if (!i)
		return -ENOMEM;
	i->vm.runtime = &ruby_runtime;
	i->reader.pid = pid;
	read_version(file->elf, i->version);
	rc = understand(i, file, maps);
	if (rc)
		free(i);
	else
		*out = &i->vm;
	return rc;
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

static void plan_scripts(struct vm *vm, struct plan_scripts *out)
{
	const struct instance *i = (const struct instance *)vm;

	out->config = i->config;
	snprintf(out->why, sizeof(out->why), "%s", i->refused);
	out->state = i->refused[0] ? PLAN_NEVER : PLAN_READY;
}

/* --- frames --------------------------------------------------------------------------------------- */

static int frames_add(struct vm *vm, const struct raw_frame *raw, struct frames *out)
{
	struct instance *i = (struct instance *)vm;
	struct frame *f = VEC_ADD(out);
	struct ruby_name name;

	if (!f)
		return -ENOMEM;
	*f = (struct frame){.type = FRAME_SCRIPT};
	if (!ruby_code_name(&i->reader, raw->a & RAW_ADDR_MASK, raw->b & SCRIPT_PC_MASK,
			    (uint32_t)(raw->b >> SCRIPT_CHECK_SHIFT), &name)) {
		i->unnamed++;
		f->symbol = "[Ruby frame]";
		f->lacks = END_UNNAMED;
		return 0;
	}
	f->symbol = strset_add(&i->texts, name.symbol);
	f->file = name.file[0] ? strset_add(&i->texts, name.file) : NULL;
	f->line = name.line;
	return f->symbol && (f->file || !name.file[0]) ? 0 : -ENOMEM;
}

/* The function that runs finalizers has no name in a stripped file, or one that does not say so. */
static int frames_remark(struct vm *vm, uint64_t pc, struct frames *out)
{
	const struct instance *i = (const struct instance *)vm;
	struct frame *f;

	if (!pc || pc != i->reader.interpreter.finalizer)
		return 0;
	f = VEC_ADD(out);
	if (!f)
		return -ENOMEM;
	*f = (struct frame){.type = FRAME_SCRIPT, .symbol = "[finalizer]"};
	return 0;
}

static uint64_t frames_unnamed(const struct vm *vm)
{
	return ((const struct instance *)vm)->unnamed;
}

/* --- the row -------------------------------------------------------------------------------------- */

static const char *const libraries[] = {"libruby.so*", "libruby-*", "ruby", "ruby1*",
					"ruby2*",      "ruby3*",    NULL};
static const char *const bottom[] = {"libruby.so*", "libruby-*", NULL};

const struct runtime ruby_runtime = {
    .name = "ruby",
    .shown = "Ruby",
    .language = "Ruby",
    .api = "ruby",
    .frames_only = true,
    .libraries = libraries,
    .exports = "ruby_version",
    .bottom = bottom,
    .absent = "it maps no libruby.so",
    .absent_advice = "name a process of Ruby: see pgrep -a ruby",
    .open = open,
    .close = close,
    .version = version,
    .plan_scripts = plan_scripts,
    .frames_add = frames_add,
    .frames_remark = frames_remark,
    .frames_unnamed = frames_unnamed,
};
