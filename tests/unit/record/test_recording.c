/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is written is what is read: every member of a report, at every moment, and of files that break off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "base/util.h"
#include "record_fixture.h"

/* --- every member has a row ---------------------------------------------------------------------- */

/* The rows of a struct inside another. */
static const struct fields *inner(const struct fields *of, const char *key)
{
	for (size_t i = 0; i < of->n; i++)
		if (strcmp(of->v[i].key, key) == 0)
			return of->v[i].of;
	fail_msg("no row %s", key);
	return NULL;
}

/* All members of `painted` are other than 0: what no row covers is found. */
static void expect_covered(const char *name, const struct fields *of, const void *painted, size_t bytes)
{
	uint8_t *left = malloc(bytes);

	assert_non_null(left);
	assert_int_equal(of->bytes, bytes);
	memcpy(left, painted, bytes);
	for (size_t i = 0; i < of->n; i++) {
		const struct field *f = &of->v[i];

		memset(left + f->at, 0, f->bytes);
		if (f->kind == FIELD_LIST)
			memset(left + f->n_at, 0, sizeof(size_t));
		if (f->kind == FIELD_MODULE) { /* its path and build id */
			memset(left + offsetof(struct frame, path), 0, sizeof(char *));
			memset(left + offsetof(struct frame, build_id), 0, sizeof(char *));
		}
	}
	for (size_t i = 0; i < bytes; i++)
		if (left[i])
			fail_msg("struct %s: the member at byte %zu has no row in record/fields.c", name, i);
	free(left);
}

#define COVERED(type, of, ...)                                                                               \
	do {                                                                                                 \
		static const struct type painted = {__VA_ARGS__};                                            \
		expect_covered(#type, of, &painted, sizeof(painted));                                        \
	} while (0)

/*
 * The initializers name no members on purpose: one that is new to a struct is missing in them, and this does
 * not compile until it is painted here; then it fails until it has a row. 0: what is not data of the report.
 */
#define T "text"
#define P ((void *)1)
#define L3                                                                                                   \
	{                                                                                                    \
		P, 1, 0                                                                                      \
	} /* v, n, cap */
#define L2                                                                                                   \
	{                                                                                                    \
		P, 1                                                                                         \
	} /* v, n */
static void every_member_has_a_row(void **state)
{
	const struct fields *site = &site_fields, *finding = &finding_fields;
	const struct fields *class = inner(site, "classes"), *pins = inner(site, "pins");
	const struct fields *held = inner(finding, "held"), *report = &report_fields;

	(void)state;
	COVERED(frame, &frame_fields, FRAME_VM, T, T, T, 1, T, T, 1, true, true, true, true, true, P,
		END_DEPTH);
	COVERED(report_of, inner(class, "of"), T, T, 1, 1, 1);
	COVERED(report_class, class, T, 1, true, L2);
	COVERED(report_pins, pins, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, true, {1, 1});
	COVERED(report_thread, inner(site, "threads"), 1, 1, T, 1, 1, 1, true, true, 1);
	COVERED(report_verdict, inner(site, "verdict"), VERDICT_BURST, CONFIDENCE_HIGH, 1, 1, 1, 1, 1, 1,
		true, true);
	COVERED(report_site, site, 1, FUNC_NewGlobalRef, 1, 1, 1, 1, 1, 1, true, 1, 1, 1, 1, L3, T, true, 1,
		P, {VERDICT_BURST, CONFIDENCE_HIGH, 1, 1, 1, 1, 1, 1, true, true}, {P, 1, true},
		{P, 1, true});
	COVERED(report_stack, inner(finding, "call"), true, L3, T);
	COVERED(report_holding, inner(held, "held_now"), 1, 1);
	COVERED(report_stalled, inner(held, "stalled"), 1, T, 1, 1, 1, 1);
	COVERED(report_held, held, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, true, {1, 1}}, 1, 1, 1, 1, L3, T, L3);
	COVERED(report_finding_thread, inner(finding, "caller_thread"), 1, T);
	COVERED(report_finding, finding, FINDING_LEAK, 1, 1, 1, FUNC_NewGlobalRef, 1, 1, 1, 1, {true, L3, T},
		{true, L3, T}, {true, L3, T}, T, T, P, {1, T}, {1, T}, FUNC_NewGlobalRef, 1, 1);
	COVERED(report_before, &before_fields, FAMILY_WEAK, T, 1, true, L2);
	COVERED(report_library, inner(report, "libraries"), T, T, T, T, T, 1, {1, 1}, true, 1);
	COVERED(report_refusal, inner(report, "refusals"), T);
	COVERED(vm_limit, inner(inner(report, "families"), "limit"), true, 1, T, true, 1);
	COVERED(report_family, inner(report, "families"), true, 1, 1, 1, 1, 1, T, true, 1, 1, 1, 1, 1, 1,
		true, {true, 1, T, true, 1}, 1, 1, 1, 1, 1);
	COVERED(report_check, inner(report, "check"), true, 1, 1, 1);
	COVERED(report_pile, inner(report, "local_pile"), true, 1, 1, T, 1, 1, true, true, 1);
	COVERED(report_target, inner(report, "target"), 1, 1, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T,
		T);
	COVERED(report_stacks, inner(report, "stacks"), 1, 1, 1, 1, {1, 1});
	COVERED(
	    report, report, NULL /* catalog: the recording's */,
	    {1, 1, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T}, 1, 1, true, END_EXITED, {true}, {1},
	    {{true, 1, 1, 1, 1, 1, T, true, 1, 1, 1, 1, 1, 1, true, {true, 1, T, true, 1}, 1, 1, 1, 1, 1}},
	    {true, 1, 1, 1}, {true, 1, 1, T, 1, 1, true, true, 1},
	    {0} /* sites: lines of their own, likewise */, {0} /* before */, {0} /* findings */, {1}, L3,
	    {0} /* held: the memory of findings */, {1, 1, 1, 1, {1, 1}}, L3, T, T, {1}, 1, 1, 1, true, 1, 1,
	    1, 1, 1);
}

/* --- round trips --------------------------------------------------------------------------------- */

static struct recording *open_bytes(const struct buf *file, size_t n, struct error *err)
{
	int fd = memfd_create("recording", MFD_CLOEXEC), rc;
	struct recording *r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, file->p, n), n);
	rc = recording_open(fd, "file.jtr", 256 << 20, true, &r, err);
	assert_int_equal(!r, rc != 0);
	return r; /* its fd stays until the test ends: memory of some kilobytes */
}

#define MOMENTS 12
#define TARGETS 2
static void many_reports(void **state)
{
	for (uint32_t seed = 1; seed <= 30; seed++) {
		struct made *now[TARGETS] = {made_new(seed), made_new(seed + 1000)};
		struct recorder *w = make_recorder(NULL, 0);
		struct made_list history = {0};
		struct buf file = {0};
		struct error err = {0};
		struct recording *r;

		assert_int_equal(recorder_begin(w, &file), 0);
		for (int m = 0; m < MOMENTS; m++) {
			const struct report *reports[TARGETS];

			for (int t = 0; t < TARGETS; t++) {
				struct made *made = now[(m + t) % TARGETS]; /* in any order */

				made_change(made, m == MOMENTS - 1);
				reports[t] = made_keep(&history, made);
			}
			assert_int_equal(recorder_reports(w, reports, TARGETS, &file), 0);
		}
		assert_int_equal(recorder_end(w, &file), 0);
		recorder_free(w);
		r = open_bytes(&file, file.n, &err);
		if (!r)
			fail_msg("seed %u: %s: %s", seed, err.what, err.why);
		for (int m = 0; m < MOMENTS; m++) {
			struct report **got;

			if (recording_next(r, &err) != 1)
				fail_msg("seed %u, moment %d: %s: %s", seed, m, err.what, err.why);
			assert_int_equal(recording_reports(r, &got), TARGETS);
			for (int t = 0; t < TARGETS; t++)
				expect_same_report(history.v[m * TARGETS + t], got[t]);
		}
		assert_int_equal(recording_next(r, &err), 0);
		assert_true(recording_is_whole(r));
		recording_close(r);
		made_list_free(&history);
		for (int t = 0; t < TARGETS; t++)
			made_free(now[t]);
		buf_free(&file);
	}
	(void)state;
}

/* The same text in many frames, which begin anywhere. */
static void cut_into_frames(struct buf *file)
{
	ZSTD_DCtx *zstd = ZSTD_createDCtx();
	ZSTD_inBuffer in = {file->p, file->n, 0};
	struct buf text = {0}, out = {0};
	char room[65536];

	while (in.pos < in.size) {
		ZSTD_outBuffer to = {room, sizeof(room), 0};

		assert_false(ZSTD_isError(ZSTD_decompressStream(zstd, &to, &in)));
		buf_add(&text, room, to.pos);
	}
	for (size_t at = 0, n = 1; at < text.n; at += n, n = n * 5 % 7919 + 1) {
		n = n < text.n - at ? n : text.n - at;
		compress_text(text.p + at, n, &out);
	}
	ZSTD_freeDCtx(zstd);
	buf_free(&text);
	buf_free(file);
	*file = out;
}

static void expect_moment(struct report **got, int n, const struct made_list *history, int m)
{
	assert_int_equal(n, TARGETS);
	for (int t = 0; t < TARGETS; t++)
		expect_same_report(history->v[m * TARGETS + t], got[t]);
}

/* Every moment from every other one, and what comes behind it. */
static void back_and_forth(void **state)
{
	for (uint32_t seed = 1; seed <= 10; seed++) {
		struct made *now[TARGETS] = {made_new(seed), made_new(seed + 1000)};
		struct recorder *w = make_recorder(NULL, 0);
		struct recording_mark *marks[MOMENTS], *copy;
		struct made_list history = {0};
		struct buf file = {0};
		struct error err = {0};
		struct recording *r;
		struct report **got;

		assert_int_equal(recorder_begin(w, &file), 0);
		for (int m = 0; m < MOMENTS; m++) {
			const struct report *reports[TARGETS];

			for (int t = 0; t < TARGETS; t++) {
				made_change(now[t], m == MOMENTS - 1);
				reports[t] = made_keep(&history, now[t]);
			}
			assert_int_equal(recorder_reports(w, reports, TARGETS, &file), 0);
		}
		assert_int_equal(recorder_end(w, &file), 0);
		recorder_free(w);
		if (seed % 2)
			cut_into_frames(&file);
		r = open_bytes(&file, file.n, &err);
		for (int m = 0; m < MOMENTS; m++) {
			assert_int_equal(recording_next(r, &err), 1);
			assert_int_equal(recording_mark(r, &marks[m]), 0);
			assert_true(recording_mark_bytes(marks[m]) > sizeof(struct report));
		}
		assert_int_equal(recording_next(r, &err), 0);
		for (int i = 0; i < MOMENTS * MOMENTS; i++) {
			int m = i * 5 % MOMENTS, on = i / MOMENTS % 4, n;

			assert_int_equal(recording_mark_copy(marks[m], &copy), 0);
			n = recording_mark_reports(copy, &got);
			expect_moment(got, n, &history, m);
			assert_int_equal(recording_go(r, marks[m]), 0);
			recording_mark_free(copy);
			for (; on > 0 && m + 1 < MOMENTS; on--) {
				if (recording_next(r, &err) != 1)
					fail_msg("seed %u, behind moment %d: %s: %s", seed, m, err.what,
						 err.why);
				m++;
				n = recording_reports(r, &got);
				expect_moment(got, n, &history, m);
			}
		}
		assert_int_equal(recording_go(r, marks[MOMENTS - 1]), 0);
		assert_int_equal(recording_next(r, &err), 0);
		assert_true(recording_is_whole(r));
		for (int m = 0; m < MOMENTS; m++)
			recording_mark_free(marks[m]);
		recording_close(r);
		made_list_free(&history);
		for (int t = 0; t < TARGETS; t++)
			made_free(now[t]);
		buf_free(&file);
	}
	(void)state;
}

/* --- files that break off, or are damaged -------------------------------------------------------- */

/* Its texts are the history's. */
static struct made *make_file(struct buf *file, int moments, struct made_list *history)
{
	struct made *now = made_new(7);
	struct recorder *w = make_recorder(NULL, 0);

	assert_int_equal(recorder_begin(w, file), 0);
	for (int m = 0; m < moments; m++) {
		const struct report *report;

		made_change(now, m == moments - 1);
		report = made_keep(history, now);
		assert_int_equal(recorder_reports(w, &report, 1, file), 0);
	}
	assert_int_equal(recorder_end(w, file), 0);
	recorder_free(w);
	return now;
}

/* How many moments there are, each of which is as it was; negative: refused, in one line that says what and
 * why. */
static int read_all(struct recording *r, const struct made_list *history, struct error *err)
{
	int n = 0, rc;

	while ((rc = recording_next(r, err)) > 0) {
		struct report **got;

		assert_int_equal(recording_reports(r, &got), 1);
		expect_same_report(history->v[n++], got[0]);
	}
	return rc < 0 ? rc : n;
}

static void broken_off_anywhere(void **state)
{
	struct made_list history = {0};
	struct made *now;
	struct buf file = {0};
	int before = 0;

	(void)state;
	now = make_file(&file, 3, &history);
	for (size_t n = 0; n <= file.n; n++) {
		struct error err = {0};
		struct recording *r = open_bytes(&file, n, &err);
		int got;

		if (!r) {
			assert_int_equal(before, 0);
			assert_true(err.what[0] && err.why[0]);
			continue;
		}
		got = read_all(r, &history, &err);
		if (got < before || got > before + 1)
			fail_msg("%zu of %zu bytes: %d moments behind %d: %s", n, file.n, got, before,
				 err.why);
		assert_int_equal(recording_is_whole(r), n + 4 >= file.n && recording_is_whole(r));
		before = got;
		recording_close(r);
	}
	assert_int_equal(before, 3);
	made_list_free(&history);
	made_free(now);
	buf_free(&file);
}

/* The checksum is at the end: what was read until then may be wrong, but that is said then. */
static void any_byte_changed(void **state)
{
	struct made_list history = {0};
	struct made *now;
	struct buf file = {0};

	(void)state;
	now = make_file(&file, 2, &history);
	for (size_t i = 0; i < file.n * 2; i++) {
		struct error err = {0};
		struct recording *r;
		int rc = 0;

		file.p[i / 2] ^= i % 2 ? 0x40 : 1;
		r = open_bytes(&file, file.n, &err);
		while (r && (rc = recording_next(r, &err)) > 0) {
			struct report **got;

			assert_true(recording_last(r, &got) > 0);
		}
		if (!r || rc < 0)
			assert_true(err.what[0] && err.why[0] && err.advice[0]);
		file.p[i / 2] ^= i % 2 ? 0x40 : 1;
		recording_close(r);
	}
	made_list_free(&history);
	made_free(now);
	buf_free(&file);
}

/* --- lies ---------------------------------------------------------------------------------------- */

#define HEAD                                                                                                 \
	"{\"schema\":\"jnitrace/"                                                                            \
	"1\",\"jnitrace\":\"0\",\"record\":\"recording\",\"version\":1,\"options\":{},"                      \
	"\"families\":[],\"functions\":[]}\n"
#define REPORT "{\"record\":\"report\",\"process\":1,\"elapsed_s\":1.0}\n"
#define MOMENT "{\"record\":\"moment\",\"skipped\":0}\n"

static void lies(void **state)
{
	static const char *const texts[] = {
	    "",
	    "\n",
	    "{}\n",
	    "[]\n",
	    "nonsense\n",
	    "{\"record\":\"recording\"}\n",
	    "{\"schema\":\"jnitrace/"
	    "1\",\"record\":\"recording\",\"version\":2,\"options\":{},\"families\":[],\"functions\":[]}\n",
	    HEAD HEAD,
	    HEAD "{\"record\":\"unknown\"}\n",
	    HEAD MOMENT,
	    HEAD REPORT REPORT,
	    HEAD "{\"record\":\"report\",\"process\":2}\n",
	    HEAD "{\"record\":\"report\",\"process\":0}\n",
	    HEAD "{\"record\":\"report\",\"process\":1,\"process\":1}\n",
	    HEAD "{\"record\":\"report\",\"process\":1,\"sites\":-1}\n",
	    HEAD "{\"record\":\"report\",\"process\":1,\"sites\":99999999999}\n",
	    HEAD "{\"record\":\"report\",\"process\":1,\"sites\":2000000000}\n",
	    HEAD "{\"record\":\"report\",\"process\":1,\"sites\":1}\n" MOMENT,
	    HEAD "{\"record\":\"report\",\"process\":1,\"events\":-1}\n",
	    HEAD "{\"record\":\"report\",\"process\":1,\"events\":1.5}\n",
	    HEAD "{\"record\":\"report\",\"process\":1,\"events\":1e999}\n",
	    HEAD "{\"record\":\"report\",\"process\":1,\"events\":99999999999999999999}\n",
	    HEAD "{\"record\":\"report\",\"process\":1,\"events\":\"18446744073709551616\"}\n",
	    HEAD "{\"record\":\"report\",\"process\":1,\"end_reason\":\"bored\"}\n",
	    HEAD "{\"record\":\"report\",\"process\":1,\"calls\":{\"NoSuchCall\":1}}\n",
	    HEAD "{\"record\":\"report\",\"process\":1,\"calls\":[1]}\n",
	    HEAD "{\"record\":\"report\",\"process\":1,\"libraries\":{\"0\":{}}}\n",
	    HEAD "{\"record\":\"report\",\"process\":1,\"libraries\":{\"length\":1,\"1\":{}}}\n",
	    HEAD "{\"record\":\"report\",\"process\":1,\"libraries\":{\"length\":2147483647}}\n",
	    HEAD REPORT "{\"record\":\"site\",\"process\":1,\"site\":0}\n",
	    HEAD "{\"record\":\"site\",\"process\":1,\"site\":0}\n",
	    HEAD "{\"record\":\"report\",\"process\":1,\"sites\":1}\n{\"record\":\"site\",\"process\":1,"
		 "\"site\":0,\"stack\":1}\n",
	    HEAD "{\"record\":\"report\",\"process\":1,\"sites\":1}\n{\"record\":\"site\",\"process\":1,"
		 "\"site\":0,"
		 "\"function\":\"DeleteGlobalRef\",\"classes\":[{}]}\n",
	    HEAD "{\"record\":\"stack\",\"number\":1,\"frames\":[1]}\n",
	    HEAD "{\"record\":\"stack\",\"number\":1,\"frames\":[]}\n",
	    HEAD "{\"record\":\"frame\",\"number\":1,\"module\":1}\n",
	    HEAD "{\"record\":\"frame\",\"number\":2}\n",
	    HEAD "{\"record\":\"end\",\"skipped\":0}\n" HEAD,
	    HEAD "{\"record\":\"end\"}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct buf file = {0};
		struct error err = {0};
		struct recording *r;
		int rc = -1;

		compress_text(texts[i], strlen(texts[i]), &file);
		r = open_bytes(&file, file.n, &err);
		while (r && (rc = recording_next(r, &err)) > 0)
			;
		if (rc == 0)
			fail_msg("believed: %s", texts[i]);
		if (!err.what[0] || !err.why[0] || !err.advice[0])
			fail_msg("no reason: %s", texts[i]);
		recording_close(r);
		buf_free(&file);
	}
}

/* A file of some kilobytes that becomes a line without end, or a tree without end, takes little memory. */
static void bombs(void **state)
{
	static const char *const pieces[] = {" ", "[", "0,", "{\"a\":"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct buf text = {0}, file = {0};
		struct error err = {0};

		for (size_t n = 0; n < 40 << 20; n += strlen(pieces[i]))
			buf_add(&text, pieces[i], strlen(pieces[i]));
		compress_text(text.p, text.n, &file);
		assert_true(file.n < 64 << 10);
		assert_null(open_bytes(&file, file.n, &err));
		assert_true(err.why[0]);
		buf_free(&text);
		buf_free(&file);
	}
}

/* --- room ---------------------------------------------------------------------------------------- */

/* What would take more than there is room for is left out, and counted; a last report is not. */
static void keeps_to_its_room(void **state)
{
	struct made_list history = {0};
	struct made *now = made_new(3);
	struct recorder *w = make_recorder(NULL, 1);
	struct buf file = {0};
	struct error err = {0};
	struct recording *r;
	uint64_t skipped = 0;
	int written = 0, moments = 0;

	(void)state;
	assert_int_equal(recorder_begin(w, &file), 0);
	for (int m = 0; m < 100; m++) {
		const struct report *report;

		made_change(now, m == 99);
		report = &now->report;
		written = m + 1;
		assert_int_equal(recorder_reports(w, &report, 1, &file), 0);
	}
	assert_int_equal(recorder_end(w, &file), 0);
	recorder_free(w);
	r = open_bytes(&file, file.n, &err);
	while (recording_next(r, &err) > 0) {
		moments++;
		skipped += recording_skipped(r);
	}
	assert_true(recording_is_whole(r));
	assert_string_equal(recording_made_by(r), JNITRACE_VERSION);
	assert_true(skipped > 0);
	assert_int_equal(moments + skipped, written);
	recording_close(r);
	made_list_free(&history);
	made_free(now);
	buf_free(&file);
}

/* A target that comes 100 s later, when the wall clock has been set by an hour, either way. */
static void a_clock_that_is_set(void **state)
{
	(void)state;
	for (double set_s = -3600; set_s <= 3600; set_s += 3600) {
		struct made *first = made_new(7), *later = made_new(8);
		const struct report *both[] = {&first->report, &later->report};
		struct recorder *w = make_recorder(NULL, 0);
		struct recording *r;
		struct buf file = {0};
		struct error err = {0};

		first->report.target.pid = 7;
		later->report.target.pid = 8;
		first->report.final = later->report.final = false;
		first->report.elapsed_s = 1;
		assert_int_equal(recorder_begin(w, &file), 0);
		assert_int_equal(recorder_reports(w, both, 1, &file), 0);
		for (int s = 1; s <= 3; s++) {
			first->report.elapsed_s = 100 + s;
			later->report.elapsed_s = s;
			first->report.time_unix_s = later->report.time_unix_s += set_s + s;
			assert_int_equal(recorder_reports(w, both, 2, &file), 0);
		}
		assert_int_equal(recorder_reports(w, &both[1], 1, &file), 0);
		assert_int_equal(recorder_end(w, &file), 0);
		r = open_bytes(&file, file.n, &err);
		for (int moment = 0; moment < 5; moment++)
			assert_int_equal(recording_next(r, &err), 1);
		assert_true(recording_at_s(r) == 103);
		recording_close(r);
		recorder_free(w);
		made_free(first);
		made_free(later);
		buf_free(&file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_member_has_a_row),
	    cmocka_unit_test(many_reports),
	    cmocka_unit_test(back_and_forth),
	    cmocka_unit_test(broken_off_anywhere),
	    cmocka_unit_test(any_byte_changed),
	    cmocka_unit_test(lies),
	    cmocka_unit_test(bombs),
	    cmocka_unit_test(keeps_to_its_room),
	    cmocka_unit_test(a_clock_that_is_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
