/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which moments are kept, however few have room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "record/marks.h"
#include "record_fixture.h"

#define MOMENTS 400

static struct recording *make_recording(void)
{
	struct made *now = made_new(7);
	struct recorder *w = make_recorder(NULL, 0);
	struct recording *r = NULL;
	struct buf file = {0};
	struct error err = {0};
	int fd = memfd_create("recording", MFD_CLOEXEC);

	assert_int_equal(recorder_begin(w, &file), 0);
	for (int m = 0; m < MOMENTS; m++) {
		const struct report *report = &now->report;

		now->report.elapsed_s = m + 1;
		now->report.final = false;
		assert_int_equal(recorder_reports(w, &report, 1, &file), 0);
	}
	assert_int_equal(recorder_end(w, &file), 0);
	assert_int_equal(write(fd, file.p, file.n), file.n);
	assert_int_equal(recording_open(fd, "file.jtr", 256 << 20, true, &r, &err), 0);
	recorder_free(w);
	made_free(now);
	buf_free(&file);
	return r; /* its fd stays until the test ends */
}

static double moment_of(const struct mark *mark)
{
	struct recording_mark *copy;
	struct report **reports;
	double elapsed_s;

	assert_int_equal(recording_mark_copy(mark->mark, &copy), 0);
	assert_int_equal(recording_mark_reports(copy, &reports), 1);
	elapsed_s = reports[0]->elapsed_s;
	recording_mark_free(copy);
	return elapsed_s;
}

/* All of them are passed, with room for so many, while one is at this moment. */
static void pass(uint64_t room, size_t now)
{
	struct recording *r = make_recording();
	struct marks marks = {0};
	struct error err = {0};
	size_t widest = 0, before = 1;

	for (size_t at = 1; at <= MOMENTS; at++) {
		struct recording_mark *mark;

		assert_int_equal(recording_next(r, &err), 1);
		assert_int_equal(recording_mark(r, &mark), 0);
		marks.most_bytes = room * recording_mark_bytes(mark);
		assert_int_equal(marks_add(&marks, at, mark, now), 0);
		assert_true(marks.bytes <= marks.most_bytes || marks.n <= 2);
		assert_int_equal(marks_find(&marks, at)->at, at);
	}
	assert_int_equal(marks_find(&marks, 1)->at, 1);
	assert_null(marks_find(&marks, 0));
	for (size_t i = 0; i < marks.n; i++) {
		widest = marks.v[i].at - before > widest ? marks.v[i].at - before : widest;
		before = marks.v[i].at;
		assert_true(moment_of(&marks.v[i]) == (double)marks.v[i].at);
	}
	if (room > 2 * MARKS_NEAR + 10) {
		assert_int_equal(marks_missing(&marks, now), 0);
		assert_true(widest <= 2 * MOMENTS / (room - 2 * MARKS_NEAR - 2) + 1);
	}
	marks_free(&marks);
	recording_close(r);
}

static void test_room(void **state)
{
	(void)state;
	pass(MOMENTS, 200);
	pass(120, MOMENTS);
	pass(120, 1);
	pass(120, 200);
	pass(10, 200);
	pass(2, 200);
	pass(0, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_room)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
