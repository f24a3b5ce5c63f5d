/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A thread that is attached is known by its JNIEnv. A Thread has its id among its first words (ART:
 * runtime/thread.h, tls32_), at a place that is the same in all of them: that at which each has one of the
 * process's threads.
 *
 * Behind the JNIEnv's first words stands the table of its local references (ART: runtime/jni/jni_env_ext.h):
 * up to Android 13 one as those of global references, from 14 on (ART: runtime/jni/local_reference_table.h) {
 * number of entries, room, free list, a small table, a vector of tables }, each as big as all before it, an
 * entry of 4 bytes a reference unless one of its lowest 3 bits is set.
 */
#include "runtime/art/threads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/art/jni.h"

#define TID_WORDS      16 /* of a Thread, of which one is its id */
#define ENV_WORDS      32
#define AT_LOCALS      4 /* words: behind functions, self_, vm_ and a cookie */
#define PAGE_BYTES     4096
#define KIND_LOCAL     1
#define OLD_TABLE      11 /* words behind the first one of the table of local references */
#define OLD_KIND       12
#define OLD_MAX        13
#define FREE_BITS      7u
#define MAX_LOCALS     (1u << 23) /* what ART lets there be: kMaxTableSizeInBytes */
#define MAX_TABLES     24
#define READ_AT_ONCE   16384 /* entries */
#define MAX_OLD_SERIAL 3

/* --- local references --- */

/* How many of the n words at addr are references. words: of an entry. -1: unreadable. */
static int64_t count_refs(const struct art *a, uint64_t addr, uint64_t entries, unsigned words)
{
	uint32_t *w = malloc(READ_AT_ONCE * words * sizeof(*w));
	int64_t n = w ? 0 : -1;

	for (uint64_t at = 0; n >= 0 && at < entries; at += READ_AT_ONCE) {
		uint64_t some = entries - at < READ_AT_ONCE ? entries - at : READ_AT_ONCE;

		if (proc_read(a->pid, addr + at * words * sizeof(*w), w, some * words * sizeof(*w))) {
			n = -1;
			break;
		}
		for (uint64_t i = 0; i < some; i++) {
			const uint32_t *e = w + i * words;
			uint32_t serial = words > 2 && e[0] < MAX_OLD_SERIAL ? e[0] : 0;
			uint32_t ref = words == 1 ? e[0] : e[1 + serial];

			n += ref && !(ref & FREE_BITS);
		}
	}
	free(w);
	return n;
}

/* w: the table of local references. -1: this is not it. */
static int64_t count_old(const struct art *a, const uint64_t *w)
{
	uint32_t top = (uint32_t)w[0];

	if (!w[OLD_TABLE] || w[OLD_TABLE] % PAGE_BYTES || (uint32_t)w[OLD_KIND] != KIND_LOCAL ||
	    top > w[OLD_MAX] || w[OLD_MAX] > MAX_LOCALS || !a->layout.entry_bytes)
		return -1;
	return count_refs(a, w[OLD_TABLE], top, a->layout.entry_bytes / 4);
}

static int64_t count_new(const struct art *a, const uint64_t *w)
{
	uint32_t top = (uint32_t)w[0], max = (uint32_t)(w[0] >> 32);
	uint64_t tables[MAX_TABLES], begin = w[3], n = (w[4] - w[3]) / 8, small = max, left = top;
	int64_t sum = 0;

	if (top > max || max > MAX_LOCALS || !max || max & (max - 1))
		return -1;
	if (n == 0)
		return w[2] ? count_refs(a, w[2], top, 1) : -1;
	if (w[4] < w[3] || n > MAX_TABLES || proc_read(a->pid, begin, tables, n * sizeof(*tables)))
		return -1;
	small >>= n - 1;
	for (uint64_t i = 0; i < n && left; i++) {
		uint64_t room = i < 2 ? small : small << (i - 1), some = left < room ? left : room;
		int64_t refs = count_refs(a, tables[i], some, 1);

		if (refs < 0)
			return -1;
		sum += refs;
		left -= some;
	}
	return left ? -1 : sum;
}

static int64_t count_locals(const struct art *a, uint64_t env)
{
	uint64_t w[ENV_WORDS];
	int64_t n;

	if (proc_read(a->pid, env, w, sizeof(w)))
		return -1;
	n = count_old(a, w + AT_LOCALS);
	return n >= 0 ? n : count_new(a, w + AT_LOCALS);
}

/* --- their ids --- */

static bool is_own(const struct proc_threads *all, uint32_t tid)
{
	for (size_t i = 0; i < all->n; i++)
		if ((uint32_t)all->v[i].own_tid == tid)
			return true;
	return false;
}

/*
 * The word of a Thread that is the id of a thread in most of them: one that has just ended may be among them.
 * The last such: the one before is a number of ART's own, which a small id in a container may equal.
 */
static size_t find_tid(const uint32_t (*w)[TID_WORDS], size_t n, const struct proc_threads *all)
{
	size_t best = 0, most = 0;

	for (size_t at = 1; at < TID_WORDS; at++) {
		size_t hits = 0;

		for (size_t i = 0; i < n; i++)
			hits += is_own(all, w[i][at]);
		if (hits && hits >= most) {
			best = at;
			most = hits;
		}
	}
	return best;
}

static bool is_listed(const struct vm_threads *threads, uint32_t tid)
{
	for (size_t i = 0; i < threads->n; i++)
		if ((uint32_t)threads->v[i].tid == tid)
			return true;
	return false;
}

static int list(const struct art *a, const struct art_envs *envs, const struct proc_threads *all,
		struct vm_threads *out)
{
	uint32_t(*w)[TID_WORDS] = calloc(envs->n + 1, sizeof(*w));
	size_t at;

	if (!w)
		return -ENOMEM;
	for (size_t i = 0; i < envs->n; i++)
		if (proc_read(a->pid, envs->v[i].thread, w[i], sizeof(w[i])))
			memset(w[i], 0, sizeof(w[i]));
	at = find_tid(w, envs->n, all);
	for (size_t i = 0; i < envs->n && at; i++) {
		struct vm_thread *t;

		if (!is_own(all, w[i][at]) || is_listed(out, w[i][at]))
			continue; /* what is left of one that has ended */
		t = VEC_ADD(out);
		if (!t) {
			free(w);
			return -ENOMEM;
		}
		*t = (struct vm_thread){.addr = envs->v[i].thread,
					.tid = (pid_t)w[i][at],
					.local_refs = count_locals(a, envs->v[i].env),
					.native_attached = -1,
					.criticals = -1};
	}
	free(w);
	return 0;
}

int art_threads(struct art *a, struct vm_threads *out)
{
	struct proc_threads all = {0};
	struct art_envs envs;
	int rc = art_find_envs(a, false, &envs);

	*out = (struct vm_threads){0};
	if (rc)
		return rc;
	rc = proc_threads(a->pid, &all);
	rc = rc ?: list(a, &envs, &all, out);
	if (rc == 0 && out->n == 0)
		rc = -EAGAIN;
	free(envs.v);
	free(all.v);
	if (rc) {
		free(out->v);
		*out = (struct vm_threads){0};
	}
	return rc;
}
