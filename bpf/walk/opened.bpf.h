/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Libraries that were just opened. One may call JNI and be closed again within a millisecond: System.load()
 * closes a library whose JNI_OnLoad fails. A walk that comes to code which the loader has not seen yet finds
 * it here. Who writes them down is in libraries.bpf.h.
 */
#ifndef JNITRACE_OPENED_BPF_H
#define JNITRACE_OPENED_BPF_H

#include "border/unwind.h"
#include "maps.bpf.h"
#include "walk/unwind.bpf.h"

#define ELF_MAGIC 0x464c457fU

MAP_ARRAY(opened, BPF_MAP_TYPE_ARRAY, JT_MAX_TARGETS *JT_OPENED, struct opened_code);

static __always_inline struct opened_code *opened_of(u32 target_id, u32 opening)
{
	u32 at = target_id * JT_OPENED + opening % JT_OPENED;

	return bpf_map_lookup_elem(&opened, &at);
}

/*
 * id << 32 | what of the library that pc is in; 0: of none that was opened lately. The latest counts: nothing
 * is mapped over code that runs. What was closed may have made room for code of another kind. A global
 * function: verified once.
 */
__noinline u64 opened_at(u32 target_id, u64 pc)
{
	struct unwind_space *s = bpf_map_lookup_elem(&unwind_spaces, &target_id);
	u32 last = s ? *(volatile u32 *)&s->openings : 0;

	for (u32 i = 0; i < JT_OPENED && i < last; i++) {
		struct opened_code *o = opened_of(target_id, last - i);
		u32 id = o ? *(volatile u32 *)&o->id : 0, magic = 0, what;

		if (!o || o->opening != last - i || pc - o->start >= o->end - o->start)
			continue;
		if (!id)
			return 0;
		if (bpf_probe_read_user(&magic, sizeof(magic), (void *)o->bias) || magic != ELF_MAGIC)
			return 0;
		what = *(volatile u32 *)&o->what;
		if (*(volatile u32 *)&o->id != id || *(volatile u32 *)&o->opening != last - i)
			return 0;
		return (u64)id << 32 | what;
	}
	return 0;
}

#endif
