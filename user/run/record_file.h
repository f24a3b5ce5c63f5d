/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The file of a recording that is being made. */
#ifndef JNITRACE_RECORD_FILE_H
#define JNITRACE_RECORD_FILE_H

#include "record/recorder.h"
#include "run/options.h"

struct record_file {               /* start zeroed */
	struct recorder *recorder; /* NULL: nothing is recorded */
	int fd, stop_fd;           /* see io_write() */
};
/* Where o->record says; nothing is done where it says nothing. -errno with err. */
int record_file_open(struct record_file *f, const struct options *o, int stop_fd, struct error *err);
/* Likewise, into a file that was not there. */
int record_file_new(struct record_file *f, const struct options *o, const char *path, int stop_fd,
		    struct error *err);
/* Likewise, into an open one, which is not owned. */
int record_file_into(struct record_file *f, const struct options *o, int fd, struct error *err);
/* Reports of one moment, unsorted. Once it returns they can be read. -errno with err. */
int record_file_write(struct record_file *f, const struct report *const *reports, size_t n,
		      struct error *err);
/* The run has ended well. -errno with err. */
int record_file_end(struct record_file *f, struct error *err);
void record_file_close(struct record_file *f);

#endif
