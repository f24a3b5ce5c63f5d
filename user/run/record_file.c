/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The file of a recording. See record_file.h. */
#include "run/record_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

#define GRACE_MS       2000        /* for a reader that takes nothing, once a signal asks to end */
#define PERMISSIONS    0600        /* it names classes, files and users */
#define BYTES_PER_HOUR (14U << 20) /* beside what the first reports take */

static int write_error(struct error *err, int rc)
{
	return error_set(err, rc, EXIT_FAILED, "write the recording",
			 "choose another file; what was written can be read", "%s",
			 rc == -EINTR ? "interrupted, and nobody reads it" : strerror(-rc));
}

static int write_out(struct record_file *f, struct buf *bytes, int rc, struct error *err)
{
	rc = rc ?: bytes->failed ? -ENOMEM : io_write(f->fd, bytes->p, bytes->n, f->stop_fd, GRACE_MS);
	buf_free(bytes);
	return rc ? write_error(err, rc) : 0;
}

/* Into f->fd, which is closed when nothing comes of it. */
static int begin(struct record_file *f, const struct options *o, struct error *err)
{
	struct buf bytes = {0};
	int rc = recorder_new(o->catalog, o->inherited, o->nr_inherited, BYTES_PER_HOUR, &f->recorder);

	if (rc) {
		close(f->fd);
		return write_error(err, rc);
	}
	rc = recorder_begin(f->recorder, &bytes);
	return write_out(f, &bytes, rc, err);
}

int record_file_open(struct record_file *f, const struct options *o, int stop_fd, struct error *err)
{
	bool to_stdout;

	if (!o->record)
		return 0;
	to_stdout = strcmp(o->record, "-") == 0;
	f->stop_fd = stop_fd;
	f->fd = to_stdout ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
			  : io_open_output(o->record, PERMISSIONS, stop_fd);
	if (f->fd < 0)
		return error_set(err, to_stdout ? -errno : f->fd, EXIT_FAILED, "write the recording",
				 "choose another file", "%s: %s", o->record,
				 strerror(to_stdout ? errno : -f->fd));
	if (isatty(f->fd)) {
		close(f->fd);
		return error_set(err, -ENOTTY, EXIT_USAGE, "write the recording", "give a file, or a pipe",
				 "%s is a terminal", to_stdout ? "stdout" : o->record);
	}
	return begin(f, o, err);
}

int record_file_new(struct record_file *f, const struct options *o, const char *path, int stop_fd,
		    struct error *err)
{
	*f = (struct record_file){.stop_fd = stop_fd, .fd = io_new_output(path, PERMISSIONS)};
	if (f->fd < 0)
		return error_set(err, f->fd, EXIT_FAILED, "write the recording", "choose another file", "%s",
				 strerror(-f->fd));
	return begin(f, o, err);
}

int record_file_into(struct record_file *f, const struct options *o, int fd, struct error *err)
{
	*f = (struct record_file){.stop_fd = -1, .fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
	return f->fd < 0 ? write_error(err, -errno) : begin(f, o, err);
}

int record_file_write(struct record_file *f, const struct report *const *reports, size_t n, struct error *err)
{
	struct buf bytes = {0};
	int rc;

	if (!f->recorder)
		return 0;
	rc = recorder_reports(f->recorder, reports, n, &bytes);
	return write_out(f, &bytes, rc, err);
}

int record_file_end(struct record_file *f, struct error *err)
{
	struct buf bytes = {0};
	int rc;

	if (!f->recorder)
		return 0;
	rc = recorder_end(f->recorder, &bytes);
	return write_out(f, &bytes, rc, err);
}

void record_file_close(struct record_file *f)
{
	if (!f->recorder)
		return;
	recorder_free(f->recorder);
	f->recorder = NULL;
	close(f->fd);
}
