/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Class and length of the array or string behind a handle. Every step is checked against the VM's own
 * tables, and what does not fit is unknown. (JDK: oops/arrayOop.hpp, oops/klass.hpp "layout helper",
 * classfile/javaClasses.hpp java_lang_String, runtime/jniHandles.hpp.)
 */
#ifndef JNITRACE_OBJECTS_BPF_H
#define JNITRACE_OBJECTS_BPF_H

#include "books/misuse.bpf.h"
#include "border/pins.h"
#include "maps.bpf.h"

#define LAYOUT_TYPE_ARRAY 3 /* the two topmost bits of an array of a primitive type */
#define STRING_UTF16      1

MAP_ARRAY(object_configs, BPF_MAP_TYPE_ARRAY, JT_MAX_TARGETS, struct object_config);
/* Klass* of arrays of primitive types, which are never unloaded, -> layout helper. By ref_tag(slot, Klass*).
 */
MAP_HASH(array_klasses, JT_MAX_TARGETS *JT_ARRAY_KLASSES, u64, u32);

struct object {
	u64 address;
	u64 content;     /* address of the elements; of a string's */
	u64 identity;    /* see struct pin; 0: unknown */
	u64 bytes;       /* of the elements; of a string as UTF-16 */
	u32 collections; /* how many there had been, where it is settled */
	u8 sure;         /* nothing moved while it was read */
	u8 settled;      /* with --check, likewise: until there is another collection it is at this address */
};

/* The Klass* in an object's header. */
static __always_inline u64 klass_of(const struct object_config *c, const u64 *header)
{
	u64 narrow;

	if (c->klass_where == KLASS_WIDE)
		return header[1];
	narrow = c->klass_where == KLASS_NARROW_WORD ? (u32)header[1] : header[0] >> (c->mark_shift & 63);
	return narrow ? c->narrow_base + (narrow << (c->narrow_shift & 31)) : 0;
}

/* The layout helper of an array class; 0: it is none. */
static __always_inline u32 array_layout(const struct object_config *c, u32 target_id, u64 klass)
{
	u64 key = ref_tag(target_id, klass);
	u32 *known = bpf_map_lookup_elem(&array_klasses, &key), layout = 0;

	if (known)
		return *known;
	if (klass >> HANDLE_BITS ||
	    bpf_probe_read_user(&layout, sizeof(layout), (void *)(klass + c->layout_helper)))
		return 0;
	if (layout >> 30 != LAYOUT_TYPE_ARRAY || (layout & 0xff) > 3)
		return 0;
	bpf_map_update_elem(&array_klasses, &key, &layout, BPF_ANY);
	return layout;
}

/* The array of a primitive type at o->address. 0, or -1: there is none. */
static __always_inline int array_read(const struct object_config *c, u32 target_id, const u64 *header,
				      struct object *o)
{
	u32 layout = array_layout(c, target_id, klass_of(c, header)), length;

	if (!layout)
		return -1;
	length = c->length == 8 ? header[1] : c->length == 12 ? header[1] >> 32 : header[2];
	if (length >> 31)
		return -1;
	o->content = o->address + (layout >> 16 & 0xff);
	o->bytes = (u64)length << (layout & 3);
	o->identity = (u64)(layout >> 8 & 0xff) << 32 | length;
	return 0;
}

static __always_inline int string_read(const struct object_config *c, u32 target_id, struct object *o)
{
	struct object value = {0};
	u64 header[3];
	u32 narrow = 0;
	u8 coder = 0;

	if (!c->strings || bpf_probe_read_user(&coder, 1, (void *)(o->address + c->string_coder)))
		return -1;
	if (c->narrow_oops) {
		if (bpf_probe_read_user(&narrow, sizeof(narrow), (void *)(o->address + c->string_value)))
			return -1;
		value.address = narrow ? c->oop_base + ((u64)narrow << (c->oop_shift & 7)) : 0;
	} else if (bpf_probe_read_user(&value.address, sizeof(value.address),
				       (void *)(o->address + c->string_value))) {
		return -1;
	}
	if (!value.address || coder > STRING_UTF16 ||
	    bpf_probe_read_user(header, sizeof(header), (void *)value.address) ||
	    array_read(c, target_id, header, &value))
		return -1;
	o->content = value.content;
	o->bytes = coder == STRING_UTF16 ? value.bytes : value.bytes * 2;
	o->identity = (u64)JT_IDENTITY_STRING << 32 | o->bytes / 2;
	return 0;
}

static __always_inline int object_at(const struct object_config *c, u32 target_id, u64 handle,
				     struct object *o)
{
	u64 header[3];

	if (bpf_probe_read_user(&o->address, sizeof(o->address), (void *)(handle & ~HANDLE_TAG_BITS)) ||
	    !o->address || bpf_probe_read_user(header, sizeof(header), (void *)o->address))
		return -1;
	if (klass_of(c, header) == c->string_klass)
		return string_read(c, target_id, o);
	return array_read(c, target_id, header, o);
}

/* A number that changes with each collection; 0: one is under way, or it cannot be told. */
static __always_inline u64 gc_stamp(const struct object_config *c)
{
	u32 collections = 0;
	u8 active = 1;

	if (!c->gc_active || !c->collections || c->concurrent ||
	    bpf_probe_read_user(&active, 1, (void *)c->gc_active) || active ||
	    bpf_probe_read_user(&collections, sizeof(collections), (void *)c->collections))
		return 0;
	return 1ULL << 32 | collections;
}

/*
 * What a handle points to. in_vm: the running thread is inside the VM, so that no collection moves objects.
 * On failure all of o is 0. A global function: verified once.
 */
__noinline int object_read(u32 target_id, u64 handle, u32 in_vm, struct object *o)
{
	const struct object_config *c = bpf_map_lookup_elem(&object_configs, &target_id);
	u64 stamp;

	if (!o)
		return -1;
	__builtin_memset(o, 0, sizeof(*o));
	if (!c || !c->on || !handle)
		return -1;
	stamp = in_vm && !checking ? 1 : gc_stamp(c);
	if (object_at(c, target_id, handle, o)) {
		__builtin_memset(o, 0, sizeof(*o));
		return -1;
	}
	o->sure = in_vm ? !c->concurrent : stamp && gc_stamp(c) == stamp;
	o->settled = checking && stamp && o->sure;
	o->collections = stamp;
	return 0;
}

#endif
