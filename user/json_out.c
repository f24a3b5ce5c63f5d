/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Building JSON records with jansson. See json_out.h. */
#include "json_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void json_put(struct json_out *j, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		j->failed = true;
}

void json_append(struct json_out *j, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) < 0)
		j->failed = true;
}

json_t *json_text(const char *s)
{
	size_t len = s ? strlen(s) : 0;
	char *clean;
	json_t *text;

	if (!s)
		return json_null();
	clean = malloc(len + 1);
	if (!clean)
		return NULL;
	text = json_string(text_clean(clean, len + 1, s, len));
	free(clean);
	return text;
}

json_t *json_count(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

json_t *json_signed(double d)
{
	if (!isfinite(d))
		return json_null();
	/* + 0.0: a rate that rounds to nothing is 0.0, not -0.0. */
	return json_real(fabs(d) < 1e9 ? round(d * 1e6) / 1e6 + 0.0 : d);
}

json_t *json_known(double d)
{
	return d >= 0 ? json_signed(d) : json_null();
}

json_t *json_hex(uint64_t n)
{
	return json_sprintf("0x%llx", (unsigned long long)n);
}

json_t *json_target(struct json_out *j, const struct report_target *t)
{
	json_t *target = json_object();

	json_put(j, target, "pid", json_integer(t->pid));
	json_put(j, target, "start_time_ticks", json_count(t->start_time_ticks));
	json_put(j, target, "comm", json_text(t->comm));
	json_put(j, target, "vm", json_text(t->vm));
	json_put(j, target, "vm_version", json_text(t->vm_version && *t->vm_version ? t->vm_version : NULL));
	json_put(j, target, "library", json_text(t->library));
	json_put(j, target, "build_id", json_text(t->build_id && *t->build_id ? t->build_id : NULL));
	return target;
}

static int write_to_buf(const char *p, size_t n, void *out)
{
	buf_add(out, p, n);
	return ((struct buf *)out)->failed ? -1 : 0;
}

void json_line(struct json_out *j, struct buf *out)
{
	size_t before = out->n;

	/* 15 digits: every decimal fraction is written as it was rounded. */
	if (j->failed || !j->record ||
	    json_dump_callback(j->record, write_to_buf, out, JSON_COMPACT | JSON_REAL_PRECISION(15)) < 0 ||
	    (buf_add(out, "\n", 1), out->failed)) {
		out->failed = true;
		out->n = before;
		if (out->p)
			out->p[before] = '\0';
	}
	json_decref(j->record);
	j->record = NULL;
}
