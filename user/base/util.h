/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Small things everyone needs: errors that reach the user, growing arrays, clocks, hashes, foreign text. */
#ifndef JNITRACE_UTIL_H
#define JNITRACE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ARRAY_LEN(a)         (sizeof(a) / sizeof((a)[0]))
#define JT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Exit codes, a contract with scripts (see docs/json.md). */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_PERMISSION = 3,
	EXIT_NO_TARGET = 4,
	EXIT_LOSSES = 5,
	EXIT_ASSERT = 6,
	EXIT_TOO_SHORT = 7,
};

/*
 * What the user is told, once, at the boundary: `jnitrace: WHAT: WHY (ADVICE)`.
 * Functions return 0 or -errno and fill this where they know more than errno
 * says; the first to fill it wins.
 */
struct error {
	enum exit_code exit_code;
	char what[192], why[256], advice[192];
};
/* Fill e (unless filled) and return rc. advice may be NULL. e may be NULL. */
int error_set(struct error *e, int rc, enum exit_code code, const char *what, const char *advice,
	      const char *why_fmt, ...) JT_PRINTF(6, 7);
/* Print e as one line on stderr; control characters are replaced. Returns the exit code. */
int error_print(const struct error *e);
/*
 * The end of the process where a library cannot be told that memory is exhausted: it would go on with a null
 * pointer, or abort. The kernel removes the probes with the last descriptor.
 */
_Noreturn void out_of_memory(const char *what);
/*
 * Who takes the lines of error_print() and warn() while stderr may be where something is drawn. take: of any
 * thread, one at a time; false: print it. leave: the process ends, print from now on.
 */
struct line_taker {
	bool (*take)(void *of, const char *line);
	void (*leave)(void *of);
	void *of;
};
/* NULL: nobody does any more. Outlives that. */
void lines_go_to(const struct line_taker *taker);
/*
 * A warning on stderr, one line, prefixed `jnitrace: `; inform: what is as it should be. Into the journal
 * they go with their level.
 */
void warn(const char *fmt, ...) JT_PRINTF(1, 2);
void inform(const char *fmt, ...) JT_PRINTF(1, 2);

/*
 * A growing array: struct { T *v; size_t n, cap; }. Evaluates to a pointer to a
 * new zeroed element, or NULL when memory is exhausted.
 */
#define VEC_ADD(vec)                                                                                         \
	((__typeof__((vec)->v))vec_add((void **)&(vec)->v, &(vec)->n, &(vec)->cap, sizeof(*(vec)->v)))
/* Room for at least one element more; false: memory is exhausted, and nothing has changed. */
bool vec_grow(void **v, size_t *cap, size_t elem_bytes);
static inline void *vec_add(void **v, size_t *n, size_t *cap, size_t elem_bytes)
{
	char *p;

	if (*n == *cap && !vec_grow(v, cap, elem_bytes))
		return NULL;
	memcpy(&p, v, sizeof(p)); /* *v is really a T *: copied as bytes, so that no type rule is broken */
	return memset(p + (*n)++ * elem_bytes, 0, elem_bytes);
}

/* A growing text buffer; p, when not NULL, is terminated. On exhausted memory it stops growing and `failed`
 * is set. */
struct buf {
	char *p;
	size_t n, cap;
	bool failed;
};
void buf_add(struct buf *b, const char *s, size_t n);
/* n in decimal digits, terminated. How many. For what is written by the million: printf(3) takes ten times as
 * long. */
#define DECIMAL_BYTES 21
size_t decimal(uint64_t n, char out[DECIMAL_BYTES]);
void buf_printf(struct buf *b, const char *fmt, ...) JT_PRINTF(2, 3);
void buf_free(struct buf *b);
/* 1234567 -> 1,234,567 */
void fmt_count(struct buf *out, uint64_t n);
/* 3.1, -0.2, 1,234: a decimal place below 100, none from there on; what rounds to nothing is 0. Not finite:
 * "?". */
void fmt_figure(struct buf *out, double v);

uint64_t clock_ns(int clock_id);
/* a + b, or as much as there can be: what a hostile target counts must not wrap. */
uint64_t add_capped(uint64_t a, uint64_t b);
/* 64-bit FNV-1a, for identities that must be equal on every host. */
#define FNV64_INIT 0xcbf29ce484222325ULL
uint64_t fnv64(uint64_t h, const void *p, size_t n);
/* Finalizer of splitmix64: spreads a key over 64 bits. */
uint64_t mix64(uint64_t x);
/*
 * Copy foreign text into dst (cap bytes, always terminated), making it safe for
 * a terminal: C0, DEL and C1 control characters and bytes that are not valid
 * UTF-8 become '?'. Returns dst.
 */
char *text_clean(char *dst, size_t cap, const char *src, size_t src_len);
void hex_encode(char *dst, const uint8_t *src, size_t n); /* dst: 2 * n + 1 bytes */

#endif
