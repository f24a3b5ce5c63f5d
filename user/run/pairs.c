/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "run/pairs.h"

#include <ctype.h>
#include <errno.h>
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
	snprintf(name, cap, "%s", row->name);
	return nth == 0 && !strpbrk(row->name, "@+:") && strncmp(row->name, "0x", 2);
}

static int locate(const struct vm_file *file, const struct func_row *row, uint64_t *vaddr, char *why,
		  size_t cap)
{
	char text[PAIR_WHY_BYTES];
	int rc = pair_symbol_find(file, row->name, vaddr, text);

	snprintf(why, cap, "%s", text);
	return rc;
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

static int add_funcs(struct pairs *p, struct catalog *c, const struct pair_rule *rule, int family,
		     bool optional)
{
	for (size_t i = 0; i < rule->n; i++) {
		const struct pair_func *f = &rule->func[i];
		struct func_row row = f->row;
		struct pair_lib *l = lib_of(p, f->lib[0] ? f->lib : rule->lib, optional);
		int rc;

		if (!l)
			return -E2BIG;
		row.name = f->symbol;
		row.api = l->api;
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
	free(rule);
	if (rc == -ENOSPC || rc == -E2BIG)
		return error_set(err, rc, EXIT_USAGE, what, "trace fewer at a time",
				 "too many families, functions or libraries");
	if (rc == -ENOMEM)
		return error_set(err, rc, EXIT_FAILED, what, NULL, "out of memory");
	return rc < 0 ? rc : 0;
}

/* --- libraries of a process --- */

/*
 * The name itself, or its beginning up to where a version may follow: libssl is libssl.so.3 and libssl-1.so,
 * libz.so.1 is libz.so.1.2.13.
 */
static bool is_named(const char *path, const char *name)
{
	const char *base = strrchr(path, '/');
	size_t n = strlen(name);

	if (strchr(name, '/'))
		return !strcmp(path, name);
	base = base ? base + 1 : path;
	if (strncmp(base, name, n))
		return false;
	return !base[n] || (base[n] == '.' && !strncmp(base + n, ".so", 3)) ||
	       (base[n] == '.' && isdigit((unsigned char)base[n + 1]) && strstr(name, ".so")) ||
	       (base[n] == '-' && isdigit((unsigned char)base[n + 1]));
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

static const struct mapping *find(const struct pair_lib *lib, const struct proc_maps *maps)
{
	for (size_t i = 0; i < maps->n; i++) {
		const struct mapping *m = &maps->v[i];

		if (m->executable && m->path && m->ino && is_named(m->path, lib->name))
			return first_of(maps, i);
	}
	/* a path may lead to what is mapped by another name */
	for (size_t i = 0; i < maps->n && strchr(lib->name, '/'); i++) {
		const struct mapping *m = &maps->v[i];
		char *real = m->executable && m->path && m->ino ? realpath(lib->name, NULL) : NULL;
		bool same = real && !strcmp(real, m->path);

		free(real);
		if (same)
			return first_of(maps, i);
	}
	return NULL;
}

bool pairs_are_mapped(const struct pairs *p, const struct proc_maps *maps)
{
	for (size_t i = 0; i < p->n; i++)
		if (find(&p->lib[i], maps))
			return true;
	return false;
}

int pairs_open(const struct pair_lib *lib, const struct proc_maps *maps, struct elf_cache *images,
	       struct vm_file *out)
{
	const struct mapping *m = find(lib, maps);
	uint64_t vaddr;
	int fd, rc;

	*out = (struct vm_file){0};
	if (!m)
		return -ENOENT;
	out->runtime = &lib->functions;
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
