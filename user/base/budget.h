/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What reading foreign files may take. Their contents are chosen by the process that is traced, so memory,
 * time, bytes, open files and helpers are counted: all of a command have one budget, and each target pays
 * from a share of it.
 * Who reads has the budget from the image it reads (elf_internal.h); which target pays is said once, by
 * budget_pay(), where work for it begins.
 *
 * Where a budget may be NULL, that is one without limits.
 */
#ifndef JNITRACE_BUDGET_H
#define JNITRACE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUDGET_DEFAULT_BYTES (256ULL << 20)
#define BUDGET_LEAST_BYTES   (16ULL << 20)

struct budget; /* of a command */
struct share;  /* of a target */

/* stop_fd is readable from the moment that a signal asks to end; -1: there is none. 0 or -ENOMEM. */
int budget_new(uint64_t limit_bytes, int stop_fd, struct budget **out);
/* All charges must have been given back. */
void budget_free(struct budget *b);
uint64_t budget_limit(const struct budget *b); /* bytes; UINT64_MAX: none */
/* The fd, which is polled while waiting; -1: none, or the signal was heard. */
int budget_stop_fd(const struct budget *b);
/*
 * The signal was heard: from here on only time counts, so that what is left can be done, if it is quick: a
 * file, and whoever helps with it, has BUDGET_LATE_FILE_NS, and no more than the slice; where they are many,
 * 130 ms from then on are for all. budget_check() says -EINTR then.
 */
void budget_heard(struct budget *b);
bool budget_is_late(const struct budget *b); /* it was */
/* CPU time since then, this thread's and that of who helps it: what a busy machine takes away does not count.
 */
uint64_t budget_late_ns(const struct budget *b);
#define BUDGET_LATE_FILE_NS 60000000 /* of CPU time */

/* A target's share. It stays as long as it has charges. 0 or -ENOMEM. */
int share_new(struct budget *b, struct share **out);
void share_put(struct share *s);
/* From here on s pays; NULL: nobody in particular. */
void budget_pay(struct budget *b, struct share *s);

/* --- memory and open files, as long as they are kept --- */

struct charge { /* start zeroed */
	struct budget *budget;
	struct share *share;
	uint64_t bytes;
	unsigned int files;
};
/* How much more may be kept now, in bytes. */
uint64_t budget_room(const struct budget *b);
/* Charge bytes more to whoever pays now. 0, or -EDQUOT: it would be too much; nothing is charged then. */
int budget_take(struct budget *b, uint64_t bytes, struct charge *c);
/* One file more is open. A target may have 64 at a time, all of them half of `ulimit -n`. 0 or -EDQUOT. */
int budget_take_file(struct budget *b, struct charge *c);
void budget_give(struct charge *c);

/*
 * The kernel's limit for this process (RLIMIT_AS): so many bytes more than it has mapped now, be that by
 * itself or by a sanitizer. A lower one stays. The last line, behind all that is counted. 0 or -errno.
 */
int budget_limit_process(uint64_t more_bytes);

/* What can be let go of to make room; the least recently used first. Known to the budget from add to remove.
 */
struct reclaimable {
	void (*let_go)(void *what); /* gives its charges back, and removes itself */
	void *what;
	uint64_t used_ns; /* CLOCK_MONOTONIC */
	struct reclaimable *next;
};
#define BUDGET_MAX_RECLAIMABLES 8
/* Lets others go until there are fewer than BUDGET_MAX_RECLAIMABLES. */
void budget_add_reclaimable(struct budget *b, struct reclaimable *r);
void budget_remove_reclaimable(struct budget *b, struct reclaimable *r);

/* --- time --- */

/* The file that is read from here on may take so much CPU time and no more. Within another one: nothing. */
void budget_begin_file(struct budget *b);
/*
 * To be asked every some 10,000 steps or 100 KB. 0, -EDQUOT (the file has had its time: it is refused) or
 * -EINTR (a signal: to be read another time).
 */
int budget_check(struct budget *b);
/*
 * So many bytes are read now, be they in memory afterwards or not. A target may have four times the limit
 * for memory read at once, all of them sixteen times; after 16 s that is there again. As budget_check().
 */
int budget_read(struct budget *b, uint64_t bytes);
/* The file is read: its time is charged to who pays. */
void budget_end_file(struct budget *b);

/*
 * Work until deadline_ns (CLOCK_MONOTONIC; 0: without end), or a few times that while others use the CPUs.
 * last: there is no other slice to put it off to.
 */
void budget_slice(struct budget *b, uint64_t deadline_ns, bool last);
/* Is no more time for new work? Also when who pays has used up what its share allows for now. */
bool budget_slice_over(struct budget *b);
/*
 * Is no time left for another file? A slice is longer by one file at most; for one there always is time, so
 * that it goes on.
 */
bool budget_slice_full(struct budget *b);
/* In this slice there is none for any, and none to wait: they are put off to the next. */
void budget_fill_slice(struct budget *b);
bool budget_slice_last(const struct budget *b);
/* May time go by in waiting for others, as for a helper's answer? It may, until it is said otherwise. */
void budget_wait(struct budget *b, bool may);
bool budget_may_wait(const struct budget *b);
/*
 * Call look(what) about every 10 ms, wherever files are read and names are looked up, so that whoever waits
 * for an answer gets it; NULL: no more. It may do what it likes, but reads no such files.
 */
void budget_on_look(struct budget *b, void (*look)(void *what), void *what);
/* To be asked where much is done that asks none of the others. */
void budget_look(struct budget *b);
/* CPU time that others took, for who pays. */
void budget_spend_ns(struct budget *b, uint64_t cpu_ns);

/* --- what was refused --- */

/* A file that is not read, or not whole, because it takes too much; counted for who pays, each path once. */
void budget_refuse(struct budget *b, const char *path, const char *why);
uint64_t share_refused(const struct share *s);
/* The i-th, as text for the user; NULL: behind the last that is kept. */
const char *share_refusal(const struct share *s, size_t i);

#endif
