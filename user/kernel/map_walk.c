/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/map_walk.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define BATCH 4096 /* elements to begin with */

struct batch {
	char *keys, *values;
	uint32_t cap;
};

/* One bucket may hold more than there is room for. */
static int grow(struct batch *b, size_t key_bytes, size_t value_bytes)
{
	uint32_t cap = b->cap ? b->cap * 2 : BATCH;
	char *keys = realloc(b->keys, cap * key_bytes), *values = NULL;

	b->keys = keys ?: b->keys;
	values = keys ? realloc(b->values, cap * value_bytes) : NULL;
	b->values = values ?: b->values;
	if (!values)
		return -ENOMEM;
	b->cap = cap;
	return 0;
}

int map_walk(const struct bpf_map *map, map_take_fn take, void *of)
{
	size_t key_bytes = bpf_map__key_size(map), value_bytes = bpf_map__value_size(map);
	uint32_t most = bpf_map__max_entries(map);
	uint32_t at = 0, next = 0; /* hash buckets */
	struct batch b = {0};
	bool first = true, more = true;
	int rc = grow(&b, key_bytes, value_bytes);

	while (more && !rc) {
		uint32_t count = b.cap;

		rc = bpf_map_lookup_batch(bpf_map__fd(map), first ? NULL : &at, &next, b.keys, b.values,
					  &count, NULL);
		if (rc == -ENOSPC && b.cap < most) {
			rc = grow(&b, key_bytes, value_bytes);
			continue;
		}
		more = !rc;
		if (rc == -ENOENT) /* that was the last bucket */
			rc = 0;
		for (uint32_t i = 0; i < count && !rc; i++)
			rc = take(b.keys + i * key_bytes, b.values + i * value_bytes, of);
		at = next;
		first = false;
	}
	free(b.keys);
	free(b.values);
	return rc;
}
