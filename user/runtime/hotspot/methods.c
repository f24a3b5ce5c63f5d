/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/hotspot/methods.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OBJECT_BYTES 512
#define MAX_METHOD_BYTES (1u << 20) /* a ConstMethod: 64 KB of code and its tables */
#define MAX_NAME_BYTES   512
#define MAX_SYMBOL_BYTES 1100
#define ACC_NATIVE       0x0100
#define LINE_ESCAPE      0xff
#define UTF8_TAG         1
/* Not exported since JDK 21: ConstMethodFlags::_misc_is_hidden (JDK: oops/constMethodFlags.hpp). */
#define HIDDEN_MASK_21 (1u << 12)
/* JDK 8: Method::_hidden, a bit of the byte after _intrinsic_id (JDK: oops/method.hpp). */
#define HIDDEN_MASK_8 (1u << 3)

/* --- layout --------------------------------------------------------------------------------------- */

#define AT(member) offsetof(struct method_layout, member)
static const struct {
	const char *type, *name, *other; /* other: its name in other versions */
	size_t at;
} layout_fields[] = {
    {"Method", "_constMethod", NULL, AT(constmethod)},
    {"Method", "_access_flags", NULL, AT(access_flags)},
    {"ConstMethod", "_constants", NULL, AT(constants)},
    {"ConstMethod", "_constMethod_size", NULL, AT(size)},
    {"ConstMethod", "_flags", "_flags._flags", AT(cm_flags)},
    {"ConstMethod", "_code_size", NULL, AT(code_size)},
    {"ConstMethod", "_name_index", NULL, AT(name_index)},
    {"ConstantPool", "_tags", NULL, AT(tags)},
    {"ConstantPool", "_pool_holder", NULL, AT(holder)},
    {"ConstantPool", "_length", NULL, AT(length)},
    {"Klass", "_name", NULL, AT(klass_name)},
    {"InstanceKlass", "_constants", NULL, AT(klass_constants)},
    {"Symbol", "_length", NULL, AT(symbol_length)},
    {"Symbol", "_body", "_body[0]", AT(symbol_body)},
    {"Array<u1>", "_data", NULL, AT(array_data)},
};
static const struct {
	const char *type;
	size_t at;
} layout_sizes[] = {
    {"Method", AT(method_bytes)}, {"ConstMethod", AT(constmethod_bytes)}, {"ConstantPool", AT(pool_bytes)}};

static void set_u32(struct method_layout *l, size_t at, uint64_t v)
{
	uint32_t v32 = (uint32_t)v;

	memcpy((char *)l + at, &v32, sizeof(v32));
}

static int no_layout(const struct hotspot *h, struct error *err, const char *type, const char *name)
{
	char why[128];

	snprintf(why, sizeof(why), "Java frames are not named: its tables do not have %s::%s", type, name);
	return hotspot_error(h, err, -ENOENT, why);
}

static void read_flags_layout(const struct hotspot *h, struct method_layout *l)
{
	uint64_t v;
	int64_t mask;

	l->lines_mask = 1; /* the first flag in all versions */
	if (hotspot_constant(h, "ConstMethod::_has_linenumber_table", &mask) ||
	    hotspot_constant(h, "ConstMethodFlags::_misc_has_linenumber_table", &mask))
		l->lines_mask = (uint32_t)mask;
	l->cm_flags_bytes = hotspot_field_offset(h, "ConstMethod", "_flags._flags", &v) ? 4 : 2;
	if (hotspot_constant(h, "Method::_hidden", &mask) &&
	    hotspot_field_offset(h, "Method", "_flags", &v)) {
		l->hidden_mask = (uint32_t)mask;
		l->flags = (uint32_t)v;
	} else if (h->feature == 8 && hotspot_field_offset(h, "Method", "_intrinsic_id", &v)) {
		l->hidden_mask = HIDDEN_MASK_8;
		l->flags = (uint32_t)v + 1;
	} else if (h->feature >= 21) {
		l->hidden_mask = HIDDEN_MASK_21;
		l->hidden_in_constmethod = true;
	}
	v = 0;
	if (!hotspot_field_offset(h, "ConstantPool", "_source_file_name_index", &v)) /* before JDK 13: */
		l->source_file_in_klass =
		    hotspot_field_offset(h, "InstanceKlass", "_source_file_name_index", &v);
	l->source_file = (uint32_t)v;
	l->compact5 = h->feature >= 20;
}

int method_layout_read(const struct hotspot *h, struct method_layout *l, struct error *err)
{
	uint64_t v;

	memset(l, 0, sizeof(*l));
	for (size_t i = 0; i < ARRAY_LEN(layout_fields); i++) {
		if (!hotspot_field_offset(h, layout_fields[i].type, layout_fields[i].name, &v) &&
		    !(layout_fields[i].other &&
		      hotspot_field_offset(h, layout_fields[i].type, layout_fields[i].other, &v)))
			return no_layout(h, err, layout_fields[i].type, layout_fields[i].name);
		if (v > MAX_OBJECT_BYTES - 8)
			return no_layout(h, err, layout_fields[i].type, "(a sane offset)");
		set_u32(l, layout_fields[i].at, v);
	}
	for (size_t i = 0; i < ARRAY_LEN(layout_sizes); i++) {
		if (!hotspot_type_size(h, layout_sizes[i].type, &v) || v > MAX_OBJECT_BYTES)
			return no_layout(h, err, layout_sizes[i].type, "(a sane size)");
		set_u32(l, layout_sizes[i].at, v);
	}
	read_flags_layout(h, l);
	if (hotspot_field_offset(h, "Method", "_code", &v) && v <= MAX_OBJECT_BYTES - 8)
		l->code = (uint32_t)v;
	if (l->constmethod + 8 > l->method_bytes || l->code + 8 > l->method_bytes ||
	    l->access_flags + 2 > l->method_bytes || l->flags + 2 > l->method_bytes ||
	    l->name_index + 2 > l->constmethod_bytes || l->cm_flags + 4 > l->constmethod_bytes ||
	    l->code_size + 2 > l->constmethod_bytes || l->constants + 8 > l->constmethod_bytes ||
	    l->size + 4 > l->constmethod_bytes || l->tags + 8 > l->pool_bytes ||
	    l->holder + 8 > l->pool_bytes || l->length + 4 > l->pool_bytes ||
	    l->source_file > MAX_OBJECT_BYTES ||
	    (!l->source_file_in_klass && l->source_file + 2 > l->pool_bytes))
		return no_layout(h, err, "Method", "(fields inside of it)");
	return 0;
}

/* --- reading -------------------------------------------------------------------------------------- */

static uint16_t u16_at(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t u32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t u64_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static bool is_pointer(uint64_t v)
{
	return v % 8 == 0 && v >= 4096;
}

/* The Symbol* of a constant pool's entry, which must be tagged as one. 0: it is not. */
static uint64_t pool_symbol(const struct hotspot *h, const struct method_layout *l, uint64_t pool,
			    const uint8_t *head, uint32_t index)
{
	uint64_t tags = u64_at(head + l->tags), symbol;
	uint32_t length = u32_at(head + l->length);
	uint8_t tag;

	if (index == 0 || index >= length || !is_pointer(tags) ||
	    proc_read(h->pid, tags + l->array_data + index, &tag, sizeof(tag)) || tag != UTF8_TAG ||
	    proc_read(h->pid, pool + l->pool_bytes + 8ULL * index, &symbol, sizeof(symbol)) ||
	    !is_pointer(symbol))
		return 0;
	return symbol;
}

static bool read_symbol(const struct hotspot *h, const struct method_layout *l, uint64_t symbol, char *out,
			size_t cap)
{
	uint16_t n;

	if (!is_pointer(symbol) || proc_read(h->pid, symbol + l->symbol_length, &n, sizeof(n)) || n == 0)
		return false;
	if (n > cap - 1)
		n = (uint16_t)(cap - 1);
	if (proc_read(h->pid, symbol + l->symbol_body, out, n))
		return false;
	out[n] = '\0';
	return strlen(out) == n;
}

bool method_identify(const struct hotspot *h, const struct method_layout *l, uint64_t addr,
		     struct java_method *m)
{
	uint8_t method[MAX_OBJECT_BYTES], cm[MAX_OBJECT_BYTES], pool[MAX_OBJECT_BYTES];
	uint64_t *id = m->identity, constants;
	uint32_t flags, words;

	if (!is_pointer(addr) || proc_read(h->pid, addr, method, l->method_bytes))
		return false;
	id[0] = u64_at(method + l->constmethod);
	if (!is_pointer(id[0]) || proc_read(h->pid, id[0], cm, l->constmethod_bytes))
		return false;
	id[1] = u64_at(cm + l->constants);
	words = u32_at(cm + l->size);
	m->code_bytes = u16_at(cm + l->code_size);
	if (!is_pointer(id[1]) || words > MAX_METHOD_BYTES / 8 ||
	    words * 8 < l->constmethod_bytes + m->code_bytes || proc_read(h->pid, id[1], pool, l->pool_bytes))
		return false;
	m->constmethod_total = words * 8;
	id[2] = u64_at(pool + l->holder);
	id[3] = pool_symbol(h, l, id[1], pool, u16_at(cm + l->name_index));
	/* a class that is gone, its memory given to another, does not lead back; nor does one redefined
	 * meanwhile */
	if (!is_pointer(id[2]) ||
	    proc_read(h->pid, id[2] + l->klass_constants, &constants, sizeof(constants)) ||
	    constants != id[1])
		return false;
	if (!id[3] || proc_read(h->pid, id[2] + l->klass_name, &id[4], sizeof(id[4])) || !is_pointer(id[4]))
		return false;
	m->addr = addr;
	m->native = u16_at(method + l->access_flags) & ACC_NATIVE;
	flags = l->cm_flags_bytes == 4 ? u32_at(cm + l->cm_flags) : u16_at(cm + l->cm_flags);
	m->has_lines = flags & l->lines_mask;
	m->hidden = (l->hidden_in_constmethod ? flags : u16_at(method + l->flags)) & l->hidden_mask;
	return true;
}

/* Internal to binary name: a/b/C to a.b.C, and of a hidden class C+0x123 to C/0x123 (Klass::external_name).
 */
static void binary_name(char *name)
{
	char *plus = strrchr(name, '+');

	for (char *p = name; *p; p++)
		if (*p == '/')
			*p = '.';
	if (plus && !strncmp(plus, "+0x", 3))
		*plus = '/';
}

bool method_names(const struct hotspot *h, const struct method_layout *l, struct strset *strings,
		  struct java_method *m, int *rc)
{
	char class[MAX_NAME_BYTES], name[MAX_NAME_BYTES], text[MAX_SYMBOL_BYTES], clean[MAX_SYMBOL_BYTES];
	uint8_t pool[MAX_OBJECT_BYTES];
	uint64_t file;
	uint16_t index;
	int n;

	*rc = 0;
	if (!read_symbol(h, l, m->identity[4], class, sizeof(class)) ||
	    !read_symbol(h, l, m->identity[3], name, sizeof(name)))
		return false;
	binary_name(class);
	n = snprintf(text, sizeof(text), "%s.%s", class, name);
	m->symbol = strset_add(strings, text_clean(clean, sizeof(clean), text, (size_t)n));
	m->file = NULL;
	if (!m->symbol)
		*rc = -ENOMEM;
	if (!m->symbol || !l->source_file || proc_read(h->pid, m->identity[1], pool, l->pool_bytes))
		return true;
	if (!l->source_file_in_klass)
		index = u16_at(pool + l->source_file);
	else if (proc_read(h->pid, m->identity[2] + l->source_file, &index, sizeof(index)))
		return true;
	file = pool_symbol(h, l, m->identity[1], pool, index);
	if (!file || !read_symbol(h, l, file, name, sizeof(name)))
		return true;
	m->file = strset_add(strings, text_clean(clean, sizeof(clean), name, strlen(name)));
	if (!m->file)
		*rc = -ENOMEM;
	return true;
}

bool method_native(const struct hotspot *h, const struct method_layout *l, const struct java_method *m,
		   uint64_t *function, uint64_t *code)
{
	*code = 0;
	return m->native && !proc_read(h->pid, m->addr + l->method_bytes, function, sizeof(*function)) &&
	       (!l->code || !proc_read(h->pid, m->addr + l->code, code, sizeof(*code)));
}

uint32_t unsigned5(const uint8_t **p, const uint8_t *end, bool compact)
{
	uint32_t sum = 0;

	for (int i = 0; i < 5 && *p < end; i++) {
		uint8_t b = *(*p)++;

		sum += (uint32_t)(b - compact) << (6 * i);
		if (b < 192)
			break;
	}
	return sum;
}

static int32_t signed5(const uint8_t **p, const uint8_t *end, bool compact)
{
	uint32_t v = unsigned5(p, end, compact);

	return (int32_t)(v >> 1) ^ -(int32_t)(v & 1);
}

/* JDK: Method::line_number_from_bci. The first entry at bci is its line, else the last one before it. */
static int find_line(const uint8_t *p, const uint8_t *end, bool compact, uint32_t bci)
{
	int64_t at = 0, line = 0, best = 0, best_at = -1;

	while (p < end && *p) {
		uint8_t b = *p++;

		if (b == LINE_ESCAPE) {
			at += signed5(&p, end, compact);
			line += signed5(&p, end, compact);
		} else {
			at += b >> 3;
			line += b & 7;
		}
		if (at <= bci && at >= best_at) {
			best_at = at;
			best = line;
		}
		if (at == bci)
			break;
	}
	return best > 0 && best < 1 << 24 ? (int)best : 0;
}

int method_line(const struct hotspot *h, const struct method_layout *l, const struct java_method *m,
		uint32_t bci)
{
	size_t skip = l->constmethod_bytes + m->code_bytes, n = m->constmethod_total - skip;
	uint8_t *table;
	int line = -1;

	if (!m->has_lines || m->native || bci >= m->code_bytes || n == 0)
		return 0;
	table = malloc(n);
	if (table && !proc_read(h->pid, m->identity[0] + skip, table, n) && table[0])
		line = find_line(table, table + n, l->compact5, bci);
	free(table);
	return line;
}
