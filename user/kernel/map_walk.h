/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Read all of a hash map while programs change it. */
#ifndef JNITRACE_MAP_WALK_H
#define JNITRACE_MAP_WALK_H

#include <bpf/libbpf.h>

/* One element; valid during the call. of: as given to map_walk(). 0 or -errno, which ends the walk. */
typedef int (*map_take_fn)(const void *key, const void *value, void *of);

/*
 * Give each element of a hash map to take(). An element that stays is given once, whatever is added and
 * deleted meanwhile: elements are read by buckets, where a walk from key to key starts again when its key is
 * deleted (Linux 5.6, kernel/bpf/hashtab.c: __htab_map_lookup_and_delete_batch()). 0, what take() said, or
 * -errno.
 */
int map_walk(const struct bpf_map *map, map_take_fn take, void *of);

#endif
