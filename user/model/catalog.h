/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What can be traced: functions, and the families they belong to, one row each. JNI's rows are known when
 * this is compiled (bpf/border/jni_funcs.def); a runtime, or the command line, adds its own when the tool
 * starts. From then on nothing tells the two apart: probes, counters, verdicts and views go by the rows.
 */
#ifndef JNITRACE_CATALOG_H
#define JNITRACE_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/border/shared.h"

/* How the books of a family are kept. */
enum family_kind {
	KIND_NONE,
	KIND_REFERENCE, /* acquired once, released once: paired by handle */
	KIND_LOCAL,     /* the same, but it dies with the native frame that acquired it */
	KIND_PIN,       /* the contents of an object; one pointer may be handed out several times */
	KIND_CRITICAL,  /* likewise, and meanwhile the collector has to wait */
	KIND_MONITOR,   /* held by a thread, as often as it was entered */
	KIND_THREAD,    /* a thread that is attached to the runtime */
	KIND_USE,       /* acquires and releases nothing, but is given references */
	KIND_PAIR,      /* handles that any library gives and takes */
};
/* A set of kinds. */
#define KIND_BIT(kind) (1U << (kind))
#define KINDS_OF_PINS  (KIND_BIT(KIND_PIN) | KIND_BIT(KIND_CRITICAL))
#define KINDS_OF_BOOKS (KIND_BIT(KIND_MONITOR) | KIND_BIT(KIND_THREAD)) /* kept by thread */

struct family_row {
	const char *name; /* "global"; NULL: the number is not in use */
	enum family_kind kind;
	bool by_default; /* traced without being asked for */
};
struct func_row {
	const char *name;     /* as users know it; NULL: the number is not in use */
	const char *api;      /* whose function it is: "jni", or what was added; a literal */
	enum jni_table table; /* JNI's: where its address stands, table and slot */
	int index;
	enum family_id family;
	enum operation operation;
	enum handle_where handle; /* where the reference, pin or object is */
	/*
	 * Bit per argument that is a reference; for --check. Of an OP_WATCH: the result that it waits for; of
	 * SUCCESS_ZERO_OR: the other result that says so.
	 */
	unsigned refs;
	unsigned nulls;   /* of these: one that was collected is as good as NULL */
	unsigned allowed; /* likewise: ALLOWED_ bits, when it may be called */
	/* Of KIND_PAIR: */
	enum handle_form form;
	/*
	 * Of what is done on return: an acquisition, or a release of what an argument points to then. Of what
	 * is done to the handle that a call is given: whether that holds.
	 */
	enum success success;
	/*
	 * HANDLE_ARRAY: which argument is its length. Else which one is the number of references that the
	 * handle begins with; HANDLE_NONE: one.
	 */
	enum handle_where count;
	enum count_says counts; /* what that argument says instead */
	/* Which arguments, one or two that are multiplied, are its size in bytes; HANDLE_NONE: nothing is. */
	enum handle_where size, times;
	/* An acquisition: which argument is the address of the function that releases; HANDLE_NONE: none. */
	enum handle_where finalizer;
	bool owns;       /* an acquisition: what calls inside it acquire is its own affair */
	bool at_address; /* a release: by the functions at such addresses, in whatever file */
	bool narrow;     /* the handle has 32 bits, and may be 0: a file descriptor */
	bool maybe;      /* a release may be given what is none of the family's handles: that is no mistake */
	bool nothrow;    /* no exception goes through it */
	bool others;     /* likewise, but only of what is none of the handles that were ever seen */
	bool counted; /* the same handle may be given again, and then has to be released once more: dlopen */
	enum watch
	    watch; /* of an OP_WATCH: what it says. A file that does not have the function does without */
};
struct catalog {
	struct func_row funcs[NR_ALL_FUNCS];         /* by enum func_id */
	struct family_row families[FAMILY_NONE + 1]; /* by enum family_id */
	uint32_t nr_funcs;    /* numbers of counted functions in use: all below it are */
	uint32_t nr_families; /* likewise */
};

/* JNI's rows alone. */
extern const struct catalog jni_catalog;

/* A copy of jni_catalog, to be added to; freed by catalog_free(). 0 or -ENOMEM. */
int catalog_new(struct catalog **out);
void catalog_free(struct catalog *c);
/*
 * Add a family; its name is copied. Returns its number, -EEXIST where the name is taken, -ENOSPC after
 * JT_ADDED_FAMILIES, -ENOMEM.
 */
int catalog_add_family(struct catalog *c, const struct family_row *row);
/*
 * Add a function; its name is copied. Functions of two families may have one name, of one family not. Returns
 * its number, -EEXIST, -EINVAL (no such family), -ENOSPC after JT_ADDED_FUNCS, -ENOMEM.
 */
int catalog_add_func(struct catalog *c, const struct func_row *row);

/* The name, or NULL for FUNC_NONE. */
static inline const char *func_name(const struct catalog *c, enum func_id func)
{
	return c->funcs[func].name;
}

static inline const char *family_name(const struct catalog *c, enum family_id family)
{
	return c->families[family].name;
}

static inline enum family_id func_family(const struct catalog *c, enum func_id func)
{
	return c->funcs[func].family;
}

static inline bool func_is_pin(const struct catalog *c, enum func_id func)
{
	return KINDS_OF_PINS & KIND_BIT(c->families[c->funcs[func].family].kind);
}

static inline enum family_kind func_kind(const struct catalog *c, enum func_id func)
{
	return c->families[c->funcs[func].family].kind;
}

/* Is it one of those that only use references, and not counted? */
static inline bool func_is_use(enum func_id func)
{
	return func >= NR_FUNCS;
}

/* Families of these kinds, as a bit mask. kinds: KIND_BIT()s. */
uint32_t catalog_families(const struct catalog *c, unsigned kinds);
/* These families, and those without which they cannot be traced: detaching a thread exits its monitors. */
uint32_t catalog_with_needed(uint32_t families);
/* Families that are traced without being asked for. */
uint32_t catalog_defaults(const struct catalog *c);
/* The family of this name, or FAMILY_NONE. */
enum family_id catalog_find_family(const struct catalog *c, const char *name);
/* Of pairs: may a call fail, so that the handle that it is given stays as it was? Its result says so then. */
bool func_may_fail(const struct func_row *row);
/*
 * Must both the entry and the return of this function be probed? Where it takes both an argument and the
 * result to tell what a call did: pins (which array, which pointer), monitors and threads (did it succeed),
 * frames that are popped (which one, what is handed down). Of pairs those that acquire, as one may call
 * another: the outermost one has acquired the handle. And, where the family has more than one function that
 * is given handles, those that release, too: such calls inside are no mistakes. And those that may fail.
 */
bool func_at_both_ends(const struct catalog *c, enum func_id func);

#endif
