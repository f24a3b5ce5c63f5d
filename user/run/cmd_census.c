/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace census. See cmd_census.h. */
#include "run/cmd_census.h"

#include <errno.h>
#include <string.h>

#include "run/census_list.h"
#include "run/loop.h"
#include "run/privileges.h"
#include "screen/output.h"
#include "view/census.h"
#include "view/format.h"

struct censuses {
	const struct options *o;
	struct census_list *list;
	struct output out;
	struct loop *loop;
	int tick;
	long done; /* readings */
	bool told; /* that there may be others */
};

/* --- output --- */

static int write_items(struct censuses *s, const struct census *const *items, size_t n, struct error *err)
{
	struct view_opts v;
	struct buf b = {0};

	output_view_opts(&s->out, &s->o->view, false, &v);
	s->o->view.format->census(&b, items, n, &v);
	return output_write(&s->out, &b, false, err);
}

static int show_fresh(struct censuses *s, struct error *err)
{
	const struct census *const *items;
	size_t n;
	int rc = census_list_fresh(s->list, &items, &n);

	if (rc)
		return rc;
	if (n == 0 && s->o->all && !s->told && !proc_reads_all()) {
		warn("no JVM found that this user may read (%s)", proc_access_advice());
		s->told = true;
	}
	/* an empty table of no JVM is also an answer */
	return n > 0 || s->o->all ? write_items(s, items, n, err) : 0;
}

/* --- the loop --- */

static bool repeats(const struct options *o)
{
	return o->watch || o->interval_given || o->count > 0 || o->duration_s >= 0;
}

/* Was a JVM too busy, each time it was looked at? */
static int check_known(const struct censuses *s, struct error *err)
{
	pid_t pid = census_list_unknown(s->list);

	return pid ? error_set(err, -EPROTO, EXIT_FAILED, "census", "try again when it is less busy",
			       "PID %d: where its VM counts references could not be proven", (int)pid)
		   : 0;
}

static int take_census(struct censuses *s, struct error *err)
{
	int rc;

	/* what it reads is lost with it, and that alone */
	loop_may_abandon(s->loop, !s->o->view.format->end);
	rc = census_list_read(s->list, err);
	loop_may_abandon(s->loop, false);
	if (rc == -EINTR) /* by a signal, which the loop hears next */
		return 0;
	if (rc == 0 && !repeats(s->o))
		rc = check_known(s, err); /* nothing to show */
	return rc < 0 ? rc : show_fresh(s, err);
}

/* A reading; ends the loop when it was the last. */
static int on_tick(void *censuses, void *what, struct error *err)
{
	struct censuses *s = censuses;
	int rc = take_census(s, err);

	(void)what;
	s->done++;
	if (rc == 0 && !census_list_has_read(s->list) && !s->o->all && !census_list_n(s->list))
		return error_set(err, -ESRCH, EXIT_NO_TARGET, "census", "see jps or pgrep java",
				 "the process has exited");
	if (!repeats(s->o) || s->done == s->o->count || (!s->o->all && !census_list_n(s->list)))
		loop_end(s->loop);
	loop_skip(s->tick); /* what is late is left out, not made up for */
	return rc;
}

static int start(struct censuses *s, struct error *err)
{
	const struct census_list_request req = {
	    .threads = s->o->view.format->needs & FORMAT_THREADS,
	    .judges = s->o->watch,
	    .ends = repeats(s->o), /* else its only answer would be none */
	};
	int rc;

	rc = privileges_keep(PRIVILEGES_READ, s->o->view.output, err);
	rc = rc ?: loop_open(&s->loop, s);
	rc = rc ?: output_open(&s->out, &s->o->view, repeats(s->o), false, loop_stop_fd(s->loop), err);
	if (!rc && s->out.terminal)
		loop_on_leave(s->loop, terminal_leave, s->out.terminal);
	rc = rc ?: census_list_new(s->o, s->loop, &req, &s->list, err);
	if (rc == 0)
		s->tick = rc = loop_timer(s->loop, s->o->interval_s, on_tick);
	if (rc < 0)
		return rc;
	loop_end_in(s->loop, s->o->duration_s);
	return 0;
}

enum exit_code cmd_census(const struct options *o, struct error *err)
{
	struct censuses s = {.o = o};
	int rc = start(&s, err);

	rc = rc ?: on_tick(&s, NULL, err);
	rc = rc ?: loop_run(s.loop, NULL, err);
	if (rc == 0)
		rc = check_known(&s, err);
	rc = rc ?: output_end(&s.out, err);
	census_list_free(s.list);
	if (s.loop)
		loop_on_leave(s.loop, NULL, NULL);
	output_close(&s.out);
	loop_close(s.loop);
	if (rc < 0 && !err->what[0])
		error_set(err, rc, EXIT_FAILED, "census", NULL, "%s", strerror(-rc));
	return rc < 0 ? err->exit_code : EXIT_OK;
}
