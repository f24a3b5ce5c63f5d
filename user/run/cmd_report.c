/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * jnitrace report. See cmd_report.h. The file is read twice: once to check all of it and to learn what there
 * is, and once to show it. So nothing of a damaged file is shown, and a moment is known to be the last one
 * before another is read.
 */
#include "run/cmd_report.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/since.h"
#include "record/recording.h"
#include "run/outcome.h"
#include "screen/output.h"
#include "view/columns.h"

#define NEAR_S                                                                                               \
	0.001 /* times are shown rounded: a moment that comes so much later than it is asked for is meant */

/* What there is in the file. */
struct facts {
	size_t moments;         /* all that are whole */
	size_t at, from;        /* the moments that are asked for, from 1; 0: none is so early */
	double first_s, last_s; /* when the first and the last one are */
	uint64_t skipped;
	bool whole;
};
struct show {
	struct options o; /* with those of the recording */
	int fd;
	struct facts facts;
	struct recording *recording;
	struct output out;
	struct outcome outcome;
};

static int open_recording(struct show *s, struct error *err)
{
	return recording_open(s->fd, s->o.file, s->o.limit_bytes, true, &s->recording, err);
}

static int open_file(struct show *s, struct error *err)
{
	struct stat st;

	s->fd = open(s->o.file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (s->fd < 0 || fstat(s->fd, &st))
		return error_set(err, -errno, EXIT_FAILED, s->o.file, NULL, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, EXIT_FAILED, s->o.file,
				 "give the file that jnitrace record wrote", "this is no regular file");
	return 0;
}

static void note_moment(struct show *s)
{
	struct facts *f = &s->facts;
	double now = recording_at_s(s->recording), until = s->o.at_s >= 0 ? s->o.at_s : s->o.to_s;

	if (!f->moments++)
		f->first_s = now;
	f->last_s = now;
	f->skipped += recording_skipped(s->recording);
	if (until < 0 || now <= until + NEAR_S)
		f->at = f->moments;
	if (s->o.from_s >= 0 && now <= s->o.from_s + NEAR_S)
		f->from = f->moments;
}

/* The first reading. */
static int look(struct show *s, struct error *err)
{
	int rc = open_recording(s, err);

	if (rc)
		return rc;
	while ((rc = recording_next(s->recording, err)) > 0)
		note_moment(s);
	s->facts.whole = recording_is_whole(s->recording);
	recording_close(s->recording);
	s->recording = NULL;
	if (rc)
		return rc;
	if (!s->facts.moments)
		return error_set(err, -ENODATA, EXIT_FAILED, s->o.file, "record for longer than --interval",
				 "the recording ends before its first report");
	if (!s->facts.at)
		return error_set(err, -ERANGE, EXIT_FAILED, s->o.file, "give a later time",
				 "its first report is of %.1f s after attach", s->facts.first_s);
	return 0;
}

static bool is_last(const struct show *s)
{
	return s->facts.at == s->facts.moments;
}

/* What can be asked of these reports. */
static int check_data(struct show *s, struct report *const *reports, size_t n, struct error *err)
{
	bool threads = false, classes = false;

	for (size_t i = 0; i < n; i++) {
		s->o.view.count_only |= reports[i]->count_only;
		for (size_t k = 0; k < reports[i]->sites.n; k++) {
			threads |= reports[i]->sites.v[k].threads.known;
			classes |= reports[i]->sites.v[k].classes.known;
		}
		if (!reports[i]->sites.n)
			threads = classes = true;
	}
	if (s->o.view.count_only && !s->o.view.sort)
		s->o.view.sort = "acquired";
	if (s->o.view.group_by == GROUP_THREAD && !threads)
		return error_set(err, -ENODATA, EXIT_FAILED, "--group-by thread",
				 "record with --group-by thread",
				 "the recording does not tell threads apart");
	if (s->o.view.count_only &&
	    (s->o.view.group_by == GROUP_CLASS || column_find(s->o.view.sort)->groups & COLUMN_PAIRED))
		return error_set(err, -ENODATA, EXIT_FAILED, s->o.file, "record without --count-only",
				 "without releases nobody knows what is outstanding");
	return 0;
}

static int render(struct show *s, struct report **reports, size_t n, bool last, struct error *err)
{
	const struct options *o = &s->o;
	struct view_opts v;
	struct buf b = {0};
	int rc = check_data(s, reports, n, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < n; i++)
		report_sort(reports[i], o->view.sort);
	output_view_opts(&s->out, &o->view, last, &v);
	o->view.format->reports(s->out.state, &b, (const struct report *const *)reports, n, &v);
	return output_write(&s->out, &b, last, NULL, err);
}

/* All moments, as the run showed them. */
static int show_each(struct show *s, struct error *err)
{
	for (size_t i = 0; i < s->facts.at; i++) {
		struct report **reports = NULL;
		int rc = recording_next(s->recording, err),
		    n = rc > 0 ? recording_reports(s->recording, &reports) : rc;

		if (n <= 0)
			return n ?: -EIO; /* it was there a moment ago */
		rc = render(s, reports, (size_t)n, reports[0]->final, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int go_to(struct show *s, size_t moment, struct error *err)
{
	int rc = 1;

	for (size_t i = 0; i < moment && rc > 0; i++)
		rc = recording_next(s->recording, err);
	return rc < 0 ? rc : rc ? 0 : -EIO;
}

/* The same, with what the format wants to know of the way; of a difference there is none. */
static int walk_to(struct show *s, size_t moment, struct error *err)
{
	const struct format *format = s->o.view.format;
	int rc = 0;

	for (size_t i = 0; i < moment && !rc; i++) {
		struct report **reports = NULL;
		int n;

		rc = go_to(s, 1, err);
		n = rc ? rc : recording_reports(s->recording, &reports);
		if (n > 0 && format->note && !s->facts.from)
			format->note(s->out.state, (const struct report *const *)reports, (size_t)n);
		rc = n < 0 ? n : rc;
	}
	return rc;
}

/* Let reports be of the time since another moment. A target that came later is as it is. */
static int since(struct show *s, struct report **reports, size_t n, struct error *err)
{
	struct recording *now = s->recording;
	struct report **then = NULL;
	int rc = open_recording(s, err), nr_then;

	rc = rc ?: go_to(s, s->facts.from, err);
	nr_then = rc ? rc : recording_last(s->recording, &then);
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < nr_then; k++)
			if (then[k]->target.pid == reports[i]->target.pid &&
			    then[k]->target.start_time_ticks == reports[i]->target.start_time_ticks)
				report_since(reports[i], then[k]);
	recording_close(s->recording);
	s->recording = now;
	return nr_then < 0 ? nr_then : 0;
}

/* How all targets were at a moment. */
static int show_one(struct show *s, struct error *err)
{
	struct report **reports = NULL;
	int rc = walk_to(s, s->facts.at, err), n = rc ? rc : recording_last(s->recording, &reports);

	if (n > 0 && s->facts.from)
		rc = since(s, reports, (size_t)n, err);
	return n < 0 ? n : rc ?: render(s, reports, (size_t)n, true, err);
}

static int show(struct show *s, struct error *err)
{
	const struct format *format = s->o.view.format;
	bool all = s->o.at_s < 0 && s->o.from_s < 0 && s->o.to_s < 0 && !format->at_end &&
		   (s->o.each || !format->screen);

	return all ? show_each(s, err) : show_one(s, err);
}

/* The exit code is the run's, by what is known at the moment that is shown. */
static int judge(struct show *s)
{
	struct report **reports;
	int n = recording_last(s->recording, &reports);

	for (int i = 0; i < n; i++)
		outcome_add(&s->outcome, &s->o, reports[i]);
	if (s->facts.skipped)
		warn("%s: %llu intervals were not recorded, to save room (nothing is lost from the others)",
		     s->o.file, (unsigned long long)s->facts.skipped);
	if (!s->facts.whole && is_last(s)) {
		warn("%s: the recording ends early, after %.1f s: what came behind is not known (the run was "
		     "killed, or had "
		     "no room to write)",
		     s->o.file, s->facts.last_s);
		s->outcome.losses++;
	}
	return n < 0 ? n : 0;
}

static int run(struct show *s, struct error *err)
{
	const struct recording_option *options;
	size_t n;
	int rc = open_file(s, err);

	rc = rc ?: look(s, err);
	rc = rc ?: open_recording(s, err);
	if (rc)
		return rc;
	n = recording_options(s->recording, &options);
	rc = s->o.inherit(&s->o, options, n, err);
	rc = rc ?: output_open(&s->out, &s->o.view, false, false, -1, err);
	rc = rc ?: show(s, err);
	rc = rc ?: judge(s);
	return rc ?: output_end(&s->out, err);
}

enum exit_code cmd_report(const struct options *o, struct error *err)
{
	struct show s = {.o = *o, .fd = -1};
	int rc = run(&s, err);

	if (rc)
		error_set(err, rc, EXIT_FAILED, o->file, NULL, "%s", strerror(-rc));
	output_close(&s.out);
	recording_close(s.recording);
	if (s.fd >= 0)
		close(s.fd);
	return rc ? err->exit_code : outcome_code(&s.outcome, &s.o);
}
