/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The book of modules: the files with code that the targets have mapped, each once for all targets. Unwinding
 * and symbols hang on a module what they make of its file, so that a hundred JVMs of one build cost what one
 * does. Where a process has a module is its layout (code.h).
 */
#ifndef JNITRACE_MODULES_H
#define JNITRACE_MODULES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "elf/elf_cache.h"

struct modules; /* one per tracer */

/* images: who opens the files; not owned. 0 or -ENOMEM. */
int modules_new(struct elf_cache *images, struct modules **out);
/* Of the images; NULL: no limits. */
struct budget *modules_budget(const struct modules *b);
/* All modules must have been put. */
void modules_free(struct modules *b);

/* What others know of a module. Who sets a part holds a reference as long as it is there. */
enum module_part { MODULE_UNWIND, MODULE_SYMBOLS, NR_MODULE_PARTS };

/*
 * A file with code, or the vdso of one process. Two targets share it when they have the same file (device,
 * inode, size, times of change: an inode number may be given to another file, and a file be written to) under
 * the same path of the same root: what belongs to a file, as its separate debug file, is looked for there.
 */
struct module {
	uint32_t id;   /* in its book; never used again */
	uint32_t what; /* a hash: equal when the same file is met again, even if it was forgotten meanwhile */
	char *path;    /* as the targets see it; NULL: the vdso */
	struct elf_image
	    *image; /* NULL: not read yet. Its contents can be read between module_use() and module_rest() */
	void *part[NR_MODULE_PARTS];
	/* Code in [start, end), offsets in the file, that keeps a frame pointer at its calls although no
	 * unwind table says so; end 0: none is known. code.c sets it when it reads a layout. */
	struct {
		uint64_t start, end;
	} keeps_fp;
	bool generated; /* no file, but code that a runtime makes as it runs, and that keeps one likewise */

	/* of modules.c */
	struct modules *book;
	unsigned int references, users;
	bool shared; /* what follows is known */
	struct module_key {
		struct stat file;
		dev_t root_dev; /* with root_ino: the directory; 0 of those who have our own root */
		ino_t root_ino;
	} key;
};

/*
 * The module of an open file, made if there is none; fd stays the caller's. -1: the file could not be opened,
 * the module is nobody else's. A reference, or NULL when memory is exhausted.
 */
struct module *modules_find(struct modules *b, int fd, const char *path, dev_t root_dev, ino_t root_ino);
/* The vdso has no file: one for each process. */
struct module *modules_add_vdso(struct modules *b);
/* Nor has generated code: likewise. */
struct module *modules_add_generated(struct modules *b);

/* Who pays for what is read of it. */
struct budget *module_budget(const struct module *m);
void module_get(struct module *m);
void module_put(struct module *m);

/*
 * Have the contents of m's file readable until module_rest(); calls nest. fd is asked for if it is needed,
 * and taken over: -errno is returned, and module_rest() must not be called. -ESTALE: it is another file than
 * m's.
 */
typedef int module_open_fn(const void *arg);
int module_use(struct module *m, module_open_fn *open_it, const void *arg);
void module_rest(struct module *m);

#endif
