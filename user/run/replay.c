/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Moments of a recording, back and forth. See replay.h. A reader only goes on, so that to go back another one
 * begins anew; until it has arrived, the one that is shown stays where it is. Both work in slices, so that
 * keys are answered meanwhile.
 */
#include "run/replay.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "run/loop.h"
#include "run/write_now.h"
#include "view/columns.h"

#define SLICE_NS 20000000ULL /* of going, between two looks at the keys */
#define GO_ON_S  0.001
#define PLAY_S   0.1 /* from moment to moment */
#define LENT_S   0.1 /* from look to look whether the terminal is ours again: nobody says so */

struct reader {
	struct recording *recording; /* NULL: not open */
	size_t at;
};
struct replay {
	const struct replay_of *of;
	struct browser *browser;
	struct write_now write;
	struct loop *loop;
	int go_on, play, look; /* timers */
	bool playing;          /* the timer runs */
	struct reader shown, other;
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

static int open_reader(struct replay *p, struct reader *r, struct error *err)
{
	recording_close(r->recording);
	*r = (struct reader){0};
	return recording_open(p->of->fd, p->of->name, p->of->limit_bytes, true, &r->recording, err);
}

/* One moment; every one that is seen for the first time is a point of the curves. */
static int step(struct replay *p, struct reader *r, struct error *err)
{
	struct report **reports = NULL;
	int rc = recording_next(r->recording, err), n;

	if (rc <= 0)
		return rc ?: -EIO; /* it was there a moment ago */
	r->at++;
	n = recording_last(r->recording, &reports);
	return n < 0 ? n : browser_pass(p->browser, (const struct report *const *)reports, (size_t)n);
}

/* Give its reports to the browser. */
static int show_reader(struct replay *p, struct error *err)
{
	struct timeline *t = browser_timeline(p->browser);
	struct report **reports = NULL;
	int n = recording_last(p->shown.recording, &reports), rc;

	if (n < 0)
		return n;
	t->at = p->shown.at;
	for (int i = 0; i < n; i++) /* as they are written */
		report_sort(reports[i], p->of->request->sort);
	rc = browser_reports(p->browser, (const struct report *const *)reports, (size_t)n);
	return rc ?: draw(p, err);
}

/* Which reader goes to where the keys want to be; NULL: one is there. */
static int choose_reader(struct replay *p, size_t wanted, struct reader **out, struct error *err)
{
	*out = NULL;
	if (p->shown.at == wanted)
		return 0;
	if (p->shown.at + 1 == wanted) {
		*out = &p->shown;
		return 0;
	}
	*out = &p->other;
	return p->other.recording && p->other.at <= wanted ? 0 : open_reader(p, &p->other, err);
}

/* For as long as a slice, towards the moment that is wanted. */
static int go(struct replay *p, struct error *err)
{
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + SLICE_NS;
	size_t wanted = browser_timeline(p->browser)->wanted;
	struct reader *r;
	int rc = choose_reader(p, wanted, &r, err);

	while (!rc && r && r->at < wanted && clock_ns(CLOCK_MONOTONIC) < end_ns)
		rc = step(p, r, err);
	if (rc || !r)
		return rc;
	if (r->at < wanted)
		return loop_set_timer(p->go_on, GO_ON_S);
	if (r == &p->other) {
		struct reader arrived = p->other;

		p->other = p->shown;
		p->shown = arrived;
	}
	return show_reader(p, err);
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
	rc = rc ?: open_reader(p, &p->shown, err);
	/* So that keys can be read, before all of it has been. */
	rc = rc ?: step(p, &p->shown, err);
	rc = rc ?: show_reader(p, err);
	rc = rc ?: loop_add(p->loop, STDIN_FILENO, on_key, NULL);
	return rc ?: go(p, err);
}

int replay(const struct replay_of *of, struct error *err)
{
	struct replay p = {.of = of, .write = {.request = of->request, .stop_fd = -1}};
	int rc = start(&p, err);

	rc = rc ?: loop_run(p.loop, NULL, err);
	if (p.loop)
		loop_on_leave(p.loop, NULL, NULL);
	terminal_leave(of->out->terminal);
	browser_free(p.browser);
	recording_close(p.shown.recording);
	recording_close(p.other.recording);
	loop_close(p.loop);
	return rc ? error_set(err, rc, EXIT_FAILED, of->name, NULL, "%s", strerror(-rc)) : 0;
}
