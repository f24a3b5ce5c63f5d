/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "run/count_note.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SAME_READINGS 4 /* of a difference that stays */

int count_note(struct vm *vm, enum vm_table t, char out[COUNT_NOTE_BYTES])
{
	uint64_t count = 0, marked = 0;

	for (int i = 0; i < SAME_READINGS; i++) {
		struct vm_counts before, after;
		struct handle_blocks blocks;
		int rc = vm_counts(vm, &before);

		rc = rc ?: vm_blocks(vm, t, &blocks);
		if (rc)
			return rc == -ESRCH || rc == -ENOMEM ? rc : 0;
		free(blocks.v);
		rc = vm_counts(vm, &after);
		if (rc)
			return rc;
		if (!before.known || !after.known || before.by_marks || before.n[t] != after.n[t] ||
		    !blocks.stable || blocks.in_use == before.n[t] ||
		    (i && (blocks.in_use != marked || before.n[t] != count)))
			return 0;
		count = before.n[t];
		marked = blocks.in_use;
	}
	snprintf(out, COUNT_NOTE_BYTES,
		 "the VM counts %llu, and %llu entries are marked in use: references were deleted twice, "
		 "each of which takes one too many off the count and marks a free entry",
		 (unsigned long long)count, (unsigned long long)marked);
	return 0;
}

void count_note_marks(char out[COUNT_NOTE_BYTES])
{
	snprintf(out, COUNT_NOTE_BYTES,
		 "counted are the entries marked in use: where the VM counts them could not be proven, as "
		 "after a double delete");
}
