/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reports that stay. See frozen.h. */
#include "run/frozen.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"

struct frozen {
	int fd;
	struct recording *recording;
	struct report **reports; /* the recording's */
	size_t n;
};

/* 0 or -errno. */
static int write_all(int fd, const struct catalog *catalog, const struct report *const *reports, size_t n)
{
	struct recorder *recorder = NULL;
	struct buf bytes = {0};
	int rc = recorder_new(catalog, NULL, 0, 0, &recorder);

	rc = rc ?: recorder_begin(recorder, &bytes);
	rc = rc ?: recorder_reports(recorder, reports, n, &bytes);
	rc = rc ?: bytes.failed ? -ENOMEM : io_write(fd, bytes.p, bytes.n, -1, 0);
	recorder_free(recorder);
	buf_free(&bytes);
	return rc;
}

static int read_all(struct frozen *f)
{
	struct error err = {0};
	int rc = recording_open(f->fd, "what is shown", UINT64_MAX, true, &f->recording, &err);

	rc = rc ?: recording_next(f->recording, &err);
	if (rc <= 0)
		return rc ?: -ENODATA;
	rc = recording_reports(f->recording, &f->reports);
	f->n = rc < 0 ? 0 : (size_t)rc;
	return rc < 0 ? rc : 0;
}

int frozen_make(const struct catalog *catalog, const struct report *const *reports, size_t n,
		struct frozen **out)
{
	struct frozen *f = calloc(1, sizeof(*f));
	int rc;

	*out = NULL;
	if (!f)
		return -ENOMEM;
	f->fd = memfd_create("jnitrace", MFD_CLOEXEC);
	rc = f->fd < 0 ? -errno : write_all(f->fd, catalog, reports, n);
	rc = rc ?: read_all(f);
	if (rc) {
		frozen_free(f);
		return rc;
	}
	*out = f;
	return 0;
}

size_t frozen_reports(const struct frozen *f, const struct report *const **out)
{
	*out = (const struct report *const *)f->reports;
	return f->n;
}

void frozen_free(struct frozen *f)
{
	if (!f)
		return;
	recording_close(f->recording);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}
