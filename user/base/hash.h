/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A hash table from two words to a number, for what lies in an array beside it. Open addressing. */
#ifndef JNITRACE_HASH_H
#define JNITRACE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash { /* start zeroed */
	struct hash_slot {
		uint64_t a, b;
		uint32_t value; /* 0: free */
	} * slot;
	size_t nr_slots, n;
};
/* The number under this key, or 0: none. */
uint32_t hash_find(const struct hash *h, uint64_t a, uint64_t b);
/* Put value, not 0, under this key, in place of any other. 0 or -ENOMEM; then the table is as it was. */
int hash_set(struct hash *h, uint64_t a, uint64_t b, uint32_t value);
void hash_free(struct hash *h);

#endif
