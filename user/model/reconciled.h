/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the VM's own tables tell of the references of a snapshot, as plain data. */
#ifndef JNITRACE_RECONCILED_H
#define JNITRACE_RECONCILED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Local references of one site. */
struct local_site {
	uint64_t live, dead;
	uint32_t oldest_tick; /* of the live ones; valid when live > 0 */
};
struct local_refs {
	struct local_site *v; /* by index in snapshot.sites */
	size_t n;
	struct local_site sum;
};

/* Frames that one site pushed and nobody will pop. */
struct left_frame {
	uint32_t site;
	uint32_t first_tick, last_tick; /* when they were found to be */
	uint64_t count;                 /* 0: none */
	uint64_t locals;                /* references that were alive below them, as of the last look */
	bool piles;                     /* it pushes again and again in one native call */
};
struct left_frames {
	struct left_frame *v;
	size_t n;
};

/* What the references of one site point to. */
struct site_class {
	uint32_t site;    /* its number, as in snapshot_site.index */
	const char *name; /* lives until the classes are read again, as do those below */
	/* Of java.lang.Class: which class, see struct report_of; NULL: another class, or unknown. */
	const char *of, *of_loader;
	uint64_t of_loader_id;
	bool is_class;  /* it is java.lang.Class */
	uint64_t count; /* references of those read */
};
struct ref_classes {
	struct {
		struct site_class *v; /* by site */
		size_t n, cap;
	} classes;
	bool sampled; /* not every reference was read: counts are shares */
};

/*
 * What the weak references of one site point to. One whose object lives may be released when the object is
 * collected, which nobody can know before; it piles up if that comes and goes, or if it does not matter: the
 * object has others already.
 */
struct weak_site {
	uint32_t site;          /* its number, as in snapshot_site.index */
	uint64_t refs, cleared; /* of those read */
	uint64_t objects;       /* that live, each counted once */
};
struct weak_look {
	struct {
		struct weak_site *v; /* by site */
		size_t n, cap;
	} sites;
	bool looked;         /* sites is true now; else nobody looked, or could */
	bool never;          /* objects of this VM cannot be read */
	int64_t collections; /* of the whole heap; grows with each, by one or more; -1: unknown */
};

#endif
