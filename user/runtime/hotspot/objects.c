/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/hotspot/objects.h"

#include <string.h>

#include "runtime/hotspot/flags.h"
#include "runtime/hotspot/klass.h"
#include "runtime/hotspot/walk.h"

#define MAX_FIELD_BYTES 256

/* Fields of String: statics of libjvm that no table names. The VM fills them in when it starts. */
static bool string_fields(const struct hotspot *h, struct object_config *c)
{
	struct elf_wanted w[] = {{.name = "_ZN16java_lang_String13_value_offsetE"},
				 {.name = "_ZN16java_lang_String13_coder_offsetE"}};
	uint32_t *to[] = {&c->string_value, &c->string_coder};

	if (elf_find_symbols(h->libjvm, ELF_SYMTAB, w, ARRAY_LEN(w)) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(w); i++)
		if (!w[i].vaddr || proc_read(h->pid, w[i].vaddr + h->bias, to[i], sizeof(*to[i])) ||
		    *to[i] < 8 || *to[i] > MAX_FIELD_BYTES)
			return false;
	return true;
}

void hotspot_objects(const struct oop_reader *r, struct object_config *out)
{
	const struct hotspot *h = r->h;
	uint64_t layout_helper;
	bool zgc = hotspot_flag(h, "UseZGC");

	memset(out, 0, sizeof(*out));
	if (!hotspot_field_offset(h, "Klass", "_layout_helper", &layout_helper) ||
	    layout_helper > MAX_FIELD_BYTES)
		return;
	out->layout_helper = (uint32_t)layout_helper;
	out->concurrent = zgc || hotspot_flag(h, "UseShenandoahGC");
	/* JDK: arrayOopDesc::length_offset_in_bytes */
	switch (r->mode) {
	case KLASS_FULL:
		out->klass_where = KLASS_WIDE;
		out->length = 16;
		break;
	case KLASS_NARROW:
		out->klass_where = KLASS_NARROW_WORD;
		out->length = 12;
		break;
	default:
		out->klass_where = KLASS_IN_MARK_WORD;
		out->length = 8;
	}
	out->mark_shift = (uint8_t)r->mark_shift;
	out->narrow_base = r->narrow_base;
	out->narrow_shift = (uint8_t)r->narrow_shift;
	out->gc_active = r->gc_active_addr;
	out->collections = r->collections_addr;
	if (oop_known_klass(r, "String", &out->string_klass) && r->colors != COLORS_GENERATIONAL &&
	    string_fields(h, out))
		out->strings = 1;
	if (hotspot_flag(h, "UseCompressedOops")) {
		out->narrow_oops = 1;
		if (!hotspot_compressed_oops(h, &out->oop_base, &out->oop_shift))
			out->strings = 0;
	}
	out->on = 1;
}
