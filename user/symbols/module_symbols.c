/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "symbols/module_symbols.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/strset.h"
#include "base/util.h"
#include "elf/elf_lines.h"
#include "elf/lines_helper.h"
#include "proc/foreign.h"
#include "runtime/runtime.h"
#include "symbols/demangle.h"

#define MAX_FRAMES_OF_PC  32            /* a function and what is inlined in it */
#define LINES_IDLE_NS     5000000000ULL /* of DWARF that nobody asks for */
#define MODULE_NAME_BYTES 128

/* A symbolized address. */
struct known {
	uint32_t first, n; /* in frames */
	enum link link;
	bool pending; /* lines are still looked for */
};

struct module_symbols {
	struct module *module; /* a reference */
	unsigned int references;
	const char *name; /* base name, cleaned */
	enum frame_type type;
	bool read;            /* its file could be read: build_id, functions and cfi are set */
	const char *build_id; /* NULL: none */
	struct elf_functions functions;
	struct elf_cfi_table *cfi;
	struct lines_helper *lines; /* NULL: closed, or */
	bool no_lines;              /* there are none */
	bool put_off;               /* there was no time yet to read its file, */
	bool given_up;              /* and there will be none */
	bool told;                  /* that its file cannot be read */
	struct lines_history lines_history;
	uint64_t lines_asked_ns;
	struct strset strings;
	struct frames frames; /* of all known addresses */
	struct {
		struct known *v;
		size_t n, cap;
	} known;
	struct hash by_vaddr; /* number in known, + 1 */
};

/* The last part of a path, cleaned and kept. */
static const char *base_name(struct module_symbols *s, const char *path)
{
	const char *slash = strrchr(path, '/');
	char clean[MODULE_NAME_BYTES];

	path = slash ? slash + 1 : path;
	return strset_add(&s->strings, text_clean(clean, sizeof(clean), path, strlen(path)));
}

static void close_lines(struct module_symbols *s)
{
	lines_helper_close(s->lines);
	s->lines = NULL;
}

static void symbols_of_module_free(struct module_symbols *s)
{
	close_lines(s);
	elf_functions_free(&s->functions);
	elf_cfi_close(s->cfi);
	free(s->frames.v);
	free(s->known.v);
	hash_free(&s->by_vaddr);
	strset_free(&s->strings);
	free(s);
}

struct module_symbols *module_symbols_get(struct module *m)
{
	struct module_symbols *s = m->part[MODULE_SYMBOLS];

	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return NULL;
		s->name = base_name(s, m->path);
		if (!s->name) {
			symbols_of_module_free(s);
			return NULL;
		}
		if (runtime_has_library(s->name))
			s->type = FRAME_VM;
		s->module = m;
		module_get(m);
		m->part[MODULE_SYMBOLS] = s;
	}
	s->references++;
	return s;
}

void module_symbols_put(struct module_symbols *s)
{
	struct module *m = s->module;

	if (--s->references)
		return;
	m->part[MODULE_SYMBOLS] = NULL;
	symbols_of_module_free(s);
	module_put(m);
}

const char *module_symbols_name(const struct module_symbols *s)
{
	return s->name;
}

enum frame_type module_symbols_type(const struct module_symbols *s)
{
	return s->type;
}

/* --- the file ------------------------------------------------------------------------------------- */

/* For good. */
static void give_up_lines(struct module_symbols *s, int rc)
{
	close_lines(s);
	s->no_lines = true;
	if (rc == -EDQUOT)
		budget_refuse(module_budget(s->module), s->module->path, "its files and lines take too much");
	else if (rc == -ETIMEDOUT)
		budget_refuse(module_budget(s->module), s->module->path,
			      "the process that reads its lines was stopped, or " FOREIGN_NO_ANSWER);
}

static void open_lines(struct module_symbols *s, const struct elf_image *debug, pid_t root_pid)
{
	const struct elf_image *e = elf_lines_present(s->module->image) ? s->module->image : debug;
	int rc = e && elf_lines_present(e) ? lines_helper_open(e, root_pid, &s->lines_history, &s->lines)
					   : -ENOENT;

	s->lines_asked_ns = clock_ns(CLOCK_MONOTONIC);
	if (rc && rc != -EINTR)
		give_up_lines(s, rc);
}

/* Functions by name, and DWARF, of the file and of its separate debug file. */
static int read_names(struct module_symbols *s, pid_t root_pid)
{
	const struct elf_image *e = s->module->image;
	struct elf_image *debug = NULL;
	int rc = elf_functions_add(&s->functions, e, ELF_SYMTAB), debug_rc;

	if (rc < 0)
		return rc;
	if (!rc || !elf_lines_present(e)) {
		debug_rc = elf_open_debug(e, root_pid, s->module->path, &debug);
		if (debug_rc == -EINTR || debug_rc == -ENOMEM)
			return debug_rc;
		if (debug_rc == -EDQUOT)
			budget_refuse(module_budget(s->module), s->module->path,
				      "to find its separate debug file takes too much");
	}
	if (!rc) {
		rc = elf_functions_add(&s->functions, e, ELF_DYNSYM);
		if (rc >= 0 && debug)
			rc = elf_functions_add(&s->functions, debug, ELF_SYMTAB);
	}
	rc = rc < 0 ? rc : elf_functions_sort(&s->functions, elf_budget(e));
	if (!rc)
		open_lines(s, debug, root_pid);
	elf_close(debug);
	return rc;
}

/* What is known of it without its file. 0 or -ENOMEM. */
static int without_file(struct module_symbols *s, const struct placement *p)
{
	if (s->build_id || !p->build_id || !p->build_id[0])
		return 0;
	s->build_id = strset_add(&s->strings, p->build_id);
	return s->build_id ? 0 : -ENOMEM;
}

int module_symbols_put_off(struct module_symbols *s, const struct placement *p)
{
	s->put_off = !s->read;
	return without_file(s, p);
}

/* A file that is gone, or another one by now, is no news; one that is there and cannot be read is. */
static void tell_unreadable(struct module_symbols *s, int rc)
{
	bool news = rc == -EIO || rc == -EACCES || rc == -EPERM || rc == -EMFILE || rc == -ENFILE;

	if (news && !s->told)
		warn("%s: its symbols cannot be read: %s", s->name, strerror(-rc));
	s->told |= news;
}

static int read_file(struct module_symbols *s, const struct code *code, const struct placement *p)
{
	int rc;

	s->put_off = false;
	if (s->read)
		return 0;
	rc = code_use(code, p);
	if (rc && without_file(s, p))
		rc = -ENOMEM;
	if (rc) {
		if (rc == -EDQUOT)
			budget_refuse(module_budget(s->module), s->module->path, "to open it takes too much");
		tell_unreadable(s, rc);
		return rc == -ENOMEM || rc == -EINTR || rc == -ETIMEDOUT ? rc : 0;
	}
	budget_begin_file(module_budget(s->module));
	rc = elf_cfi_open(s->module->image, &s->cfi);
	rc = rc ?: read_names(s, code_root_pid(code));
	budget_end_file(module_budget(s->module));
	s->given_up = rc == -EINTR && budget_is_late(module_budget(s->module));
	if (rc) {
		elf_cfi_close(s->cfi);
		s->cfi = NULL;
		elf_functions_free(&s->functions);
	}
	if (rc == -EDQUOT) {
		s->no_lines = true;
		budget_refuse(module_budget(s->module), s->module->path, "its symbols take too much");
		rc = elf_cfi_open(NULL, &s->cfi);
	}
	if (!rc) { /* else it may go better the next time */
		s->read = true;
		if (elf_build_id(s->module->image)[0])
			s->build_id = elf_build_id(s->module->image);
		/* what was answered without the file is answered anew */
		hash_free(&s->by_vaddr);
	}
	module_rest(s->module);
	return rc;
}

int module_symbols_read(struct module_symbols *s, const struct code *code, const struct placement *p)
{
	int rc = read_file(s, code, p);

	if (rc != -ETIMEDOUT)
		return rc;
	budget_refuse(module_budget(s->module), s->module->path, FOREIGN_NO_ANSWER);
	return -EINTR; /* it is read when its file system answers */
}

/* Read DWARF again that was closed. */
static void reopen_lines(struct module_symbols *s, pid_t root_pid)
{
	struct elf_image *debug = NULL;

	int rc = 0;

	if (!elf_lines_present(s->module->image))
		rc = elf_open_debug(s->module->image, root_pid, s->module->path, &debug);
	if (rc != -EINTR)
		open_lines(s, debug, root_pid);
	elf_close(debug);
}

void module_symbols_tidy(struct module_symbols *s)
{
	if (!s->lines || clock_ns(CLOCK_MONOTONIC) - s->lines_asked_ns < LINES_IDLE_NS)
		return;
	close_lines(s);
}

/* --- addresses ------------------------------------------------------------------------------------ */

/* A frame's names, foreign, kept as ours. function: what the symbol table says, or NULL. */
static int add_frame(struct module_symbols *s, uint64_t vaddr, const char *function,
		     const struct elf_line *line)
{
	char text[ELF_LINE_SCOPE_BYTES + SYMBOL_NAME_BYTES], name[SYMBOL_NAME_BYTES];
	struct frame *f = VEC_ADD(&s->frames);

	if (!f)
		return -ENOMEM;
	f->type = s->type;
	f->module = s->name;
	f->path = s->module->path;
	f->offset = vaddr;
	f->build_id = s->build_id;
	f->line = line->line;
	if (!function && line->function) {
		snprintf(text, sizeof(text), "%s%s", line->scope, line->function);
		function = text;
	}
	if (function && !(f->symbol = strset_add(&s->strings, demangle(name, sizeof(name), function))))
		return -ENOMEM;
	if (line->file && !(f->file = base_name(s, line->file)))
		return -ENOMEM;
	return 0;
}

/* What DWARF says of a return address. Their number, or -EAGAIN: not yet. */
static int lines_at(struct module_symbols *s, uint64_t vaddr, struct elf_line *lines, size_t max)
{
	int rc;

	if (s->put_off)
		return -EAGAIN;
	if (s->no_lines || !s->read)
		return 0;
	if (!s->lines)
		return -EAGAIN;
	s->lines_asked_ns = clock_ns(CLOCK_MONOTONIC);
	rc = lines_helper_at(s->lines, vaddr - 1, lines, max);
	if (rc == -ETIME) { /* it goes on with another helper, after a while */
		close_lines(s);
		return -EAGAIN;
	}
	if (rc < 0 && rc != -EAGAIN) {
		give_up_lines(s, rc);
		rc = 0;
	}
	return rc;
}

/* The frames of an address of these lines. */
static int add_lines(struct module_symbols *s, uint64_t vaddr, const struct elf_function *fn,
		     const struct elf_line *lines, size_t n, struct known *k)
{
	k->first = s->frames.n;
	k->n = (uint32_t)n;
	for (size_t i = 0; i < n; i++) {
		/* the outermost is the function itself, whose name its file has in the symbol table */
		bool inlined = i + 1 < n;
		const char *name = fn && !inlined ? elf_function_name(&s->functions, fn) : NULL;
		int rc = add_frame(s, vaddr, name, &lines[i]);

		if (rc)
			return rc;
		s->frames.v[s->frames.n - 1].inlined = inlined;
	}
	return 0;
}

/* Read DWARF again, if it was closed, to answer what is asked. 0, or -errno of code_use(). */
static int want_lines(struct module_symbols *s, const struct code *code, const struct placement *p)
{
	int rc;

	if (!s->read || s->lines || s->no_lines || lines_history_rests(&s->lines_history) ||
	    budget_slice_over(module_budget(s->module)))
		return 0;
	rc = code_use(code, p);
	if (rc)
		return rc;
	reopen_lines(s, code_root_pid(code));
	module_rest(s->module);
	return 0;
}

/* Frames that were made without lines, once these are there. */
static int complete(struct module_symbols *s, uint64_t vaddr, struct known *k)
{
	struct elf_line lines[MAX_FRAMES_OF_PC];
	struct known next = *k;
	int n = lines_at(s, vaddr, lines, ARRAY_LEN(lines)), rc = 0;

	if (n == -EAGAIN)
		return 0;
	if (n > 0)
		rc = add_lines(s, vaddr, elf_functions_find(&s->functions, vaddr - 1), lines, n, &next);
	if (!rc) {
		next.pending = false;
		*k = next;
	}
	return rc;
}

/* An answer for another address, whose asker is not back yet, is taken first. */
static int complete_asked(struct module_symbols *s)
{
	uint64_t asked;
	uint32_t at;

	if (!s->lines || !lines_helper_asked(s->lines, &asked))
		return 0;
	at = hash_find(&s->by_vaddr, asked + 1, 0);
	return at ? complete(s, asked + 1, &s->known.v[at - 1]) : 0;
}

static int symbolize(struct module_symbols *s, const struct code *code, const struct placement *p,
		     uint64_t vaddr, struct known *out)
{
	const struct elf_function *fn = elf_functions_find(&s->functions, vaddr - 1);
	const struct elf_image *e = s->module->image;
	bool awake = s->read && elf_machine(e) == EM_AARCH64 && !code_use(code, p);
	struct elf_line lines[MAX_FRAMES_OF_PC] = {{0}};
	int n;

	budget_begin_file(module_budget(s->module));
	out->link = s->read ? link_at(e, s->cfi, fn, vaddr - 1) : LINK_NO_FILE;
	budget_end_file(module_budget(s->module));
	if (awake)
		module_rest(s->module);
	n = lines_at(s, vaddr, lines, ARRAY_LEN(lines));
	out->pending = n == -EAGAIN;
	return add_lines(s, vaddr, fn, lines, n > 0 ? n : 1, out);
}

int module_symbols_at(struct module_symbols *s, const struct code *code, const struct placement *p,
		      uint64_t vaddr, struct symbolized *out)
{
	struct known fresh = {0}, *k;
	uint32_t at;
	int rc = 0;

	if (s->put_off && !s->given_up && !budget_slice_full(module_budget(s->module)))
		rc = module_symbols_read(s, code, p);
	s->put_off |= rc == -EINTR;
	if (rc && rc != -EINTR)
		return rc;
	rc = 0;
	at = hash_find(&s->by_vaddr, vaddr, 0);
	if (!at || s->known.v[at - 1].pending) {
		if (want_lines(s, code, p) && at) /* its file is gone */
			s->known.v[at - 1].pending = false;
		rc = complete_asked(s);
	}
	if (!at && !rc) {
		rc = symbolize(s, code, p, vaddr, &fresh);
		if (rc)
			return rc;
		k = VEC_ADD(&s->known);
		if (!k || hash_set(&s->by_vaddr, vaddr, 0, (uint32_t)s->known.n))
			return -ENOMEM;
		*k = fresh;
		at = (uint32_t)s->known.n;
	} else if (!rc && s->known.v[at - 1].pending) {
		rc = complete(s, vaddr, &s->known.v[at - 1]);
	}
	if (rc)
		return rc;
	k = &s->known.v[at - 1];
	*out = (struct symbolized){&s->frames.v[k->first], k->n, k->link, k->pending};
	return 0;
}

int module_symbols_function(struct module_symbols *s, uint64_t vaddr, struct frame *out)
{
	const struct elf_function *fn = elf_functions_find(&s->functions, vaddr);
	char name[SYMBOL_NAME_BYTES];

	if (!s->read || (fn ? fn->start != vaddr : !elf_cfi_begins(s->cfi, vaddr)))
		return 0;
	*out = (struct frame){.type = s->type,
			      .module = s->name,
			      .path = s->module->path,
			      .build_id = s->build_id,
			      .offset = vaddr};
	if (fn)
		out->symbol = strset_add(&s->strings,
					 demangle(name, sizeof(name), elf_function_name(&s->functions, fn)));
	return fn && !out->symbol ? -ENOMEM : 1;
}
