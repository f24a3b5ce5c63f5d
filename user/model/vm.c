/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/vm.h"

#include <stdlib.h>

enum local_state vm_locals_state(const struct vm_locals *l, uint64_t slot)
{
	enum local_state absent = l->complete ? LOCAL_DEAD : LOCAL_UNKNOWN;
	size_t lo = 0, hi = l->n;
	uint64_t index;

	while (lo < hi) { /* the first block above slot */
		size_t mid = (lo + hi) / 2;

		if (l->v[mid].addr > slot)
			hi = mid;
		else
			lo = mid + 1;
	}
	if (lo == 0)
		return absent;
	index = (slot - l->v[lo - 1].addr) / VM_SLOT_BYTES;
	if (index >= LOCALS_PER_BLOCK_MAX || !(l->v[lo - 1].maybe >> index & 1))
		return absent;
	return l->v[lo - 1].live >> index & 1 ? LOCAL_LIVE : LOCAL_UNKNOWN;
}

const struct local_frame *vm_locals_frame(const struct vm_locals *l, uint64_t block)
{
	size_t lo = 0, hi = l->frames.n;

	while (lo < hi) { /* the first that is not below */
		size_t mid = (lo + hi) / 2;

		if (l->frames.v[mid].block < block)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < l->frames.n && l->frames.v[lo].block == block ? &l->frames.v[lo] : NULL;
}

void vm_locals_free(struct vm_locals *l)
{
	free(l->v);
	free(l->frames.v);
	*l = (struct vm_locals){0};
}
