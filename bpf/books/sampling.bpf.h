/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * --sample N: of the families that are sampled, one of N handles is followed, from its acquisition to its
 * release. Calls are counted all the same, and what has failed.
 *
 * Each acquisition is decided anew, at random. A hash of the handle alone would decide for all who get it: an
 * allocator gives out few addresses, and one site's may all be left out. The decision is a hash of the handle
 * and of a number drawn at the outermost call, so that the calls inside decide on the same handle alike, and
 * on others of it independently. A release needs none: it finds the handle in the store, or it is none of
 * those that are followed.
 */
#ifndef JNITRACE_SAMPLING_BPF_H
#define JNITRACE_SAMPLING_BPF_H

#include "maps.bpf.h"

#define SAMPLE_DRAW_BITS 30 /* of a number that is drawn */

static __always_inline bool is_sampled(u32 family)
{
	return sample_n > 1 && sampled_families >> (family & 31) & 1;
}

static __always_inline bool is_any_sampled(void)
{
	return sample_n > 1 && sampled_families;
}

static __always_inline u32 sample_draw(void)
{
	return bpf_get_prandom_u32() >> (32 - SAMPLE_DRAW_BITS);
}

/* Is this one followed? By the upper bits of the hash: as good as one of N, whatever N. */
static __always_inline bool sample_has(u64 handle, u32 draw)
{
	return (mix(handle ^ (u64)draw << (64 - SAMPLE_DRAW_BITS)) >> 32) * sample_n >> 32 == 0;
}

#endif
