/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Values of a recording, by the rows of fields.h. See recording_priv.h. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "record/recording_priv.h"

int recording_damaged(struct recording *r, const char *why)
{
	return error_set(r->err, -EBADMSG, EXIT_FAILED, r->name, "nothing of it can be trusted; record again",
			 "the recording is damaged: line %llu: %s",
			 (unsigned long long)lines_number(r->lines), why);
}

int recording_full(struct recording *r)
{
	return error_set(r->err, -ENOMEM, EXIT_FAILED, r->name, "raise --limit-memory",
			 "the recording takes more memory than it may");
}

static int wrong(struct reading *in, const struct field *f)
{
	char why[96];

	snprintf(why, sizeof(why), "no value that %s can have", f->key ?: "it");
	return recording_damaged(in->r, why);
}

uint64_t recording_used(const struct recording *r, const struct subject *more)
{
	return r->once_bytes + r->text.bytes + r->text.cap * sizeof(char *) + r->text.n * 32 +
	       r->subject_bytes + (more ? more->saved.bytes : 0);
}

int recording_text(struct recording *r, struct strset *set, const json_t *v, const char **out)
{
	size_t n = json_string_length(v);
	char *clean;

	*out = NULL;
	if (json_is_null(v))
		return 0;
	if (!json_is_string(v))
		return recording_damaged(r, "no text where one belongs");
	clean = malloc(n + 1);
	if (clean)
		*out = strset_add(set, text_clean(clean, n + 1, json_string_value(v), n));
	free(clean);
	return *out ? 0 : -ENOMEM;
}

static bool read_integer(const json_t *v, int64_t least, int64_t most, int64_t *out)
{
	*out = json_integer_value(v);
	return json_is_integer(v) && *out >= least && *out <= most;
}

/* Digits in this base and nothing else. */
static bool read_digits(const char *s, int base, size_t most, uint64_t *out)
{
	const char *digits = base == 16 ? "0123456789abcdef" : "0123456789";
	size_t n = s ? strspn(s, digits) : 0;

	errno = 0;
	*out = n ? strtoull(s, NULL, base) : 0;
	return n > 0 && n <= most && !s[n] && !errno;
}

static bool read_u64(const json_t *v, uint64_t *out)
{
	int64_t n;

	if (json_is_string(v))
		return read_digits(json_string_value(v), 10, 20, out);
	*out = read_integer(v, 0, INT64_MAX, &n) ? (uint64_t)n : 0;
	return json_is_integer(v) && n >= 0;
}

static bool read_hex(const json_t *v, bool id, uint64_t *out)
{
	const char *s = json_string_value(v);

	if (id)
		return s && strlen(s) == 16 && read_digits(s, 16, 16, out);
	return s && strncmp(s, "0x", 2) == 0 && read_digits(s + 2, 16, 16, out);
}

static bool read_double(const json_t *v, double null, double *out)
{
	const char *s = json_string_value(v);

	*out = json_is_null(v) ? null : !s ? json_number_value(v) : !strcmp(s, "nan") ? NAN : INFINITY;
	if (s && !strcmp(s, "-inf"))
		*out = -INFINITY;
	return json_is_null(v) || json_is_number(v) ||
	       (s && (!strcmp(s, "inf") || !strcmp(s, "-inf") || !strcmp(s, "nan")));
}

/* One of a table's words. */
static bool read_word(const struct recording *r, const struct field *f, const json_t *v, unsigned *out)
{
	const char *s = json_string_value(v);

	for (size_t i = 0; s && i < f->n; i++) {
		const char *word = f->name(r->catalog, i);

		*out = (unsigned)i;
		if (word && !strcmp(word, s))
			return true;
	}
	return false;
}

static bool find_func(const struct recording *r, const char *word, unsigned *out)
{
	char room[FUNC_WORD_MAX];
	const char *found;

	*out = hash_find(&r->funcs, fnv64(FNV64_INIT, word, strlen(word)), 0);
	found = func_word(r->catalog, *out, room);
	return found && !strcmp(found, word);
}

static bool read_func(const struct recording *r, const json_t *v, unsigned *out)
{
	*out = FUNC_NONE;
	return json_is_null(v) || (json_is_string(v) && find_func(r, json_string_value(v), out));
}

static int read_stack(struct reading *in, const struct field *f, const json_t *v, struct frames *to)
{
	int64_t n;

	*to = (struct frames){0};
	if (json_is_null(v))
		return 0;
	if (!read_integer(v, 1, (int64_t)in->r->stacks.n, &n))
		return wrong(in, f);
	*to = in->r->stacks.v[n - 1];
	return 0;
}

static int read_module(struct reading *in, const struct field *f, const json_t *v, struct frame *to)
{
	const struct frame *m;
	int64_t n;

	if (json_is_null(v))
		return 0;
	if (!read_integer(v, 1, (int64_t)in->r->modules.n, &n))
		return wrong(in, f);
	m = &in->r->modules.v[n - 1];
	to->module = m->module;
	to->path = m->path;
	to->build_id = m->build_id;
	return 0;
}

int reading_resize(struct reading *in, const struct field *list, void *to, const json_t *length)
{
	int64_t n;

	if (!in->s || !read_integer(length, 0, INT32_MAX, &n))
		return wrong(in, list);
	if ((uint64_t)n * list->of->bytes * 2 + recording_used(in->r, in->s) > in->r->limit_bytes &&
	    (uint64_t)n > list_length(list, to))
		return recording_full(in->r);
	return saved_resize(&in->s->saved, list, to, (size_t)n);
}

/* The whole list, as an array; or by index, what has changed, and its length where that has. */
static int read_list(struct reading *in, const struct field *f, const json_t *v, void *to)
{
	json_t *none = json_integer(0), *length;
	const char *key;
	json_t *element;
	size_t i;
	int rc = none ? 0 : -ENOMEM;

	if (json_is_array(v)) {
		length = json_integer((json_int_t)json_array_size(v));
		rc = rc ?: reading_resize(in, f, to, none);
		rc = rc ?: length ? reading_resize(in, f, to, length) : -ENOMEM;
		json_decref(length);
		json_decref(none);
		json_array_foreach(v, i, element)
		{
			rc = rc ?: reading_struct(in, f->of, element, list_element(f, to, i));
		}
		return rc;
	}
	json_decref(none);
	if (rc || !json_is_object(v))
		return rc ?: wrong(in, f);
	length = json_object_get(v, "length");
	rc = length ? reading_resize(in, f, to, length) : 0;
	json_object_foreach ((json_t *)v, key, element) {
		uint64_t index;

		if (rc || element == length)
			continue;
		if (!read_digits(key, 10, 10, &index) || index >= list_length(f, to))
			return wrong(in, f);
		rc = reading_struct(in, f->of, element, list_element(f, to, index));
	}
	return rc;
}

static int read_pointer(struct reading *in, const struct field *f, const json_t *v, void *to)
{
	int rc;

	if (!in->s)
		return wrong(in, f);
	rc = saved_pointer(&in->s->saved, f, to, !json_is_null(v));
	if (rc || json_is_null(v))
		return rc;
	return reading_struct(in, f->of, v, *(void **)((char *)to + f->at));
}

/* Which of an array's names this is. */
static bool find_name(const struct recording *r, const struct field *f, const char *name, size_t *out)
{
	unsigned func;

	if (!f->name) {
		bool found = find_func(r, name, &func);

		*out = func;
		return found && func < f->n;
	}
	for (*out = 0; *out < f->n; ++*out) {
		const char *word = f->name(r->catalog, *out);

		if (word && !strcmp(word, name))
			return true;
	}
	return false;
}

static int read_named(struct reading *in, const struct field *f, const json_t *v, char *to)
{
	size_t bytes = f->bytes / f->n, i;
	const char *key;
	json_t *element;
	int rc = 0;

	if (!json_is_object(v))
		return wrong(in, f);
	json_object_foreach ((json_t *)v, key, element) {
		if (rc)
			return rc;
		if (!find_name(in->r, f, key, &i))
			return wrong(in, f);
		if (f->kind == FIELD_STRUCTS)
			rc = reading_struct(in, f->of, element, to + i * bytes);
		else if (f->kind == FIELD_FLAGS && json_is_boolean(element))
			*(bool *)(to + i * bytes) = json_is_true(element);
		else if (f->kind != FIELD_COUNTS || !read_u64(element, (uint64_t *)(to + i * bytes)))
			rc = wrong(in, f);
	}
	return rc;
}

/* A value of one word; false: it cannot be. */
static bool read_word_value(struct reading *in, const struct field *f, const json_t *v, void *to)
{
	int64_t n = 0;
	bool fits;

	switch (f->kind) {
	case FIELD_BOOL:
		*(bool *)to = json_is_true(v);
		return json_is_boolean(v);
	case FIELD_INT:
		fits = read_integer(v, INT_MIN, INT_MAX, &n);
		*(int *)to = fits ? (int)n : 0;
		return fits;
	case FIELD_U32:
		fits = read_integer(v, 0, UINT32_MAX, &n);
		*(uint32_t *)to = fits ? (uint32_t)n : 0;
		return fits;
	case FIELD_U64:
		return read_u64(v, to);
	case FIELD_I64:
		fits = json_is_null(v) || read_integer(v, INT64_MIN, INT64_MAX, &n);
		*(int64_t *)to = json_is_null(v) ? -1 : n;
		return fits;
	case FIELD_ID:
	case FIELD_HEX:
		return read_hex(v, f->kind == FIELD_ID, to);
	case FIELD_REAL:
		return read_double(v, NAN, to);
	case FIELD_KNOWN:
		return read_double(v, -1, to);
	case FIELD_WORD:
	case FIELD_FAMILY:
		return read_word(in->r, f, v, to);
	case FIELD_FUNC:
		return read_func(in->r, v, to);
	case FIELD_LATER:
		*(const struct later **)to = json_is_true(v) ? some_later : NULL;
		return json_is_boolean(v);
	case FIELD_CHARS:
		if (json_is_string(v))
			text_clean(to, f->n, json_string_value(v), json_string_length(v));
		return json_is_string(v);
	default:
		return false;
	}
}

static int read_field(struct reading *in, const struct field *f, const json_t *v, void *struct_)
{
	void *to = (char *)struct_ + f->at;

	switch (f->kind) {
	case FIELD_TEXT:
		return recording_text(in->r, in->text, v, to);
	case FIELD_STACK:
		return read_stack(in, f, v, to);
	case FIELD_MODULE:
		return read_module(in, f, v, struct_);
	case FIELD_STRUCT:
		return reading_struct(in, f->of, v, to);
	case FIELD_POINTER:
		return read_pointer(in, f, v, struct_);
	case FIELD_LIST:
		return read_list(in, f, v, struct_);
	case FIELD_COUNTS:
	case FIELD_FLAGS:
	case FIELD_STRUCTS:
		return read_named(in, f, v, to);
	default:
		return read_word_value(in, f, v, to) ? 0 : wrong(in, f);
	}
}

int reading_struct(struct reading *in, const struct fields *of, const json_t *object, void *to)
{
	int rc = json_is_object(object) ? 0 : recording_damaged(in->r, "no object where one belongs");

	for (size_t i = 0; i < of->n && !rc; i++) {
		const json_t *v = json_object_get(object, of->v[i].key);

		rc = v ? read_field(in, &of->v[i], v, to) : 0;
	}
	return rc;
}
