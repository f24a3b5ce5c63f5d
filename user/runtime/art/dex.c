/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/art/dex.h"

#include <stdlib.h>
#include <string.h>

#define AT_FILE_BYTES     0x20
#define AT_STRING_COUNT   0x38
#define AT_STRINGS        0x3c
#define AT_TYPE_COUNT     0x40
#define AT_TYPES          0x44
#define AT_METHOD_COUNT   0x58
#define AT_METHODS        0x5c
#define AT_CLASS_COUNT    0x60
#define AT_CLASSES        0x64
#define CLASS_DEF_BYTES   32
#define DEF_TYPE          0 /* words of a class_def_item */
#define DEF_SOURCE        4
#define CODE_HEADER_BYTES 16
#define MAX_ULEB_BYTES    5
#define MAX_DEBUG_BYTES   (1u << 16) /* of one method's lines */

static uint32_t header(const struct art_dex *d, uint32_t at)
{
	return d->header[at / 4];
}

bool art_dex_open(const struct art *a, uint64_t begin, struct art_dex *out)
{
	out->a = a;
	out->begin = begin;
	return begin && proc_read(a->pid, begin, out->header, sizeof(out->header)) == 0 &&
	       memcmp(out->header, "dex\n", 4) == 0;
}

/* n bytes at an offset of the file. */
static bool read_in(const struct art_dex *d, uint64_t at, void *dst, size_t n)
{
	uint64_t size = header(d, AT_FILE_BYTES);

	return at <= size && n <= size - at && proc_read(d->a->pid, d->begin + at, dst, n) == 0;
}

/* An entry of one of its lists. */
static bool read_entry(const struct art_dex *d, uint32_t at_count, uint32_t at_list, uint32_t i, void *dst,
		       size_t n)
{
	return i < header(d, at_count) && read_in(d, header(d, at_list) + (uint64_t)i * n, dst, n);
}

/* It begins with its length in UTF-16, as uleb128. */
bool art_dex_string(const struct art_dex *d, uint32_t string, char *dst, size_t cap)
{
	uint64_t text;
	uint32_t at;
	uint8_t byte = 0x80;

	if (!read_entry(d, AT_STRING_COUNT, AT_STRINGS, string, &at, sizeof(at)))
		return false;
	for (text = at; byte & 0x80; text++)
		if (text - at == MAX_ULEB_BYTES || !read_in(d, text, &byte, sizeof(byte)))
			return false;
	return text < header(d, AT_FILE_BYTES) && proc_read_str(d->a->pid, d->begin + text, dst, cap) > 0;
}

bool art_dex_type(const struct art_dex *d, uint32_t type, char *dst, size_t cap)
{
	uint32_t string;

	return read_entry(d, AT_TYPE_COUNT, AT_TYPES, type, &string, sizeof(string)) &&
	       art_dex_string(d, string, dst, cap);
}

bool art_binary_name(const char *descriptor, char *dst, size_t cap)
{
	size_t n = strlen(descriptor);

	if (n < 3 || descriptor[0] != 'L' || descriptor[n - 1] != ';')
		return false;
	text_clean(dst, cap, descriptor + 1, n - 2);
	for (char *p = dst; *p; p++)
		if (*p == '/')
			*p = '.';
	return true;
}

bool art_dex_method(const struct art_dex *d, uint32_t method, struct art_dex_method *out)
{
	return read_entry(d, AT_METHOD_COUNT, AT_METHODS, method, out, sizeof(*out));
}

bool art_dex_source(const struct art_dex *d, uint32_t class_def, uint32_t type, char *dst, size_t cap)
{
	uint32_t def[CLASS_DEF_BYTES / 4];
	char name[DEX_NAME_MAX_BYTES];

	if (!read_entry(d, AT_CLASS_COUNT, AT_CLASSES, class_def, def, sizeof(def)) ||
	    def[DEF_TYPE] != type || !art_dex_string(d, def[DEF_SOURCE], name, sizeof(name)))
		return false;
	text_clean(dst, cap, name, strlen(name));
	return true;
}

/* code_item: registers_size, ins_size, outs_size, tries_size, debug_info_off, insns_size, insns */
bool art_dex_code(const struct art_dex *d, uint64_t addr, struct art_dex_code *out)
{
	uint8_t w[CODE_HEADER_BYTES];
	uint64_t at = addr - d->begin;

	if (addr < d->begin || at % 4 || !read_in(d, at, w, sizeof(w)))
		return false;
	memcpy(&out->registers, w, 4 * sizeof(uint16_t));
	memcpy(&out->debug, w + 8, sizeof(out->debug));
	memcpy(&out->nr_insns, w + 12, sizeof(out->nr_insns));
	out->insns = addr + CODE_HEADER_BYTES;
	return true;
}

/* --- lines --- */

/* Beyond the end all is zero. */
struct cursor {
	const uint8_t *p, *end;
};

static uint8_t take(struct cursor *c)
{
	return c->p < c->end ? *c->p++ : 0;
}

static uint32_t take_uleb(struct cursor *c, unsigned *bits)
{
	uint32_t v = 0;
	uint8_t byte;

	*bits = 0;
	do {
		byte = take(c);
		if (*bits < 32)
			v |= (uint32_t)(byte & 0x7f) << *bits;
		*bits += 7;
	} while (byte & 0x80);
	return v;
}

static uint32_t uleb(struct cursor *c)
{
	unsigned bits;

	return take_uleb(c, &bits);
}

static int32_t sleb(struct cursor *c)
{
	unsigned bits;
	uint32_t v = take_uleb(c, &bits);

	if (bits < 32 && v >> (bits - 1) & 1)
		v |= ~0u << bits;
	return (int32_t)v;
}

enum {
	END_SEQUENCE,
	ADVANCE_PC,
	ADVANCE_LINE,
	START_LOCAL,
	START_LOCAL_EXTENDED,
	END_LOCAL,
	RESTART_LOCAL,
	SET_PROLOGUE_END,
	SET_EPILOGUE_BEGIN,
	SET_FILE,
	FIRST_SPECIAL
};

/* What an operation that gives no line takes is skipped. */
static void skip_operands(struct cursor *c, uint8_t op)
{
	static const uint8_t operands[FIRST_SPECIAL] = {[START_LOCAL] = 3,
							[START_LOCAL_EXTENDED] = 4,
							[END_LOCAL] = 1,
							[RESTART_LOCAL] = 1,
							[SET_FILE] = 1};

	for (int i = 0; i < operands[op]; i++)
		uleb(c);
}

/* debug_info_item: the first line, names of parameters, and a program that gives lines of growing addresses.
 */
static int line_of(struct cursor c, uint32_t insn)
{
	uint32_t line = uleb(&c), parameters = uleb(&c), addr = 0, found = 0;

	for (uint32_t i = 0; i < parameters && c.p < c.end; i++)
		uleb(&c);
	while (c.p < c.end) {
		uint8_t op = take(&c);

		if (op == END_SEQUENCE)
			break;
		if (op == ADVANCE_PC)
			addr += uleb(&c);
		else if (op == ADVANCE_LINE)
			line += (uint32_t)sleb(&c);
		else if (op < FIRST_SPECIAL)
			skip_operands(&c, op);
		if (op < FIRST_SPECIAL)
			continue;
		addr += (op - FIRST_SPECIAL) / 15u;
		line += (uint32_t)((op - FIRST_SPECIAL) % 15 - 4);
		if (addr > insn)
			break;
		found = line;
	}
	return found <= INT32_MAX ? (int)found : 0;
}

int art_dex_line(const struct art_dex *d, const struct art_dex_code *code, uint32_t insn)
{
	uint64_t left = header(d, AT_FILE_BYTES) - (uint64_t)code->debug;
	size_t n = left < MAX_DEBUG_BYTES ? (size_t)left : MAX_DEBUG_BYTES;
	uint8_t *bytes;
	int line = 0;

	if (!code->debug || code->debug >= header(d, AT_FILE_BYTES))
		return 0;
	bytes = malloc(n);
	if (bytes && read_in(d, code->debug, bytes, n))
		line = line_of((struct cursor){bytes, bytes + n}, insn);
	free(bytes);
	return line;
}
