/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All runtimes that the tool knows, the only place that names one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/art/row.h"
#include "runtime/hotspot/row.h"
#include "runtime/node/row.h"
#include "runtime/python/row.h"
#include "runtime/ruby/row.h"
#include "runtime/runtime.h"

/* The first one's words are said of a process that has none. One array: compilers change the order of
 * several. */
static const struct runtime *const rows[]
    __attribute__((used, retain, section("runtime_rows"), aligned(sizeof(void *)))) = {
	&hotspot_runtime, &art_runtime, &node_runtime, &ruby_runtime, &python_runtime};

/* The linker's: the section of all RUNTIME_ROW()s, those of a test program too. */
extern const struct runtime *const __start_runtime_rows[], *const __stop_runtime_rows[];

#define FOR_EACH_RUNTIME(row)                                                                                \
	for (const struct runtime *const *row = __start_runtime_rows; row < __stop_runtime_rows; row++)

int runtimes_add_rows(struct catalog *c)
{
	int rc = 0;

	FOR_EACH_RUNTIME(r)
	if ((*r)->add_rows && rc >= 0)
		rc = (*r)->add_rows(c);
	return rc < 0 ? rc : 0;
}

/* Is it the api of another runtime than r? */
static bool is_of_another(const struct runtime *r, const char *api)
{
	FOR_EACH_RUNTIME(other)
	if (api && *other != r && !strcmp((*other)->api, api))
		return !r || strcmp(r->api, api) != 0;
	return false;
}

uint32_t runtime_families(const struct runtime *r, const struct catalog *c)
{
	uint32_t others = 0;

	for (int f = 0; f < NR_ALL_FUNCS; f++)
		if (is_of_another(r, c->funcs[f].api))
			others |= 1U << c->funcs[f].family;
	return ~others;
}

void runtimes_bottom(const char *out[RUNTIMES_BOTTOM_MAX + 1])
{
	size_t n = 0;

	FOR_EACH_RUNTIME(r)
	for (const char *const *name = (*r)->bottom; name && *name && n < RUNTIMES_BOTTOM_MAX; name++)
		out[n++] = *name;
	out[n] = NULL;
}

const char *runtime_start_file(size_t i)
{
	FOR_EACH_RUNTIME(r)
	for (const char *const *file = (*r)->start_files; file && *file; file++)
		if (i-- == 0)
			return *file;
	return NULL;
}

const struct runtime *runtime_by_name(const char *name)
{
	FOR_EACH_RUNTIME(r)
	if (name && !strcmp((*r)->name, name))
		return *r;
	return NULL;
}

const char *runtime_name(size_t i)
{
	size_t n = (size_t)(__stop_runtime_rows - __start_runtime_rows);

	return i < n ? __start_runtime_rows[i]->name : NULL;
}

bool runtime_has_library(const char *base_name)
{
	FOR_EACH_RUNTIME(r)
	if (proc_name_is_one_of(base_name, (*r)->libraries))
		return true;
	return false;
}

bool runtime_has_launcher(const struct runtime *only, const char *exe_base_name)
{
	FOR_EACH_RUNTIME(r)
	if ((!only || *r == only) && proc_name_is_one_of(exe_base_name, (*r)->launchers))
		return true;
	return false;
}

/* Has the file its functions? */
static bool is_file_of(const struct runtime *r, const struct proc_maps *maps, const struct mapping *m)
{
	struct elf_wanted wanted = {.name = r->exports};
	struct elf_image *elf;
	int fd;

	if (!r->exports)
		return true;
	fd = proc_open_mapping(maps->pid, m);
	if (fd < 0 || elf_open(fd, &elf))
		return false;
	elf_find_symbols(elf, ELF_DYNSYM, &wanted, 1);
	elf_close(elf);
	return wanted.vaddr != 0;
}

static const struct mapping *find_library(const struct runtime *r, const struct proc_maps *maps)
{
	const struct mapping *m = NULL;

	do
		m = proc_maps_find_library(maps, r->libraries, m);
	while (m && !is_file_of(r, maps, m));
	return m;
}

/* Which runtimes are looked for, and where. */
enum { BY_NAME = 0, ANY_NAME = 1 /* the program may be its file, whatever it is called */, FRAMES = 2 };
/* The runtime, and its file's mapping. how: of these. */
static const struct runtime *find(const struct proc_maps *maps, const struct runtime *only, unsigned how,
				  const struct mapping **mapping)
{
	FOR_EACH_RUNTIME(r)
	{
		if (only ? *r != only : (*r)->frames_only && !(how & FRAMES))
			continue;
		*mapping = find_library(*r, maps);
		if (!*mapping && (how & ANY_NAME) && (*r)->exports) {
			*mapping = proc_maps_find_executable(maps);
			if (*mapping && !is_file_of(*r, maps, *mapping))
				*mapping = NULL;
		}
		if (*mapping)
			return *r;
	}
	return NULL;
}

bool vm_file_is_mapped(const struct proc_maps *maps, const struct runtime *only)
{
	const struct mapping *m;

	return find(maps, only, BY_NAME, &m);
}

const struct runtime *runtime_mapped(const struct proc_maps *maps)
{
	const struct mapping *m;

	return find(maps, NULL, BY_NAME | FRAMES, &m);
}

int vm_file_open(const struct proc_maps *maps, const struct runtime *only, struct elf_cache *images,
		 const char *what, struct vm_file *out, struct error *err)
{
	const struct runtime *asked = only ?: __start_runtime_rows[0];
	const struct mapping *m = NULL;
	uint64_t vaddr;
	int fd, rc;

	*out = (struct vm_file){.runtime = find(maps, only, ANY_NAME, &m)};
	if (!out->runtime)
		return error_set(err, -ENOENT, EXIT_NO_TARGET, what, asked->absent_advice, "%s",
				 asked->absent);
	out->mapping = *m;
	out->mapping.path = strdup(m->path);
	if (!out->mapping.path)
		return error_set(err, -ENOMEM, EXIT_FAILED, what, NULL, "out of memory");
	fd = proc_open_mapping(maps->pid, m);
	rc = fd < 0 ? fd : elf_cache_open(images, fd, &out->elf);
	if (rc)
		return error_set(err, rc, EXIT_FAILED, what, NULL, "cannot read %s as mapped: %s", m->path,
				 strerror(-rc));
	if (!elf_offset_to_vaddr(out->elf, m->offset, &vaddr))
		return error_set(err, -ENOEXEC, EXIT_FAILED, what, NULL,
				 "%s has no segment at its mapped offset", m->path);
	out->bias = m->start - vaddr;
	return 0;
}

void vm_file_close(struct vm_file *f)
{
	elf_close(f->elf);
	free(f->mapping.path);
	*f = (struct vm_file){0};
}
