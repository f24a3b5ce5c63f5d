/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Writing JSON as a stream, by yajl. See json_out.h. */
#include "view/json_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "view/cells.h"

#define SHORT_TEXT 512

static void put(void *out, const char *s, size_t n)
{
	buf_add(out, s, n);
}

/* yajl uses what it gets without a look. */
static void *must_get(void *ctx, size_t n)
{
	(void)ctx;
	return malloc(n) ?: (out_of_memory("write JSON"), NULL);
}

static void *must_grow(void *ctx, void *p, size_t n)
{
	(void)ctx;
	return realloc(p, n) ?: (out_of_memory("write JSON"), NULL);
}

static void let_go(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

/* The writer of this line, with the key written when there is one; NULL: no memory. */
static yajl_gen value(struct json_out *j, const char *key)
{
	static const yajl_alloc_funcs memory = {.malloc = must_get, .realloc = must_grow, .free = let_go};

	if (!j->gen) {
		j->gen = yajl_gen_alloc(&memory);
		if (!j->gen || !yajl_gen_config(j->gen, yajl_gen_print_callback, put, j->out)) {
			j->out->failed = true;
			return NULL;
		}
	}
	if (key)
		yajl_gen_string(j->gen, (const unsigned char *)key, strlen(key));
	return j->gen;
}

static void number(struct json_out *j, const char *key, const char *digits)
{
	yajl_gen g = value(j, key);

	if (g)
		yajl_gen_number(g, digits, strlen(digits));
}

static void string(struct json_out *j, const char *key, const char *s)
{
	yajl_gen g = value(j, key);

	if (g)
		yajl_gen_string(g, (const unsigned char *)s, strlen(s));
}

void json_open(struct json_out *j, const char *key, char bracket)
{
	yajl_gen g = value(j, key);

	if (g)
		bracket == '{' ? yajl_gen_map_open(g) : yajl_gen_array_open(g);
}

void json_close(struct json_out *j, char bracket)
{
	if (j->gen)
		bracket == '}' ? yajl_gen_map_close(j->gen) : yajl_gen_array_close(j->gen);
}

void json_end_line(struct json_out *j)
{
	buf_add(j->out, "\n", 1);
	if (j->gen)
		yajl_gen_free(j->gen);
	j->gen = NULL;
}

void json_null(struct json_out *j, const char *key)
{
	yajl_gen g = value(j, key);

	if (g)
		yajl_gen_null(g);
}

void json_bool(struct json_out *j, const char *key, bool b)
{
	yajl_gen g = value(j, key);

	if (g)
		yajl_gen_bool(g, b);
}

void json_text(struct json_out *j, const char *key, const char *s)
{
	char room[SHORT_TEXT], *clean = room;
	size_t len;

	if (!s) {
		json_null(j, key);
		return;
	}
	len = strlen(s);
	if (len >= sizeof(room))
		clean = malloc(len + 1);
	if (!clean) {
		j->out->failed = true;
		return;
	}
	string(j, key, text_clean(clean, len + 1, s, len));
	if (clean != room)
		free(clean);
}

void json_count(struct json_out *j, const char *key, uint64_t n)
{
	char digits[DECIMAL_BYTES];

	decimal(n > INT64_MAX ? INT64_MAX : n, digits);
	number(j, key, digits);
}

void json_known_count(struct json_out *j, const char *key, int64_t n)
{
	if (n < 0)
		json_null(j, key);
	else
		json_count(j, key, (uint64_t)n);
}

#define MILLION    1000000
#define SMALL_REAL 1e9 /* has at most 15 digits, of which six are behind the point */

/* So many millionths, as printf's %.15g has them, which knows no point without digits behind it. */
static void put_millionths(int64_t n, char out[DECIMAL_BYTES + 2])
{
	uint64_t size = (uint64_t)(n < 0 ? -n : n), rest = size % MILLION;
	size_t at = 0;

	if (n < 0)
		out[at++] = '-';
	at += decimal(size / MILLION, out + at);
	out[at++] = '.';
	for (uint64_t place = MILLION / 10; place && (rest || out[at - 1] == '.'); place /= 10) {
		out[at++] = (char)('0' + rest / place);
		rest %= place;
	}
	out[at] = '\0';
}

void json_real(struct json_out *j, const char *key, double d)
{
	double millionths = round(d * MILLION);
	char digits[40];

	if (!isfinite(d)) {
		json_null(j, key);
		return;
	}
	/* With an exponent only what is less than a ten thousandth. */
	if (fabs(d) < SMALL_REAL && (millionths == 0 || fabs(millionths) >= 100)) {
		put_millionths((int64_t)millionths, digits);
		number(j, key, digits);
		return;
	}
	/* + 0.0: what rounds to nothing is 0, not -0. 15 digits: a decimal fraction stays as it was rounded.
	 */
	snprintf(digits, sizeof(digits) - 2, "%.15g", fabs(d) < SMALL_REAL ? millionths / MILLION + 0.0 : d);
	if (!strpbrk(digits, ".e"))
		strcat(digits, ".0");
	number(j, key, digits);
}

void json_known(struct json_out *j, const char *key, double d)
{
	json_real(j, key, d >= 0 ? d : NAN);
}

void json_signed(struct json_out *j, const char *key, int64_t n)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%lld", (long long)n);
	number(j, key, digits);
}

void json_exact(struct json_out *j, const char *key, double d)
{
	char digits[40];

	for (int precision = 15; precision <= 17; precision++) {
		snprintf(digits, sizeof(digits) - 2, "%.*g", precision, d);
		if (strtod(digits, NULL) == d)
			break;
	}
	if (!strpbrk(digits, ".e"))
		strcat(digits, ".0");
	number(j, key, digits);
}

void json_hex(struct json_out *j, const char *key, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)n);
	string(j, key, text);
}

void json_id(struct json_out *j, const char *key, uint64_t id)
{
	char text[24];

	snprintf(text, sizeof(text), "%016llx", (unsigned long long)id);
	string(j, key, text);
}

void json_begin(struct json_out *j)
{
	json_open(j, NULL, '{');
	json_text(j, "schema", JSON_SCHEMA);
	json_text(j, "jnitrace", JNITRACE_VERSION);
}

void json_time(struct json_out *j, const char *key, double unix_s)
{
	struct buf text = {0};

	fmt_time(&text, unix_s);
	json_text(j, key, text.p);
	j->out->failed |= text.failed;
	buf_free(&text);
}

static const char *or_null(const char *s)
{
	return s && *s ? s : NULL;
}

void json_target(struct json_out *j, const struct report_target *t)
{
	json_open(j, "target", '{');
	json_known_count(j, "pid", t->pid);
	json_count(j, "start_time_ticks", t->start_time_ticks);
	json_text(j, "comm", t->comm);
	json_text(j, "vm", or_null(t->vm));
	json_text(j, "vm_version", or_null(t->vm_version));
	json_text(j, "library", or_null(t->library));
	json_text(j, "build_id", or_null(t->build_id));
	json_text(j, "main", or_null(t->main));
	json_text(j, "command", or_null(t->command));
	json_text(j, "user", or_null(t->user));
	json_text(j, "container", or_null(t->container));
	json_text(j, "cgroup", or_null(t->cgroup));
	json_text(j, "host", or_null(t->host));
	json_text(j, "service", or_null(t->service));
	json_text(j, "version", or_null(t->version));
	json_text(j, "image", or_null(t->image));
	json_text(j, "pod", or_null(t->pod));
	json_text(j, "namespace", or_null(t->pod_namespace));
	json_text(j, "pod_uid", or_null(t->pod_uid));
	json_close(j, '}');
}
