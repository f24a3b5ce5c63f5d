/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "elf/elf_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "elf/elf_internal.h"
#include "proc/foreign.h"

struct shared {
	struct stat file;
	struct elf_image *image; /* the cache has one reference to it, which rests */
};
struct elf_cache {
	struct budget *budget;
	struct {
		struct shared *v;
		size_t n, cap;
	} images;
};

int elf_cache_new(struct budget *b, struct elf_cache **out)
{
	*out = calloc(1, sizeof(**out));
	if (*out)
		(*out)->budget = b;
	return *out ? 0 : -ENOMEM;
}

struct budget *elf_cache_budget(const struct elf_cache *c)
{
	return c ? c->budget : NULL;
}

void elf_cache_free(struct elf_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->images.n; i++)
		elf_put(c->images.v[i].image);
	free(c->images.v);
	free(c);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       !memcmp(&a->st_mtim, &b->st_mtim, sizeof(a->st_mtim)) &&
	       !memcmp(&a->st_ctim, &b->st_ctim, sizeof(a->st_ctim));
}

/* Those that nobody has open any more: a host that runs for years sees many libraries come and go. */
static void drop_unused(struct elf_cache *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->images.n; i++) {
		if (c->images.v[i].image->references > 1)
			c->images.v[kept++] = c->images.v[i];
		else
			elf_put(c->images.v[i].image);
	}
	c->images.n = kept;
}

int elf_cache_open(struct elf_cache *c, int fd, struct elf_image **out)
{
	struct shared *place;
	struct stat file;
	int rc;

	if (!c || foreign_stat(fd, &file))
		return elf_open_within(c ? c->budget : NULL, fd, out);
	for (size_t i = 0; i < c->images.n; i++) {
		if (!is_same(&c->images.v[i].file, &file))
			continue;
		*out = c->images.v[i].image;
		rc = elf_wake(*out, fd);
		(*out)->references += !rc;
		return rc;
	}
	drop_unused(c);
	rc = elf_open_within(c->budget, fd, out);
	if (rc)
		return rc;
	place = VEC_ADD(&c->images);
	if (!place) /* then it is not shared */
		return 0;
	*place = (struct shared){file, *out};
	(*out)->references++;
	return 0;
}
