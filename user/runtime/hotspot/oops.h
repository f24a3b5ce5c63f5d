/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the handles of a running HotSpot point at: the object and its class, read from outside. The
 * collector moves objects meanwhile: what is read is held against a second reading, tried again, and
 * at last called unreadable; it is never guessed.
 */
#ifndef JNITRACE_HOTSPOT_OOPS_H
#define JNITRACE_HOTSPOT_OOPS_H

#include "runtime/hotspot/hotspot.h"

struct oop_reader; /* opaque */

/*
 * h stays open as long as the result. How objects name their class is proven on java.lang.Class and
 * its mirror, whose class is known. -EPROTO with the reason when the VM's tables do not suffice; -EAGAIN with
 * the reason when it could not be proven now: the VM is starting, or the collector was in the way all the
 * time.
 */
int oop_reader_new(struct hotspot *h, struct oop_reader **out, struct error *err);
void oop_reader_free(struct oop_reader *r);
/* Forget the classes known so far: their memory may be used anew. Pointers to them become invalid. */
void oop_reader_forget(struct oop_reader *r);

struct vm_class {
	uint64_t klass;     /* address of the VM's Klass */
	const char *name;   /* binary name, cleaned: "java.lang.String", "a.b.Outer$Inner", "byte[]" */
	const char *loader; /* class of the class loader; NULL: the bootstrap loader */
	uint64_t loader_id; /* tells two loaders of one class apart, as long as they live; 0: unknown */
	bool is_class;      /* java.lang.Class itself */
};

enum oop_state {
	OOP_READ,
	OOP_NULL,       /* cleared by the collector, deleted, or just being made */
	OOP_UNREADABLE, /* it moved at every try, or makes no sense */
};
struct oop_ref {
	uint64_t slot; /* in: address of the handle's slot */
	enum oop_state state;
	bool stale;      /* ZGC: not seen by the collector since it last moved objects; likely, not sure */
	uint64_t object; /* tells objects apart; may change with the next collection */
	const struct vm_class *class;  /* valid until oop_reader_forget */
	const struct vm_class *mirror; /* of a java.lang.Class: which; NULL: a primitive type or unreadable */
	const char *primitive;         /* of a java.lang.Class: "int", ...; NULL: none */
};
/* Read n references. 0, -ESRCH when the process is gone, -ENOMEM. */
int oop_read(struct oop_reader *r, struct oop_ref *refs, size_t n);

#endif
