/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/node/v8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "proc/proc.h"

#define TAG_MASK        3
#define TAG_OBJECT      1
#define SMI_SHIFT       32 /* of a number: without compressed pointers */
#define SMI_SHIFT_BYTES 31 /* as V8 counts it, without the tag's bit */
#define MAX_OFFSET      4096
#define MAX_TEXT        255
#define MAX_STRINGS     16        /* of which one may be made */
#define MAX_LOCALS      75        /* v8: kScopeInfoMaxInlinedLocalNamesSize; more are in a table */
#define MAX_REST        8         /* words behind the locals in which a function's name is looked for */
#define MAX_SOURCE      (4 << 20) /* characters before a function in which lines are counted */
#define PIECE           4096
#define PLACE_WORDS     2 /* where a function begins and ends */

/* --- constants ------------------------------------------------------------------------------------ */

static const struct {
	enum v8_constant id;
	const char *name;
} constant_names[] = {
#define V8_CONSTANT(id, name) {V8_##id, "v8dbg_" name},
#define V8_RENAMED(id, name)  {V8_##id, "v8dbg_" name},
#include "runtime/node/v8_constants.def"
#undef V8_CONSTANT
#undef V8_RENAMED
};

void v8_read_constants(const struct elf_image *e, struct v8 *out)
{
	struct elf_wanted wanted[ARRAY_LEN(constant_names)] = {0};
	bool found[NR_V8_CONSTANTS] = {0};

	*out = (struct v8){0};
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		wanted[i].name = constant_names[i].name;
	if (elf_find_symbols(e, ELF_DYNSYM, wanted, ARRAY_LEN(wanted)) < NR_V8_CONSTANTS)
		return;
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		enum v8_constant id = constant_names[i].id;
		int32_t value = 0; /* those of 0 have no bytes in the file */

		if (!wanted[i].vaddr)
			continue;
		if (found[id] || wanted[i].size_bytes != sizeof(value) ||
		    (elf_read(e, wanted[i].vaddr, &value, sizeof(value)) != sizeof(value) && value))
			return;
		out->of[id] = value;
		found[id] = true;
	}
	for (size_t i = 0; i < NR_V8_CONSTANTS; i++)
		if (!found[i])
			return;
	for (size_t i = V8_FUNCTION_SHARED; i <= V8_TYPE_SCOPE_INFO; i++)
		if (out->of[i] < 0 || out->of[i] > MAX_OFFSET)
			return;
	/* what the walker takes for granted, too: see script_function() */
	out->known = out->of[V8_SMI_SHIFT_BYTES] == SMI_SHIFT_BYTES && out->of[V8_FP_FUNCTION] == -16 &&
		     out->of[V8_FP_CONTEXT] == -8 && out->of[V8_SCOPE_LOCALS] < MAX_REST &&
		     out->of[V8_SCOPE_LOCALS] > 0 &&
		     (out->of[V8_SCOPE_REST] == out->of[V8_SCOPE_LOCALS] + 1 ||
		      out->of[V8_SCOPE_REST] == out->of[V8_SCOPE_LOCALS] + 1 + PLACE_WORDS);
}

/* --- words and objects ---------------------------------------------------------------------------- */

struct reader {
	const struct v8 *v;
	pid_t pid;
};

static bool is_smi(uint64_t word)
{
	return !(word & 1);
}

static int64_t smi(uint64_t word)
{
	return (int64_t)word >> SMI_SHIFT;
}

static bool read_word(const struct reader *r, uint64_t addr, uint64_t *out)
{
	return !proc_read(r->pid, addr, out, sizeof(*out));
}

static bool field(const struct reader *r, uint64_t object, enum v8_constant which, uint64_t *out)
{
	return read_word(r, object + (uint64_t)r->v->of[which], out);
}

/* An object behind a tagged word, and the type that its map says. */
static bool object_of(const struct reader *r, uint64_t word, uint64_t *object, uint16_t *type)
{
	uint64_t map;

	*object = word - TAG_OBJECT;
	return (word & TAG_MASK) == TAG_OBJECT && read_word(r, *object, &map) &&
	       (map & TAG_MASK) == TAG_OBJECT &&
	       !proc_read(r->pid, map - TAG_OBJECT + (uint64_t)r->v->of[V8_INSTANCE_TYPE], type,
			  sizeof(*type));
}

static bool is_string(const struct reader *r, uint16_t type)
{
	return !(type & (uint16_t)r->v->of[V8_NOT_STRING_MASK]);
}

/* --- strings -------------------------------------------------------------------------------------- */

/* A string's characters as they lie: one flat run. */
struct flat {
	uint64_t chars;
	uint32_t length;
	bool one_byte;
};

/* The run at a sequential or external string. false: it is another one. */
static bool flat_of(const struct reader *r, uint64_t object, uint16_t type, struct flat *out)
{
	const int32_t *of = r->v->of;
	int32_t shape = type & of[V8_SHAPE_MASK];

	out->one_byte = (type & of[V8_ENCODING_MASK]) == of[V8_ONE_BYTE];
	if (proc_read(r->pid, object + (uint64_t)of[V8_STRING_LENGTH], &out->length, sizeof(out->length)))
		return false;
	if (shape == of[V8_SHAPE_SEQ]) {
		out->chars = object + (uint64_t)of[out->one_byte ? V8_ONE_BYTE_CHARS : V8_TWO_BYTE_CHARS];
		return true;
	}
	/* behind the resource, where its characters are */
	return shape == of[V8_SHAPE_EXTERNAL] &&
	       read_word(r, object + (uint64_t)of[V8_EXTERNAL_RESOURCE] + sizeof(uint64_t), &out->chars);
}

/* Through strings that stand for another one. *offset: where in that it begins. */
static bool actual_of(const struct reader *r, uint64_t *word, uint64_t *object, uint16_t *type,
		      uint32_t *offset)
{
	const int32_t *of = r->v->of;

	*offset = 0;
	for (int i = 0; i < MAX_STRINGS; i++) {
		uint64_t by;
		int32_t shape;

		if (!object_of(r, *word, object, type) || !is_string(r, *type))
			return false;
		shape = *type & of[V8_SHAPE_MASK];
		if (shape == of[V8_SHAPE_THIN]) {
			if (!field(r, *object, V8_THIN_ACTUAL, word))
				return false;
		} else if (shape == of[V8_SHAPE_SLICED]) {
			if (!field(r, *object, V8_SLICED_OFFSET, &by) || !is_smi(by) || smi(by) < 0 ||
			    smi(by) > INT32_MAX || !field(r, *object, V8_SLICED_PARENT, word))
				return false;
			*offset += (uint32_t)smi(by);
		} else {
			return true;
		}
	}
	return false;
}

/* n characters of a run, what is no ASCII as '?'. */
static bool read_chars(const struct reader *r, const struct flat *f, uint32_t from, char *out, size_t n)
{
	uint16_t wide[PIECE];

	if (from > f->length || n > f->length - from || n > PIECE)
		return false;
	if (f->one_byte) {
		if (proc_read(r->pid, f->chars + from, out, n))
			return false;
	} else {
		if (proc_read(r->pid, f->chars + 2ULL * from, wide, 2 * n))
			return false;
		for (size_t i = 0; i < n; i++)
			out[i] = wide[i] < 0x80 ? (char)wide[i] : '?';
	}
	for (size_t i = 0; i < n; i++)
		if (out[i] & 0x80)
			out[i] = '?';
	return true;
}

/* A text of at most MAX_TEXT characters; of a longer one its end. Those made of two: of the first parts, too.
 */
static bool read_text(const struct reader *r, uint64_t word, char out[MAX_TEXT + 1], size_t *n)
{
	const int32_t *of = r->v->of;
	uint64_t todo[MAX_STRINGS], object, second;
	size_t nr_todo = 1;

	*n = 0;
	todo[0] = word;
	for (int i = 0; i < MAX_STRINGS && nr_todo > 0; i++) {
		uint64_t next = todo[--nr_todo];
		struct flat f;
		uint32_t offset, length;
		uint16_t type;

		if (!actual_of(r, &next, &object, &type, &offset))
			return false;
		if ((type & of[V8_SHAPE_MASK]) == of[V8_SHAPE_CONS]) {
			if (offset || nr_todo + 2 > MAX_STRINGS ||
			    !field(r, object, V8_CONS_SECOND, &second) ||
			    !field(r, object, V8_CONS_FIRST, &next))
				return false;
			todo[nr_todo++] = second;
			todo[nr_todo++] = next;
			continue;
		}
		if (!flat_of(r, object, type, &f) || offset > f.length)
			return false;
		length = f.length - offset;
		if (length > MAX_TEXT - *n) {
			if (*n) /* enough is known of it */
				return true;
			offset += length - MAX_TEXT;
			length = MAX_TEXT;
		}
		if (!read_chars(r, &f, offset, out + *n, length))
			return false;
		*n += length;
	}
	return true;
}

/* --- scopes --------------------------------------------------------------------------------------- */

#define MAX_NAMES 2
struct scope {
	uint64_t name[MAX_NAMES]; /* strings, its own and one inferred from where it is assigned to */
	size_t nr_names;
	int64_t start; /* of the function in its script, characters; -1: unknown */
};

/* Where a function begins and ends: two numbers side by side. */
static bool is_place(const uint64_t word[2])
{
	return is_smi(word[0]) && is_smi(word[1]) && smi(word[0]) >= 0 && smi(word[1]) > smi(word[0]);
}

/*
 * A ScopeInfo is a row of words: flags, numbers, names and properties of its context's variables, perhaps a
 * private class; the function's name and a number (-1: it is no variable), an inferred name, where it begins
 * and ends, another scope (v8: src/objects/scope-info.tq, 10.2 to 12.4). From 13 on, of Node.js 24, where it
 * begins and ends comes before the variables; the constants say so.
 */
static bool read_scope(const struct reader *r, uint64_t info, struct scope *out)
{
	const int32_t *of = r->v->of;
	bool place_first = of[V8_SCOPE_REST] > of[V8_SCOPE_LOCALS] + PLACE_WORDS;
	uint64_t word[PLACE_WORDS + 2 * MAX_LOCALS + MAX_REST], n,
	    behind = info + 8 + 8ULL * (uint64_t)(of[V8_SCOPE_LOCALS] + 1);
	size_t at = 0, words, locals;

	*out = (struct scope){.start = -1};
	if (!read_word(r, info + 8 + 8ULL * (uint64_t)of[V8_SCOPE_LOCALS], &n) || !is_smi(n) || smi(n) < 0)
		return false;
	locals = (size_t)smi(n);
	if (locals >= MAX_LOCALS) /* a table of them, and their properties: what follows is too far */
		locals = 0;
	words = PLACE_WORDS + 2 * locals + MAX_REST;
	if (proc_read(r->pid, behind, word, words * sizeof(*word)))
		return false;
	if (place_first) {
		if (!is_place(word))
			return true;
		out->start = smi(word[0]);
		at = PLACE_WORDS;
	}
	if ((size_t)smi(n) >= MAX_LOCALS)
		return true;
	at += 2 * locals;
	for (size_t i = at; i < at + MAX_REST && i + 1 < words; i++) {
		uint64_t object;
		uint16_t type;

		if (is_smi(word[i])) {
			if (out->start >= 0 || !is_place(word + i))
				continue;
			out->start = smi(word[i]);
			break;
		}
		if (!object_of(r, word[i], &object, &type))
			break;
		if (!is_string(r, type) && out->start >= 0)
			break; /* another scope: behind all of this one */
		if (is_string(r, type) && out->nr_names < MAX_NAMES)
			out->name[out->nr_names++] = word[i];
	}
	return true;
}

/* The line of a place in a script; 0: unknown. */
static int line_of(const struct reader *r, uint64_t script, int64_t place)
{
	char piece[PIECE];
	struct flat f;
	uint64_t word, object;
	uint32_t offset;
	uint16_t type;
	int line = 1;

	if (place < 0 || place > MAX_SOURCE || !field(r, script, V8_SCRIPT_SOURCE, &word) ||
	    !actual_of(r, &word, &object, &type, &offset) || !flat_of(r, object, type, &f) ||
	    (uint64_t)place + offset > f.length)
		return 0;
	for (uint32_t done = 0; done < place;) {
		size_t n = (size_t)place - done < PIECE ? (size_t)place - done : PIECE;

		if (!read_chars(r, &f, offset + done, piece, n))
			return 0;
		for (size_t i = 0; i < n; i++)
			line += piece[i] == '\n';
		done += (uint32_t)n;
	}
	return line;
}

/* --- functions ------------------------------------------------------------------------------------ */

void v8_file_name(const char *path, size_t n, char *out, size_t cap)
{
	static const char own[] = "node:";

	if (n < sizeof(own) - 1 || memcmp(path, own, sizeof(own) - 1) != 0)
		for (size_t i = n; i-- > 0;)
			if (path[i] == '/') {
				n -= i + 1;
				path += i + 1;
				break;
			}
	text_clean(out, cap, path, n);
}

static bool is_type(const struct reader *r, uint64_t word, enum v8_constant wanted, uint64_t *object)
{
	uint16_t type;

	return object_of(r, word, object, &type) && type == r->v->of[wanted];
}

bool v8_function_name(const struct v8 *v, pid_t pid, uint64_t addr, struct v8_name *out)
{
	const struct reader r = {v, pid};
	struct scope scope = {.start = -1};
	uint64_t shared, script, word, object;
	char text[MAX_TEXT + 1];
	uint16_t type;
	size_t n;

	*out = (struct v8_name){0};
	if (!v->known || !is_type(&r, addr + TAG_OBJECT, V8_TYPE_SHARED, &shared) ||
	    !field(&r, shared, V8_SHARED_SCRIPT, &word) || !is_type(&r, word, V8_TYPE_SCRIPT, &script))
		return false;
	if (field(&r, script, V8_SCRIPT_NAME, &word) && read_text(&r, word, text, &n))
		v8_file_name(text, n, out->file, sizeof(out->file));
	if (!field(&r, shared, V8_SHARED_NAME, &word))
		return false;
	if (object_of(&r, word, &object, &type) && is_string(&r, type))
		scope.name[scope.nr_names++] = word;
	else if (!is_smi(word) && type == v->of[V8_TYPE_SCOPE_INFO] && !read_scope(&r, object, &scope))
		return false;
	snprintf(out->symbol, sizeof(out->symbol), "(anonymous)");
	for (size_t i = scope.nr_names; i-- > 0;)
		if (read_text(&r, scope.name[i], text, &n) && n > 0)
			text_clean(out->symbol, sizeof(out->symbol), text, n);
	out->line = line_of(&r, script, scope.start);
	return true;
}
