/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pairs of functions that the command line names (--pair, --pairs), as rows of the catalog, and the libraries
 * they are in. Such a library is no runtime: it has functions and nothing else.
 */
#ifndef JNITRACE_PAIRS_H
#define JNITRACE_PAIRS_H

#include "elf/elf_cache.h"
#include "run/pair_text.h"
#include "runtime/runtime.h"

#define PAIRS_MAX_LIBS  16
#define PAIRS_MAX_FILES (PAIRS_MAX_LIBS + 16) /* of a process: those, and files of functions at addresses */
struct pair_lib {
	char name[PAIR_LIB_BYTES]; /* as it was given: a path, a base name, or how that begins (libssl) */
	char api[PAIR_LIB_BYTES + 8];
	struct runtime functions; /* what the search for probe sites asks a runtime: api and symbols */
	bool must_have;           /* all of its functions: they were named one by one */
};
struct pairs {
	struct pair_lib lib[PAIRS_MAX_LIBS];
	size_t n;
	uint32_t families;         /* bit per enum family_id */
	uint16_t column[NR_FUNCS]; /* where the text of a rule names a function */
};

/* Add the rows of one rule. 0, or -errno with err; what: of an error; optional: a library need not have all
 * of the functions. */
int pairs_add(struct pairs *p, struct catalog *c, const char *text, bool optional, const char *what,
	      struct error *err);

/*
 * The library as a process maps it, opened: the first that is none of those that are known already, as a
 * process may map several of one name. -ENOENT: it maps no other of this name. End with vm_file_close(), also
 * on failure.
 */
int pairs_open(const struct pair_lib *lib, const struct proc_maps *maps, struct elf_cache *images,
	       const struct vm_file *known, size_t nr_known, struct vm_file *out);
/*
 * The file that is mapped at an address, opened; its runtime is the one whose functions are at such addresses
 * (struct func_row). -ENOENT: there is no code of a file. Likewise.
 */
int pairs_open_at(uint64_t address, const struct proc_maps *maps, struct elf_cache *images,
		  struct vm_file *out);
/* With its runtime: one function of it. */
struct pair_place {
	struct vm_file file;
	uint64_t vaddr;
};
const struct runtime *pairs_at_addresses(void);
/* Does a process map one of the libraries at least? */
bool pairs_are_mapped(const struct pairs *p, const struct proc_maps *maps);
/* Base names of files with code that are near to the library's name, "libthing.so" mostly, "": none. */
void pairs_near_libs(const struct pair_lib *lib, const struct proc_maps *maps, char *out, size_t cap);

#endif
