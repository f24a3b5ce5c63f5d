/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which memory of a process can be read without waiting for anybody: what is mapped from no file, or from one
 * on a file system that answers by itself (open.h). Of foreign.c only, see there.
 */
#ifndef JNITRACE_AREAS_H
#define JNITRACE_AREAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Addresses that follow each other, and are alike. */
struct area {
	uint64_t start, end;
	bool answers;
};

/*
 * Those of a process as they are now, sorted, with gaps where nothing is mapped: at most cap; what is behind
 * the last for which there is room does not answer. This may wait for a file system. Their number, or -errno.
 */
ssize_t areas_look(pid_t pid, struct area *out, size_t cap);

/* What was seen of processes, each by its pid. */
struct areas {
	pid_t pid;
	bool known;
	uint64_t looked_ns; /* 0: never */
	uint64_t took_ns;   /* to look */
	struct area *v;
	size_t n;
};
struct areas_book {
	struct areas *v;
	size_t n, cap, last;
};
/* What is known of a process; at first nothing. Those that were not looked at for a minute are forgotten
 * then. Belongs to the book, until the next call. NULL: memory is exhausted. */
struct areas *areas_of(struct areas_book *b, pid_t pid, uint64_t now_ns);
/* Nothing is known of this one any more. */
void areas_forget(struct areas_book *b, pid_t pid);
/* Of n areas: a copy. 0 or -ENOMEM, and then nothing is known. */
int areas_set(struct areas *a, const struct area *v, size_t n);

enum area_kind { AREA_ANSWERS, AREA_HOLE, AREA_WAITS };
/* What the worst of some pieces is. */
enum area_kind areas_kind(const struct areas *a, const struct iovec *piece, size_t n);

#endif
