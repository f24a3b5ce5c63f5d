/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The writer of recordings. See recorder.h. */
#include "record/recorder.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/hash.h"
#include "record/saved.h"
#include "view/json_out.h"

#define LEVEL       5
#define WINDOW_LOG  20                /* bytes that a reader must keep: a million */
#define FRAME_BYTES (16UL << 20)      /* of text in a zstd frame, whose end has a checksum of it */
#define BURST_BYTES (2.0 * (1 << 20)) /* that a recording may have at once, at the most */

/* A target that is being recorded: what was written of it. */
struct subject {
	uint32_t number;
	struct saved last;
	struct hash stacks; /* how a stack is in memory -> its number, see stack_of() */
};
struct recorder {
	const struct catalog *catalog;
	ZSTD_CCtx *zstd;
	size_t in_frame;       /* bytes of text */
	struct buf said, line; /* what is said once; what is said of reports */
	struct {
		struct subject **v;
		size_t n, cap;
	} subjects;
	uint32_t nr_subjects; /* so far */

	/* What was said once, by number - 1. */
	struct {
		struct frames *v; /* their modules, paths and build ids are texts, and so are their names */
		size_t n, cap;
	} stacks;
	struct {
		struct frame *v;
		size_t n, cap;
	} frames;
	struct {
		struct frame *v; /* of which only the module counts */
		size_t n, cap;
	} modules;
	struct hash stack_numbers, frame_numbers, module_numbers; /* by what they are */
	struct strset text;

	double bytes_per_s, burst, left, last_unix_s; /* see is_due() */
	uint64_t skipped;
};

/* What is being written of one object, and whether it has been opened: only what has changed is written. */
struct place {
	struct place *up;
	const char *key;
	char bracket;
	bool open;
	/* of a line */
	const char *record;
	uint32_t target;
	size_t index;
};
struct walk {
	struct recorder *r;
	struct subject *subject;
	struct json_out *j;
	struct strset *text; /* for what is kept of it */
	int rc;
};

/* --- places -------------------------------------------------------------------------------------- */

static void open_place(struct walk *w, struct place *p)
{
	if (p->open)
		return;
	if (p->up)
		open_place(w, p->up);
	json_open(w->j, p->key, p->bracket);
	p->open = true;
	if (p->record) {
		json_text(w->j, "record", p->record);
		if (p->target)
			json_count(w->j, "process", p->target);
		if (p->target && p->index != SIZE_MAX)
			json_count(w->j, p->record, p->index);
	}
}

static void close_place(struct walk *w, struct place *p)
{
	if (!p->open)
		return;
	json_close(w->j, p->bracket == '{' ? '}' : ']');
	if (!p->up)
		json_end_line(w->j);
}

/* --- values -------------------------------------------------------------------------------------- */

/* The shortest decimal number that is read as this one. */
static void put_real(struct json_out *j, const char *key, double d)
{
	if (isnan(d))
		json_null(j, key);
	else if (isinf(d))
		json_text(j, key, d > 0 ? "inf" : "-inf");
	else
		json_exact(j, key, d);
}

static void put_known(struct json_out *j, const char *key, double d)
{
	if (d == -1)
		json_null(j, key);
	else if (isnan(d))
		json_text(j, key, "nan");
	else
		put_real(j, key, d);
}

static void put_u64(struct json_out *j, const char *key, uint64_t n)
{
	char digits[24];

	if (n <= INT64_MAX) {
		json_count(j, key, n);
		return;
	}
	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	json_text(j, key, digits);
}

/* A value that is no struct; false: it has no words. */
static void put_value(struct walk *w, const struct field *f, const void *at)
{
	const struct catalog *c = w->r->catalog;
	struct json_out *j = w->j;
	char room[FUNC_WORD_MAX];

	switch (f->kind) {
	case FIELD_BOOL:
		return json_bool(j, f->key, *(const bool *)at);
	case FIELD_INT:
		return json_signed(j, f->key, *(const int *)at);
	case FIELD_U32:
		return json_count(j, f->key, *(const uint32_t *)at);
	case FIELD_U64:
		return put_u64(j, f->key, *(const uint64_t *)at);
	case FIELD_I64:
		return *(const int64_t *)at == -1 ? json_null(j, f->key)
						  : json_signed(j, f->key, *(const int64_t *)at);
	case FIELD_ID:
		return json_id(j, f->key, *(const uint64_t *)at);
	case FIELD_HEX:
		return json_hex(j, f->key, *(const uint64_t *)at);
	case FIELD_REAL:
		return put_real(j, f->key, *(const double *)at);
	case FIELD_KNOWN:
		return put_known(j, f->key, *(const double *)at);
	case FIELD_LATER:
		return json_bool(j, f->key, *(const struct later *const *)at != NULL);
	case FIELD_TEXT:
		return json_text(j, f->key, *(const char *const *)at);
	case FIELD_CHARS:
		return json_text(j, f->key, at);
	case FIELD_WORD:
	case FIELD_FAMILY:
		return json_text(j, f->key, f->name(c, *(const unsigned *)at));
	case FIELD_FUNC:
		return json_text(j, f->key, func_word(c, *(const unsigned *)at, room));
	default:
		return;
	}
}

static bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool value_equal(const struct field *f, const void *a, const void *b)
{
	if (f->kind == FIELD_TEXT)
		return text_equal(*(const char *const *)a, *(const char *const *)b);
	if (f->kind == FIELD_CHARS)
		return strcmp(a, b) == 0;
	if (f->kind == FIELD_LATER)
		return !*(const void *const *)a == !*(const void *const *)b;
	return memcmp(a, b, f->bytes) == 0;
}

static void keep_value(struct walk *w, const struct field *f, void *to, const void *from)
{
	const char *text;

	if (f->kind != FIELD_TEXT) {
		memcpy(to, from, f->bytes);
		return;
	}
	text = *(const char *const *)from;
	*(const char **)to = text ? strset_add(w->text, text) : NULL;
	if (text && !*(const char **)to)
		w->rc = -ENOMEM;
}

/* --- what is said once --------------------------------------------------------------------------- */

static uint64_t hash_text(uint64_t h, const char *s)
{
	return s ? fnv64(h, s, strlen(s) + 1) : mix64(h);
}

static uint64_t hash_module(const struct frame *f)
{
	return hash_text(hash_text(hash_text(FNV64_INIT, f->module), f->path), f->build_id);
}

static bool module_equal(const struct frame *a, const struct frame *b)
{
	return text_equal(a->module, b->module) && text_equal(a->path, b->path) &&
	       text_equal(a->build_id, b->build_id);
}

static uint64_t hash_frame(const struct frame *f)
{
	uint64_t h = hash_module(f);

	for (size_t i = 0; i < frame_fields.n; i++) {
		const struct field *row = &frame_fields.v[i];
		const void *at = (const char *)f + row->at;

		if (row->kind == FIELD_TEXT)
			h = hash_text(h, *(const char *const *)at);
		else if (row->kind == FIELD_LATER)
			h = mix64(h ^ (f->later != NULL));
		else if (row->kind != FIELD_MODULE)
			h = fnv64(h, at, row->bytes);
	}
	return h;
}

static bool frame_equal(const struct frame *a, const struct frame *b)
{
	if (!module_equal(a, b))
		return false;
	for (size_t i = 0; i < frame_fields.n; i++) {
		const struct field *row = &frame_fields.v[i];

		if (row->kind != FIELD_MODULE &&
		    !value_equal(row, (const char *)a + row->at, (const char *)b + row->at))
			return false;
	}
	return true;
}

/* The number under a hash, or the next one that is not taken: *key becomes the key to use. */
static uint32_t lookup(const struct hash *h, uint64_t hash, uint64_t *nth,
		       bool (*same)(const struct recorder *r, uint32_t number, const void *x),
		       const struct recorder *r, const void *x)
{
	uint32_t number;

	for (*nth = 0; (number = hash_find(h, hash, *nth)); ++*nth)
		if (same(r, number, x))
			return number;
	return 0;
}

static bool is_module(const struct recorder *r, uint32_t number, const void *x)
{
	return module_equal(&r->modules.v[number - 1], x);
}

static bool is_frame(const struct recorder *r, uint32_t number, const void *x)
{
	return frame_equal(&r->frames.v[number - 1], x);
}

static bool is_stack(const struct recorder *r, uint32_t number, const void *x)
{
	const struct frames *a = &r->stacks.v[number - 1], *b = x;

	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (!frame_equal(&a->v[i], &b->v[i]))
			return false;
	return a->n == b->n;
}

static const char *own(struct recorder *r, const char *text, int *rc)
{
	const char *kept = text ? strset_add(&r->text, text) : NULL;

	if (text && !kept)
		*rc = -ENOMEM;
	return kept;
}

/* 0: the frame is in no module; negative: -ENOMEM. */
static int64_t module_of(struct recorder *r, const struct frame *f)
{
	struct json_out j = {.out = &r->said};
	uint64_t hash = hash_module(f), nth;
	uint32_t number;
	struct frame *m;
	int rc = 0;

	if (!f->module && !f->path && !f->build_id)
		return 0;
	number = lookup(&r->module_numbers, hash, &nth, is_module, r, f);
	if (number)
		return number;
	m = VEC_ADD(&r->modules);
	if (!m)
		return -ENOMEM;
	*m = (struct frame){.module = own(r, f->module, &rc),
			    .path = own(r, f->path, &rc),
			    .build_id = own(r, f->build_id, &rc)};
	json_open(&j, NULL, '{');
	json_text(&j, "record", "module");
	json_count(&j, "number", r->modules.n);
	json_text(&j, "module", f->module);
	json_text(&j, "path", f->path);
	json_text(&j, "build_id", f->build_id);
	json_close(&j, '}');
	json_end_line(&j);
	rc = rc ?: hash_set(&r->module_numbers, hash, nth, (uint32_t)r->modules.n);
	return rc ?: (int64_t)r->modules.n;
}

/* Its number, or -ENOMEM. */
static int64_t frame_of(struct recorder *r, const struct frame *f)
{
	struct json_out j = {.out = &r->said};
	struct walk w = {.r = r, .j = &j, .text = &r->text};
	uint64_t hash = hash_frame(f), nth;
	uint32_t number = lookup(&r->frame_numbers, hash, &nth, is_frame, r, f);
	int64_t module = number ? 0 : module_of(r, f);
	struct frame kept = {.later = NULL};

	if (number || module < 0)
		return number ? number : module;
	json_open(&j, NULL, '{');
	json_text(&j, "record", "frame");
	json_count(&j, "number", r->frames.n + 1);
	for (size_t i = 0; i < frame_fields.n; i++) {
		const struct field *row = &frame_fields.v[i];

		if (row->kind == FIELD_MODULE) {
			json_known_count(&j, row->key, module ?: -1);
			continue;
		}
		put_value(&w, row, (const char *)f + row->at);
		if (row->kind != FIELD_LATER)
			keep_value(&w, row, (char *)&kept + row->at, (const char *)f + row->at);
	}
	json_close(&j, '}');
	json_end_line(&j);
	kept.later = f->later ? some_later : NULL;
	if (module) {
		kept.module = r->modules.v[module - 1].module;
		kept.path = r->modules.v[module - 1].path;
		kept.build_id = r->modules.v[module - 1].build_id;
	}
	if (w.rc || !VEC_ADD(&r->frames))
		return -ENOMEM;
	r->frames.v[r->frames.n - 1] = kept;
	return hash_set(&r->frame_numbers, hash, nth, (uint32_t)r->frames.n) ?: (int64_t)r->frames.n;
}

/* A stack that is new: say its frames, and it. Its number, or -ENOMEM. */
static int64_t say_stack(struct recorder *r, const struct frames *frames)
{
	struct frames kept = {.v = calloc(frames->n, sizeof(*kept.v)), .n = frames->n};
	int64_t *numbers = calloc(frames->n, sizeof(*numbers));
	struct frames *place = kept.v && numbers ? VEC_ADD(&r->stacks) : NULL;
	struct json_out j = {.out = &r->said};
	int64_t rc = place ? 0 : -ENOMEM;

	for (size_t i = 0; i < frames->n && rc >= 0; i++) {
		rc = numbers[i] = frame_of(r, &frames->v[i]);
		if (rc > 0)
			kept.v[i] = r->frames.v[rc - 1];
	}
	if (rc < 0) {
		free(numbers);
		free(kept.v);
		r->stacks.n -= place != NULL;
		return rc;
	}
	*place = kept;
	json_open(&j, NULL, '{');
	json_text(&j, "record", "stack");
	json_count(&j, "number", r->stacks.n);
	json_open(&j, "frames", '[');
	for (size_t i = 0; i < frames->n; i++)
		json_count(&j, NULL, (uint64_t)numbers[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	json_end_line(&j);
	free(numbers);
	return (int64_t)r->stacks.n;
}

/* How it is in memory: its texts are its target's as long as that lives, so that equal pointers are equal
 * texts. */
static uint64_t hash_pointers(const struct frames *frames)
{
	uint64_t h = frames->n;

	for (size_t i = 0; i < frames->n; i++) {
		const struct frame *f = &frames->v[i];
		const uint64_t words[] = {
		    (uintptr_t)f->symbol,
		    (uintptr_t)f->module,
		    (uintptr_t)f->path,
		    (uintptr_t)f->build_id,
		    (uintptr_t)f->file,
		    f->offset,
		    (uint64_t)(uint32_t)f->line << 32 | (uint32_t)f->type << 16 | (uint32_t)f->lacks << 8 |
			(uint32_t)f->native_method << 5 | (uint32_t)(f->later != NULL) << 4 |
			(uint32_t)f->inlined << 3 | (uint32_t)f->tail_call << 2 |
			(uint32_t)f->native_of_vm << 1 | f->hidden,
		};

		for (size_t k = 0; k < ARRAY_LEN(words); k++)
			h = (h ^ words[k]) * 0x9e3779b97f4a7c15ULL, h ^= h >> 29;
	}
	return h;
}

/* The number of a stack, said when it is new; 0: it has no frames. Or -ENOMEM. */
static int64_t stack_of(struct recorder *r, struct subject *s, const struct frames *frames)
{
	uint64_t in_memory, hash = FNV64_INIT, nth;
	int64_t number;

	if (!frames->n)
		return 0;
	in_memory = hash_pointers(frames);
	number = hash_find(&s->stacks, in_memory, frames->n);
	if (number)
		return number;
	for (size_t i = 0; i < frames->n; i++)
		hash = mix64(hash ^ hash_frame(&frames->v[i]));
	number = lookup(&r->stack_numbers, hash, &nth, is_stack, r, frames);
	if (!number) {
		number = say_stack(r, frames);
		if (number > 0 && hash_set(&r->stack_numbers, hash, nth, (uint32_t)number))
			number = -ENOMEM;
	}
	if (number > 0 && hash_set(&s->stacks, in_memory, frames->n, (uint32_t)number))
		number = -ENOMEM;
	return number;
}

/* --- what has changed ---------------------------------------------------------------------------- */

static void walk_struct(struct walk *w, struct place *in, const struct fields *of, const void *now,
			void *last);

static void walk_stack(struct walk *w, struct place *in, const struct field *f, const void *now, void *last)
{
	struct frames *kept = last;
	int64_t number = stack_of(w->r, w->subject, now);
	const struct frames *said = number > 0 ? &w->r->stacks.v[number - 1] : NULL;

	if (number < 0) {
		w->rc = (int)number;
		return;
	}
	if (kept->v == (said ? said->v : NULL))
		return;
	*kept = said ? *said : (struct frames){0};
	open_place(w, in);
	json_known_count(w->j, f->key, number ?: -1);
}

/* Arrays that go by name. */
static void walk_named(struct walk *w, struct place *in, const struct field *f, const char *now, char *last)
{
	struct place place = {.up = in, .key = f->key, .bracket = '{'};
	size_t bytes = f->bytes / f->n;
	char room[FUNC_WORD_MAX];

	for (size_t i = 0; i < f->n; i++, now += bytes, last += bytes) {
		struct field one = {.bytes = bytes};

		if (!memcmp(now, last, bytes))
			continue;
		one.key = f->name ? f->name(w->r->catalog, i) : func_word(w->r->catalog, i, room);
		if (!one.key)
			continue;
		if (f->kind == FIELD_STRUCTS) {
			struct place element = {.up = &place, .key = one.key, .bracket = '{'};

			walk_struct(w, &element, f->of, now, last);
			close_place(w, &element);
			continue;
		}
		one.kind = f->kind == FIELD_FLAGS ? FIELD_BOOL : FIELD_U64;
		open_place(w, &place);
		put_value(w, &one, now);
		memcpy(last, now, bytes);
	}
	close_place(w, &place);
}

/* All of a list that was empty, as an array; else by index, what has changed. */
static void walk_list(struct walk *w, struct place *in, const struct field *f, const void *now, void *last)
{
	size_t n = list_length(f, now), was = list_length(f, last);
	struct place place = {.up = in, .key = f->key, .bracket = was ? '{' : '['};

	if (n != was) {
		w->rc = saved_resize(&w->subject->last, f, last, n) ?: w->rc;
		open_place(w, &place);
		if (was)
			json_count(w->j, "length", n);
	}
	for (size_t i = 0; i < n && !w->rc; i++) {
		char index[24];
		struct place element = {.up = &place, .key = was ? index : NULL, .bracket = '{'};

		snprintf(index, sizeof(index), "%zu", i);
		if (!was)
			open_place(w, &element);
		walk_struct(w, &element, f->of, list_element(f, now, i), list_element(f, last, i));
		close_place(w, &element);
	}
	close_place(w, &place);
}

static void walk_pointer(struct walk *w, struct place *in, const struct field *f, const void *now, void *last)
{
	const void *from = *(void *const *)((const char *)now + f->at);
	void **to = (void **)((char *)last + f->at);
	struct place place = {.up = in, .key = f->key, .bracket = '{'};
	bool was = *to != NULL;

	w->rc = saved_pointer(&w->subject->last, f, last, from != NULL) ?: w->rc;
	if (w->rc)
		return;
	if (!from && was) {
		open_place(w, in);
		json_null(w->j, f->key);
	}
	if (!from)
		return;
	if (!was)
		open_place(w, &place);
	walk_struct(w, &place, f->of, from, *to);
	close_place(w, &place);
}

static void walk_field(struct walk *w, struct place *in, const struct field *f, const void *now, void *last)
{
	const void *at = (const char *)now + f->at;
	void *kept = (char *)last + f->at;
	struct place place = {.up = in, .key = f->key, .bracket = '{'};

	switch (f->kind) {
	case FIELD_LIST:
		return walk_list(w, in, f, now, last);
	case FIELD_POINTER:
		return walk_pointer(w, in, f, now, last);
	case FIELD_STACK:
		return walk_stack(w, in, f, at, kept);
	case FIELD_COUNTS:
	case FIELD_FLAGS:
	case FIELD_STRUCTS:
		return walk_named(w, in, f, at, kept);
	case FIELD_STRUCT:
		walk_struct(w, &place, f->of, at, kept);
		return close_place(w, &place);
	default:
		break;
	}
	if (value_equal(f, at, kept))
		return;
	open_place(w, in);
	put_value(w, f, at);
	keep_value(w, f, kept, at);
}

static void walk_struct(struct walk *w, struct place *in, const struct fields *of, const void *now,
			void *last)
{
	for (size_t i = 0; i < of->n && !w->rc; i++)
		walk_field(w, in, &of->v[i], now, last);
}

/* --- reports ------------------------------------------------------------------------------------- */

static struct subject *subject_of(struct recorder *r, const struct report *report)
{
	struct subject *s, **place;

	for (size_t i = 0; i < r->subjects.n; i++) {
		s = r->subjects.v[i];
		if (s->last.report.target.pid == report->target.pid &&
		    s->last.report.target.start_time_ticks == report->target.start_time_ticks)
			return s;
	}
	s = calloc(1, sizeof(*s));
	place = s ? VEC_ADD(&r->subjects) : NULL;
	if (!place) {
		free(s);
		return NULL;
	}
	s->number = ++r->nr_subjects;
	*place = s;
	return s;
}

static void subject_free(struct subject *s)
{
	saved_free(&s->last);
	hash_free(&s->stacks);
	free(s);
}

/* Its last report was written. */
static void subject_drop(struct recorder *r, struct subject *s)
{
	for (size_t i = 0; i < r->subjects.n; i++) {
		if (r->subjects.v[i] != s)
			continue;
		r->subjects.v[i] = r->subjects.v[--r->subjects.n];
		subject_free(s);
		return;
	}
}

static void write_list(struct walk *w, const struct report_list_row *row, const struct report *report)
{
	struct subject *s = w->subject;
	struct report *last = &s->last.report;

	for (size_t i = 0; i < list_length(&row->list, report) && !w->rc; i++) {
		struct place line = {.bracket = '{', .record = row->record, .target = s->number, .index = i};
		const void *now = list_element(&row->list, report, i);
		void *kept = list_element(&row->list, last, i);

		if (row == &report_lists[LIST_SITES]) {
			struct report_site *site = kept, was = *site;

			site->acquired = ((const struct report_site *)now)->acquired;
			site->outstanding = ((const struct report_site *)now)->outstanding;
			saved_rates(&s->last, site, was.acquired, was.outstanding);
			site->acquired = was.acquired;
			site->outstanding = was.outstanding;
		}
		walk_struct(w, &line, row->list.of, now, kept);
		close_place(w, &line);
	}
}

static int write_report(struct recorder *r, const struct report *report)
{
	struct subject *s = subject_of(r, report);
	struct json_out j = {.out = &r->line};
	struct walk w = {.r = r, .subject = s, .j = &j, .text = s ? &s->last.text : NULL};
	struct place line = {.bracket = '{', .record = "report", .index = SIZE_MAX};

	if (!s)
		return -ENOMEM;
	line.target = s->number;
	s->last.last_s = s->last.report.elapsed_s;
	open_place(&w, &line);
	for (int i = 0; i < NR_REPORT_LISTS && !w.rc; i++) {
		const struct report_list_row *row = &report_lists[i];
		size_t n = list_length(&row->list, report);

		if (n != list_length(&row->list, &s->last.report))
			json_count(&j, row->length, n);
		w.rc = saved_resize(&s->last, &row->list, &s->last.report, n);
	}
	walk_struct(&w, &line, &report_fields, report, &s->last.report);
	close_place(&w, &line);
	for (int i = 0; i < NR_REPORT_LISTS && !w.rc; i++)
		write_list(&w, &report_lists[i], report);
	if (report->final)
		subject_drop(r, s);
	return w.rc;
}

/* --- the file ------------------------------------------------------------------------------------ */

static int compress(struct recorder *r, const struct buf *text, bool last, struct buf *out)
{
	ZSTD_inBuffer in = {text->p, text->n, 0};
	char room[16384];
	size_t left;

	r->in_frame += text->n;
	last |= r->in_frame >= FRAME_BYTES;
	do {
		ZSTD_outBuffer to = {room, sizeof(room), 0};

		left = ZSTD_compressStream2(r->zstd, &to, &in, last ? ZSTD_e_end : ZSTD_e_flush);
		if (ZSTD_isError(left))
			return -ENOMEM; /* nothing else can fail */
		buf_add(out, room, to.pos);
	} while (left);
	if (last)
		r->in_frame = 0;
	return out->failed ? -ENOMEM : 0;
}

/* What was written since the last time goes into the file. */
static int flush(struct recorder *r, bool last, struct buf *out)
{
	struct buf text = r->said;
	int rc;

	buf_add(&text, r->line.p ?: "", r->line.n);
	text.failed |= r->line.failed;
	buf_free(&r->line);
	r->said = r->line = (struct buf){0};
	rc = text.failed ? -ENOMEM : compress(r, &text, last, out);
	buf_free(&text);
	return rc;
}

static void put_catalog(struct json_out *j, const struct catalog *c)
{
	json_open(j, "families", '[');
	for (uint32_t i = NR_JNI_FAMILIES; i < c->nr_families; i++) {
		json_open(j, NULL, '{');
		json_text(j, "name", c->families[i].name);
		json_count(j, "kind", c->families[i].kind);
		json_bool(j, "by_default", c->families[i].by_default);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_open(j, "functions", '[');
	for (uint32_t i = NR_JNI_FUNCS; i < c->nr_funcs; i++) {
		json_open(j, NULL, '{');
		json_text(j, "name", c->funcs[i].name);
		json_text(j, "family", c->families[c->funcs[i].family].name);
		json_count(j, "operation", c->funcs[i].operation);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_head(struct recorder *r, const struct recording_option *options, size_t n)
{
	struct json_out j = {.out = &r->said};

	json_begin(&j);
	json_text(&j, "record", "recording");
	json_count(&j, "version", RECORDING_VERSION);
	json_open(&j, "options", '{');
	for (size_t i = 0; i < n; i++) {
		if (options[i].value)
			json_text(&j, options[i].name, options[i].value);
		else
			json_bool(&j, options[i].name, true);
	}
	json_close(&j, '}');
	put_catalog(&j, r->catalog);
	json_close(&j, '}');
	json_end_line(&j);
}

int recorder_new(const struct catalog *catalog, const struct recording_option *options, size_t n,
		 uint64_t bytes_per_hour, struct recorder **out)
{
	struct recorder *r = calloc(1, sizeof(*r));

	*out = r;
	if (!r)
		return -ENOMEM;
	r->catalog = catalog;
	r->bytes_per_s = (double)bytes_per_hour / 3600;
	r->burst = r->left = fmin(BURST_BYTES, (double)bytes_per_hour);
	r->zstd = ZSTD_createCCtx();
	if (!r->zstd || ZSTD_isError(ZSTD_CCtx_setParameter(r->zstd, ZSTD_c_compressionLevel, LEVEL)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(r->zstd, ZSTD_c_windowLog, WINDOW_LOG)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(r->zstd, ZSTD_c_checksumFlag, 1))) {
		recorder_free(r);
		*out = NULL;
		return -ENOMEM;
	}
	put_head(r, options, n);
	return 0;
}

int recorder_begin(struct recorder *r, struct buf *out)
{
	return flush(r, false, out);
}

/*
 * May a moment be written? Bytes come in at a steady rate, and what was written may have taken more than
 * there were: then the next moments are left out until that is made up for.
 */
static bool is_due(struct recorder *r, const struct report *const *reports, size_t n)
{
	double now = n ? reports[0]->time_unix_s : 0, passed = now - r->last_unix_s;

	if (passed > 0 && r->last_unix_s > 0)
		r->left = fmin(r->burst, r->left + passed * r->bytes_per_s);
	r->last_unix_s = now;
	for (size_t i = 0; i < n; i++)
		if (reports[i]->final)
			return true;
	return !(r->bytes_per_s > 0) || r->left > 0;
}

int recorder_reports(struct recorder *r, const struct report *const *reports, size_t n, struct buf *out)
{
	struct json_out j = {.out = &r->line};
	size_t before = out->n;
	int rc = 0;

	if (!n)
		return 0;
	if (!is_due(r, reports, n)) {
		r->skipped++;
		return 0;
	}
	for (size_t i = 0; i < n && !rc; i++)
		rc = write_report(r, reports[i]);
	json_open(&j, NULL, '{');
	json_text(&j, "record", "moment");
	json_count(&j, "skipped", r->skipped);
	json_close(&j, '}');
	json_end_line(&j);
	r->skipped = 0;
	rc = rc ?: flush(r, false, out);
	r->left -= (double)(out->n - before);
	return rc;
}

int recorder_end(struct recorder *r, struct buf *out)
{
	struct json_out j = {.out = &r->line};

	json_open(&j, NULL, '{');
	json_text(&j, "record", "end");
	json_count(&j, "skipped", r->skipped);
	json_close(&j, '}');
	json_end_line(&j);
	return flush(r, true, out);
}

void recorder_free(struct recorder *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->subjects.n; i++)
		subject_free(r->subjects.v[i]);
	for (size_t i = 0; i < r->stacks.n; i++)
		free(r->stacks.v[i].v);
	free(r->subjects.v);
	free(r->stacks.v);
	free(r->frames.v);
	free(r->modules.v);
	hash_free(&r->stack_numbers);
	hash_free(&r->frame_numbers);
	hash_free(&r->module_numbers);
	strset_free(&r->text);
	buf_free(&r->said);
	buf_free(&r->line);
	ZSTD_freeCCtx(r->zstd);
	free(r);
}
