/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"

#define FIRST_SLOTS 64 /* a power of two */

/* Where this key is, or the free slot where it belongs. At most half of the slots are in use. */
static struct hash_slot *slot_of(struct hash_slot *slot, size_t nr_slots, uint64_t a, uint64_t b)
{
	size_t at = mix64(a ^ mix64(b)) & (nr_slots - 1);

	while (slot[at].value && (slot[at].a != a || slot[at].b != b))
		at = (at + 1) & (nr_slots - 1);
	return &slot[at];
}

static int grow(struct hash *h)
{
	size_t nr_slots = h->nr_slots ? 2 * h->nr_slots : FIRST_SLOTS;
	struct hash_slot *slot = calloc(nr_slots, sizeof(*slot));

	if (!slot)
		return -ENOMEM;
	for (size_t i = 0; i < h->nr_slots; i++) {
		const struct hash_slot *old = &h->slot[i];

		if (old->value)
			*slot_of(slot, nr_slots, old->a, old->b) = *old;
	}
	free(h->slot);
	h->slot = slot;
	h->nr_slots = nr_slots;
	return 0;
}

uint32_t hash_find(const struct hash *h, uint64_t a, uint64_t b)
{
	return h->nr_slots ? slot_of(h->slot, h->nr_slots, a, b)->value : 0;
}

int hash_set(struct hash *h, uint64_t a, uint64_t b, uint32_t value)
{
	struct hash_slot *slot;

	if (2 * (h->n + 1) > h->nr_slots && grow(h))
		return -ENOMEM;
	slot = slot_of(h->slot, h->nr_slots, a, b);
	h->n += !slot->value;
	*slot = (struct hash_slot){a, b, value};
	return 0;
}

void hash_free(struct hash *h)
{
	free(h->slot);
	*h = (struct hash){0};
}
