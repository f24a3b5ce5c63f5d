/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/ruby/code.h"

#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "proc/proc.h"

#define MAX_CODE_WORDS (1U << 24)
#define MAX_LINES      (1U << 24)

/* --- objects -------------------------------------------------------------------------------------- */

/* ruby: include/ruby/internal/value_type.h, fl_type.h, core/rstring.h, core/rarray.h */
#define TYPE_MASK   0x1f
#define TYPE_STRING 5
#define TYPE_ARRAY  7
#define FLAG_USER_1                                                                                          \
	(1ULL << 13)      /* of a string: its text is outside; of an array: its elements are inside          \
			   */
#define LENGTH_SHIFT   14 /* of a text inside, where the flags have it */
#define LENGTH_MASK    0x1f
#define OBJECT_INSIDE  16
#define OBJECT_POINTER 24 /* of a string's text outside, behind its length */
#define ARRAY_POINTER  32

static bool read_word(const struct ruby_reader *r, uint64_t addr, uint64_t *out)
{
	return !proc_read(r->pid, addr, out, sizeof(*out));
}

static bool is_type(const struct ruby_reader *r, uint64_t object, uint64_t type, uint64_t *flags)
{
	return object && !(object & 7) && read_word(r, object, flags) && (*flags & TYPE_MASK) == type;
}

/* The end of a text that is too long. */
static bool read_string(const struct ruby_reader *r, uint64_t object, char *out, size_t cap, size_t *n)
{
	uint64_t flags, length,
	    text = object + (r->layout->length_in_string ? OBJECT_POINTER : OBJECT_INSIDE);

	if (!is_type(r, object, TYPE_STRING, &flags))
		return false;
	if (r->layout->length_in_string || flags & FLAG_USER_1) {
		if (!read_word(r, object + OBJECT_INSIDE, &length))
			return false;
	} else {
		length = flags >> LENGTH_SHIFT & LENGTH_MASK;
	}
	if (length > INT32_MAX || (flags & FLAG_USER_1 && !read_word(r, object + OBJECT_POINTER, &text)))
		return false;
	*n = length < cap ? length : cap;
	return !proc_read(r->pid, text + length - *n, out, *n);
}

/* A string, or the first element of an array: the path as it was given, and the real one. */
static bool read_path(const struct ruby_reader *r, uint64_t object, char *out, size_t cap, size_t *n)
{
	uint64_t flags, element = object + OBJECT_INSIDE;

	if (is_type(r, object, TYPE_STRING, &flags))
		return read_string(r, object, out, cap, n);
	if (!is_type(r, object, TYPE_ARRAY, &flags) ||
	    (!(flags & FLAG_USER_1) && !read_word(r, object + ARRAY_POINTER, &element)))
		return false;
	return read_word(r, element, &object) && read_string(r, object, out, cap, n);
}

/* --- lines ---------------------------------------------------------------------------------------- */

/*
 * Which of the entries a place belongs to is written as a table of ranks (ruby: iseq.c, succ_index_table):
 * for the first places 7 bits each, nine in a word; then in blocks of 512, with one bit each.
 */
#define NEAR_PLACES    54
#define NEAR_PER_WORD  9
#define NEAR_BITS      7
#define NEAR_BYTES     (NEAR_PLACES / NEAR_PER_WORD * 8)
#define BLOCK_PLACES   512
#define BLOCK_WORDS    10 /* rank, ranks of its words, 8 words */
#define WORD_RANK_BITS 9
#define ENTRY_BYTES    12 /* struct iseq_insn_info_entry: line, node, events */

static bool rank_of(const struct ruby_reader *r, uint64_t table, uint64_t place, uint64_t *rank)
{
	uint64_t block[BLOCK_WORDS], word, bit;

	if (place < NEAR_PLACES) {
		if (!read_word(r, table + place / NEAR_PER_WORD * 8, &word))
			return false;
		*rank = word >> place % NEAR_PER_WORD * NEAR_BITS & ((1 << NEAR_BITS) - 1);
		return true;
	}
	place -= NEAR_PLACES;
	if (proc_read(r->pid, table + NEAR_BYTES + place / BLOCK_PLACES * sizeof(block), block,
		      sizeof(block)))
		return false;
	word = place % BLOCK_PLACES / 64;
	bit = place % 64;
	*rank = (uint32_t)block[0] + (uint64_t)__builtin_popcountll(block[2 + word] << (63 - bit));
	if (word)
		*rank += block[1] >> (word - 1) * WORD_RANK_BITS & ((1 << WORD_RANK_BITS) - 1);
	return true;
}

/* The line of a place (words from the code's beginning); 0: unknown. */
static int line_of(const struct ruby_reader *r, const uint64_t *body, uint64_t place)
{
	const uint64_t *info = body + r->layout->insns_info / 8; /* entries, positions, size, table */
	uint32_t size = (uint32_t)info[2];
	uint64_t rank = 1;
	int32_t line;

	if (!size || size > MAX_LINES || (size > 1 && !rank_of(r, info[3], place, &rank)) || !rank ||
	    rank > size || proc_read(r->pid, info[0] + (rank - 1) * ENTRY_BYTES, &line, sizeof(line)))
		return 0;
	return line > 0 ? line : 0;
}

/* --- functions ------------------------------------------------------------------------------------ */

static const char *base_name(const char *path, size_t *n)
{
	for (size_t i = *n; i-- > 0;)
		if (path[i] == '/') {
			*n -= i + 1;
			return path + i + 1;
		}
	return path;
}

bool ruby_code_name(const struct ruby_reader *r, uint64_t addr, uint64_t pc, uint32_t check,
		    struct ruby_name *out)
{
	uint64_t body[RUBY_BODY_BYTES / 8], first, code;
	char text[RUBY_NAME_BYTES - 1];
	uint32_t words, line;
	const char *file;
	size_t n;

	*out = (struct ruby_name){0};
	if (addr & 7 || proc_read(r->pid, addr, body, sizeof(body)))
		return false;
	words = (uint32_t)(body[RUBY_BODY_SIZE / 8] >> 32);
	line = (uint32_t)body[RUBY_BODY_LINE / 8];
	code = body[RUBY_BODY_ENCODED / 8];
	if (!words || words > MAX_CODE_WORDS || script_check(words, line) != check || pc < code ||
	    pc - code > 8ULL * words || (pc - code) % 8)
		return false;
	/* each instruction begins with its address in the interpreter */
	if (!read_word(r, code, &first) || first < r->interpreter.insns_start ||
	    first >= r->interpreter.insns_end)
		return false;
	if (!read_string(r, body[RUBY_BODY_LABEL / 8], text, sizeof(text), &n))
		return false;
	text_clean(out->symbol, sizeof(out->symbol), text, n);
	if (read_path(r, body[RUBY_BODY_PATH / 8], text, sizeof(text), &n)) {
		file = base_name(text, &n);
		text_clean(out->file, sizeof(out->file), file, n);
	}
	out->line = line_of(r, body, pc > code ? (pc - code) / 8 - 1 : 0);
	return true;
}
