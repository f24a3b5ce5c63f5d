/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/python/code.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "bpf/border/scripts.h"
#include "proc/proc.h"

#define MAX_TABLE_BYTES (1 << 20)
#define MAX_UNITS       (1 << 24)
#define UNIT_BYTES      2 /* of code */

static bool read_word(const struct python_reader *r, uint64_t addr, uint64_t *out)
{
	return !proc_read(r->pid, addr, out, sizeof(*out));
}

/* PyASCIIObject.state: two bits (interned), three: bytes of a character, two bits: in one piece, ASCII alone.
 */
#define STATE_KIND(state) ((state) >> 2 & 7)
#define STATE_COMPACT     (1 << 5)
#define STATE_ASCII       (1 << 6)

/* The end of a text that is too long, what is no ASCII as '?'. */
static bool read_string(const struct python_reader *r, uint64_t object, char *out, size_t cap, size_t *n)
{
	uint8_t chars[4 * PYTHON_NAME_BYTES];
	uint64_t length, text;
	uint32_t state, kind;

	if (object & 7 || !read_word(r, object + PYTHON_SIZE, &length) || length > INT32_MAX ||
	    proc_read(r->pid, object + PYTHON_STATE, &state, sizeof(state)))
		return false;
	kind = STATE_KIND(state);
	if (!(state & STATE_COMPACT) || (kind != 1 && kind != 2 && kind != 4))
		return false;
	text = object + (state & STATE_ASCII ? r->layout->ascii_bytes : r->layout->compact_bytes);
	*n = length < cap ? length : cap;
	if (proc_read(r->pid, text + (length - *n) * kind, chars, *n * kind))
		return false;
	for (size_t i = 0; i < *n; i++) {
		bool ascii = chars[i * kind] < 0x80;

		for (uint32_t k = 1; k < kind; k++)
			ascii &= !chars[i * kind + k];
		out[i] = ascii ? (char)chars[i * kind] : '?';
	}
	return true;
}

/* --- lines ---------------------------------------------------------------------------------------- */

/*
 * A row for each run of instructions (cpython: Objects/locations.md): a byte with bit 7 set, the kind in four
 * bits, in three the length less one; then what the kind says, in bytes without bit 7.
 */
enum { ROW_ONE_LINE = 10, ROW_NO_COLUMNS = 13, ROW_LONG = 14, ROW_NONE = 15 };

struct table {
	const uint8_t *p;
	size_t n, at;
};

/* Six bits in each byte, the lowest first; bit 6: there are more. */
static uint32_t read_varint(struct table *t)
{
	uint32_t value = 0;

	for (unsigned shift = 0; t->at < t->n && shift < 32; shift += 6) {
		uint8_t byte = t->p[t->at++];

		value |= (uint32_t)(byte & 63) << shift;
		if (!(byte & 64))
			break;
	}
	return value;
}

/* The sign is in bit 0. */
static int64_t read_signed(struct table *t)
{
	uint32_t value = read_varint(t);

	return value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
}

static int64_t find_line(struct table *t, int64_t line, uint64_t unit)
{
	uint64_t end = 0;

	while (t->at < t->n) {
		uint8_t head = t->p[t->at++], kind = head >> 3 & 15;

		if (!(head & 128))
			return 0;
		if (kind == ROW_LONG || kind == ROW_NO_COLUMNS)
			line += read_signed(t);
		else if (kind >= ROW_ONE_LINE && kind < ROW_NO_COLUMNS)
			line += kind - ROW_ONE_LINE;
		end += (head & 7) + 1;
		if (unit < end)
			return kind == ROW_NONE ? 0 : line;
		while (t->at < t->n && !(t->p[t->at] & 128)) /* columns */
			t->at++;
	}
	return 0;
}

static int line_of(const struct python_reader *r, uint64_t object, int32_t first, uint64_t unit)
{
	struct table t = {0};
	uint64_t bytes;
	int64_t line = 0;
	uint8_t *p;

	if (object & 7 || !read_word(r, object + PYTHON_SIZE, &bytes) || !bytes || bytes > MAX_TABLE_BYTES)
		return 0;
	p = malloc(bytes);
	if (p && !proc_read(r->pid, object + PYTHON_BYTES, p, bytes)) {
		t = (struct table){p, bytes, 0};
		line = find_line(&t, first, unit);
	}
	free(p);
	return line > 0 && line < INT32_MAX ? (int)line : 0;
}

/* --- functions ------------------------------------------------------------------------------------ */

bool python_code_name(const struct python_reader *r, uint64_t code, uint64_t place, uint32_t check,
		      struct python_name *out)
{
	const struct python_layout *l = r->layout;
	uint64_t type, name, file, lines, from = code + l->instructions;
	char text[PYTHON_NAME_BYTES - 1];
	int32_t first;
	uint32_t stack;
	size_t n, base;

	*out = (struct python_name){0};
	if (code & 7 || !read_word(r, code + PYTHON_OBJECT_TYPE, &type) || type != r->code_type ||
	    proc_read(r->pid, code + l->first_line, &first, sizeof(first)) ||
	    proc_read(r->pid, code + l->stack_size, &stack, sizeof(stack)) ||
	    script_check((uint32_t)first, stack) != check || place < from ||
	    place - from > (uint64_t)UNIT_BYTES * MAX_UNITS)
		return false;
	if (!read_word(r, code + PYTHON_CODE_NAME, &name) || !read_string(r, name, text, sizeof(text), &n))
		return false;
	text_clean(out->symbol, sizeof(out->symbol), text, n);
	if (read_word(r, code + PYTHON_CODE_FILE, &file) && read_string(r, file, text, sizeof(text), &n)) {
		for (base = n; base > 0 && text[base - 1] != '/'; base--)
			;
		text_clean(out->file, sizeof(out->file), text + base, n - base);
	}
	if (read_word(r, code + PYTHON_CODE_LINES, &lines))
		out->line = line_of(r, lines, first, (place - from) / UNIT_BYTES);
	return true;
}
