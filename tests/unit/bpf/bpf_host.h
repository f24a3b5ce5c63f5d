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

/* An array. */
struct host_map {
	const void *map; /* its name in BPF; an inner map is its own */
	void *values;
	uint32_t n;
	size_t value_bytes;
	struct host_map **inner; /* array of maps: instead of values */
};
static struct host_map host_maps[16];
static size_t nr_host_maps;

static inline void host_map_add(const void *map, void *values, uint32_t n, size_t value_bytes)
{
	assert(nr_host_maps < 16);
	host_maps[nr_host_maps++] = (struct host_map){map, values, n, value_bytes, NULL};
}

static inline void host_map_of_maps_add(const void *map, struct host_map **inner, uint32_t n)
{
	assert(nr_host_maps < 16);
	host_maps[nr_host_maps++] = (struct host_map){map, NULL, n, 0, inner};
}

static inline void *bpf_map_lookup_elem(const void *map, const void *key)
{
	const struct host_map *m = map; /* an inner one, unless it is known by name */
	uint32_t i;

	for (size_t k = 0; k < nr_host_maps; k++)
		if (host_maps[k].map == map)
			m = &host_maps[k];
	memcpy(&i, key, sizeof(i));
	if (i >= m->n)
		return NULL;
	return m->inner ? (void *)m->inner[i] : (char *)m->values + i * m->value_bytes;
}

enum { BPF_ANY };

/* 0, or -1: it has no such place. */
static inline long bpf_map_update_elem(const void *map, const void *key, const void *value, uint64_t flags)
{
	const struct host_map *m = NULL;
	void *at = bpf_map_lookup_elem(map, key);

	(void)flags;
	for (size_t k = 0; k < nr_host_maps; k++)
		if (host_maps[k].map == map)
			m = &host_maps[k];
	if (!m || !at)
		return -1;
	memcpy(at, value, m->value_bytes);
	return 0;
}

static inline uint64_t bpf_ktime_get_ns(void)
{
	return 0;
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
