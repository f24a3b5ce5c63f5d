/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace report. See cmd_report.h. */
#include "run/cmd_report.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "model/since.h"
#include "record/recording.h"
#include "run/outcome.h"
#include "run/progress.h"
#include "run/recorded.h"
#include "run/replay.h"
#include "screen/output.h"
#include "view/columns.h"

struct show {
	struct options o; /* with those of the recording */
	int fd;
	struct moments facts;
	struct recording *recording;
	struct output out;
	struct outcome outcome;
};

static int open_recording(struct show *s, struct error *err)
{
	return recording_open(s->fd, s->o.file, s->o.limit_bytes, true, &s->recording, err);
}

/* What can be asked of these reports. */
static int check_data(struct show *s, struct report *const *reports, size_t n, struct error *err)
{
	bool threads = false, classes = false;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < reports[i]->sites.n; k++) {
			threads |= reports[i]->sites.v[k].threads.known;
			classes |= reports[i]->sites.v[k].classes.known;
		}
		if (!reports[i]->sites.n)
			threads = classes = true;
	}
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

/* In the order in which the run showed them. */
static void sort(struct show *s, struct report *const *reports, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		s->o.view.count_only |= reports[i]->count_only;
		if (s->o.view.count_only && !s->o.view.sort)
			s->o.view.sort = "acquired";
		report_sort(reports[i], s->o.view.sort);
	}
}

static int render(struct show *s, struct report **reports, size_t n, bool last, struct error *err)
{
	const struct options *o = &s->o;
	struct view_opts v;
	struct buf b = {0};
	int rc;

	sort(s, reports, n);
	rc = check_data(s, reports, n, err);
	if (rc)
		return rc;
	output_view_opts(&s->out, &o->view, last, &v);
	o->view.format->reports(s->out.state, &b, (const struct report *const *)reports, n, &v);
	return output_write(&s->out, &b, last, err);
}

/* All moments, as the run showed them. */
static int show_each(struct show *s, struct error *err)
{
	/* On a terminal the reports themselves are what there is to see. */
	struct progress progress = !s->o.view.output && isatty(STDOUT_FILENO)
				       ? (struct progress){0}
				       : progress_begin("reading", s->o.file);
	int rc = 0;

	for (size_t i = 0; i < s->facts.at && !rc; i++) {
		struct report **reports = NULL;
		int n;

		rc = recording_next(s->recording, err);
		n = rc > 0 ? recording_reports(s->recording, &reports) : rc ?: -EIO; /* it was there a moment ago */
		rc = n < 0 ? n : render(s, reports, (size_t)n, reports[0]->final, err);
		progress_tell(&progress, (double)i / (double)s->facts.at);
	}
	progress_end(&progress);
	return rc;
}

/* Go there, with what the format wants to know of the way; of a difference there is none. */
static int walk_to(struct show *s, size_t moment, struct error *err)
{
	const struct format *format = s->o.view.format;
	struct progress progress = progress_begin("reading", s->o.file);
	int rc = 0;

	for (size_t i = 0; i < moment && !rc; i++) {
		struct report **reports = NULL;
		int n;

		rc = recording_next(s->recording, err);
		n = rc > 0 ? recording_reports(s->recording, &reports) : rc ?: -EIO; /* it was there a moment ago */
		progress_tell(&progress, (double)i / (double)moment);
		if (n > 0 && format->note && !s->facts.from) {
			sort(s, reports, (size_t)n);
			format->note(s->out.state, (const struct report *const *)reports, (size_t)n);
		}
		rc = n < 0 ? n : 0;
	}
	progress_end(&progress);
	return rc;
}

/* Let reports be of the time since another moment. A target that came later is as it is. */
static int since(struct show *s, struct report **reports, size_t n, struct error *err)
{
	struct recording *now = s->recording;
	struct report **then = NULL;
	int rc = open_recording(s, err), nr_then;

	rc = rc ?: recorded_go(s->recording, s->o.file, s->facts.from, err);
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

/* How all targets were at a moment, where the screen was left or which is walked to. */
static int show_one(struct show *s, struct error *err)
{
	struct report **reports = NULL;
	int rc = s->out.terminal ? 0 : walk_to(s, s->facts.at, err),
	    n = rc ? rc : recording_last(s->recording, &reports);

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

/* Is it to be looked at? Not what happened between two moments: that is no moment. */
static bool is_for_screen(const struct options *o)
{
	return o->view.format->screen && !o->view.batch && !o->view.output && !o->each && o->from_s < 0 &&
	       o->to_s < 0 && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
	       tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* What there is in the file. */
static int look(struct show *s, struct error *err)
{
	double until_s = s->o.at_s >= 0 ? s->o.at_s : s->o.to_s;

	return recorded_look(s->fd, s->o.file, s->o.limit_bytes, until_s, s->o.from_s, &s->facts, err);
}

/* The same, while it is on the screen; what is printed below comes when that was left. */
static int look_on_screen(struct show *s, struct error *err)
{
	const struct replay_of of = {
	    .recording = s->recording,
	    .name = s->o.file,
	    .at_s = s->o.at_s,
	    .limit_bytes = s->o.limit_bytes,
	    .request = &s->o.view,
	    .out = &s->out,
	};

	return replay(&of, &s->facts, err);
}

/* The exit code is the run's, by what is known at the moment that is shown. */
static int judge(struct show *s)
{
	struct report **reports;
	int n = recording_last(s->recording, &reports);

	for (int i = 0; i < n; i++)
		outcome_add(&s->outcome, &s->o, reports[i]);
	if (recorded_tell(s->o.file, &s->facts))
		s->outcome.losses++;
	return n < 0 ? n : 0;
}

static int run(struct show *s, struct error *err)
{
	const struct recording_option *options;
	bool screen = is_for_screen(&s->o);
	size_t n;
	int rc;

	s->fd = recorded_open_file(s->o.file, err);
	if (s->fd < 0)
		return s->fd;
	rc = screen ? 0 : look(s, err);
	rc = rc ?: open_recording(s, err);
	if (rc)
		return rc;
	n = recording_options(s->recording, &options);
	rc = s->o.inherit(&s->o, options, n, err);
	rc = rc ?: output_open(&s->out, &s->o.view, screen, true, -1, err);
	if (!rc && screen) /* or the terminal cannot be one */
		rc = s->out.terminal ? look_on_screen(s, err) : look(s, err);
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
