/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "run/pairs.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/near.h"
#include "run/pair_symbols.h"

/* --- rules to rows --- */

/* Plain names are looked up as those of runtimes are; what else there may be, and versions, below. */
static bool symbol(const struct vm *vm, const struct func_row *row, unsigned nth, char *name, size_t cap)
{
	(void)vm;
	snprintf(name, cap, "%.*s", (int)strcspn(row->name, " "), row->name);
	return nth == 0 && !strpbrk(name, "@+:") && strncmp(name, "0x", 2);
}

static int locate(const struct vm_file *file, const struct func_row *row, uint64_t *vaddr, char *why,
		  size_t cap)
{
	char name[PAIR_SYMBOL_BYTES], text[PAIR_WHY_BYTES];
	int rc;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(row->name, " "), row->name);
	rc = pair_symbol_find(file, name, vaddr, text);
	snprintf(why, cap, "%s", text);
	return rc;
}

/* Of a function at an address nothing else is known: of the file that is asked for it. */
static bool no_symbol(const struct vm *vm, const struct func_row *row, unsigned nth, char *name, size_t cap)
{
	(void)vm;
	(void)row;
	(void)nth;
	(void)name;
	(void)cap;
	return false;
}

static int locate_at(const struct vm_file *file, const struct func_row *row, uint64_t *vaddr, char *why,
		     size_t cap)
{
	const struct pair_place *place = (const struct pair_place *)file; /* its first member */
	char name[32], text[PAIR_WHY_BYTES];
	int rc;

	(void)row;
	snprintf(name, sizeof(name), "0x%" PRIx64, place->vaddr);
	rc = pair_symbol_find(file, name, vaddr, text);
	snprintf(why, cap, "%s", text);
	return rc;
}

static const struct runtime at_addresses = {.name = "pair",
					    .shown = "pair",
					    .api = "pair *",
					    .symbol = no_symbol,
					    .locate = locate_at,
					    .guards_exceptions = true};

const struct runtime *pairs_at_addresses(void)
{
	return &at_addresses;
}

static struct pair_lib *lib_of(struct pairs *p, const char *name, bool optional)
{
	struct pair_lib *l;

	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->lib[i].name, name)) {
			p->lib[i].must_have |= !optional;
			return &p->lib[i];
		}
	if (p->n == PAIRS_MAX_LIBS)
		return NULL;
	l = &p->lib[p->n++];
	snprintf(l->name, sizeof(l->name), "%s", name);
	snprintf(l->api, sizeof(l->api), "pair %s", name);
	l->must_have = !optional;
	l->functions = (struct runtime){.name = "pair",
					.shown = l->name,
					.api = l->api,
					.symbol = symbol,
					.locate = locate,
					.guards_exceptions = true};
	return l;
}

/* Its name, and where the handle is if the rule has the function already. */
static const char *name_of(const struct pair_rule *rule, size_t i, char *out, size_t cap)
{
	const struct pair_func *f = &rule->func[i];

	for (size_t k = 0; k < i; k++) {
		if (strcmp(rule->func[k].symbol, f->symbol))
			continue;
		if (f->row.handle == HANDLE_RETURN)
			snprintf(out, cap, "%s (ret)", f->symbol);
		else
			snprintf(out, cap, "%s (%sarg%d)", f->symbol, f->row.form == HANDLE_ITSELF ? "" : "*",
				 (int)f->row.handle - HANDLE_ARG0);
		return out;
	}
	return f->symbol;
}

static int add_funcs(struct pairs *p, struct catalog *c, const struct pair_rule *rule, int family,
		     bool optional)
{
	for (size_t i = 0; i < rule->n; i++) {
		const struct pair_func *f = &rule->func[i];
		struct func_row row = f->row;
		struct pair_lib *l =
		    row.at_address ? NULL : lib_of(p, f->lib[0] ? f->lib : rule->lib, optional);
		char finalizer[PAIR_NAME_BYTES + 16], name[PAIR_SYMBOL_BYTES + 16];
		int rc;

		if (!l && !row.at_address)
			return -E2BIG;
		snprintf(finalizer, sizeof(finalizer), "finalizer (%s)", rule->name);
		row.name = l ? name_of(rule, i, name, sizeof(name)) : finalizer;
		row.api = l ? l->api : at_addresses.api;
		row.family = (enum family_id)family;
		rc = catalog_add_func(c, &row);
		if (rc < 0)
			return rc;
		p->column[rc] = (uint16_t)f->column;
	}
	return 0;
}

int pairs_add(struct pairs *p, struct catalog *c, const char *text, bool optional, const char *what,
	      struct error *err)
{
	struct pair_rule *rule = malloc(sizeof(*rule));
	struct pair_fault fault = {0};
	struct family_row family = {.kind = KIND_PAIR};
	int rc = rule ? pair_parse(text, rule, &fault) : -ENOMEM, id = 0;

	if (rc == -EINVAL)
		error_set(err, rc, EXIT_USAGE, what, "see docs/pairs.md, or man jnitrace", "column %zu: %s",
			  fault.column, fault.why);
	if (!rc) {
		family.name = rule->name;
		rc = id = catalog_add_family(c, &family);
		if (id == -EEXIST)
			error_set(err, rc, EXIT_USAGE, what, "give it another, as in NAME=LIB:...",
				  "there is a family '%s' already", rule->name);
	}
	if (rc >= 0) {
		p->families |= 1U << id;
		rc = add_funcs(p, c, rule, id, optional);
	}
	if (rc == -ENOSPC && id == -ENOSPC)
		error_set(err, rc, EXIT_USAGE, what, "trace fewer rules at a time",
			  "no room for the family '%s': there are %d already, those of runtimes included",
			  rule->name, JT_ADDED_FAMILIES);
	else if (rc == -ENOSPC)
		error_set(
		    err, rc, EXIT_USAGE, what, "trace fewer rules at a time",
		    "no room for the functions of '%s': there are %d already, those of runtimes included",
		    rule->name, JT_ADDED_FUNCS);
	else if (rc == -E2BIG)
		error_set(err, rc, EXIT_USAGE, what, "trace fewer rules at a time",
			  "no room for the libraries of '%s': the rules name %d already", rule->name,
			  PAIRS_MAX_LIBS);
	free(rule);
	if (rc == -ENOMEM)
		return error_set(err, rc, EXIT_FAILED, what, NULL, "out of memory");
	return rc < 0 ? rc : 0;
}

/* --- libraries of a process --- */

/*
 * The name itself, or its beginning up to where a version or a word may follow: libssl is libssl.so.3 and
 * libssl-1.so, libz.so.1 is libz.so.1.2.13, libjnidispatch is libjnidispatch.system.so.
 */
static bool is_named(const char *path, const char *name)
{
	const char *base = strrchr(path, '/'), *rest, *word;
	size_t n = strlen(name);

	if (strchr(name, '/'))
		return !strcmp(path, name);
	base = base ? base + 1 : path;
	if (strncmp(base, name, n))
		return false;
	rest = base + n;
	word = *rest == '.' ? rest + 1 + strspn(rest + 1, "abcdefghijklmnopqrstuvwxyz") : rest;
	return !*rest || !strncmp(rest, ".so", 3) || !strncmp(word, ".so", 3) ||
	       (*rest == '.' && isdigit((unsigned char)rest[1]) && strstr(name, ".so")) ||
	       (*rest == '-' && isdigit((unsigned char)rest[1]));
}

/* Where a mapping's file is mapped from its first byte on, nearest below it; NULL: nowhere. */
static const struct mapping *first_of(const struct proc_maps *maps, size_t code)
{
	const struct mapping *m = &maps->v[code];

	for (size_t k = code + 1; k-- > 0;)
		if (maps->v[k].dev == m->dev && maps->v[k].ino == m->ino && !maps->v[k].offset)
			return &maps->v[k];
	return NULL;
}

static bool is_known(const struct pair_lib *lib, const struct mapping *m, const struct vm_file *known,
		     size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (known[i].runtime == &lib->functions && known[i].mapping.dev == m->dev &&
		    known[i].mapping.ino == m->ino)
			return true;
	return false;
}

static const struct mapping *find(const struct pair_lib *lib, const struct proc_maps *maps,
				  const struct vm_file *known, size_t nr_known)
{
	for (size_t i = 0; i < maps->n; i++) {
		const struct mapping *m = &maps->v[i];

		if (m->executable && m->path && m->ino && is_named(m->path, lib->name) &&
		    !is_known(lib, m, known, nr_known))
			return first_of(maps, i);
	}
	/* a path may lead to what is mapped by another name */
	for (size_t i = 0; i < maps->n && strchr(lib->name, '/'); i++) {
		const struct mapping *m = &maps->v[i];
		char *real = m->executable && m->path && m->ino ? realpath(lib->name, NULL) : NULL;
		bool same = real && !strcmp(real, m->path) && !is_known(lib, m, known, nr_known);

		free(real);
		if (same)
			return first_of(maps, i);
	}
	return NULL;
}

bool pairs_are_mapped(const struct pairs *p, const struct proc_maps *maps)
{
	for (size_t i = 0; i < p->n; i++)
		if (find(&p->lib[i], maps, NULL, 0))
			return true;
	return false;
}

/* m: where its first byte is, NULL: it is not mapped. */
static int open_mapped(const struct runtime *runtime, const struct mapping *m, const struct proc_maps *maps,
		       struct elf_cache *images, struct vm_file *out)
{
	uint64_t vaddr;
	int fd, rc;

	*out = (struct vm_file){0};
	if (!m)
		return -ENOENT;
	out->runtime = runtime;
	out->mapping = *m;
	out->mapping.path = strdup(m->path);
	if (!out->mapping.path)
		return -ENOMEM;
	fd = proc_open_mapping(maps->pid, m);
	rc = fd < 0 ? fd : elf_cache_open(images, fd, &out->elf);
	if (!rc && !elf_offset_to_vaddr(out->elf, m->offset, &vaddr))
		rc = -ENOEXEC;
	if (!rc)
		out->bias = m->start - vaddr;
	return rc;
}

int pairs_open(const struct pair_lib *lib, const struct proc_maps *maps, struct elf_cache *images,
	       const struct vm_file *known, size_t nr_known, struct vm_file *out)
{
	return open_mapped(&lib->functions, find(lib, maps, known, nr_known), maps, images, out);
}

int pairs_open_at(uint64_t address, const struct proc_maps *maps, struct elf_cache *images,
		  struct vm_file *out)
{
	const struct mapping *m = proc_maps_find(maps, address);
	bool is_file = m && m->executable && m->path && m->ino;

	return open_mapped(&at_addresses, is_file ? first_of(maps, (size_t)(m - maps->v)) : NULL, maps,
			   images, out);
}

void pairs_near_libs(const struct pair_lib *lib, const struct proc_maps *maps, char *out, size_t cap)
{
	const char *slash = strrchr(lib->name, '/');
	struct near near = {0};

	for (size_t i = 0; i < maps->n; i++) {
		const struct mapping *m = &maps->v[i];
		const char *base = m->executable && m->path && m->ino ? strrchr(m->path, '/') : NULL;

		if (base)
			near_add(&near, slash ? slash + 1 : lib->name, base + 1, base + 1);
	}
	near_put(&near, out, cap);
}
