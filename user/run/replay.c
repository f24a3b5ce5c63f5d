/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Moments of a recording, back and forth. See replay.h. A reader only goes on; what is shown is a copy, so
 * that it stays while the reader is somewhere else, and copies of moments that were passed are kept, to be
 * shown again, or gone on from. It goes in slices, so that keys are answered meanwhile.
 *
 * The file is read once: the first moment is shown at once, and whenever nobody wants anything more is read,
 * until all moments are known; then the one that was asked for is shown, unless somebody went elsewhere.
 */
#include "run/replay.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "record/marks.h"
#include "run/loop.h"
#include "run/write_now.h"
#include "view/columns.h"

#define SLICE_NS    10000000ULL /* of going, between two looks at the keys */
#define GO_ON_S     0.001
#define MARKS_BYTES (128ULL << 20)
#define MOST_FILLS  (8 * (size_t)MARKS_NEAR) /* where there is no room for what is near it would never end */
#define PLAY_S      0.1                      /* from moment to moment */
#define TELL_NS     100000000ULL             /* from telling how far it is to the next time */
#define LENT_S      0.1 /* from look to look whether the terminal is ours again: nobody says so */

struct replay {
	const struct replay_of *of;
	struct browser *browser;
	struct write_now write;
	struct loop *loop;
	int go_on, play, look;       /* timers */
	bool playing;                /* the timer runs */
	struct recording *recording; /* not owned */
	size_t at, passed;           /* where that is; the last moment that it was ever at */
	bool reading;                /* there is more behind that */
	bool waiting;                /* for what was asked for to be read: nobody went elsewhere */
	double at_s;                 /* when that is; negative: it is the end */
	struct moments *facts;
	uint64_t told_ns; /* when it was told last how far it is */
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

/* It is to be come back to. */
static int keep_place(struct replay *p)
{
	struct recording_mark *mark = NULL;
	int rc = recording_mark(p->recording, &mark);

	return rc ?: marks_add(&p->marks, p->at, mark, browser_timeline(p->browser)->at);
}

/* Every moment that is seen for the first time is a point of the curves. */
static int pass(struct replay *p)
{
	struct report **reports = NULL;
	int n = recording_last(p->recording, &reports);

	p->passed = p->at;
	recorded_note(p->recording, p->of->at_s, -1, p->facts);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) /* as they are written */
		report_sort(reports[i], p->of->request->sort);
	write_now_note(&p->write, (const struct report *const *)reports, (size_t)n);
	return browser_pass(p->browser, (const struct report *const *)reports, (size_t)n);
}

/* One moment. */
static int step(struct replay *p, struct error *err)
{
	int rc = recording_next(p->recording, err);

	if (rc <= 0)
		return rc ?: -EIO; /* it was there a moment ago */
	p->at++;
	rc = keep_place(p);
	return rc ?: p->at > p->passed ? pass(p) : 0;
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

/* What is known of the file now. */
static void tell_time(struct replay *p)
{
	struct timeline *t = browser_timeline(p->browser);

	t->n = p->facts->n;
	t->first_s = p->facts->first_s;
	t->last_s = p->facts->last_s;
	t->early = !p->reading && !p->facts->whole;
	t->part = p->reading ? fmin(recording_part(p->recording), 0.99) : 1;
	if (!p->waiting || (p->reading && (p->at_s < 0 || p->facts->at == p->facts->n)))
		return;
	t->wanted = p->at_s < 0 ? p->facts->n : p->facts->at;
	p->waiting = false;
}

/*
 * All was read. Of a file that ends amid a moment the reader has a part of that, which is nothing to be
 * shown: back to a moment that is whole.
 */
static int end_reading(struct replay *p)
{
	const struct mark *last = marks_find(&p->marks, p->passed);
	char told[96];

	p->facts->whole = recording_is_whole(p->recording);
	if (p->facts->whole || !last)
		return keep_place(p);
	snprintf(told, sizeof(told), "the recording ends early, after %.1f s: what came behind is not known",
		 p->facts->last_s);
	browser_tell(p->browser, told);
	p->at = last->at;
	return recording_go(p->recording, last->mark);
}

/*
 * For as long as a slice, more of what was never read; one can come back to where that ends, and so, in about
 * as long, to whatever lies in it.
 */
static int read_on(struct replay *p, uint64_t end_ns, struct error *err)
{
	int rc = approach(p, marks_find(&p->marks, p->passed), p->passed);

	while (!rc && p->reading && clock_ns(CLOCK_MONOTONIC) < end_ns) {
		rc = recording_next(p->recording, err);
		p->reading = rc > 0;
		p->at += rc > 0;
		rc = rc > 0 ? pass(p) : rc;
	}
	rc = rc ?: p->reading ? keep_place(p) : end_reading(p);
	if (rc)
		return rc;
	tell_time(p);
	if (!p->reading || clock_ns(CLOCK_MONOTONIC) - p->told_ns > TELL_NS) {
		p->told_ns = clock_ns(CLOCK_MONOTONIC);
		rc = draw(p, err);
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
		return p->reading ? read_on(p, end_ns, err) : fill(p, end_ns, err);
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
	if (p->reading) /* more is to come */
		return 0;
	t->playing = false;
	return set_playing(p) ?: draw(p, err);
}

/* Who goes somewhere is left there; the last moment is the file's, which is waited for. */
static void note_wanted(struct replay *p)
{
	const struct timeline *t = browser_timeline(p->browser);

	if (!p->reading || (t->wanted == t->at && !t->playing))
		return;
	p->waiting = t->wanted == t->n && !t->playing;
	p->at_s = p->waiting ? -1 : p->at_s;
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
		note_wanted(p);
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
	int rc = recording_next(p->recording, err);

	if (rc > 0) {
		p->at++;
		rc = keep_place(p) ?: pass(p);
	}
	rc = rc ?: recorded_check(p->facts, p->of->name, err);
	tell_time(p);
	browser_timeline(p->browser)->wanted = 1;
	rc = rc ?: recording_mark(p->recording, &copy);
	return rc ?: show(p, 1, copy, err);
}

static int start(struct replay *p, struct error *err)
{
	const struct timeline t = {.n = 1, .wanted = 1};
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
	rc = rc ?: show_first(p, err);
	rc = rc ?: loop_add(p->loop, STDIN_FILENO, on_key, NULL);
	return rc ?: go(p, err);
}

/* What is printed is how it was then. Of what was not read nothing is known. */
static int end_there(struct replay *p, struct error *err)
{
	struct moments *m = p->facts;
	const struct mark *nearest;
	int rc;

	m->in_part = p->reading && m->at == m->n;
	nearest = marks_find(&p->marks, m->at);
	rc = approach(p, nearest, m->at);
	while (!rc && p->at < m->at)
		rc = step(p, err);
	return rc;
}

int replay(const struct replay_of *of, struct moments *facts, struct error *err)
{
	struct replay p = {
	    .of = of,
	    .recording = of->recording,
	    .reading = true,
	    .waiting = true,
	    .at_s = of->at_s,
	    .facts = facts,
	    .write = {.request = of->request, .stop_fd = -1},
	    .marks.most_bytes = of->limit_bytes / 2 < MARKS_BYTES ? of->limit_bytes / 2 : MARKS_BYTES,
	};
	int rc = start(&p, err);

	rc = rc ?: loop_run(p.loop, NULL, err);
	if (p.loop)
		loop_on_leave(p.loop, NULL, NULL);
	terminal_leave(of->out->terminal);
	rc = rc ?: end_there(&p, err);
	browser_free(p.browser);
	write_now_close(&p.write);
	recording_mark_free(p.shown);
	marks_free(&p.marks);
	loop_close(p.loop);
	return rc ? error_set(err, rc, EXIT_FAILED, of->name, NULL, "%s", strerror(-rc)) : 0;
}
