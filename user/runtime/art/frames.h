/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names and lines of ART's managed frames; how its stacks are walked: bpf/walk/fragments.bpf.h. */
#ifndef JNITRACE_ART_FRAMES_H
#define JNITRACE_ART_FRAMES_H

#include "runtime/art/classes.h"

struct art_frames;

/* Where a Thread has its first fragment. 0, -EAGAIN: not yet, or another errno. */
int art_plan_fragments(struct art *a, struct java_config *out);

/* c: outlives it. NULL: no memory. */
struct art_frames *art_frames_new(const struct art *a, const struct art_classes *c);
void art_frames_free(struct art_frames *f);
/* As struct runtime has it. A frame that cannot be true lacks END_METHOD. */
int art_frames_add(struct art_frames *f, const struct raw_frame *raw, struct frames *out);
uint64_t art_frames_unnamed(const struct art_frames *f);

#endif
