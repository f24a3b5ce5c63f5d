/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/hotspot/starting.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/hotspot/scatter.h"

#define WORD             8
#define MAX_STACK_BYTES  (64u << 10) /* from its end; the variable lies within 20 KB */
#define MAX_THREAD_BYTES 16384
#define MAX_TASKS        64
#define MAX_OBJECTS      256
#define MAX_WAIT_MS      500 /* for a thread that runs, and maybe is the one */

/* The words of a stack that may point to an object, each once: aligned, neither into the stack nor the
 * library. */
static size_t keep_pointers(const struct hotspot *h, uint64_t sp, uint64_t *word, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t w = word[i];
		size_t k = 0;

		if (w < 4096 || w % WORD || w - sp < n * WORD || hotspot_in_code(h, w) ||
		    hotspot_data_range(h, w))
			continue;
		while (k < kept && word[k] != w)
			k++;
		if (k == kept)
			word[kept++] = w;
	}
	return kept;
}

/* The one of the tables that an object names; 0: none, or several. */
static uint64_t named_by(const uint64_t *object, size_t words, const uint64_t *table, size_t n)
{
	uint64_t found = 0;

	for (size_t w = 1; w < words; w++)
		for (size_t i = 0; i < n; i++) {
			if (object[w] != table[i])
				continue;
			if (found && found != table[i])
				return 0;
			found = table[i];
		}
	return found;
}

/* What the words of one stack tell. False: they name different tables. */
static bool ask_stack(const struct hotspot *h, uint64_t sp, size_t bytes, const uint64_t *table, size_t n,
		      uint64_t *found)
{
	static const size_t most = MAX_STACK_BYTES / WORD;
	uint64_t *word = calloc(most, WORD), *first = calloc(most, WORD);
	uint64_t *object = calloc(1, MAX_THREAD_BYTES);
	bool *ok = calloc(most, sizeof(*ok)), agree = true;
	size_t words = 0, looked = 0;

	while (word && words < most && !proc_read(h->pid, sp + words * WORD, word + words, WORD * 64))
		words += 64; /* up to where it ends */
	words = word ? keep_pointers(h, sp, word, words) : 0;
	if (!first || !object || !ok || scatter_read(h->pid, word, words, WORD, first, ok))
		words = 0;
	for (size_t i = 0; i < words && looked < MAX_OBJECTS && agree; i++) {
		uint64_t one;

		if (!ok[i] || !hotspot_data_range(h, first[i])) /* where its virtual functions are */
			continue;
		looked++;
		if (proc_read(h->pid, word[i], object, bytes))
			continue;
		one = named_by(object, bytes / WORD, table, n);
		agree = !one || !*found || *found == one;
		*found = one ?: *found;
	}
	free(word);
	free(first);
	free(object);
	free(ok);
	return agree;
}

/* What all threads tell that wait in a system call. false: they name different tables. */
static bool ask_threads(const struct hotspot *h, const struct proc_threads *tasks, size_t bytes,
			const uint64_t *table, size_t n, uint64_t *found, bool *all_wait)
{
	*all_wait = true;
	for (size_t i = 0; i < tasks->n && i < MAX_TASKS; i++) {
		uint64_t sp;
		int rc = proc_thread_sp(h->pid, tasks->v[i].tid, &sp);

		*all_wait &= rc != -EAGAIN;
		if (!rc && sp % WORD == 0 && !ask_stack(h, sp, bytes, table, n, found))
			return false;
	}
	return true;
}

/*
 * fanotify tells of a thread that is held a moment before it waits, and on a busy machine that moment may be
 * long.
 */
uint64_t hotspot_starting_table(const struct hotspot *h, const uint64_t *table, size_t n)
{
	static const struct timespec again = {.tv_nsec = 1000000};
	uint64_t bytes, found = 0, end_ns = clock_ns(CLOCK_MONOTONIC) + MAX_WAIT_MS * 1000000ULL;
	struct proc_threads tasks = {0};
	bool all_wait = false, agree;

	if (!hotspot_type_size(h, "JavaThread", &bytes) || bytes > MAX_THREAD_BYTES ||
	    proc_threads(h->pid, &tasks))
		return 0;
	for (;;) {
		agree = ask_threads(h, &tasks, bytes, table, n, &found, &all_wait);
		if (found || all_wait || !agree || clock_ns(CLOCK_MONOTONIC) > end_ns)
			break;
		nanosleep(&again, NULL);
	}
	free(tasks.v);
	return agree ? found : 0;
}
