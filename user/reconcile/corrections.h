/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * References of a snapshot that turned out not to be outstanding. Who finds one lists it here; the snapshot
 * is changed at one place, when all of them have been found.
 */
#ifndef JNITRACE_CORRECTIONS_H
#define JNITRACE_CORRECTIONS_H

#include "model/snapshot.h"

enum correction_kind {
	REF_MISSED,  /* released, and the release went unseen */
	REF_DEAD,    /* a local reference whose native frame has ended */
	REF_UNKNOWN, /* a local reference that may be alive or not */
};
struct correction {
	uint32_t ref; /* index in snapshot.refs */
	enum correction_kind kind;
};
struct corrections {
	struct correction *v; /* each reference once */
	size_t n, cap;
};

/* 0 or -ENOMEM. */
int corrections_add(struct corrections *c, size_t ref, enum correction_kind kind);
/*
 * Take these references out of s. A release that was missed is counted in counts as if it had been seen, and
 * said to be one that was not.
 */
void corrections_apply(const struct corrections *c, struct snapshot *s, struct target_counts *counts);
void corrections_free(struct corrections *c);

#endif
