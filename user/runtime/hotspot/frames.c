/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Frames of compiled methods by the nmethod's own tables (JDK: code/nmethod.hpp, code/pcDesc.hpp,
 * code/scopeDesc.cpp). An nmethod may be freed at any moment: its compile id, which no other has, is compared
 * before and after all reading.
 */
#include "runtime/hotspot/frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "runtime/hotspot/methods.h"

#define MAX_BLOB_BYTES   512 /* of the object's own fields */
#define MAX_PCS          (1u << 18)
#define MAX_SCOPES_BYTES (1u << 24)
#define MAX_METADATA     (1u << 20)
#define MAX_INLINED      64
#define KEPT_NMETHODS    64
/* What is kept of one target, which may make up as many methods and names as it likes: about 130 MB. */
#ifndef MAX_KEPT_FRAMES
#define MAX_KEPT_FRAMES (1u << 19)
#endif
#define MAX_KEPT_TEXT   (64u << 20) /* bytes */
#define MAX_KEPT_TABLES (32u << 20) /* bytes; a real nmethod's are some 10 KB */
#define NO_FIELD        UINT32_MAX
#define PCDESC_BYTES    16

/* Where things are in CodeBlob and nmethod; NO_FIELD: this version has none. */
struct blob_layout {
	uint32_t name, size, code_begin, code_offset, data_offset, compile_id;
	uint32_t method, scopes_pcs, scopes_data, scopes_begin, metadata, dependencies;
	uint32_t immutable, immutable_size, mutable, relocation_size;
	uint32_t pc_offset, scope_offset, block_used;
	uint32_t block_bytes, blob_bytes;
};
#define AT(member) offsetof(struct blob_layout, member)
static const struct {
	const char *type, *name;
	size_t at;
} blob_fields[] = {
    {"CodeBlob", "_name", AT(name)},
    {"CodeBlob", "_size", AT(size)},
    {"CodeBlob", "_code_begin", AT(code_begin)},
    {"CodeBlob", "_code_offset", AT(code_offset)},
    {"CodeBlob", "_data_offset", AT(data_offset)},
    {"CodeBlob", "_mutable_data", AT(mutable)},
    {"CodeBlob", "_relocation_size", AT(relocation_size)},
    {"nmethod", "_compile_id", AT(compile_id)},
    {"nmethod", "_method", AT(method)},
    {"CompiledMethod", "_method", AT(method)},
    {"nmethod", "_scopes_pcs_offset", AT(scopes_pcs)},
    {"nmethod", "_scopes_data_offset", AT(scopes_data)},
    {"CompiledMethod", "_scopes_data_begin", AT(scopes_begin)},
    {"nmethod", "_metadata_offset", AT(metadata)},
    {"nmethod", "_dependencies_offset", AT(dependencies)},
    {"nmethod", "_immutable_data", AT(immutable)},
    {"nmethod", "_immutable_data_size", AT(immutable_size)},
    {"PcDesc", "_pc_offset", AT(pc_offset)},
    {"PcDesc", "_scope_decode_offset", AT(scope_offset)},
    {"HeapBlock::Header", "_used", AT(block_used)},
};

/* A piece of the target's memory, copied. */
struct piece {
	uint8_t *v;
	size_t n;
};

/* A CodeBlob as read. */
struct nmethod {
	uint64_t blob; /* 0: free place */
	uint32_t compile_id;
	bool is_stub, is_native;
	uint64_t method, code, metadata, immutable, mutable;
	struct piece pcs, scopes;
};

/* What a raw frame is in names. */
struct cached {
	struct raw_frame raw;
	uint32_t first, n; /* in frames */
	/* RAW_INTERPRETED: in methods, plus 1; which version of it; classes unloaded when this was true */
	uint32_t method, version;
	uint64_t unloads;
};

struct java_symbols {
	const struct hotspot *h;
	pid_t pid;
	struct method_layout methods_at;
	struct blob_layout at;
	struct strset strings;
	struct frames frames;
	struct {
		struct cached *v;
		size_t n, cap;
	} cached;
	struct hash by_frame; /* number in cached, + 1, by the words of the raw frame */
	struct {
		struct java_method *v;
		size_t n, cap;
	} methods;
	struct hash by_address; /* number in methods, + 1 */
	struct nmethod kept[KEPT_NMETHODS];
	uint64_t epoch, unnamed;
	java_unloads_fn *unloads;
	void *unloads_of;
};

/* --- layout --------------------------------------------------------------------------------------- */

static bool has(uint32_t field)
{
	return field != NO_FIELD;
}

static int blob_layout_read(const struct hotspot *h, struct blob_layout *l, struct error *err)
{
	uint64_t v, bytes, block_bytes;

	memset(l, 0xff, sizeof(*l));
	for (size_t i = 0; i < ARRAY_LEN(blob_fields); i++) {
		uint32_t offset;

		if (!hotspot_field_offset(h, blob_fields[i].type, blob_fields[i].name, &v) ||
		    v > MAX_BLOB_BYTES - 8)
			continue;
		offset = (uint32_t)v;
		memcpy((char *)l + blob_fields[i].at, &offset, sizeof(offset));
	}
	if (!has(l->name) || !has(l->size) || !has(l->compile_id) || !has(l->method) || !has(l->scopes_pcs) ||
	    !has(l->pc_offset) || !has(l->scope_offset) || !has(l->block_used) ||
	    (!has(l->code_begin) && !has(l->code_offset)) ||
	    (has(l->immutable) ? !has(l->scopes_data) || !has(l->immutable_size) || !has(l->mutable) ||
				     !has(l->relocation_size)
			       : !has(l->dependencies) || !has(l->metadata) ||
				     (!has(l->scopes_begin) && !has(l->scopes_data))) ||
	    !hotspot_type_size(h, "PcDesc", &v) || v != PCDESC_BYTES || l->pc_offset > 12 ||
	    l->scope_offset > 12 || !hotspot_type_size(h, "nmethod", &bytes) || bytes > MAX_BLOB_BYTES ||
	    !hotspot_type_size(h, "HeapBlock", &block_bytes) || l->block_used >= block_bytes)
		return hotspot_error(h, err, -ENOENT,
				     "Java frames are not named: a layout of nmethod that is not known");
	l->block_bytes = (uint32_t)block_bytes;
	l->blob_bytes = (uint32_t)bytes;
	return 0;
}

int java_symbols_new(const struct hotspot *h, java_unloads_fn *unloads, void *of, struct java_symbols **out,
		     struct error *err)
{
	struct java_symbols *j = calloc(1, sizeof(*j));
	int rc;

	*out = NULL;
	if (!j)
		return -ENOMEM;
	j->h = h;
	j->unloads = unloads;
	j->unloads_of = of;
	j->pid = h->pid;
	rc = method_layout_read(h, &j->methods_at, err);
	rc = rc ?: blob_layout_read(h, &j->at, err);
	if (rc) {
		java_symbols_free(j);
		return rc;
	}
	*out = j;
	return 0;
}

static void nmethod_free(struct nmethod *n)
{
	free(n->pcs.v);
	free(n->scopes.v);
	*n = (struct nmethod){0};
}

void java_symbols_free(struct java_symbols *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < KEPT_NMETHODS; i++)
		nmethod_free(&j->kept[i]);
	free(j->frames.v);
	free(j->cached.v);
	hash_free(&j->by_frame);
	free(j->methods.v);
	hash_free(&j->by_address);
	strset_free(&j->strings);
	free(j);
}

void java_symbols_refresh(struct java_symbols *j)
{
	j->epoch++;
}

uint64_t java_symbols_unnamed(const struct java_symbols *j)
{
	return j->unnamed;
}

/* --- methods -------------------------------------------------------------------------------------- */

/* Were there no unloads since there had been so many, or none of this class? */
static bool is_loaded_since(const struct java_symbols *j, uint64_t klass, uint64_t unloads)
{
	uint64_t now, last;

	return !j->unloads(j->unloads_of, klass, &now, &last) && (now == unloads || last <= unloads);
}

/*
 * The method at addr, read or remembered: its number plus 1 in *out; 0: there is none.
 */
static int method_at(struct java_symbols *j, uint64_t addr, uint32_t *out)
{
	struct java_method fresh = {0}, *m;
	uint32_t number = hash_find(&j->by_address, addr, 0);
	uint64_t last;
	bool same;
	int rc;

	*out = 0;
	if (j->unloads(j->unloads_of, 0, &fresh.unloads, &last))
		return 0;
	m = number ? &j->methods.v[number - 1] : NULL;
	if (m && m->epoch == j->epoch && m->unloads == fresh.unloads) {
		*out = number;
		return 0;
	}
	if (!method_identify(j->h, &j->methods_at, addr, &fresh))
		return 0;
	fresh.epoch = j->epoch;
	fresh.since = fresh.unloads;
	same = m && !memcmp(m->identity, fresh.identity, sizeof(m->identity));
	if (same && !is_loaded_since(j, holder_of(m), m->unloads))
		m->since = fresh.unloads; /* it may have gone and come back */
	if (same) {
		m->epoch = j->epoch;
		m->unloads = fresh.unloads;
		*out = number;
		return 0;
	}
	if (!method_names(j->h, &j->methods_at, &j->strings, &fresh, &rc))
		return rc;
	fresh.version = m ? m->version + 1 : 0;
	if (!m) {
		m = VEC_ADD(&j->methods);
		if (!m)
			return -ENOMEM;
		number = (uint32_t)j->methods.n;
		if (hash_set(&j->by_address, addr, 0, number)) {
			j->methods.n--;
			return -ENOMEM;
		}
	}
	*m = fresh;
	*out = number;
	return rc;
}

static int add_frame(struct java_symbols *j, const struct frame *f)
{
	struct frame *slot = VEC_ADD(&j->frames);

	if (!slot)
		return -ENOMEM;
	*slot = *f;
	return 0;
}

static int add_method(struct java_symbols *j, const struct java_method *m, int line, bool inlined)
{
	struct frame f = {.type = FRAME_JAVA,
			  .symbol = m->symbol,
			  .file = m->file,
			  .line = line,
			  .inlined = inlined,
			  .native_method = m->native,
			  .hidden = m->hidden};

	return add_frame(j, &f);
}

/* A frame that has no name, and why. */
static int add_unnamed(struct java_symbols *j, enum stack_end lacks, const char *why)
{
	struct frame f = {.type = FRAME_JAVA, .symbol = strset_add(&j->strings, why), .lacks = lacks};

	j->unnamed++;
	return f.symbol ? add_frame(j, &f) : -ENOMEM;
}

/* --- interpreted ---------------------------------------------------------------------------------- */

/* Is the method still what was read? What a class that is unloaded leaves behind is overwritten bit by bit.
 */
static bool method_holds(const struct java_symbols *j, const struct java_method *m)
{
	struct java_method now = {0};

	return method_identify(j->h, &j->methods_at, m->addr, &now) &&
	       !memcmp(now.identity, m->identity, sizeof(m->identity));
}

/* Is the method, as it was just read, the one that was there when so many classes had been unloaded? */
static bool is_method_of(const struct java_symbols *j, const struct java_method *m, uint64_t unloads)
{
	return m->since <= unloads && is_loaded_since(j, holder_of(m), m->unloads);
}

static int name_interpreted(struct java_symbols *j, const struct raw_frame *raw, uint64_t unloads,
			    uint32_t *method)
{
	uint64_t addr = raw->a & RAW_ADDR_MASK, bci;
	const struct java_method *m;
	int rc = method_at(j, addr, method), line = -1;

	if (rc)
		return rc;
	m = *method ? &j->methods.v[*method - 1] : NULL;
	bci = m && !m->native ? raw->b - method_code(&j->methods_at, m) : 0;
	if (m && (m->native || bci < m->code_bytes))
		line = method_line(j->h, &j->methods_at, m, (uint32_t)bci);
	if (line < 0 || !method_holds(j, m) || !is_method_of(j, m, unloads)) {
		*method = 0;
		return add_unnamed(j, END_UNNAMED, "[unknown Java method]");
	}
	return add_method(j, m, line, false);
}

/* --- compiled ------------------------------------------------------------------------------------- */

static uint64_t word_at(const uint8_t *head, uint32_t at)
{
	uint64_t v;

	memcpy(&v, head + at, sizeof(v));
	return v;
}

static uint32_t half_at(const uint8_t *head, uint32_t at)
{
	uint32_t v;

	memcpy(&v, head + at, sizeof(v));
	return v;
}

static bool piece_read(const struct java_symbols *j, uint64_t from, uint64_t to, size_t max, struct piece *p)
{
	if (to < from || to - from > max)
		return false;
	p->v = malloc(to - from + 1);
	p->n = to - from;
	return p->v && (p->n == 0 || !proc_read(j->pid, from, p->v, p->n));
}

/* The tables of an nmethod: beside the code up to JDK 23, then in memory of their own. */
static bool read_tables(const struct java_symbols *j, const uint8_t *head, struct nmethod *n)
{
	const struct blob_layout *l = &j->at;
	uint64_t pcs, pcs_end, scopes, scopes_end;

	if (has(l->immutable)) {
		uint64_t data = word_at(head, l->immutable);

		pcs = data + half_at(head, l->scopes_pcs);
		pcs_end = scopes = data + half_at(head, l->scopes_data);
		scopes_end = data + half_at(head, l->immutable_size);
		n->metadata = word_at(head, l->mutable) + half_at(head, l->relocation_size);
	} else {
		pcs = n->blob + half_at(head, l->scopes_pcs);
		pcs_end = n->blob + half_at(head, l->dependencies);
		scopes = has(l->scopes_begin) ? word_at(head, l->scopes_begin)
					      : n->blob + half_at(head, l->scopes_data); /* JDK 8 */
		scopes_end = pcs;
		n->metadata = n->blob + half_at(head, l->metadata);
	}
	return piece_read(j, pcs, pcs_end, (size_t)MAX_PCS * PCDESC_BYTES, &n->pcs) &&
	       piece_read(j, scopes, scopes_end, MAX_SCOPES_BYTES, &n->scopes);
}

/*
 * Is it still what was read? A free place has its block marked unused; another nmethod has another compile
 * id; one that is being unloaded loses its tables (JDK 24 and later, nmethod::purge) or its method first, and
 * only then is the memory of its methods given back.
 */
static bool is_alive(const struct java_symbols *j, const struct nmethod *n)
{
	const struct blob_layout *l = &j->at;
	uint8_t head[MAX_BLOB_BYTES], used;

	if (proc_read(j->pid, n->blob - l->block_bytes + l->block_used, &used, sizeof(used)) || used != 1)
		return false;
	if (n->is_stub)
		return true;
	if (proc_read(j->pid, n->blob, head, l->blob_bytes) ||
	    half_at(head, l->compile_id) != n->compile_id || word_at(head, l->method) != n->method)
		return false;
	if (!has(l->immutable) || n->is_native) /* a native one has no tables */
		return true;
	return word_at(head, l->immutable) == n->immutable && word_at(head, l->mutable) == n->mutable &&
	       n->immutable != n->blob + half_at(head, l->size);
}

/* false: what was there is gone, or not to be understood. */
static bool nmethod_read(const struct java_symbols *j, uint64_t blob, uint32_t compile_id, struct nmethod *n)
{
	const struct blob_layout *l = &j->at;
	uint8_t head[MAX_BLOB_BYTES];
	char name[64];

	*n = (struct nmethod){.blob = blob, .compile_id = compile_id};
	if (proc_read(j->pid, blob, head, l->blob_bytes) ||
	    proc_read_str(j->pid, word_at(head, l->name), name, sizeof(name)) < 0)
		return false;
	n->is_native = !strcmp(name, "native nmethod");
	n->is_stub = !n->is_native && strcmp(name, "nmethod") != 0;
	n->method = word_at(head, l->method);
	n->immutable = has(l->immutable) ? word_at(head, l->immutable) : 0;
	n->mutable = has(l->immutable) ? word_at(head, l->mutable) : 0;
	n->code = has(l->code_begin) ? word_at(head, l->code_begin) : blob + half_at(head, l->code_offset);
	if (!n->is_stub && half_at(head, l->compile_id) != compile_id)
		return false;
	if (!n->is_stub && !n->is_native && !read_tables(j, head, n))
		return false;
	return is_alive(j, n);
}

/* Let the others go when all together have become too large. */
static void keep_only(struct java_symbols *j, const struct nmethod *n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < KEPT_NMETHODS; i++)
		bytes += j->kept[i].pcs.n + j->kept[i].scopes.n;
	for (size_t i = 0; bytes > MAX_KEPT_TABLES && i < KEPT_NMETHODS; i++)
		if (&j->kept[i] != n)
			nmethod_free(&j->kept[i]);
}

static const struct nmethod *nmethod_of(struct java_symbols *j, const struct raw_frame *raw)
{
	uint64_t blob = raw->a & RAW_ADDR_MASK;
	uint32_t compile_id = raw->b >> 32;
	struct nmethod *n = &j->kept[mix64(blob) % KEPT_NMETHODS];

	if (n->blob == blob && n->compile_id == compile_id && is_alive(j, n))
		return n;
	nmethod_free(n);
	if (!nmethod_read(j, blob, compile_id, n)) {
		nmethod_free(n);
		return NULL;
	}
	keep_only(j, n);
	return n;
}

/* Where the scopes of a return address are described; 0: nowhere. */
static uint32_t scope_at(const struct java_symbols *j, const struct nmethod *n, uint32_t pc)
{
	for (size_t i = 0; i + PCDESC_BYTES <= n->pcs.n; i += PCDESC_BYTES)
		if (half_at(n->pcs.v + i, j->at.pc_offset) == pc)
			return half_at(n->pcs.v + i, j->at.scope_offset);
	return 0;
}

/* The n-th Metadata* of an nmethod, counted from 1; 0 is none. */
static uint64_t metadata_at(const struct java_symbols *j, const struct nmethod *n, uint32_t index)
{
	uint64_t v;

	if (index == 0 || index > MAX_METADATA ||
	    proc_read(j->pid, n->metadata + 8 * ((uint64_t)index - 1), &v, sizeof(v)))
		return 0;
	return v;
}

static int name_scope(struct java_symbols *j, uint64_t method, int64_t bci, bool inlined)
{
	uint32_t number;
	int rc = method_at(j, method, &number), line = 0;
	const struct java_method *m = number ? &j->methods.v[number - 1] : NULL;

	if (rc)
		return rc;
	if (m && bci != -2)
		line = method_line(j->h, &j->methods_at, m, bci < 0 ? 0 : (uint32_t)bci);
	if (!m || line < 0 || (!m->native && bci >= (int64_t)m->code_bytes))
		return add_unnamed(j, END_UNNAMED, "[unknown Java method]");
	return add_method(j, m, line, inlined);
}

static int name_scopes(struct java_symbols *j, const struct nmethod *n, uint32_t scope)
{
	const uint8_t *end = n->scopes.v + n->scopes.n;

	for (int i = 0; i < MAX_INLINED; i++) {
		const uint8_t *p = n->scopes.v + scope;
		uint32_t sender, method;
		int64_t bci;
		int rc;

		if (scope == 0 || scope >= n->scopes.n)
			return add_unnamed(j, END_UNNAMED, "[unknown Java method]");
		sender = unsigned5(&p, end, j->methods_at.compact5);
		method = unsigned5(&p, end, j->methods_at.compact5);
		bci = (int64_t)unsigned5(&p, end, j->methods_at.compact5) - 1; /* + InvocationEntryBci */
		rc = name_scope(j, method ? metadata_at(j, n, method) : n->method, bci, sender != 0);
		if (rc || sender == 0)
			return rc;
		if (sender >= scope) /* the caller's was written before */
			return add_unnamed(j, END_UNNAMED, "[unknown Java method]");
		scope = sender;
	}
	return add_unnamed(j, END_UNNAMED, "[more inlined methods]");
}

static int name_flushed(struct java_symbols *j, uint32_t compile_id)
{
	char why[64];

	snprintf(why, sizeof(why), "[code flushed, compile id %u]", compile_id);
	return add_unnamed(j, END_FLUSHED, why);
}

static int name_compiled(struct java_symbols *j, const struct raw_frame *raw)
{
	const struct nmethod *n = nmethod_of(j, raw);
	uint64_t blob = raw->a & RAW_ADDR_MASK;
	uint32_t compile_id = raw->b >> 32, scope;
	size_t first = j->frames.n;
	int rc;

	if (!n)
		return name_flushed(j, compile_id);
	if (n->is_stub)
		return 0;
	scope = n->is_native ? 0 : scope_at(j, n, (uint32_t)(blob + (uint32_t)raw->b - n->code));
	if (n->is_native)
		rc = name_scope(j, n->method, -2, false);
	else /* every call has its scope */
		rc = scope ? name_scopes(j, n, scope) : add_unnamed(j, END_UNNAMED, "[unknown Java method]");
	/* what was read of the methods holds only if the nmethod, which keeps their classes alive, was there
	 * all along */
	if (!rc && !is_alive(j, n)) {
		j->frames.n = first;
		rc = name_flushed(j, compile_id);
	}
	return rc;
}

/* --- all frames ----------------------------------------------------------------------------------- */

/* Remember what a raw frame is in names, in place of old (NULL: nothing was remembered). NULL: no memory. */
static struct cached *remember(struct java_symbols *j, struct cached *old, const struct cached *fresh)
{
	struct cached *c = old ?: VEC_ADD(&j->cached);

	if (!c)
		return NULL;
	*c = *fresh;
	if (!old && hash_set(&j->by_frame, c->raw.a, c->raw.b, (uint32_t)j->cached.n)) {
		j->cached.n--;
		return NULL;
	}
	return c;
}

/*
 * Is what is remembered of an interpreted frame about the same method? Code has an id, methods do not. It is
 * if it was true when as many classes had been unloaded, or is now of a method that was there then.
 */
static int still_holds(struct java_symbols *j, struct cached *c, uint64_t unloads, bool *holds)
{
	uint32_t method;
	int rc;

	*holds = c->unloads == unloads && !is_loaded_since(j, 0, unloads);
	if (*holds)
		return 0;
	rc = method_at(j, c->raw.a & RAW_ADDR_MASK, &method);
	*holds = method && method == c->method && j->methods.v[method - 1].version == c->version &&
		 is_method_of(j, &j->methods.v[method - 1], unloads);
	if (*holds)
		c->unloads = unloads;
	return rc;
}

static int name(struct java_symbols *j, const struct raw_frame *raw, uint64_t unloads, struct cached *out)
{
	int rc = -EINVAL;

	*out = (struct cached){.raw = *raw, .first = (uint32_t)j->frames.n, .unloads = unloads};
	switch (raw->a >> RAW_KIND_SHIFT) {
	case RAW_INTERPRETED:
		rc = name_interpreted(j, raw, unloads, &out->method);
		if (out->method)
			out->version = j->methods.v[out->method - 1].version;
		break;
	case RAW_COMPILED:
	case RAW_DEOPTIMIZED:
		rc = name_compiled(j, raw);
		break;
	}
	out->n = (uint32_t)j->frames.n - out->first;
	return rc;
}

/* A frame that has no name, of which nothing is remembered. */
static int add_unkept(struct java_symbols *j, const char *why, struct frames *out)
{
	struct frame *f = VEC_ADD(out);

	if (!f)
		return -ENOMEM;
	*f = (struct frame){.type = FRAME_JAVA, .symbol = why, .lacks = END_UNNAMED};
	j->unnamed++;
	return 0;
}

/*
 * How many classes had been unloaded when an interpreted frame was seen, of which it has the lowest bits:
 * that was less than 65,536 classes ago. Takes them out of the frame. false: not known.
 */
static bool take_unloads(const struct java_symbols *j, struct raw_frame *raw, uint64_t *unloads)
{
	uint64_t now, last;

	if (j->unloads(j->unloads_of, 0, &now, &last))
		return false;
	*unloads = now - (uint16_t)(now - (raw->b >> RAW_UNLOADS_SHIFT));
	raw->b &= RAW_BCP_MASK;
	return true;
}

int java_symbols_native(struct java_symbols *j, const struct raw_frame *from, uint64_t *addr)
{
	struct raw_frame raw = *from;
	bool interpreted = raw.a >> RAW_KIND_SHIFT == RAW_INTERPRETED;
	const struct nmethod *n = interpreted ? NULL : nmethod_of(j, &raw);
	uint64_t unloads = 0, function, code;
	const struct java_method *m;
	uint32_t number;
	int rc;

	*addr = 0;
	if (interpreted ? !take_unloads(j, &raw, &unloads) : !n || !n->is_native)
		return 0;
	rc = method_at(j, n ? n->method : raw.a & RAW_ADDR_MASK, &number);
	if (rc || !number)
		return rc;
	m = &j->methods.v[number - 1];
	if (!method_native(j->h, &j->methods_at, m, &function, &code) || (n && code != n->blob))
		return 0;
	/* what was read holds only if it was this method all along */
	if (method_holds(j, m) && (n ? is_alive(j, n) : is_method_of(j, m, unloads)))
		*addr = function;
	return 0;
}

int java_symbols_add(struct java_symbols *j, const struct raw_frame *from, struct frames *out)
{
	struct raw_frame frame = *from, *raw = &frame;
	bool interpreted = raw->a >> RAW_KIND_SHIFT == RAW_INTERPRETED, holds;
	struct cached *c, fresh;
	uint64_t unloads = 0;
	uint32_t number;
	int rc = 0;

	if (interpreted && !take_unloads(j, raw, &unloads))
		return add_unkept(j, "[unknown Java method]", out);
	number = hash_find(&j->by_frame, raw->a, raw->b);
	c = number ? &j->cached.v[number - 1] : NULL;
	holds = c && !interpreted; /* code has an id */
	if (c && interpreted)
		rc = still_holds(j, c, unloads, &holds);
	if (!rc && !holds && (j->frames.n >= MAX_KEPT_FRAMES || j->strings.bytes >= MAX_KEPT_TEXT))
		return add_unkept(j, "[one Java frame too many to name]", out);
	/* a name that is remembered of another time is of use again for those that are seen from now on */
	if (!rc && !holds && interpreted && c && c->method && !is_loaded_since(j, 0, unloads))
		return add_unkept(j, "[unknown Java method]", out);
	if (!rc && !holds) {
		rc = name(j, raw, unloads, &fresh);
		c = rc ? NULL : remember(j, c, &fresh);
		rc = rc ?: c ? 0 : -ENOMEM;
	}
	for (uint32_t i = 0; !rc && i < c->n; i++) {
		struct frame *f = VEC_ADD(out);

		if (!f)
			return -ENOMEM;
		*f = j->frames.v[c->first + i];
	}
	return rc;
}
