/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Profiles for pprof: unpacked, with every number followed to what it stands for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "export/formats.h"
#include "golden.h"
#include "user/export/profile.pb-c.h"

#define MAX_UNPACKED (1 << 20)

/* Frees packed. */
static Pprof__Profile *unpack(struct buf *packed)
{
	unsigned char *bytes = calloc(1, MAX_UNPACKED);
	z_stream z = {
	    .next_in = (unsigned char *)packed->p,
	    .avail_in = (unsigned)packed->n,
	    .next_out = bytes,
	    .avail_out = MAX_UNPACKED,
	};
	Pprof__Profile *p;

	assert_non_null(bytes);
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0); /* there is nothing behind it */
	assert_int_equal(inflateEnd(&z), Z_OK);
	p = pprof__profile__unpack(NULL, z.total_out, bytes);
	assert_non_null(p);
	free(bytes);
	buf_free(packed);
	return p;
}

static const char *text(const Pprof__Profile *p, int64_t index)
{
	assert_in_range(index, 0, p->n_string_table - 1);
	return p->string_table[index];
}

#define FIND(p, field, wanted)                                                                               \
	({                                                                                                   \
		__typeof__((p)->field[0]) found_ = NULL;                                                     \
		for (size_t i_ = 0; i_ < (p)->n_##field; i_++)                                               \
			if ((p)->field[i_]->id == (wanted)) {                                                \
				assert_null(found_); /* ids are used once */                                 \
				found_ = (p)->field[i_];                                                     \
			}                                                                                    \
		assert_non_null(found_);                                                                     \
		found_;                                                                                      \
	})

static void dump_location(struct buf *out, const Pprof__Profile *p, uint64_t id)
{
	const Pprof__Location *l = FIND(p, location, id);

	buf_printf(out, "  %s+0x%" PRIx64 ":",
		   l->mapping_id ? text(p, FIND(p, mapping, l->mapping_id)->filename) : "-", l->address);
	for (size_t i = 0; i < l->n_line; i++) {
		const Pprof__Function *f = FIND(p, function, l->line[i]->function_id);

		assert_int_equal(f->system_name, f->name);
		buf_printf(out, "%s %s (%s:%" PRId64 ")", i ? " <-" : "", text(p, f->name),
			   text(p, f->filename), l->line[i]->line);
	}
	buf_printf(out, "\n");
}

static void dump_sample(struct buf *out, const Pprof__Profile *p, const Pprof__Sample *s)
{
	assert_int_equal(s->n_value, p->n_sample_type);
	for (size_t i = 0; i < s->n_value; i++)
		buf_printf(out, "%s%" PRId64, i ? " " : "", s->value[i]);
	for (size_t i = 0; i < s->n_label; i++)
		buf_printf(out, " %s=%s", text(p, s->label[i]->key), text(p, s->label[i]->str));
	buf_printf(out, "\n");
	for (size_t i = 0; i < s->n_location_id; i++)
		dump_location(out, p, s->location_id[i]);
}

static void dump(struct buf *out, const Pprof__Profile *p)
{
	for (size_t i = 0; i < p->n_sample_type; i++)
		buf_printf(out, "%s/%s%s ", text(p, p->sample_type[i]->type),
			   text(p, p->sample_type[i]->unit),
			   p->sample_type[i]->type == p->default_sample_type ? " (default)" : "");
	buf_printf(out, "\nstart %" PRId64 " ns, duration %" PRId64 " ns\n", p->time_nanos,
		   p->duration_nanos);
	assert_string_equal(text(p, p->comment[0]), "jnitrace " JNITRACE_VERSION);
	for (size_t i = 1; i < p->n_comment; i++)
		buf_printf(out, "comment: %s\n", text(p, p->comment[i]));
	for (size_t i = 0; i < p->n_mapping; i++) {
		const Pprof__Mapping *m = p->mapping[i];

		assert_true(m->has_functions && m->has_filenames && m->has_line_numbers &&
			    m->has_inline_frames);
		buf_printf(out, "mapping: %s %s 0x%" PRIx64 "-0x%" PRIx64 "\n", text(p, m->filename),
			   text(p, m->build_id), m->memory_start, m->memory_limit);
	}
	for (size_t i = 0; i < p->n_sample; i++)
		dump_sample(out, p, p->sample[i]);
}

static void expect_each_once(const Pprof__Profile *p)
{
	assert_string_equal(p->string_table[0], "");
	for (size_t i = 0; i < p->n_string_table; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(p->string_table[i], p->string_table[k]);
	for (size_t i = 0; i < p->n_function; i++)
		for (size_t k = 0; k < i; k++)
			assert_false(p->function[i]->name == p->function[k]->name &&
				     p->function[i]->filename == p->function[k]->filename);
}

static void expect_dump(const char *name, struct buf *packed)
{
	Pprof__Profile *p = unpack(packed);
	struct buf out = {0};

	expect_each_once(p);
	dump(&out, p);
	pprof__profile__free_unpacked(p, NULL);
	expect_golden(name, &out);
}

/* A function inlined twice in another one: once as it is, once at another line. */
static void add_inlined(struct sample *s, int line)
{
	struct report_site *site = add_site(s, FUNC_NewStringUTF, 6, 1);
	const uint64_t offset = 0x5000 + (uint64_t)line;

	add_frame(site, "deepest", "/src/in.h", line);
	add_frame(site, "deeper", "/src/in.h", 20);
	add_frame(site, "outer", "/src/out.c", 30);
	add_frame(site, "Main.run", "Main.java", 4)->type = FRAME_JAVA;
	for (size_t i = 0; i < 3; i++) {
		site->frames.v[i].inlined = i < 2;
		site->frames.v[i].offset = offset;
	}
	site->frames.v[3].module = site->frames.v[3].build_id = NULL;
	site->frames.v[3].offset = 0;
}

static void init_profile(struct sample *s)
{
	init_hostile(s);
	add_inlined(s, 10);
	add_inlined(s, 11);
	add_inlined(s, 10);
	s->report.sites.v[0].frames.v[0].path = "/opt/leaky/libleaky.so";
	s->report.drops[0] = 3;
}

static void test_pprof(void **state)
{
	struct view_opts o = plain;
	struct buf out = {0};
	struct sample s;

	(void)state;
	init_profile(&s);
	write_all(format_find("pprof"), &s, &o, &out);
	expect_dump("pprof.txt", &out);
	o.stacks = STACKS_JAVA;
	s.report.count_only = true;
	write_all(format_find("pprof"), &s, &o, &out);
	expect_dump("pprof-java-count-only.txt", &out);
}

/* Two targets that end one after the other are one profile. */
static void test_two_targets(void **state)
{
	const struct format *f = format_find("pprof");
	struct sample a, b;
	const struct report *const first[] = {&a.report}, *const second[] = {&b.report};
	struct buf out = {0};
	void *kept = NULL;

	(void)state;
	init_leaks(&a);
	init_leaks(&b);
	a.report.final = b.report.final = true;
	b.report.target.pid = 5678;
	b.report.target.main = "com.acme.Main";
	b.report.time_unix_s += 3;
	b.report.end_reason = END_EXITED;
	f->begin(&kept, &out);
	f->reports(kept, &out, first, 1, &plain);
	f->reports(kept, &out, second, 1, &plain);
	f->end(kept, &out);
	assert_false(out.failed);
	expect_dump("pprof-two-targets.txt", &out);
}

/* Longer, more and larger than there is room for. */
static void test_limits(void **state)
{
	static const struct report_class classes[] = {{.name = "a.B", .outstanding = 7},
						      {.name = "a.C", .outstanding = UINT64_MAX}};
	static char name[1 << 16];
	struct frame *frames = calloc(300, sizeof(*frames));
	struct report_site *site;
	struct buf out = {0};
	Pprof__Profile *p;
	struct sample s;
	size_t longest = 0;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	memcpy(name + 1022, "\xc3\xa4", 2); /* a letter of two bytes, where the name is cut */
	init_sample(&s);
	site = add_site(&s, FUNC_NewGlobalRef, UINT64_MAX, 0);
	site->outstanding = 10; /* fewer than its classes have: it was counted at another moment */
	site->classes.v = classes;
	site->classes.n = 2;
	site->classes.known = true;
	site->frames.v = frames;
	site->frames.n = 300;
	for (size_t i = 0; i < 300; i++)
		frames[i] = (struct frame){
		    .symbol = i ? "f" : name, .module = "m", .inlined = true, .file = "\xff\n"};
	write_all(format_find("pprof"), &s, &plain, &out);
	p = unpack(&out);
	expect_each_once(p);
	for (size_t i = 0; i < p->n_string_table; i++)
		longest = strlen(p->string_table[i]) > longest ? strlen(p->string_table[i]) : longest;
	assert_in_range(longest, 1000, 1023);
	assert_int_equal(p->n_sample, 3);
	assert_int_equal(p->sample[0]->value[0], 7);
	assert_int_equal(p->sample[1]->value[0], 3);
	assert_int_equal(p->sample[2]->value[0], 0);
	assert_int_equal(p->sample[2]->value[1], INT64_MAX);
	for (size_t i = 0, lines = 0; i < p->sample[0]->n_location_id; i++) {
		lines += FIND(p, location, p->sample[0]->location_id[i])->n_line;
		if (i + 1 == p->sample[0]->n_location_id)
			assert_int_equal(lines, 300);
	}
	pprof__profile__free_unpacked(p, NULL);
	free(frames);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pprof),
	    cmocka_unit_test(test_two_targets),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
