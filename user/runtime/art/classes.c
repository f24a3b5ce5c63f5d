/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An object begins with a reference to its class; java.lang.Class is its own class, which is how it is known.
 * A class names its dex cache, that the dex file in memory, and the class's number in the file's list of
 * types leads to its name (ART: runtime/mirror/class.h, dex_cache.h; "Dalvik executable format"). The names
 * that classes have as strings are only there once somebody has asked for them. Fields are found, not known:
 * the dex cache by the file's first bytes, the number by that of java.lang.Class and of the dex cache's own
 * class. An array has no dex cache, but a component type, which is the field before; a primitive type has
 * neither, but a number and a size.
 *
 * The collector moves objects, so what is read may be stale: a class is believed when its own class is
 * java.lang.Class. With heap poisoning (ART_HEAP_POISONING) fields of objects hold references negated.
 */
#include "runtime/art/classes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/strset.h"

#define CLASS_BYTES     0x80 /* of a java.lang.Class, in which all fields are that are looked for */
#define DEX_CACHE_BYTES 0x50
#define DEX_FILE_WORDS  4 /* of a DexFile, of which one is where the file begins */
#define MAX_DIMS        255
#define MAX_CLASSES     65536
#define MAX_TYPES_TRIED 65536

struct art_classes {
	const struct art *a;
	bool poisoned;
	uint32_t class_class;
	/* Offsets, in bytes, in a class, a dex cache and a DexFile. */
	uint32_t dex_cache, dex_file, dex_begin, dex_type;
	struct strset names;
	struct {
		struct vm_class **v;
		size_t n, cap;
	} list;
	struct hash by_address; /* number in the list + 1 */
};

/* A class as it is in memory. */
struct raw_class {
	uint32_t w[CLASS_BYTES / 4];
};

/* --- reading --- */

static uint32_t plain(const struct art_classes *c, uint32_t ref)
{
	return c->poisoned ? -ref : ref;
}

static bool read_at(const struct art_classes *c, uint64_t at, void *dst, size_t n)
{
	return proc_read(c->a->pid, at, dst, n) == 0;
}

/* The class of an object; 0: unreadable. */
static uint32_t class_of(const struct art_classes *c, uint32_t object)
{
	uint32_t ref;

	if (!object || object % 8 || !read_at(c, object, &ref, sizeof(ref)))
		return 0;
	ref = plain(c, ref);
	return ref % 8 ? 0 : ref;
}

static bool is_class(const struct art_classes *c, uint32_t object)
{
	return object && class_of(c, object) == c->class_class;
}

static bool read_class(const struct art_classes *c, uint32_t class, struct raw_class *out)
{
	return class % 8 == 0 && read_at(c, class, out, sizeof(*out)) &&
	       plain(c, out->w[0]) == c->class_class;
}

static uint32_t ref_in(const struct art_classes *c, const struct raw_class *class, uint32_t offset)
{
	return plain(c, class->w[offset / 4]);
}

/* --- dex files --- */

/* The dex file of a class, at offsets that are known. */
static bool dex_of(const struct art_classes *c, const struct raw_class *class, struct art_dex *out)
{
	uint32_t cache = ref_in(c, class, c->dex_cache);
	uint64_t file, begin;

	return cache && cache % 8 == 0 && read_at(c, (uint64_t)cache + c->dex_file, &file, sizeof(file)) &&
	       read_at(c, file + c->dex_begin, &begin, sizeof(begin)) && art_dex_open(c->a, begin, out);
}

static bool is_named(const struct art_dex *d, uint32_t type, const char *descriptor)
{
	char name[64];

	return art_dex_type(d, type, name, sizeof(name)) && !strcmp(name, descriptor);
}

/* --- proving where things are --- */

static bool find_class_class(struct art_classes *c, uint32_t object)
{
	for (int poisoned = 0; poisoned < 2; poisoned++) {
		uint32_t class;

		c->poisoned = poisoned;
		class = class_of(c, object);
		c->class_class = class ? class_of(c, class) : 0;
		if (c->class_class && class_of(c, c->class_class) == c->class_class)
			return true;
	}
	return false;
}

/* The DexFile that this dex cache names. */
static bool find_dex_file(struct art_classes *c, uint32_t cache, struct art_dex *out)
{
	uint64_t w[DEX_CACHE_BYTES / 8], file[DEX_FILE_WORDS];

	if (!cache || cache % 8 || !read_at(c, cache, w, sizeof(w)))
		return false;
	for (uint32_t i = 1; i < ARRAY_LEN(w); i++) {
		if (!w[i] || w[i] % 8 || !read_at(c, w[i], file, sizeof(file)))
			continue;
		for (uint32_t k = 1; k < DEX_FILE_WORDS; k++) {
			if (!art_dex_open(c->a, file[k], out))
				continue;
			c->dex_file = i * 8;
			c->dex_begin = k * 8;
			return true;
		}
	}
	return false;
}

/* A field at which java.lang.Class and the dex cache's class both have their number. */
static bool find_dex_type(struct art_classes *c, const struct raw_class *class_class, const struct art_dex *d)
{
	uint32_t cache = ref_in(c, class_class, c->dex_cache);
	struct raw_class of_cache;

	if (!read_class(c, class_of(c, cache), &of_cache))
		return false;
	for (uint32_t at = c->dex_cache + 4; at < CLASS_BYTES; at += 4) {
		if (!is_named(d, class_class->w[at / 4], "Ljava/lang/Class;") ||
		    !is_named(d, of_cache.w[at / 4], "Ljava/lang/DexCache;"))
			continue;
		c->dex_type = at;
		return true;
	}
	return false;
}

static bool prove(struct art_classes *c, uint32_t object)
{
	struct raw_class class_class;
	struct art_dex d;

	if (!find_class_class(c, object) || !read_class(c, c->class_class, &class_class))
		return false;
	/* behind the header, the class loader and the component type */
	for (c->dex_cache = 0x10; c->dex_cache < 0x28; c->dex_cache += 4)
		if (find_dex_file(c, ref_in(c, &class_class, c->dex_cache), &d))
			return find_dex_type(c, &class_class, &d);
	return false;
}

int art_classes_new(const struct art *a, uint32_t object, struct art_classes **out)
{
	struct art_classes *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->a = a;
	if (!prove(c, object)) {
		free(c);
		return -EAGAIN;
	}
	*out = c;
	return 0;
}

void art_classes_forget(struct art_classes *c)
{
	for (size_t i = 0; i < c->list.n; i++)
		free(c->list.v[i]);
	c->list.n = 0;
	hash_free(&c->by_address);
	strset_free(&c->names);
}

void art_classes_free(struct art_classes *c)
{
	if (!c)
		return;
	art_classes_forget(c);
	free(c->list.v);
	free(c);
}

/* --- names --- */

static const struct {
	const char *name;
	unsigned size_shift;
} primitives[] = {{NULL, 0},  {"boolean", 0}, {"byte", 0},  {"char", 1},   {"short", 1},
		  {"int", 2}, {"long", 3},    {"float", 2}, {"double", 3}, {"void", 0}};

/*
 * A primitive type: its number, and the binary logarithm of its size above that, are the first of its fields
 * behind its type's number, which it has not, that are so (ART: mirror::Class::primitive_type_; those before
 * are 0 or -1).
 */
static const char *primitive_name(const struct art_classes *c, const struct raw_class *class)
{
	for (uint32_t at = c->dex_type + 4; at < CLASS_BYTES; at += 4) {
		uint32_t type = class->w[at / 4] & 0xffff, shift = class->w[at / 4] >> 16;

		if (type && type < ARRAY_LEN(primitives) && shift == primitives[type].size_shift)
			return primitives[type].name;
	}
	return NULL;
}

static bool plain_name(const struct art_classes *c, const struct raw_class *class, char *dst, size_t cap)
{
	char descriptor[DEX_NAME_MAX_BYTES];
	struct art_dex d;

	return dex_of(c, class, &d) &&
	       art_dex_type(&d, class->w[c->dex_type / 4], descriptor, sizeof(descriptor)) &&
	       art_binary_name(descriptor, dst, cap);
}

/* The name, and the class loader that made the class or what it is an array of; 0: the bootstrap loader. */
static bool class_name(const struct art_classes *c, uint32_t class, struct buf *out, uint32_t *loader,
		       bool *primitive)
{
	char name[DEX_NAME_MAX_BYTES];
	struct raw_class raw;
	uint32_t component;
	int dims = 0;

	while (true) {
		if (dims > MAX_DIMS || !read_class(c, class, &raw))
			return false;
		component = ref_in(c, &raw, c->dex_cache - 4);
		if (!component)
			break;
		class = component;
		dims++;
	}
	*loader = ref_in(c, &raw, 8);
	*primitive = !ref_in(c, &raw, c->dex_cache);
	if (*primitive) {
		const char *type = primitive_name(c, &raw);

		if (!type)
			return false;
		buf_add(out, type, strlen(type));
	} else {
		if (!plain_name(c, &raw, name, sizeof(name)))
			return false;
		buf_add(out, name, strlen(name));
	}
	*primitive &= dims == 0;
	while (dims-- > 0)
		buf_add(out, "[]", 2);
	return true;
}

bool art_class_dex(const struct art_classes *c, uint32_t class, struct art_dex *out, uint32_t *type,
		   uint32_t *class_def)
{
	struct raw_class raw;

	if (!read_class(c, class, &raw) || !dex_of(c, &raw, out))
		return false;
	*type = raw.w[c->dex_type / 4];
	*class_def = raw.w[c->dex_type / 4 - 1];
	return true;
}

/* --- classes --- */

static int add_class(struct art_classes *c, uint32_t class, struct vm_class **out)
{
	struct buf name = {0};
	uint32_t loader = 0;
	bool primitive = false;
	struct vm_class *added, **place;

	*out = NULL;
	if (c->list.n == MAX_CLASSES || !class_name(c, class, &name, &loader, &primitive)) {
		buf_free(&name);
		return 0;
	}
	added = calloc(1, sizeof(*added));
	place = added ? VEC_ADD(&c->list) : NULL;
	if (!place || name.failed || !(added->name = strset_add(&c->names, name.p))) {
		if (place)
			c->list.n--;
		free(added);
		buf_free(&name);
		return -ENOMEM;
	}
	buf_free(&name);
	*place = added;
	added->id = class;
	added->loader_id = loader;
	added->is_class = class == c->class_class;
	*out = added;
	return hash_set(&c->by_address, class, 0, (uint32_t)c->list.n);
}

static int find_class(struct art_classes *c, uint32_t class, const struct vm_class **out)
{
	uint32_t number = hash_find(&c->by_address, class, 0), loader_class;
	struct vm_class *added;
	struct buf name = {0};
	uint32_t unused;
	bool primitive;
	int rc;

	*out = number ? c->list.v[number - 1] : NULL;
	if (number)
		return 0;
	rc = add_class(c, class, &added);
	*out = added;
	if (rc || !added || !added->loader_id)
		return rc;
	loader_class = class_of(c, (uint32_t)added->loader_id);
	if (is_class(c, loader_class) && class_name(c, loader_class, &name, &unused, &primitive))
		added->loader = strset_add(&c->names, name.p);
	buf_free(&name);
	return 0;
}

static bool is_known(const struct art_classes *c, uint32_t class)
{
	return hash_find(&c->by_address, class, 0) != 0;
}

int art_classes_read(struct art_classes *c, uint32_t object, struct vm_ref *ref)
{
	uint32_t class = class_of(c, object);
	struct raw_class raw;
	int rc;

	ref->object = object;
	ref->state = REF_UNREADABLE;
	if (!is_known(c, class) && !is_class(c, class))
		return 0;
	rc = find_class(c, class, &ref->class);
	if (rc || !ref->class)
		return rc;
	ref->state = REF_READ;
	if (class != c->class_class)
		return 0;
	if (is_known(c, object))
		return find_class(c, object, &ref->of);
	if (!read_class(c, object, &raw))
		return 0;
	if (!ref_in(c, &raw, c->dex_cache) && !ref_in(c, &raw, c->dex_cache - 4)) {
		ref->primitive = primitive_name(c, &raw);
		return 0;
	}
	return find_class(c, object, &ref->of);
}
