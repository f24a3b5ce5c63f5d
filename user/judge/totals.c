/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "judge/totals.h"

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* One call may acquire several handles, or one that another call inside has acquired: they are counted. */
static void add_pair(const struct func_row *row, const struct func_counts *c, struct report_family *f)
{
	switch (row->operation) {
	case OP_REPLACE:
		f->released += c->moved;
		__attribute__((fallthrough));
	case OP_ACQUIRE:
		f->acquired += c->handles;
		f->outstanding += less(c->handles, c->unpaired + c->replaced);
		break;
	case OP_RELEASE:
	case OP_UNREF:
		f->released += c->handles;
		f->released_untracked += c->unpaired;
		break;
	default:
		break;
	}
}

void totals_add(const struct catalog *catalog, const struct func_row *row, const struct func_counts *c,
		struct report_family *f)
{
	enum family_kind kind = catalog->families[row->family].kind;

	if (kind == KIND_PAIR) {
		add_pair(row, c, f);
	} else if (row->operation == OP_ACQUIRE || row->operation == OP_FRAME_POP) {
		f->acquired += less(c->calls, c->nulls);
		f->outstanding += less(c->calls, c->nulls + c->unpaired + c->replaced);
		if (kind == KIND_LOCAL)
			f->died += c->replaced;
	} else if (row->operation == OP_RELEASE) {
		f->released += less(c->calls, c->nulls + c->unpaired + c->kept);
		f->released_untracked += c->unpaired;
	}
}
