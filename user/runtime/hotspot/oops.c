/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a handle's slot to the object and its class. See oops.h. Headers are read in pieces that
 * serve many objects; a slot that reads the same before and after did not let its object move
 * meanwhile.
 */
#include "runtime/hotspot/oops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/hotspot/flags.h"
#include "runtime/hotspot/klass.h"
#include "runtime/hotspot/scatter.h"

#define BATCH        1024
#define READ_TRIES   6
#define PROVE_TRIES  20
#define TRY_PAUSE_NS 1000000
#define NEAR_BYTES   256 /* objects this near to each other are read in one piece */
#define HEADER_BYTES (OBJECT_HEADER_WORDS * sizeof(uint64_t))

/* --- what this VM does --- */

/* A size that may be in one of two fields of these tables. */
static bool field(const struct hotspot *h, const char *type, const char *name, uint64_t *out)
{
	return hotspot_field_offset(h, type, name, out) && *out < 4096;
}

static bool read_static32(const struct hotspot *h, const char *type, const char *name, int32_t *out)
{
	uint64_t addr;

	return hotspot_static_addr(h, type, name, &addr) && proc_read(h->pid, addr, out, sizeof(*out)) == 0 &&
	       *out >= 0 && *out < 4096;
}

static bool read_layout(struct oop_reader *r)
{
	const struct hotspot *h = r->h;
	uint64_t size;

	r->handles = hotspot_type_size(h, "OopHandle", &size);
	/* without uncompressed class pointers since JDK 28 */
	return (field(h, "oopDesc", "_metadata._klass", &r->klass_in_object) ||
		field(h, "oopDesc", "_compressed_klass", &r->klass_in_object)) &&
	       r->klass_in_object == 8 && field(h, "Klass", "_name", &r->name) &&
	       field(h, "Klass", "_java_mirror", &r->mirror) &&
	       (field(h, "Klass", "_class_loader_data", &r->loader_data) ||
		field(h, "InstanceKlass", "_class_loader_data", &r->loader_data)) &&
	       field(h, "ClassLoaderData", "_class_loader", &r->loader) &&
	       field(h, "Symbol", "_length", &r->symbol_length) &&
	       (field(h, "Symbol", "_body[0]", &r->symbol_body) ||
		field(h, "Symbol", "_body", &r->symbol_body)) &&
	       read_static32(h, "java_lang_Class", "_klass_offset", &r->klass_in_mirror) &&
	       read_static32(h, "java_lang_Class", "_array_klass_offset", &r->array_in_mirror);
}

/* Base and shift of compressed class pointers; absent where there are none. */
static void read_narrow(struct oop_reader *r)
{
	static const struct {
		const char *type, *base, *shift;
	} places[] = {{"CompressedKlassPointers", "_base", "_shift"},
		      {"CompressedKlassPointers", "_narrow_klass._base", "_narrow_klass._shift"},
		      {"Universe", "_narrow_klass._base", "_narrow_klass._shift"}};
	int64_t shift;

	r->has_mark_shift =
	    hotspot_constant(r->h, "markWord::klass_shift", &shift) && shift > 0 && shift < 64;
	r->mark_shift = r->has_mark_shift ? (uint64_t)shift : 0;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		int32_t narrow_shift;

		if (hotspot_read_static(r->h, places[i].type, places[i].base, &r->narrow_base) &&
		    read_static32(r->h, places[i].type, places[i].shift, &narrow_shift) &&
		    narrow_shift < 32) {
			r->narrow_shift = (uint64_t)narrow_shift;
			return;
		}
	}
}

/* ZGC is in use when its masks are set up. */
static bool find_colors(struct oop_reader *r, enum oop_colors colors, const char *type, const char *good,
			const char *bad, const char *offset)
{
	uint64_t instance, good_at, bad_at, offset_at, mask;
	int pid = r->h->pid;

	if (!hotspot_read_static(r->h, type, "_instance_p", &instance) || instance == 0 ||
	    !field(r->h, type, good, &good_at) || !field(r->h, type, bad, &bad_at) ||
	    !field(r->h, type, offset, &offset_at) ||
	    proc_read(pid, instance + good_at, &r->good_mask_addr, sizeof(uint64_t)) < 0 ||
	    proc_read(pid, instance + bad_at, &r->bad_mask_addr, sizeof(uint64_t)) < 0 ||
	    proc_read(pid, instance + offset_at, &r->offset_mask_addr, sizeof(uint64_t)) < 0 ||
	    proc_read(pid, r->good_mask_addr, &mask, sizeof(mask)) < 0 || mask == 0)
		return false;
	r->colors = colors;
	return true;
}

static void read_colors(struct oop_reader *r)
{
	r->colors = COLORS_NONE;
	if (find_colors(r, COLORS_GENERATIONAL, "ZGlobalsForVMStructs", "_ZPointerLoadGoodMask",
			"_ZPointerLoadBadMask", "_ZAddressOffsetMask") ||
	    find_colors(r, COLORS_SINGLE, "XGlobalsForVMStructs", "_XAddressGoodMask", "_XAddressBadMask",
			"_XAddressOffsetMask"))
		return;
	find_colors(r, COLORS_SINGLE, "ZGlobalsForVMStructs", "_ZAddressGoodMask", "_ZAddressBadMask",
		    "_ZAddressOffsetMask");
}

/* Is the mirror of this Klass a java.lang.Class, when headers are read so? */
static bool mode_fits(const struct oop_reader *r, struct oop_masks *m, uint64_t klass)
{
	uint64_t mirror, header[OBJECT_HEADER_WORDS];

	return oop_mirror_proves(r, m, klass, &mirror) &&
	       proc_read(r->h->pid, mirror, header, sizeof(header)) == 0 &&
	       oop_klass(r, header) == r->class_klass;
}

/*
 * Of two ways that say the same. A narrow class pointer with base 0 and shift 0 (JDK 25 without an archive of
 * classes, others with ZGC) is the lower half of the word, and the upper half zero where the object has no
 * field there: the narrow way holds for all objects, unless the VM has only whole ones.
 */
static enum klass_mode equal_mode(const struct oop_reader *r, const bool fits[NR_KLASS_MODES])
{
	bool narrow;

	if (r->narrow_base || r->narrow_shift || fits[KLASS_IN_MARK])
		return NR_KLASS_MODES;
	if (hotspot_bool_flag(r->h, "UseCompressedClassPointers", &narrow) == 0 && !narrow)
		return KLASS_FULL;
	return KLASS_NARROW;
}

/*
 * Mirrors are objects of a known class: exactly one way to read a header must say so, of two of them (the
 * second word of a mirror with a compact header is the Klass it mirrors, which for one of them is right by
 * chance); or two ways that are equal.
 */
static bool prove_mode(struct oop_reader *r, struct oop_masks *m)
{
	bool fits[NR_KLASS_MODES] = {0};
	enum klass_mode found = NR_KLASS_MODES;
	int n = 0;

	for (r->mode = 0; r->mode < NR_KLASS_MODES; r->mode++) {
		fits[r->mode] = (r->mode != KLASS_IN_MARK || r->has_mark_shift) &&
				mode_fits(r, m, r->class_klass) && mode_fits(r, m, r->object_klass);
		if (!fits[r->mode])
			continue;
		found = r->mode;
		n++;
	}
	r->mode = n > 1 ? equal_mode(r, fits) : found;
	return r->mode != NR_KLASS_MODES;
}

static void find_gc_state(struct oop_reader *r)
{
	uint64_t heap, offset;

	if (!hotspot_read_static(r->h, "Universe", "_collectedHeap", &heap) || heap == 0)
		return;
	if (field(r->h, "CollectedHeap", "_is_stw_gc_active", &offset) ||
	    field(r->h, "CollectedHeap", "_is_gc_active", &offset))
		r->gc_active_addr = heap + offset;
	if (field(r->h, "CollectedHeap", "_total_collections", &offset))
		r->collections_addr = heap + offset;
}

static bool prove(struct oop_reader *r)
{
	const struct vm_class *c;
	struct oop_masks m;

	read_colors(r);
	find_gc_state(r);
	if (r->colors != COLORS_NONE)
		zgc_init(r->h, r->colors == COLORS_GENERATIONAL, &r->zgc);
	if (oop_masks_read(r, &m) < 0 || !prove_mode(r, &m))
		return false;
	r->vtables_proven = true;
	c = oop_class(r, &m, r->class_klass);
	if (!c) {
		/* a class from an old JDK's shared archive has a vtable of stubs */
		r->vtables_proven = false;
		c = oop_class(r, &m, r->class_klass);
	}
	return c && strcmp(c->name, "java.lang.Class") == 0 && c->is_class && !c->loader;
}

int oop_reader_new(struct hotspot *h, struct oop_reader **out, struct error *err)
{
	const struct timespec pause = {.tv_nsec = TRY_PAUSE_NS};
	struct oop_reader *r = calloc(1, sizeof(*r));
	bool proven = false;

	if (!r)
		return -ENOMEM;
	r->h = h;
	if (!read_layout(r)) {
		free(r);
		return hotspot_error(h, err, -EPROTO, "its tables do not say how objects name their class");
	}
	read_narrow(r);
	if (!oop_known_klass(r, "Class", &r->class_klass) ||
	    !oop_known_klass(r, "Object", &r->object_klass)) {
		free(r);
		return hotspot_error(h, err, -EAGAIN, "it has not loaded java.lang.Class yet");
	}
	for (int i = 0; i < PROVE_TRIES && !proven; i++) {
		if (i > 0) /* the collector may be at work */
			nanosleep(&pause, NULL);
		proven = prove(r);
	}
	if (!proven) {
		oop_reader_free(r);
		return hotspot_error(h, err, -EAGAIN, "how its objects name their class could not be proven");
	}
	*out = r;
	return 0;
}

void oop_reader_free(struct oop_reader *r)
{
	if (!r)
		return;
	oop_reader_forget(r);
	free(r->classes.v);
	free(r);
}

/*
 * Does a collection that stops the world run now? Then a slot may name a place whose object is still to
 * come, and something else is there. *stamp tells two moments between collections apart.
 */
static bool is_collecting(const struct oop_reader *r, uint32_t *stamp)
{
	uint8_t active = 0;

	*stamp = 0;
	if (r->collections_addr && proc_read(r->h->pid, r->collections_addr, stamp, sizeof(*stamp)) < 0)
		return true;
	return r->gc_active_addr &&
	       (proc_read(r->h->pid, r->gc_active_addr, &active, sizeof(active)) < 0 || active);
}

/* --- many at a time --- */

/* One batch: what the slots held, and the objects, each once, in ascending order. */
struct batch {
	struct vm_ref *ref[BATCH];
	uint64_t addr[BATCH], word[BATCH], again[BATCH];
	bool ok[BATCH], ok_again[BATCH], sure[BATCH];
	uint64_t named[BATCH];  /* the object of each, 0: none */
	uint64_t object[BATCH]; /* ascending, distinct */
	uint64_t header[BATCH][OBJECT_HEADER_WORDS];
	bool header_ok[BATCH];
	size_t n, nr_objects;
	struct oop_masks masks;
	struct zgc_query moves[BATCH];
	struct zgc_pieces pieces;
	uint8_t piece[BATCH * (NEAR_BYTES + HEADER_BYTES)];
};

static int compare_words(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static size_t object_index(const struct batch *b, uint64_t object)
{
	size_t lo = 0, hi = b->nr_objects;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (b->object[mid] < object)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Where the objects were moved to is asked for all at once. */
static void prefetch_moves(const struct oop_reader *r, struct batch *b)
{
	struct zgc_query *q = b->moves;
	size_t n = 0;

	for (size_t i = 0; i < b->n && r->zgc.known; i++) {
		uint64_t addr = oop_address_bits(r, b->word[i]);

		if (b->ok[i] && !oop_is_null(r, b->word[i]) && addr && (b->word[i] & b->masks.bad))
			q[n++] = (struct zgc_query){addr & b->masks.offset,
						    oop_stale_generations(r, &b->masks, b->word[i])};
	}
	if (n > 0)
		zgc_prefetch(r->h, &r->zgc, &b->masks.cache, &b->pieces, q, n);
}

static void collect_objects(const struct oop_reader *r, struct batch *b)
{
	size_t n = 0, kept = 0;

	prefetch_moves(r, b);
	for (size_t i = 0; i < b->n; i++) {
		b->named[i] = b->ok[i] ? oop_decode(r, &b->masks, b->word[i], &b->sure[i]) : 0;
		if (b->named[i])
			b->object[n++] = b->named[i];
	}
	qsort(b->object, n, sizeof(b->object[0]), compare_words);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || b->object[i] != b->object[kept - 1])
			b->object[kept++] = b->object[i];
	b->nr_objects = kept;
}

/* Headers of objects [from, to), which lie in one piece of memory. */
static void read_piece(const struct oop_reader *r, struct batch *b, size_t from, size_t to)
{
	uint64_t start = b->object[from], bytes = b->object[to - 1] - start + HEADER_BYTES;
	bool ok = proc_read(r->h->pid, start, b->piece, bytes) == 0;

	for (size_t i = from; i < to; i++) {
		b->header_ok[i] = ok;
		if (ok)
			memcpy(b->header[i], b->piece + (b->object[i] - start), HEADER_BYTES);
	}
}

static int read_headers(const struct oop_reader *r, struct batch *b, bool one_by_one)
{
	size_t from = 0, alone = 0;

	/* Neighbours in one piece; if hardly any are, all in one call. */
	for (size_t i = 1; i < b->nr_objects; i++)
		alone += b->object[i] - b->object[i - 1] > NEAR_BYTES;
	if (one_by_one || alone > 16)
		return scatter_read(r->h->pid, b->object, b->nr_objects, HEADER_BYTES, b->header,
				    b->header_ok);
	for (size_t i = 1; i <= b->nr_objects; i++) {
		if (i < b->nr_objects && b->object[i] - b->object[i - 1] <= NEAR_BYTES)
			continue;
		read_piece(r, b, from, i);
		from = i;
	}
	return 0;
}

/* Which class a java.lang.Class stands for. */
static void read_mirrored(struct oop_reader *r, struct oop_masks *m, struct vm_ref *ref)
{
	uint64_t klass, object;

	if (proc_read(r->h->pid, ref->object + (uint64_t)r->klass_in_mirror, &klass, sizeof(klass)) < 0)
		return;
	if (klass) {
		ref->of = oop_class(r, m, klass);
		return;
	}
	/* of a primitive type: known by its array class, which void has none of */
	if (proc_read(r->h->pid, ref->object + (uint64_t)r->array_in_mirror, &klass, sizeof(klass)) < 0)
		return;
	ref->primitive = "void";
	if (klass && oop_mirror_proves(r, m, klass, &object)) {
		const struct vm_class *array = oop_class(r, m, klass);

		ref->primitive = array ? class_primitive(array) : NULL;
	}
}

static void judge(struct oop_reader *r, struct batch *b, size_t i)
{
	struct vm_ref *ref = b->ref[i];
	uint64_t object = b->named[i];
	size_t at;

	ref->state = REF_UNREADABLE;
	if (!b->ok[i] || !b->ok_again[i] || b->word[i] != b->again[i])
		return;
	if (oop_is_null(r, b->word[i])) {
		ref->state = REF_NULL;
		return;
	}
	at = object_index(b, object);
	if (!object || at == b->nr_objects || !b->header_ok[at])
		return;
	ref->class = oop_class(r, &b->masks, oop_klass(r, b->header[at]));
	if (!ref->class)
		return;
	ref->state = REF_READ;
	ref->object = object;
	ref->stale = !b->sure[i];
	if (ref->class->is_class)
		read_mirrored(r, &b->masks, ref);
}

/*
 * ZGC: an object that was to be moved and was not yet, was it still not when its header had been read?
 * Then its memory was not given to others meanwhile.
 */
static void check_unmoved(const struct oop_reader *r, struct batch *b)
{
	memset(&b->masks.cache, 0, sizeof(b->masks.cache));
	for (size_t i = 0; i < b->n && r->zgc.known; i++) {
		bool sure;

		if (!b->ok[i] || !b->named[i] || b->sure[i])
			continue;
		if (oop_decode(r, &b->masks, b->word[i], &sure) != b->named[i] || sure)
			b->ok_again[i] = false;
		else
			b->sure[i] = true;
	}
}

static int read_batch(struct oop_reader *r, struct batch *b, bool one_by_one)
{
	uint32_t stamp, stamp_after;
	struct oop_masks after;
	int rc = oop_masks_read(r, &b->masks);

	for (size_t i = 0; i < b->n; i++)
		b->addr[i] = b->ref[i]->slot;
	if (is_collecting(r, &stamp))
		return 0;
	if (rc == 0)
		rc = scatter_read_words(r->h->pid, b->addr, b->n, b->word, b->ok);
	if (rc < 0)
		return rc == -EFAULT ? 0 : rc;
	collect_objects(r, b);
	rc = read_headers(r, b, one_by_one);
	if (rc == 0)
		rc = scatter_read_words(r->h->pid, b->addr, b->n, b->again, b->ok_again);
	if (rc == 0 && (is_collecting(r, &stamp_after) || stamp_after != stamp))
		return 0;
	if (rc == 0)
		check_unmoved(r, b);
	/* in another phase the colours mean another thing */
	if (rc == 0 && (oop_masks_read(r, &after) < 0 || after.good != b->masks.good))
		return 0;
	for (size_t i = 0; i < b->n && rc == 0; i++)
		judge(r, b, i);
	return rc;
}

int oop_read(struct oop_reader *r, struct vm_ref *refs, size_t n)
{
	const struct timespec pause = {.tv_nsec = TRY_PAUSE_NS};
	struct batch *b = malloc(sizeof(*b));
	int rc = b ? 0 : -ENOMEM;

	for (size_t done = 0; done < n && rc == 0; done += BATCH) {
		size_t end = done + BATCH < n ? done + BATCH : n;

		for (size_t i = done; i < end; i++)
			refs[i] = (struct vm_ref){.slot = refs[i].slot, .state = REF_UNREADABLE};
		for (int try = 0; try < READ_TRIES && rc == 0; try++) {
			b->n = 0;
			for (size_t i = done; i < end; i++)
				if (refs[i].state == REF_UNREADABLE)
					b->ref[b->n++] = &refs[i];
			if (b->n == 0)
				break;
			if (try > 0) /* a collection's pause may take a while */
				nanosleep(&pause, NULL);
			rc = read_batch(r, b, try > 0);
		}
	}
	free(b);
	return rc;
}
