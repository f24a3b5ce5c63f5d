/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How this VM represents pointers to objects and classes: words of its memory to addresses. The lowest of
 * three layers: words, classes (klass.h), references (oops.h).
 */
#ifndef JNITRACE_HOTSPOT_OOP_WORDS_H
#define JNITRACE_HOTSPOT_OOP_WORDS_H

#include "base/hash.h"
#include "runtime/hotspot/hotspot.h"
#include "runtime/hotspot/zgc.h"

enum klass_mode { KLASS_FULL, KLASS_NARROW, KLASS_IN_MARK, NR_KLASS_MODES };
enum oop_colors {
	COLORS_NONE,
	COLORS_SINGLE, /* ZGC of JDK 11 to 23: colour bits above the offset, memory mapped once a colour */
	COLORS_GENERATIONAL, /* ZGC since JDK 21: the address is shifted up, the colour is below */
};

#define OBJECT_HEADER_WORDS 2
/* The ZGC's masks at one moment. They change with its phases. */
struct oop_masks {
	uint64_t good, bad, offset;
	struct zgc_cache cache;
};

struct class_entry {
	struct vm_class c;
	bool valid;
	char *name, *loader; /* owned */
};

struct oop_reader {
	struct hotspot *h; /* not owned */
	enum klass_mode mode;
	enum oop_colors colors;
	struct zgc zgc;
	uint64_t good_mask_addr, bad_mask_addr, offset_mask_addr;
	uint64_t gc_active_addr, collections_addr; /* 0: unknown */
	uint64_t narrow_base, narrow_shift, mark_shift;
	bool has_mark_shift;
	/* offsets in bytes */
	uint64_t klass_in_object, name, mirror, loader_data; /* ... Klass */
	uint64_t loader;                                     /* ClassLoaderData */
	uint64_t symbol_length, symbol_body;                 /* Symbol */
	int32_t klass_in_mirror, array_in_mirror;            /* java.lang.Class */
	bool handles;                                        /* mirrors and loaders are behind an OopHandle */
	bool vtables_proven;                                 /* a class's vtable leads into libjvm's code */
	uint64_t object_klass, class_klass;                  /* of java.lang.Object, of java.lang.Class */
	struct {
		struct class_entry **v;
		size_t n, cap;
	} classes;
	struct hash by_klass; /* number in classes, + 1 */
};

/* The masks of now. 0 or -EFAULT. */
int oop_masks_read(const struct oop_reader *r, struct oop_masks *m);
/* The address in a word, its colour taken off; 0: it has none. */
uint64_t oop_address_bits(const struct oop_reader *r, uint64_t word);
/* Is the word null, in whatever colour? */
bool oop_is_null(const struct oop_reader *r, uint64_t word);
/* ZGC: which generations moved objects since the word was written, bit per enum zgc_generation. */
unsigned oop_stale_generations(const struct oop_reader *r, const struct oop_masks *m, uint64_t word);
/*
 * Address of the object that a word names; 0: none. sure: false when the collector may have moved the object
 * since and its tables do not tell.
 */
uint64_t oop_decode(const struct oop_reader *r, struct oop_masks *m, uint64_t word, bool *sure);
/* The Klass that an object's header names; 0: the object is being moved, or it makes no sense. */
uint64_t oop_klass(const struct oop_reader *r, const uint64_t header[OBJECT_HEADER_WORDS]);

#endif
