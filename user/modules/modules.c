/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "modules/modules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "proc/foreign.h"

struct modules {
	struct elf_cache *images;
	uint32_t made;
	struct {
		struct module **v;
		size_t n, cap;
	} all; /* those that may be shared */
};

int modules_new(struct elf_cache *images, struct modules **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->images = images;
	return 0;
}

struct budget *modules_budget(const struct modules *b)
{
	return elf_cache_budget(b->images);
}

void modules_free(struct modules *b)
{
	if (!b)
		return;
	free(b->all.v);
	free(b);
}

static struct module *module_new(struct modules *b, const char *path)
{
	struct module *m = calloc(1, sizeof(*m));

	if (m && path && !(m->path = strdup(path))) {
		free(m);
		return NULL;
	}
	if (m) {
		m->id = ++b->made;
		m->what = (uint32_t)mix64(m->id);
		m->book = b;
		m->references = 1;
	}
	return m;
}

struct module *modules_add_vdso(struct modules *b)
{
	return module_new(b, NULL);
}

struct module *modules_add_generated(struct modules *b)
{
	struct module *m = module_new(b, "[generated code]");

	if (m)
		m->generated = true;
	return m;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       !memcmp(&a->st_mtim, &b->st_mtim, sizeof(a->st_mtim)) &&
	       !memcmp(&a->st_ctim, &b->st_ctim, sizeof(a->st_ctim));
}

static bool is_module(const struct module *m, const struct module_key *key, const char *path)
{
	return m->key.root_dev == key->root_dev && m->key.root_ino == key->root_ino &&
	       same_file(&m->key.file, &key->file) && !strcmp(m->path, path);
}

/* Of what is_module() compares. */
static uint32_t hash_of(const struct module_key *key, const char *path)
{
	const struct stat *f = &key->file;
	const uint64_t words[] = {key->root_dev,
				  key->root_ino,
				  f->st_dev,
				  f->st_ino,
				  (uint64_t)f->st_size,
				  (uint64_t)f->st_mtim.tv_sec,
				  (uint64_t)f->st_mtim.tv_nsec,
				  (uint64_t)f->st_ctim.tv_sec,
				  (uint64_t)f->st_ctim.tv_nsec};

	return (uint32_t)mix64(fnv64(fnv64(FNV64_INIT, words, sizeof(words)), path, strlen(path)));
}

struct module *modules_find(struct modules *b, int fd, const char *path, dev_t root_dev, ino_t root_ino)
{
	struct module_key key = {.root_dev = root_dev, .root_ino = root_ino};
	struct module *m, **place;

	if (fd < 0 || foreign_stat(fd, &key.file))
		return module_new(b, path);
	for (size_t i = 0; i < b->all.n; i++)
		if (is_module(b->all.v[i], &key, path)) {
			module_get(b->all.v[i]);
			return b->all.v[i];
		}
	m = module_new(b, path);
	place = m ? VEC_ADD(&b->all) : NULL;
	if (!place) {
		if (m)
			module_put(m);
		return NULL;
	}
	*place = m;
	m->shared = true;
	m->key = key;
	m->what = hash_of(&key, path);
	return m;
}

struct budget *module_budget(const struct module *m)
{
	return modules_budget(m->book);
}

void module_get(struct module *m)
{
	m->references++;
}

static void forget(struct modules *b, const struct module *m)
{
	size_t i = 0;

	while (b->all.v[i] != m)
		i++;
	b->all.v[i] = b->all.v[--b->all.n];
}

void module_put(struct module *m)
{
	if (--m->references)
		return;
	if (m->shared)
		forget(m->book, m);
	if (m->image)
		elf_put(m->image);
	free(m->path);
	free(m);
}

int module_use(struct module *m, module_open_fn *open_it, const void *arg)
{
	int rc, fd;

	if (m->users) {
		m->users++;
		return 0;
	}
	fd = open_it(arg);
	if (fd < 0)
		return fd;
	rc = m->image  ? elf_wake(m->image, fd)
	     : m->path ? elf_cache_open(m->book->images, fd, &m->image)
		       : elf_open_within(modules_budget(m->book), fd, &m->image);
	m->users = !rc;
	return rc;
}

void module_rest(struct module *m)
{
	if (!--m->users)
		elf_rest(m->image);
}
