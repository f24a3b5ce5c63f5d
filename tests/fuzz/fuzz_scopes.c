/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Frames of compiled and interpreted Java methods, by an nmethod's PcDescs and scopes and by a method's line
 * numbers. A small VM memory that is right is made anew for each input; the input's first byte chooses the
 * version, then come words that are changed in that memory (their number, then each with its place), and then
 * the streams themselves, with their lengths before them: PcDescs, scopes, line numbers.
 */
#include "fake.h"

#include "runtime/hotspot/frames.h"

#define START     0x10000
#define BYTES     0x8000
#define TABLES    0x5000 /* offset in memory of the nmethod's: one, */
#define TABLE     0x1000 /* the other behind it, so many bytes each */
#define METADATA  0x7000
#define LINES_MAX 0xe00
#define ASKED_MAX 16
#define FRAMES_OF 66 /* inlined ones, and what is said of more */

struct block {
	uint64_t length;
	uint8_t used, free[7];
};
struct nmethod {
	uint64_t name, code_begin, method, immutable, mutable;
	uint32_t size, code_offset, data_offset, relocation_size, compile_id;
	uint32_t scopes_pcs, scopes_data, metadata, dependencies, immutable_size;
};
struct pc_desc {
	uint32_t pc, scope, obj, flags;
};
struct method {
	uint64_t constmethod, code;
	uint32_t access_flags, flags;
	uint64_t native_function; /* behind it */
};
struct constmethod {
	uint64_t constants;
	uint32_t size, flags;
	uint16_t code_size, name_index;
	uint32_t pad;
};
struct pool {
	uint64_t tags, holder;
	uint32_t length;
	uint16_t source_file, pad;
	uint64_t entry[4]; /* behind it */
};
struct klass {
	uint64_t name, constants;
};
struct symbol {
	uint16_t length;
	char body[62];
};
struct memory {
	struct block block;
	struct nmethod nmethod;
	char name[16];
	struct method method[2];
	struct pool pool;
	struct klass klass;
	struct symbol symbol[3];
	uint8_t tags[8];
	struct constmethod constmethod;
	uint8_t lines[LINES_MAX + 0x100]; /* 0x100 of bytecode before them */
};
_Static_assert(sizeof(struct memory) < TABLES, "tables behind it");

static struct {
	bool
	    immutable; /* JDK 24: tables in memory of their own, PcDescs first; before it scopes were first */
} version;

#define FIELD(type, field, name, member)                                                                     \
	{                                                                                                    \
		type, field, offsetof(struct name, member)                                                   \
	}
static const struct {
	const char *type, *field;
	size_t offset;
} fields[] = {
    FIELD("HeapBlock::Header", "_used", block, used),
    FIELD("CodeBlob", "_name", nmethod, name),
    FIELD("CodeBlob", "_size", nmethod, size),
    FIELD("CodeBlob", "_code_begin", nmethod, code_begin),
    FIELD("CodeBlob", "_data_offset", nmethod, data_offset),
    FIELD("CodeBlob", "_mutable_data", nmethod, mutable),
    FIELD("CodeBlob", "_relocation_size", nmethod, relocation_size),
    FIELD("nmethod", "_compile_id", nmethod, compile_id),
    FIELD("nmethod", "_method", nmethod, method),
    FIELD("nmethod", "_scopes_pcs_offset", nmethod, scopes_pcs),
    FIELD("nmethod", "_scopes_data_offset", nmethod, scopes_data),
    FIELD("nmethod", "_metadata_offset", nmethod, metadata),
    FIELD("nmethod", "_dependencies_offset", nmethod, dependencies),
    FIELD("nmethod", "_immutable_data", nmethod, immutable),
    FIELD("nmethod", "_immutable_data_size", nmethod, immutable_size),
    FIELD("PcDesc", "_pc_offset", pc_desc, pc),
    FIELD("PcDesc", "_scope_decode_offset", pc_desc, scope),
    FIELD("Method", "_constMethod", method, constmethod),
    FIELD("Method", "_code", method, code),
    FIELD("Method", "_access_flags", method, access_flags),
    FIELD("ConstMethod", "_constants", constmethod, constants),
    FIELD("ConstMethod", "_constMethod_size", constmethod, size),
    FIELD("ConstMethod", "_flags._flags", constmethod, flags),
    FIELD("ConstMethod", "_code_size", constmethod, code_size),
    FIELD("ConstMethod", "_name_index", constmethod, name_index),
    FIELD("ConstantPool", "_tags", pool, tags),
    FIELD("ConstantPool", "_pool_holder", pool, holder),
    FIELD("ConstantPool", "_length", pool, length),
    FIELD("ConstantPool", "_source_file_name_index", pool, source_file),
    FIELD("Klass", "_name", klass, name),
    FIELD("InstanceKlass", "_constants", klass, constants),
    FIELD("Symbol", "_length", symbol, length),
    FIELD("Symbol", "_body", symbol, body),
    {"Array<u1>", "_data", 0},
};
static const struct {
	const char *type;
	size_t bytes;
} sizes[] = {
    {"PcDesc", sizeof(struct pc_desc)},          {"HeapBlock", sizeof(struct block)},
    {"nmethod", sizeof(struct nmethod)},         {"Method", offsetof(struct method, native_function)},
    {"ConstMethod", sizeof(struct constmethod)}, {"ConstantPool", offsetof(struct pool, entry)},
};

bool __wrap_hotspot_field_offset(const struct hotspot *h, const char *type, const char *field, uint64_t *out);
bool __wrap_hotspot_type_size(const struct hotspot *h, const char *type, uint64_t *out);

bool __wrap_hotspot_field_offset(const struct hotspot *h, const char *type, const char *field, uint64_t *out)
{
	bool late = !strncmp(field, "_immutable", 10) || !strcmp(field, "_mutable_data");

	(void)h;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(fields[i].type, type) != 0 || strcmp(fields[i].field, field) != 0 ||
		    (late && !version.immutable))
			continue;
		*out = fields[i].offset;
		return true;
	}
	return false;
}

bool __wrap_hotspot_type_size(const struct hotspot *h, const char *type, uint64_t *out)
{
	(void)h;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (strcmp(sizes[i].type, type) != 0)
			continue;
		*out = sizes[i].bytes;
		return true;
	}
	return false;
}

static int no_unloads(void *of, uint64_t class_id, uint64_t *n, uint64_t *last)
{
	(void)of, (void)class_id;
	*n = *last = 0;
	return 0;
}

#define ADDR(member) (START + offsetof(struct memory, member))

static void make_nmethod(struct memory *m)
{
	struct nmethod *n = &m->nmethod;
	uint64_t blob = ADDR(nmethod);

	m->block.used = 1;
	strcpy(m->name, "nmethod");
	*n = (struct nmethod){
	    .name = ADDR(name), .code_begin = blob, .method = ADDR(method[0]), .compile_id = 7};
	n->size = sizeof(*n);
	if (version.immutable) {
		n->immutable = START + TABLES;
		n->mutable = START + METADATA;
		n->scopes_data = TABLE;
		n->immutable_size = 2 * TABLE;
	} else {
		n->scopes_data = (uint32_t)(START + TABLES - blob);
		n->scopes_pcs = n->scopes_data + TABLE;
		n->dependencies = n->scopes_pcs + TABLE;
		n->metadata = (uint32_t)(START + METADATA - blob);
	}
}

static void make_methods(struct memory *m)
{
	static const char *const names[] = {"a/b/Outer$Inner", "run", "Outer.java"};

	for (int i = 0; i < 2; i++)
		m->method[i] =
		    (struct method){.constmethod = ADDR(constmethod), .access_flags = i ? 0x100 : 1};
	m->constmethod = (struct constmethod){.constants = ADDR(pool),
					      .size = (sizeof(m->constmethod) + sizeof(m->lines)) / 8,
					      .flags = 1,
					      .code_size = 0x100,
					      .name_index = 1};
	m->pool = (struct pool){.tags = ADDR(tags), .holder = ADDR(klass), .length = 3, .source_file = 2};
	m->pool.entry[1] = ADDR(symbol[1]);
	m->pool.entry[2] = ADDR(symbol[2]);
	m->klass = (struct klass){.name = ADDR(symbol[0]), .constants = ADDR(pool)};
	for (size_t i = 0; i < 3; i++) {
		m->symbol[i].length = (uint16_t)strlen(names[i]);
		memcpy(m->symbol[i].body, names[i], strlen(names[i]));
	}
	memset(m->tags, 1, sizeof(m->tags));
}

static void put_stream(const uint8_t **data, size_t *n, uint8_t *at, size_t cap)
{
	struct fake_file f = fake_take("stream", data, n);

	memcpy(at, f.p, f.n < cap ? f.n : cap);
}

/* Returns the PcDescs. */
static const struct pc_desc *make_memory(const uint8_t *data, size_t n)
{
	uint8_t *pcs = fake.memory + TABLES + (version.immutable ? 0 : TABLE);
	uint8_t *scopes = fake.memory + TABLES + (version.immutable ? TABLE : 0);
	struct memory *m = (void *)fake.memory;
	uint64_t metadata[] = {ADDR(method[0]), ADDR(method[1]), ADDR(klass)};
	size_t changes;

	memset(fake.memory, 0, BYTES);
	make_nmethod(m);
	make_methods(m);
	changes = fuzz_number(&data, &n, 1) % 16;
	for (size_t i = 0; i < changes; i++) {
		size_t at = fuzz_number(&data, &n, 2) % sizeof(*m);
		uint32_t v = (uint32_t)fuzz_number(&data, &n, 4);

		memcpy(fake.memory + at, &v, sizeof(v));
	}
	memcpy(fake.memory + METADATA, metadata, sizeof(metadata));
	put_stream(&data, &n, pcs, TABLE);
	put_stream(&data, &n, scopes, TABLE);
	put_stream(&data, &n, m->lines + 0x100, LINES_MAX);
	return (const void *)pcs;
}

static void ask(struct java_symbols *j, const struct raw_frame *raw, size_t most)
{
	struct frames frames = {0};
	uint64_t native;

	if (java_symbols_add(j, raw, &frames) == 0) {
		if (frames.n > most)
			abort();
		for (size_t i = 0; i < frames.n; i++) {
			if (!frames.v[i].symbol || !frames.v[i].symbol[0])
				abort();
			fake_check_clean(frames.v[i].symbol, 4096);
			if (frames.v[i].file)
				fake_check_clean(frames.v[i].file, 4096);
		}
	}
	java_symbols_native(j, raw, &native);
	free(frames.v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t choice = (uint8_t)fuzz_number(&data, &n, 1);
	struct hotspot h = {.pid = FAKE_PID, .feature = choice & 1 ? 25 : 17};
	const struct pc_desc *pcs;
	struct java_symbols *j;
	struct error err = {0};

	version.immutable = choice & 1;
	fake.start = START;
	fake.memory_bytes = BYTES;
	fake.memory = malloc(BYTES);
	if (!fake.memory)
		abort();
	pcs = make_memory(data, n);
	if (java_symbols_new(&h, no_unloads, NULL, &j, &err) != 0)
		abort(); /* the tables are right */
	for (size_t i = 0; i < ASKED_MAX; i++) {
		struct raw_frame compiled = {(uint64_t)RAW_COMPILED << RAW_KIND_SHIFT | ADDR(nmethod),
					     7ULL << 32 | pcs[i].pc};

		ask(j, &compiled, FRAMES_OF);
	}
	for (uint64_t bci = 0; bci < 0x100; bci += 0x25) {
		struct raw_frame interpreted = {
		    (uint64_t)RAW_INTERPRETED << RAW_KIND_SHIFT | ADDR(method[bci & 1]), ADDR(lines) + bci};

		ask(j, &interpreted, 1);
	}
	java_symbols_free(j);
	free(fake.memory);
	return 0;
}
