/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Profiles for OpenTelemetry: unpacked, with every index followed to what it stands for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "export/otlp.h"
#include "golden.h"
#include "user/export/otlp.pb-c.h"

#define MAX_UNPACKED (1 << 20)

struct unpacked {
	Otlp__Request *request;
	Otlp__Dictionary *d;
	bool *used; /* texts of d */
};

static struct unpacked unpack(const struct report *r, const struct view_opts *o)
{
	struct buf packed = {0};
	unsigned char *bytes = calloc(1, MAX_UNPACKED);
	struct unpacked u;
	z_stream z = {.next_out = bytes, .avail_out = MAX_UNPACKED};

	otlp_write(&packed, "shop\x1b[2J", r, o);
	assert_false(packed.failed);
	assert_non_null(bytes);
	z.next_in = (unsigned char *)packed.p;
	z.avail_in = (unsigned)packed.n;
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0); /* there is nothing behind it */
	assert_int_equal(inflateEnd(&z), Z_OK);
	u.request = otlp__request__unpack(NULL, z.total_out, bytes);
	assert_non_null(u.request);
	u.d = otlp__dictionary__unpack(NULL, u.request->dictionary.len, u.request->dictionary.data);
	assert_non_null(u.d);
	u.used = calloc(u.d->n_string_table, sizeof(*u.used));
	assert_non_null(u.used);
	free(bytes);
	buf_free(&packed);
	return u;
}

static void free_unpacked(struct unpacked *u)
{
	otlp__request__free_unpacked(u->request, NULL);
	otlp__dictionary__free_unpacked(u->d, NULL);
	free(u->used);
}

static const char *text(struct unpacked *u, int32_t index)
{
	assert_in_range(index, 0, u->d->n_string_table - 1);
	u->used[index] = true;
	return u->d->string_table[index];
}

/* Not the zero value, nor one that is not there. */
#define ELEMENT(u, table, index)                                                                             \
	({                                                                                                   \
		assert_in_range(index, 1, (u)->d->n_##table - 1);                                            \
		(u)->d->table[index];                                                                        \
	})

static void dump_value(struct buf *out, const Otlp__AnyValue *v)
{
	if (v->value_case == OTLP__ANY_VALUE__VALUE_INT_VALUE)
		buf_printf(out, "%" PRId64, v->int_value);
	else
		buf_printf(out, "\"%s\"", v->string_value);
}

static void dump_attributes(struct buf *out, struct unpacked *u, const int32_t *of, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const Otlp__KeyValueAndUnit *a = ELEMENT(u, attribute_table, of[i]);

		buf_printf(out, " %s=", text(u, a->key_strindex));
		dump_value(out, a->value);
	}
}

static void dump_stack(struct buf *out, struct unpacked *u, int32_t index)
{
	const Otlp__Stack *stack = ELEMENT(u, stack_table, index);

	for (size_t i = 0; i < stack->n_location_indices; i++) {
		const Otlp__Location *l = ELEMENT(u, location_table, stack->location_indices[i]);

		if (l->mapping_index) {
			const Otlp__Mapping *m = ELEMENT(u, mapping_table, l->mapping_index);

			buf_printf(out, "    %s", text(u, m->filename_strindex));
			dump_attributes(out, u, m->attribute_indices, m->n_attribute_indices);
			assert_in_range(l->address, m->memory_start, m->memory_limit);
		} else {
			buf_printf(out, "    -");
		}
		buf_printf(out, " 0x%" PRIx64 ":", l->address);
		for (size_t k = 0; k < l->n_lines; k++) {
			const Otlp__Function *f = ELEMENT(u, function_table, l->lines[k]->function_index);

			buf_printf(out, "%s %s (%s:%" PRId64 ")", k ? " in" : "", text(u, f->name_strindex),
				   text(u, f->filename_strindex), l->lines[k]->line);
		}
		buf_printf(out, "\n");
	}
}

static void dump_profile(struct buf *out, struct unpacked *u, const ProtobufCBinaryData *packed)
{
	Otlp__Profile *p = otlp__profile__unpack(NULL, packed->len, packed->data);

	assert_non_null(p);
	buf_printf(out, "\n%s (%s) at %" PRIu64 " for %" PRIu64 ":", text(u, p->sample_type->type_strindex),
		   text(u, p->sample_type->unit_strindex), p->time_unix_nano, p->duration_nano);
	dump_attributes(out, u, p->attribute_indices, p->n_attribute_indices);
	buf_printf(out, "\n");
	assert_int_equal(p->profile_id.len, 16);
	for (size_t i = 0; i < p->n_samples; i++) {
		assert_int_equal(p->samples[i]->n_values, 1);
		buf_printf(out, "  %" PRId64, p->samples[i]->values[0]);
		dump_attributes(out, u, p->samples[i]->attribute_indices, p->samples[i]->n_attribute_indices);
		buf_printf(out, "\n");
		dump_stack(out, u, p->samples[i]->stack_index);
	}
	otlp__profile__free_unpacked(p, NULL);
}

/* The first of each table is its zero value; no text is there twice, or for nothing. */
static void expect_tables(const struct unpacked *u)
{
	const Otlp__Dictionary *d = u->d;

	assert_string_equal(d->string_table[0], "");
	assert_int_equal(otlp__mapping__get_packed_size(d->mapping_table[0]), 0);
	assert_int_equal(otlp__location__get_packed_size(d->location_table[0]), 0);
	assert_int_equal(otlp__function__get_packed_size(d->function_table[0]), 0);
	assert_int_equal(otlp__key_value_and_unit__get_packed_size(d->attribute_table[0]), 0);
	assert_int_equal(otlp__stack__get_packed_size(d->stack_table[0]), 0);
	assert_int_equal(d->n_link_table, 1);
	assert_int_equal(d->link_table[0]->trace_id.len, 16);
	assert_int_equal(d->link_table[0]->span_id.len, 8);
	for (size_t i = 1; i < d->n_string_table; i++) {
		assert_true(u->used[i]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(d->string_table[i], d->string_table[k]);
	}
}

static void expect_dump(const char *name, const struct report *r, const struct view_opts *o)
{
	struct unpacked u = unpack(r, o);
	const Otlp__ResourceProfiles *of_target;
	struct buf out = {0};

	assert_int_equal(u.request->n_resource_profiles, 1);
	of_target = u.request->resource_profiles[0];
	for (size_t i = 0; i < of_target->resource->n_attributes; i++) {
		buf_printf(&out, "%s=", text(&u, of_target->resource->attributes[i]->key_strindex));
		dump_value(&out, of_target->resource->attributes[i]->value);
		buf_printf(&out, "\n");
	}
	assert_int_equal(of_target->n_scope_profiles, 1);
	buf_printf(&out, "by %s\n", of_target->scope_profiles[0]->scope->name);
	for (size_t i = 0; i < of_target->scope_profiles[0]->n_profiles; i++)
		dump_profile(&out, &u, &of_target->scope_profiles[0]->profiles[i]);
	expect_tables(&u);
	free_unpacked(&u);
	expect_golden(name, &out);
}

/* Two functions that are inlined in a third. */
static void add_inlined(struct sample *s, int line)
{
	struct report_site *site = add_site(s, FUNC_NewStringUTF, 6, 1);

	add_frame(site, "deepest", "/src/in.h", line);
	add_frame(site, "deeper", "/src/in.h", 20);
	add_frame(site, "outer", "/src/out.c", 30);
	add_frame(site, "Main.run", "Main.java", 4)->type = FRAME_JAVA;
	for (size_t i = 0; i < 3; i++) {
		site->frames.v[i].inlined = i < 2;
		site->frames.v[i].offset = 0x5000 + (uint64_t)line;
	}
	site->frames.v[3].module = site->frames.v[3].build_id = NULL;
	site->frames.v[3].offset = 0;
}

static void test_otlp(void **state)
{
	static const struct report_class classes[] = {{.name = "a.B", .outstanding = 2},
						      {.name = "a.C", .outstanding = 1}};
	struct view_opts o = plain;
	struct sample s;

	(void)state;
	init_hostile(&s);
	add_inlined(&s, 10);
	add_inlined(&s, 11);
	s.report.sites.v[0].frames.v[0].path = "/opt/leaky/libleaky.so";
	s.report.sites.v[s.report.sites.n - 1].classes.v = classes;
	s.report.sites.v[s.report.sites.n - 1].classes.n = 2;
	s.report.sites.v[s.report.sites.n - 1].classes.known = true;
	s.report.drops[0] = 3;
	s.report.families[1].one_in = 5;
	s.report.target.image = "registry:5000/shop:1.2";
	s.report.target.pod = "shop-1";
	expect_dump("otlp.txt", &s.report, &o);
	o.stacks = STACKS_JAVA;
	s.report.count_only = true;
	expect_dump("otlp-java-count-only.txt", &s.report, &o);
}

/* An answer may be cut off, or be none at all. */
static void test_answers(void **state)
{
	static const struct {
		const char *answer;
		size_t n;
		uint64_t rejected;
		const char *why;
	} rows[] = {
	    {"", 0, 0, ""},
	    {"\x0a\x00", 2, 0, ""},
	    {"\x0a\x06\x08\x03\x12\x02no", 8, 3, "no"},
	    {"\x0a\x05\x08\x01\x12\x01\x1b", 7, 1, "?"},
	    {"\x0a\x06\x08\x03\x12\x02n", 7, 0, ""},
	    {"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13, 0, ""}, /* -1 */
	    {"<html>", 6, 0, ""},
	};
	char why[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(otlp_rejected(rows[i].answer, rows[i].n, why, sizeof(why)),
				 rows[i].rejected);
		assert_string_equal(why, rows[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_otlp),
	    cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
