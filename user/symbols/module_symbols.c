/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "symbols/module_symbols.h"

#include <elf.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/strset.h"
#include "base/util.h"
#include "elf/elf_lines.h"
#include "runtime/runtime.h"
#include "symbols/demangle.h"

#define MAX_FRAMES_OF_PC  32            /* a function and what is inlined in it */
#define LINES_IDLE_NS     5000000000ULL /* of DWARF that nobody asks for */
#define MODULE_NAME_BYTES 128

/* A symbolized address. */
struct known {
	uint32_t first, n; /* in frames */
	enum link link;
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
	struct elf_lines *lines; /* NULL: closed, or */
	bool no_lines;           /* there are none */
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
	elf_lines_close(s->lines);
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

static void open_lines(struct module_symbols *s, const struct elf_image *debug, pid_t root_pid)
{
	const struct elf_image *e = elf_lines_present(s->module->image) ? s->module->image : debug;

	s->lines_asked_ns = clock_ns(CLOCK_MONOTONIC);
	s->no_lines = !e || !elf_lines_present(e) || elf_lines_open(e, root_pid, &s->lines);
}

/* Functions by name, and DWARF, of the file and of its separate debug file. */
static int read_names(struct module_symbols *s, pid_t root_pid)
{
	const struct elf_image *e = s->module->image;
	struct elf_image *debug = NULL;
	int rc = elf_functions_add(&s->functions, e, ELF_SYMTAB);

	if (!rc || !elf_lines_present(e))
		elf_open_debug(e, root_pid, s->module->path, &debug);
	if (!rc) {
		rc = elf_functions_add(&s->functions, e, ELF_DYNSYM);
		if (rc >= 0 && debug)
			rc = elf_functions_add(&s->functions, debug, ELF_SYMTAB);
	}
	elf_functions_sort(&s->functions);
	if (rc >= 0)
		open_lines(s, debug, root_pid);
	elf_close(debug);
	return rc < 0 ? rc : 0;
}

int module_symbols_read(struct module_symbols *s, const struct code *code, const struct placement *p)
{
	int rc;

	if (s->read)
		return 0;
	rc = code_use(code, p);
	if (rc)
		return rc == -ENOMEM ? rc : 0;
	rc = elf_cfi_open(s->module->image, &s->cfi);
	rc = rc ?: read_names(s, code_root_pid(code));
	if (rc) { /* -ENOMEM: it may go better the next time */
		elf_cfi_close(s->cfi);
		s->cfi = NULL;
		elf_functions_free(&s->functions);
	} else {
		s->read = true;
		if (elf_build_id(s->module->image)[0])
			s->build_id = elf_build_id(s->module->image);
		/* what was answered without the file is answered anew */
		hash_free(&s->by_vaddr);
	}
	module_rest(s->module);
	return rc;
}

/* Read DWARF again that was closed. */
static void reopen_lines(struct module_symbols *s, pid_t root_pid)
{
	struct elf_image *debug = NULL;

	if (!elf_lines_present(s->module->image))
		elf_open_debug(s->module->image, root_pid, s->module->path, &debug);
	open_lines(s, debug, root_pid);
	elf_close(debug);
}

void module_symbols_tidy(struct module_symbols *s)
{
	if (!s->lines || clock_ns(CLOCK_MONOTONIC) - s->lines_asked_ns < LINES_IDLE_NS)
		return;
	close_lines(s);
	malloc_trim(0); /* it was many small pieces */
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

static int add_frames(struct module_symbols *s, uint64_t vaddr, const struct elf_function *fn)
{
	struct elf_line lines[MAX_FRAMES_OF_PC];
	size_t n = 0;

	if (s->lines) {
		s->lines_asked_ns = clock_ns(CLOCK_MONOTONIC);
		n = elf_lines_at(s->lines, vaddr - 1, lines, ARRAY_LEN(lines));
	}
	if (!n)
		lines[n++] = (struct elf_line){0};
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

static int symbolize(struct module_symbols *s, const struct code *code, const struct placement *p,
		     uint64_t vaddr, struct known *out)
{
	const struct elf_function *fn = elf_functions_find(&s->functions, vaddr - 1);
	const struct elf_image *e = s->module->image;
	bool lines = s->read && !s->lines && !s->no_lines;
	bool awake = s->read && (lines || elf_machine(e) == EM_AARCH64) && !code_use(code, p);
	int rc;

	if (awake && lines)
		reopen_lines(s, code_root_pid(code));
	out->link = s->read ? link_at(e, s->cfi, fn, vaddr - 1) : LINK_NO_FILE;
	if (awake)
		module_rest(s->module);
	out->first = s->frames.n;
	rc = add_frames(s, vaddr, fn);
	out->n = s->frames.n - out->first;
	return rc;
}

int module_symbols_at(struct module_symbols *s, const struct code *code, const struct placement *p,
		      uint64_t vaddr, struct symbolized *out)
{
	uint32_t at = hash_find(&s->by_vaddr, vaddr, 0);
	struct known fresh, *k;
	int rc;

	if (!at) {
		rc = symbolize(s, code, p, vaddr, &fresh);
		if (rc)
			return rc;
		k = VEC_ADD(&s->known);
		if (!k || hash_set(&s->by_vaddr, vaddr, 0, (uint32_t)s->known.n))
			return -ENOMEM;
		*k = fresh;
		at = (uint32_t)s->known.n;
	}
	k = &s->known.v[at - 1];
	*out = (struct symbolized){&s->frames.v[k->first], k->n, k->link};
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
