/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The BPF side's headers compiled as user code: the helpers they call, over maps that are plain memory.
 * A test includes this, says what memory looks like (host_read_user), then includes the bpf/ header it is
 * about and makes its maps known with host_map_add().
 */
#ifndef JNITRACE_BPF_HOST_H
#define JNITRACE_BPF_HOST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "border/shared.h"

#if defined(__x86_64__)
#define __TARGET_ARCH_x86
#elif defined(__aarch64__)
#define __TARGET_ARCH_arm64
#endif

#define SEC(name)
#define __uint(name, val)  int(*name)[val]
#define __type(name, val)  __typeof__(val) *name
#define __array(name, val) __typeof__(val) *name[]
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#undef __noinline
#define __noinline __attribute__((noinline, unused))

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_STACK = 23,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_F_NO_PREALLOC = 1U << 0, BPF_F_MMAPABLE = 1U << 10, BPF_F_INNER_MAP = 1U << 12 };

/* An array; with keys: a hash. */
struct host_map {
	const void *map; /* its name in BPF; an inner map is its own */
	void *values;
	uint32_t n;
	size_t value_bytes;
	struct host_map **inner; /* array of maps: instead of values */
	char *keys;
	size_t key_bytes;
	uint32_t used; /* of a hash or a stack */
};
static struct host_map host_maps[16];
static size_t nr_host_maps;

static inline void host_map_add(const void *map, void *values, uint32_t n, size_t value_bytes)
{
	assert(nr_host_maps < 16);
	host_maps[nr_host_maps++] =
	    (struct host_map){.map = map, .values = values, .n = n, .value_bytes = value_bytes};
}

static inline void host_hash_add(const void *map, void *keys, size_t key_bytes, void *values, uint32_t n,
				 size_t value_bytes)
{
	host_map_add(map, values, n, value_bytes);
	host_maps[nr_host_maps - 1].keys = keys;
	host_maps[nr_host_maps - 1].key_bytes = key_bytes;
}

static inline void host_map_of_maps_add(const void *map, struct host_map **inner, uint32_t n)
{
	assert(nr_host_maps < 16);
	host_maps[nr_host_maps++] = (struct host_map){.map = map, .n = n, .inner = inner};
}

static inline struct host_map *host_map_of(const void *map)
{
	for (size_t k = 0; k < nr_host_maps; k++)
		if (host_maps[k].map == map)
			return &host_maps[k];
	return NULL;
}

static inline void *bpf_map_lookup_elem(const void *map, const void *key)
{
	const struct host_map *m = host_map_of(map) ?: map; /* an inner one, unless it is known by name */
	uint32_t i = 0;

	if (m->keys)
		while (i < m->used && memcmp(m->keys + i * m->key_bytes, key, m->key_bytes))
			i++;
	else
		memcpy(&i, key, sizeof(i));
	if (i >= (m->keys ? m->used : m->n))
		return NULL;
	return m->inner ? (void *)m->inner[i] : (char *)m->values + i * m->value_bytes;
}

enum { BPF_ANY, BPF_NOEXIST };

/* What another CPU does at the last moment before an update; NULL: nothing. It is called once. */
static void (*host_meanwhile)(void);

/* 0, or -1: it has no such place, or has one already. */
static inline long bpf_map_update_elem(const void *map, const void *key, const void *value, uint64_t flags)
{
	void (*meanwhile)(void) = host_meanwhile;
	struct host_map *m = host_map_of(map);
	void *at;

	host_meanwhile = NULL;
	if (meanwhile)
		meanwhile();
	at = bpf_map_lookup_elem(map, key);
	if (m && m->keys && !at && m->used < m->n) {
		memcpy(m->keys + m->used * m->key_bytes, key, m->key_bytes);
		at = (char *)m->values + m->used++ * m->value_bytes;
	} else if (flags == BPF_NOEXIST) {
		return -1;
	}
	if (!m || !at)
		return -1;
	memcpy(at, value, m->value_bytes);
	return 0;
}

/* A stack. */
static inline long bpf_map_push_elem(const void *map, const void *value, uint64_t flags)
{
	struct host_map *m = host_map_of(map);

	(void)flags;
	if (!m || m->used == m->n)
		return -1;
	memcpy((char *)m->values + m->used++ * m->value_bytes, value, m->value_bytes);
	return 0;
}

static inline long bpf_map_pop_elem(const void *map, void *value)
{
	struct host_map *m = host_map_of(map);

	if (!m || !m->used)
		return -1;
	memcpy(value, (char *)m->values + --m->used * m->value_bytes, m->value_bytes);
	return 0;
}

static uint64_t host_now_ns;

static inline uint64_t bpf_ktime_get_ns(void)
{
	return host_now_ns;
}

static inline long bpf_probe_read_kernel(void *dst, uint32_t n, const void *addr)
{
	memcpy(dst, addr, n);
	return 0;
}

#define barrier() __asm__ volatile("" ::: "memory")

/* The target's memory: defined by the test. 0, or -1 when not all n bytes can be read. */
static int host_read_user(void *dst, uint32_t n, uint64_t addr);

static inline long bpf_probe_read_user(void *dst, uint32_t n, const void *addr)
{
	if (!host_read_user(dst, n, (uint64_t)(uintptr_t)addr))
		return 0;
	memset(dst, 0, n); /* as the helper does */
	return -14;
}

#endif
