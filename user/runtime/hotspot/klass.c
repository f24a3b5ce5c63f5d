/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Classes of the VM. A Klass is believed when its mirror, the java.lang.Class object it points at,
 * points back at it, its vtable is the VM's, and its name is a legal one.
 */
#include "runtime/hotspot/klass.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 4096 /* of the 65,535 there may be */
#define MAX_CLASSES    (1u << 18)
#define VTABLE_WORDS   4

/* --- names --- */

static const char *primitive_name(char c)
{
	static const struct {
		char letter;
		const char *name;
	} types[] = {{'Z', "boolean"}, {'B', "byte"}, {'C', "char"},  {'S', "short"},
		     {'I', "int"},     {'J', "long"}, {'F', "float"}, {'D', "double"}};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].letter == c)
			return types[i].name;
	return NULL;
}

const char *class_primitive(const struct vm_class *array)
{
	for (const char *c = "ZBCSIJFD"; *c; c++) {
		const char *name = primitive_name(*c);
		size_t n = strlen(name);

		if (strncmp(array->name, name, n) == 0 && strcmp(array->name + n, "[]") == 0)
			return name;
	}
	return NULL;
}

/* Unqualified names between '/': none empty, none with one of ". ; [" (JVMS 4.2.1, 4.2.2). */
static bool is_legal(const char *s, size_t n)
{
	bool segment = false;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '.' || s[i] == ';' || s[i] == '[' || (unsigned char)s[i] < 0x20)
			return false;
		if (s[i] == '/' && !segment)
			return false;
		segment = s[i] != '/';
	}
	return segment;
}

/* Hidden classes have their address behind a '+', which getName() shows behind a '/'. */
static void add_binary_name(struct buf *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = s[i] == '/' ? '.' : s[i];

		if (c == '+' && i + 2 < n && s[i + 1] == '0' && s[i + 2] == 'x')
			c = '/';
		buf_add(out, &c, 1);
	}
}

bool class_name_decode(const char *symbol, size_t n, char *dst, size_t cap)
{
	struct buf name = {0};
	size_t dims = 0;
	bool ok;

	while (dims < n && symbol[dims] == '[')
		dims++;
	symbol += dims;
	n -= dims;
	if (dims > 0 && n == 1 && primitive_name(symbol[0])) {
		buf_printf(&name, "%s", primitive_name(symbol[0]));
		ok = true;
	} else if (dims > 0) {
		ok = n > 2 && symbol[0] == 'L' && symbol[n - 1] == ';' && is_legal(symbol + 1, n - 2);
		if (ok)
			add_binary_name(&name, symbol + 1, n - 2);
	} else {
		ok = is_legal(symbol, n);
		if (ok)
			add_binary_name(&name, symbol, n);
	}
	ok = ok && dims <= 255;
	for (size_t i = 0; i < dims && ok; i++)
		buf_add(&name, "[]", 2);
	ok = ok && !name.failed;
	if (ok)
		text_clean(dst, cap, name.p, name.n);
	buf_free(&name);
	return ok;
}

/* The name in the Klass's Symbol, decoded; the caller frees. NULL: not legal, or out of memory. */
static char *read_name(const struct oop_reader *r, uint64_t klass)
{
	char text[NAME_MAX_BYTES], *name;
	uint64_t symbol;
	uint16_t length;

	if (proc_read(r->h->pid, klass + r->name, &symbol, sizeof(symbol)) < 0 || symbol % 4 ||
	    proc_read(r->h->pid, symbol + r->symbol_length, &length, sizeof(length)) < 0 || length == 0 ||
	    length > sizeof(text) || proc_read(r->h->pid, symbol + r->symbol_body, text, length) < 0)
		return NULL;
	name = malloc(2 * (size_t)length + 512 + 1);
	if (name && !class_name_decode(text, length, name, 2 * (size_t)length + 512 + 1)) {
		free(name);
		return NULL;
	}
	return name;
}

/* --- proofs --- */

/* The object behind a field of the VM's: the field itself, or what its OopHandle points at. */
static uint64_t read_oop_field(const struct oop_reader *r, struct oop_masks *m, uint64_t addr, bool handle)
{
	uint64_t word;
	bool sure;

	if (proc_read(r->h->pid, addr, &word, sizeof(word)) < 0)
		return 0;
	if (handle && (word == 0 || word % 8 || proc_read(r->h->pid, word, &word, sizeof(word)) < 0))
		return 0;
	return oop_decode(r, m, word, &sure);
}

bool oop_mirror_proves(const struct oop_reader *r, struct oop_masks *m, uint64_t klass, uint64_t *mirror)
{
	uint64_t back;

	*mirror = read_oop_field(r, m, klass + r->mirror, r->handles);
	return *mirror &&
	       proc_read(r->h->pid, *mirror + (uint64_t)r->klass_in_mirror, &back, sizeof(back)) == 0 &&
	       back == klass;
}

static bool vtable_proves(const struct oop_reader *r, uint64_t klass)
{
	uint64_t vtable, entry[VTABLE_WORDS];

	if (proc_read(r->h->pid, klass, &vtable, sizeof(vtable)) < 0 || vtable % 8 ||
	    proc_read(r->h->pid, vtable, entry, sizeof(entry)) < 0)
		return false;
	for (int i = 0; i < VTABLE_WORDS; i++)
		if (!hotspot_in_code(r->h, entry[i]))
			return false;
	return true;
}

static uint64_t klass_of_object(const struct oop_reader *r, uint64_t object)
{
	uint64_t header[OBJECT_HEADER_WORDS];

	if (proc_read(r->h->pid, object, header, sizeof(header)) < 0)
		return 0;
	return oop_klass(r, header);
}

/* Class loader and its class's name. The bootstrap loader is null. */
static void read_loader(const struct oop_reader *r, struct oop_masks *m, uint64_t klass,
			struct class_entry *e)
{
	uint64_t data, loader, mirror, loader_klass, word;

	if (proc_read(r->h->pid, klass + r->loader_data, &data, sizeof(data)) < 0 || data == 0 || data % 8 ||
	    proc_read(r->h->pid, data + r->loader, &word, sizeof(word)) < 0)
		return;
	if (word == 0) {
		e->c.loader_id = data;
		return;
	}
	loader = read_oop_field(r, m, data + r->loader, r->handles);
	if (!loader) {
		/* JDK 11 has handles elsewhere, not here; null in a handle is the bootstrap loader */
		uint64_t in_handle = 1;

		if (r->handles && proc_read(r->h->pid, word, &in_handle, sizeof(in_handle)) == 0 &&
		    in_handle == 0) {
			e->c.loader_id = data;
			return;
		}
	}
	loader_klass = loader ? klass_of_object(r, loader) : 0;
	if (!loader_klass || !oop_mirror_proves(r, m, loader_klass, &mirror)) {
		loader = read_oop_field(r, m, data + r->loader, false);
		loader_klass = loader ? klass_of_object(r, loader) : 0;
		if (!loader_klass || !oop_mirror_proves(r, m, loader_klass, &mirror))
			return;
	}
	e->loader = read_name(r, loader_klass);
	e->c.loader_id = e->loader ? data : 0;
}

/* Nothing of it may change while it is read, and all proofs must hold. */
static void read_class(const struct oop_reader *r, struct oop_masks *m, uint64_t klass, struct class_entry *e)
{
	uint64_t mirror;

	e->c.id = klass;
	if (!oop_mirror_proves(r, m, klass, &mirror) || (r->vtables_proven && !vtable_proves(r, klass)))
		return;
	/* the mirror is an object of java.lang.Class, and is again the same */
	if (r->class_klass && klass_of_object(r, mirror) != r->class_klass)
		return;
	e->name = read_name(r, klass);
	if (!e->name)
		return;
	read_loader(r, m, klass, e);
	e->c.name = e->name;
	e->c.loader = e->loader;
	e->c.is_class = klass == r->class_klass;
	e->valid = true;
}

bool oop_known_klass(const struct oop_reader *r, const char *name, uint64_t *klass)
{
	char now[96], before_16[96];

	snprintf(now, sizeof(now), "_klasses[static_cast<int>(vmClassID::%s_klass_knum)]", name);
	snprintf(before_16, sizeof(before_16), "_well_known_klasses[SystemDictionary::%s_klass_knum]", name);
	return (hotspot_read_static(r->h, "vmClasses", now, klass) ||
		hotspot_read_static(r->h, "SystemDictionary", before_16, klass)) &&
	       *klass && *klass % 8 == 0;
}

/* --- the classes known --- */

static void entry_free(struct class_entry *e)
{
	if (!e)
		return;
	free(e->name);
	free(e->loader);
	free(e);
}

void oop_reader_forget(struct oop_reader *r)
{
	for (size_t i = 0; i < r->classes.n; i++)
		entry_free(r->classes.v[i]);
	r->classes.n = 0;
	hash_free(&r->by_klass);
}

static int keep_class(struct oop_reader *r, uint64_t klass, struct class_entry *e)
{
	struct class_entry **place = VEC_ADD(&r->classes);

	if (!place || hash_set(&r->by_klass, klass, 0, (uint32_t)r->classes.n)) {
		r->classes.n -= place != NULL;
		return -ENOMEM;
	}
	*place = e;
	return 0;
}

/* A class that could not be proven is not kept: it may have been a moment's. */
const struct vm_class *oop_class(struct oop_reader *r, struct oop_masks *m, uint64_t klass)
{
	uint32_t known = hash_find(&r->by_klass, klass, 0);
	struct class_entry *e;

	if (known)
		return &r->classes.v[known - 1]->c;
	if (klass == 0 || klass % 8 || r->classes.n == MAX_CLASSES)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	read_class(r, m, klass, e);
	if (!e->valid || keep_class(r, klass, e)) {
		entry_free(e);
		return NULL;
	}
	return &e->c;
}
