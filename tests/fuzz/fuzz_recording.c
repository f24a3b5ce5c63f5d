/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A recording, and every view of what is believed of it. The input is a file; or, where it begins like one of
 * its lines, what is in the file: then lines are made up, not zstd frames.
 */
#include "fuzz.h"

#include <string.h>
#include <zstd.h>

#include "export/formats.h"
#include "model/since.h"
#include "record/recording.h"
#include "view/columns.h"

#define MOMENTS     16
#define LIMIT_BYTES (64UL << 20)

static int file_of(const uint8_t *data, size_t n)
{
	size_t room = ZSTD_compressBound(n), packed;
	uint8_t *to;
	int fd;

	if (!n || *data != '{')
		return fuzz_file(data, n);
	to = malloc(room);
	packed = to ? ZSTD_compress(to, room, data, n, 1) : 0;
	if (!to || ZSTD_isError(packed))
		abort();
	fd = fuzz_file(to, packed);
	free(to);
	return fd;
}

static void show(struct report **reports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		report_sort(reports[i], NULL);
	for (size_t f = 0; f < nr_formats; f++)
		for (int g = 0; g < NR_GROUPS; g++) {
			const struct view_opts o = {.width = 80,
						    .rows = 20,
						    .stack_frames = 3,
						    .group_by = g,
						    .all = g % 2,
						    .height = g % 3 * 10};
			struct buf out = {0};
			void *state = NULL;

			if (formats[f].begin)
				formats[f].begin(&state, &out);
			formats[f].reports(state, &out, (const struct report *const *)reports, n, &o);
			if (formats[f].end)
				formats[f].end(state, &out);
			buf_free(&out);
		}
}

static void read_all(int fd, struct recording *then)
{
	struct error err = {0};
	struct recording *r;
	struct report **now, **before;
	int rc, n, m;

	if (recording_open(fd, "fuzz", LIMIT_BYTES, true, &r, &err)) {
		if (!err.what[0] || !err.why[0])
			abort(); /* a refusal says why */
		return;
	}
	for (int i = 0; i < MOMENTS && (rc = recording_next(r, &err)) > 0; i++) {
		n = recording_reports(r, &now);
		if (n > 0)
			show(now, (size_t)n);
	}
	n = recording_last(r, &now);
	m = then && recording_next(then, &err) > 0 ? recording_last(then, &before) : 0;
	for (int i = 0; i < n && i < m; i++)
		report_since(now[i], before[i]);
	if (n > 0)
		show(now, (size_t)n);
	recording_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	int fd = file_of(data, n);
	struct error err = {0};
	struct recording *then;

	if (recording_open(fd, "fuzz", LIMIT_BYTES, true, &then, &err))
		then = NULL;
	read_all(fd, then);
	recording_close(then);
	close(fd);
	return 0;
}
