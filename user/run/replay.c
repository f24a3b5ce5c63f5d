/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Moments of a recording, back and forth. See replay.h. A reader only goes on; what is shown is a copy, so
 * that it stays while the reader is somewhere else, and copies of moments that were passed are kept, to be
 * shown again, or gone on from. It goes in slices, so that keys are answered meanwhile.
 */
#include "run/replay.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "record/marks.h"
#include "run/loop.h"
#include "run/write_now.h"
#include "view/columns.h"

#define SLICE_NS    20000000ULL /* of going, between two looks at the keys */
#define GO_ON_S     0.001
#define MARKS_BYTES (128ULL << 20)
#define MOST_FILLS  (8 * (size_t)MARKS_NEAR) /* where there is no room for what is near it would never end */
#define PLAY_S      0.1                      /* from moment to moment */
#define LENT_S      0.1 /* from look to look whether the terminal is ours again: nobody says so */

struct replay {
	const struct replay_of *of;
	struct browser *browser;
	struct write_now write;
	struct loop *loop;
	int go_on, play, look; /* timers */
	bool playing;          /* the timer runs */
	struct recording *recording;
	size_t at, passed; /* where that is; the last moment that it was ever at */
	struct marks marks;
	struct recording_mark *shown; /* NULL: nothing is */
	size_t fills;                 /* steps that may be taken to fill what lies before it */
};

static int draw(struct replay *p, struct error *err)
{
	int rc = output_draw(p->of->out, p->browser, err);

	return rc ?: loop_set_timer(p->look, terminal_is_on(p->of->out->terminal) ? 0 : LENT_S);
}

static int on_look(void *replay, void *what, struct error *err)
{
	struct replay *p = replay;

	(void)what;
	return terminal_is_lent(p->of->out->terminal) ? 0 : draw(p, err);
}

/* One moment; every one that is seen for the first time is a point of the curves. */
static int step(struct replay *p, struct error *err)
{
	struct recording_mark *mark = NULL;
	struct report **reports = NULL;
	int rc = recording_next(p->recording, err), n = 0;

	if (rc <= 0)
		return rc ?: -EIO; /* it was there a moment ago */
	p->at++;
	rc = recording_mark(p->recording, &mark)
		 ?: marks_add(&p->marks, p->at, mark, browser_timeline(p->browser)->wanted);
	if (rc || p->at <= p->passed)
		return rc;
	p->passed = p->at;
	n = recording_last(p->recording, &reports);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) /* as they are written */
		report_sort(reports[i], p->of->request->sort);
	write_now_note(&p->write, (const struct report *const *)reports, (size_t)n);
	return browser_pass(p->browser, (const struct report *const *)reports, (size_t)n);
}

/* Give the reports of a moment, a copy of which this is, to the browser. */
static int show(struct replay *p, size_t at, struct recording_mark *copy, struct error *err)
{
	struct recording_mark *was = p->shown;
	struct report **reports = NULL;
	int n = recording_mark_reports(copy, &reports), rc;

	if (n < 0) {
		recording_mark_free(copy);
		return n;
	}
	p->shown = copy;
	p->fills = MOST_FILLS;
	browser_timeline(p->browser)->at = at;
	for (int i = 0; i < n; i++) /* as they are written */
		report_sort(reports[i], p->of->request->sort);
	rc = browser_reports(p->browser, (const struct report *const *)reports, (size_t)n);
	recording_mark_free(was);
	return rc ?: draw(p, err);
}

/* Begin at the moment that is nearest before the one that is wanted, unless the reader is as near. */
static int approach(struct replay *p, const struct mark *nearest, size_t wanted)
{
	int rc;

	if (!nearest || (p->at <= wanted && p->at >= nearest->at))
		return 0;
	rc = recording_go(p->recording, nearest->mark);
	p->at = rc ? p->at : nearest->at;
	return rc;
}

/* While nobody wants anything: what lies before the moment that is shown, so that one can go back at once. */
static int fill(struct replay *p, uint64_t end_ns, struct error *err)
{
	size_t missing = marks_missing(&p->marks, browser_timeline(p->browser)->at);
	int rc;

	if (!missing || !p->fills || p->playing)
		return 0;
	rc = approach(p, marks_find(&p->marks, missing), missing);
	while (!rc && p->at < missing && p->fills && clock_ns(CLOCK_MONOTONIC) < end_ns) {
		p->fills--;
		rc = step(p, err);
	}
	return rc ?: loop_set_timer(p->go_on, GO_ON_S);
}

/* For as long as a slice, towards the moment that is wanted. */
static int go(struct replay *p, struct error *err)
{
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + SLICE_NS;
	size_t wanted = browser_timeline(p->browser)->wanted;
	const struct mark *nearest = marks_find(&p->marks, wanted);
	struct recording_mark *copy = NULL;
	int rc = 0;

	if (p->shown && browser_timeline(p->browser)->at == wanted)
		return fill(p, end_ns, err);
	if (!nearest || nearest->at != wanted) {
		rc = approach(p, nearest, wanted);
		while (!rc && p->at < wanted && clock_ns(CLOCK_MONOTONIC) < end_ns)
			rc = step(p, err);
		if (rc)
			return rc;
		if (p->at < wanted)
			return loop_set_timer(p->go_on, GO_ON_S);
		rc = recording_mark(p->recording, &copy);
	} else {
		rc = recording_mark_copy(nearest->mark, &copy);
	}
	rc = rc ?: show(p, wanted, copy, err);
	return rc ?: loop_set_timer(p->go_on, GO_ON_S);
}

static int on_go(void *replay, void *what, struct error *err)
{
	struct replay *p = replay;

	(void)what;
	loop_set_timer(p->go_on, 0);
	return go(p, err);
}

static int set_playing(struct replay *p)
{
	bool wanted = browser_timeline(p->browser)->playing;
	int rc = wanted == p->playing ? 0 : loop_set_timer(p->play, wanted ? PLAY_S : 0);

	p->playing = wanted;
	return rc;
}

static int on_play(void *replay, void *what, struct error *err)
{
	struct replay *p = replay;
	struct timeline *t = browser_timeline(p->browser);

	(void)what;
	if (t->wanted != t->at) /* it is still on its way */
		return 0;
	if (t->at < t->n) {
		t->wanted = t->at + 1;
		return go(p, err);
	}
	t->playing = false;
	return set_playing(p) ?: draw(p, err);
}

static int on_key(void *replay, void *what, struct error *err)
{
	struct replay *p = replay;
	bool changed = false;
	struct key key;
	int rc;

	(void)what;
	while ((rc = terminal_key(p->of->out->terminal, &key)) > 0) {
		enum wish wish = browser_key(p->browser, &key);

		if (wish == WISH_WRITE)
			write_now(&p->write, p->browser);
		changed |= wish != WISH_NOTHING;
		if (wish == WISH_QUIT) {
			loop_end(p->loop);
			return 0;
		}
	}
	if (rc < 0) { /* nobody is there to see more */
		loop_end(p->loop);
		return 0;
	}
	rc = set_playing(p);
	if (!rc && changed)
		rc = draw(p, err);
	return rc ?: go(p, err);
}

static int on_redraw(void *replay, void *what, struct error *err)
{
	struct replay *p = replay;

	(void)what;
	terminal_renew(p->of->out->terminal);
	return draw(p, err);
}

/* So that keys can be read, before all of it has been. */
static int show_first(struct replay *p, struct error *err)
{
	struct recording_mark *copy = NULL;
	int rc = step(p, err);

	rc = rc ?: recording_mark(p->recording, &copy);
	return rc ?: show(p, 1, copy, err);
}

static int start(struct replay *p, struct error *err)
{
	const struct moments *facts = p->of->facts;
	struct timeline t = {
	    .n = facts->n, .first_s = facts->first_s, .last_s = facts->last_s, .wanted = facts->at};
	int rc = browser_new(p->of->request, &t, &p->browser);

	rc = rc ?: loop_open(&p->loop, p);
	if (!rc)
		p->go_on = rc = loop_timer(p->loop, 0, on_go);
	if (rc >= 0)
		p->play = rc = loop_timer(p->loop, 0, on_play);
	if (rc >= 0)
		p->look = rc = loop_timer(p->loop, 0, on_look);
	if (rc < 0)
		return rc;
	loop_on_leave(p->loop, terminal_leave, p->of->out->terminal);
	rc = loop_on_redraw(p->loop, on_redraw);
	rc = rc ?: recording_open(p->of->fd, p->of->name, p->of->limit_bytes, true, &p->recording, err);
	rc = rc ?: show_first(p, err);
	rc = rc ?: loop_add(p->loop, STDIN_FILENO, on_key, NULL);
	return rc ?: go(p, err);
}

int replay(const struct replay_of *of, struct error *err)
{
	struct replay p = {
	    .of = of,
	    .write = {.request = of->request, .stop_fd = -1},
	    .marks.most_bytes = of->limit_bytes / 2 < MARKS_BYTES ? of->limit_bytes / 2 : MARKS_BYTES,
	};
	int rc = start(&p, err);

	rc = rc ?: loop_run(p.loop, NULL, err);
	if (p.loop)
		loop_on_leave(p.loop, NULL, NULL);
	terminal_leave(of->out->terminal);
	browser_free(p.browser);
	write_now_close(&p.write);
	recording_mark_free(p.shown);
	marks_free(&p.marks);
	recording_close(p.recording);
	loop_close(p.loop);
	return rc ? error_set(err, rc, EXIT_FAILED, of->name, NULL, "%s", strerror(-rc)) : 0;
}
