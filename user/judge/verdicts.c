/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Verdicts of call sites. See verdicts.h. */
#include "judge/verdicts.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/util.h"
#include "judge/history.h"

#define EARLY_S       10.0 /* nothing is said of a site that was seen for less, but that it grows fast */
#define ENOUGH_S      40.0 /* that it does not grow is said after this */
#define ENOUGH        24   /* readings */
#define BURST_FACTOR  4    /* peak against the mean */
#define MEDIUM_S      60.0
#define SURE_S        120.0
#define SURE_BOUND_S  300.0 /* when those of the last age have been seen for a while, too */
#define SURE_GROWTH_S 600.0 /* few things live longer by design */

/* When is a stretch of time enough to say that survivors grow? One a second takes RISE_S; more is said
 * sooner. */
#define RISE_S           44.0 /* for a growth of RISE_COUNT */
#define RISE_COUNTS_S    40.0 /* the least where only counts are known; then */
#define RISE_Z_COUNTS    2.0  /* is worth a closer look, */
#define SURELY           1.6  /* half widths of its interval must the growth be */
#define LOOKS            30
#define FLAT_LONGER      2.0 /* of a count that never moved: so much longer must it be seen for another figure */
#define SURELY_UNSTEADY  2.2
#define RECENTLY         3    /* the whole time, its later half, quarter: has it slowed down? */
#define UNSURE           0.4  /* half widths of its interval: may be none */
#define UNSTEADY_S       90.0 /* so long, where noise hides whether the floor rises all the time */
#define NOISY            3.0 /* changes from reading to reading against growth: more hides whether it slows */
#define TURN_S           10.0 /* until its figure is made, or longer where there are many */
#define STRAY_S          5.0  /* so long a count may go otherwise than a figure says */
#define STILL            0.6  /* of its growth goes on in its later half */
#define FLOOR_AGE        1    /* the floor of this while tells a fall from noise, */
#define FELL_JITTERS     6.0  /* with so many usual changes from reading to reading */
#define RISE_COUNT       38.5
#define RISE_POWER       0.69 /* then 50 a second take 9 s */
#define RISE_LEAST       8.0  /* survivors */
#define RISE_Z           4.0  /* growth against its error; */
#define RISE_Z_UNSURE    6.0  /* where it does not always rise, or nobody knows how many die */
#define CYCLES           4.0  /* how many of the longest cycles it has lasted */
#define LIFETIMES        4.0  /* how many mean lives, where survivors die */
#define MORTAL           0.05 /* of those that came, so many died */
#define FEW_DEATHS       3.0
#define ELDERS           0.6  /* of the growth of younger ones: theirs */
#define ELDERS_S         15.0 /* so long must those of an age be watched */
#define FLATTER          0.75 /* growth of the later half against the earlier: slows down */
#define SLIGHTLY_FLATTER 0.9
#define MUCH_FLATTER     0.4
#define SLOWS_Z          3.8 /* halves that differ by so much more than by chance show it; */
#define HINT_Z           0.8 /* by so much hint at it */
#define SHOWN_Z          5.0 /* so clear must it be that growth does not slow down */
#define SHOWN_Z_COUNTS   3.0
#define STALL_S          10.0
#define STALL_COUNT      8.0 /* references that a stall would have made */
#define WINDOWS          20  /* the whole, its later two thirds, those of that, ... */
#define WINDOWS_STEP     1.5
#define COUNTS_STEP      1.2 /* where only counts are known: its later five sixths, ... */
/* How a count settles: time constants are tried from all that was seen downwards; it must be so much better
 * (of the error of a sample, squared) than a line, and a line beside it no better than so much. */
#define FILLS      16
#define FILLS_STEP 1.25
#define THAN_LINE  50.0
#define WITH_LINE  25.0

/* What a stretch says. */
struct slope {
	double growth, per_s, error; /* of the floors; error: of growth */
	double early, late;
	double half_chance, half_error; /* of early - late: by chance alone; and as uneven as it is */
	int ups, downs;
};

static void slope_of(const struct stretch *w, struct slope *out)
{
	double step[PARTS - 1], rss = 0, mortal;

	*out = (struct slope){.growth = w->floors[PARTS - 1] - w->floors[0]};
	out->per_s = out->growth / (w->span_s * (PARTS - 1) / PARTS);
	for (int k = 0; k < PARTS - 1; k++) {
		step[k] = w->floors[k + 1] - w->floors[k];
		out->ups += step[k] > 0;
		out->downs += step[k] < 0;
	}
	/* How much the steps differ by chance: a change from step to step that is steady is none. */
	for (int k = 1; k < PARTS - 2; k++) {
		double bend = step[k + 1] - 2 * step[k] + step[k - 1];

		rss += bend * bend / 6 / (PARTS - 3);
	}
	/* References that come one by one are no steadier than chance; those that come and go add to it. */
	mortal = isnan(w->died) ? 0 : 2 * fmin(w->died, w->begin);
	out->error = sqrt(fmax(fmax(out->growth, 0) + mortal, (PARTS - 1) * rss));
	out->early = w->floors[PARTS / 2 - 1] - w->floors[0];
	out->late = w->floors[PARTS - 1] - w->floors[PARTS / 2];
	out->half_chance = sqrt(fabs(out->early) + fabs(out->late) + mortal);
	out->half_error = sqrt(fmax(out->half_chance * out->half_chance, (PARTS - 2) * rss));
}

/* As a cache that fills up does. sure: by more than chance and unevenness may do; else a hint is enough. */
static bool slows(const struct slope *s, bool sure)
{
	double less = s->early - s->late;

	if (sure)
		return s->late < FLATTER * s->early && less > SLOWS_Z * s->half_chance &&
		       less > 2 * s->half_error;
	return s->late < MUCH_FLATTER * s->early ||
	       (s->late < SLIGHTLY_FLATTER * s->early && less > HINT_Z * s->half_chance);
}

/* When did it rise to its highest last, and how long did it take to, at the longest? */
static void records(const struct history *h, int age, double from_s, double *last_s, double *gap_s)
{
	double record = -INFINITY;

	*last_s = from_s;
	*gap_s = 0;
	for (size_t i = 0; i < h->n; i++) {
		const struct bin *b = &h->bins[i];

		if (b->t_s <= from_s || b->last[age] <= record)
			continue;
		*gap_s = isinf(record) ? 0 : fmax(*gap_s, b->t_s - *last_s);
		record = b->last[age];
		*last_s = b->t_s;
	}
}

/* Do those that grow older grow as well? They must, once they had the time; what dies before is no leak. */
static bool elders_agree(const struct history *h, int age, double from_s, double per_s)
{
	double last_s, gap_s;

	records(h, age, from_s, &last_s, &gap_s);
	for (int k = age + 1; k < NR_AGES; k++) {
		double later_s = survivor_ages_s[k] - survivor_ages_s[age];
		struct stretch w;

		if (!history_stretch(h, k, from_s + later_s, h->last_s, &w))
			continue;
		if (w.span_s >= fmax(STALL_S, 2 * gap_s) && per_s * w.span_s >= 2 * STALL_COUNT &&
		    w.end - w.begin < ELDERS * per_s * w.span_s)
			return false;
	}
	return true;
}

/* Did it grow faster before? Then it slows down, too. */
static bool slowed_before(const struct history *h, int age, const struct stretch *now, const struct slope *s)
{
	double growth, before;
	struct stretch w;

	/* Where survivors die their number settles at first: see die_out(). */
	if (h->ages_known && h->died[age] > MORTAL * (h->survivors[age] + h->died[age]))
		return false;
	if (!history_stretch(h, age, now->from_s - now->span_s, now->from_s, &w) ||
	    w.span_s < now->span_s / 4)
		return false;
	growth = s->growth * PARTS / (PARTS - 1) * w.span_s / now->span_s;
	before = w.end - w.begin;
	return growth < FLATTER * before && before - growth > 2 * sqrt(before + s->error * s->error);
}

/*
 * Do so many of the survivors die that their number will settle, and have they not been watched for long
 * enough to see it settle? Those of the oldest age tell: who gets old lives long.
 */
static bool die_out(const struct history *h, int age, double from_s, double deaths)
{
	struct stretch w;

	for (int k = NR_AGES - 1; k >= age; k--) {
		if (!history_stretch(h, k, from_s + survivor_ages_s[k] - survivor_ages_s[age], h->last_s,
				     &w) ||
		    (k > age && w.span_s < ELDERS_S))
			continue;
		return w.died >= deaths && w.died > MORTAL * (w.end - w.begin + w.died) &&
		       w.span_s < LIFETIMES * fmax(w.begin, w.end / 2) * w.span_s / w.died;
	}
	return false;
}

/* Did it rise ever again for that long, and has not since it rose last? Or have deaths set in? */
static bool stalls(const struct history *h, int age, double from_s, double per_s)
{
	double record_s, gap_s, stall_s, recent_s, at_recent = NAN, died_then = NAN;
	double came, died, died_before, noise;

	records(h, age, from_s, &record_s, &gap_s);
	recent_s = h->last_s - fmax(STALL_S, (h->last_s - from_s) / 16);
	for (size_t i = 0; i < h->n && h->bins[i].t_s <= recent_s; i++) {
		if (h->bins[i].t_s <= from_s)
			continue;
		at_recent = h->bins[i].last[age];
		died_then = h->bins[i].died[age];
	}
	stall_s = h->last_s - record_s;
	noise = h->ages_known ? 3 * sqrt(fmin(h->died[age], h->survivors[age])) : FELL_JITTERS * h->jitter;
	if (stall_s >= STALL_S && stall_s >= 1.5 * gap_s && stall_s >= (h->last_s - from_s) / 10 &&
	    per_s * stall_s >= STALL_COUNT + h->cycles[age].deepest + noise)
		return true;
	if (!h->ages_known || isnan(at_recent))
		return false;
	died = h->died[age] - died_then;
	came = h->survivors[age] - at_recent + died;
	died_before = died_then;
	return came >= 12 && died >= 0.7 * came && died_before < 0.2 * (at_recent + died_before);
}

/* Do the younger ones? Else what is seen is what they did a while ago. */
static bool youngers_agree(const struct history *h, int age, double from_s, double per_s)
{
	for (int k = 0; k < age; k++) {
		struct stretch w;
		struct slope s;

		if (!history_stretch(h, k, from_s, h->last_s, &w))
			continue;
		slope_of(&w, &s);
		if (s.growth + 2 * s.error < MUCH_FLATTER * per_s * w.span_s || slows(&s, true) ||
		    stalls(h, k, from_s, per_s))
			return false;
	}
	return true;
}

/* What speaks against a growth since then. */
static bool refuted(const struct history *h, int age, double from_s, double per_s, bool sure)
{
	const struct cycle *c = &h->cycles[age];
	double fell = c->peak - h->survivors[age];
	struct stretch w;
	struct slope s;

	if (stalls(h, age, from_s, per_s) || !elders_agree(h, age, from_s, per_s) ||
	    !youngers_agree(h, age, from_s, per_s) || die_out(h, age, from_s, 2 * FEW_DEATHS))
		return true;
	if (c->bottom_s > from_s && c->returned &&
	    c->fell_from - c->bottom > per_s * (h->last_s - from_s) / 2)
		return true;
	if (fell >= RISE_LEAST && fell >= per_s * (h->last_s - from_s) / 2)
		return true;
	if (!history_stretch(h, age, from_s, h->last_s, &w))
		return false;
	slope_of(&w, &s);
	return slows(&s, sure);
}

/*
 * Where all that was seen slows down: would a stretch of it be long enough to show that it still does, as a
 * cache goes on that fills up ever more slowly? Else it says nothing.
 */
static bool would_show(const struct history *h, int age, const struct stretch *now, const struct slope *s)
{
	struct stretch w;
	struct slope all;
	double fills_s;

	if (!history_stretch(h, age, 0, h->last_s, &w))
		return false;
	slope_of(&w, &all);
	if (!slows(&all, true))
		return true;
	fills_s = w.span_s / 2 / log(all.early / fmax(all.late, 1));
	return s->growth * tanh(now->span_s / 4 / fills_s) >=
	       (h->ages_known ? SHOWN_Z : SHOWN_Z_COUNTS) * s->half_chance;
}

static void growth_since(const struct history *h, double from_s, struct growth *out)
{
	struct samples samples;

	history_samples(h, AGE_NONE, from_s, &samples);
	forecast(&samples, 0, out);
}

/* Take from y what a + b x explains best; returns b. */
static double explain(const double *x, double *y, size_t n)
{
	double mx = 0, my = 0, xx = 0, xy = 0, b;

	for (size_t i = 0; i < n; i++) {
		mx += x[i] / (double)n;
		my += y[i] / (double)n;
	}
	for (size_t i = 0; i < n; i++) {
		xx += (x[i] - mx) * (x[i] - mx);
		xy += (x[i] - mx) * (y[i] - my);
	}
	b = xx > 0 ? xy / xx : 0;
	for (size_t i = 0; i < n; i++)
		y[i] -= my + b * (x[i] - mx);
	return b;
}

static double square(const double *y, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += y[i] * y[i];
	return sum;
}

/* What of a count remains that was seen so, when it is explained by ... */
struct remains {
	double line, fill, both; /* sums of squares */
	double grown;            /* by filling, since then */
};

static void explain_count(const struct samples *all, double from_s, struct remains *out)
{
	double first_s = all->t_s[0], span_s = all->t_s[all->n - 1] - first_s, count[FORECAST_SAMPLES];

	memcpy(count, all->count, sizeof(count));
	explain(all->t_s, count, all->n);
	*out =
	    (struct remains){.line = square(count, all->n), .fill = INFINITY, .both = square(count, all->n)};
	for (int k = 0; k < FILLS; k++, span_s /= FILLS_STEP) {
		double filled[FORECAST_SAMPLES], time[FORECAST_SAMPLES], size, rest;

		for (size_t i = 0; i < all->n; i++)
			filled[i] = 1 - exp((first_s - all->t_s[i]) / span_s);
		memcpy(count, all->count, sizeof(count));
		memcpy(time, all->t_s, sizeof(time));
		size = explain(filled, count, all->n);
		rest = square(count, all->n);
		if (rest < out->fill) {
			out->fill = rest;
			out->grown = size * (filled[all->n - 1] - (1 - exp((first_s - from_s) / span_s)));
		}
		explain(filled, time, all->n);
		if (explain(time, count, all->n) > 0)
			out->both = fmin(out->both, square(count, all->n));
	}
}

/*
 * A cache that fills and references that live for long settle at a count: the growth a minute since then that
 * this alone explains. 0 where what was seen does not slow down, or a leak beside it explains it better.
 */
static double settles(const struct history *h, double from_s)
{
	struct samples all;
	struct remains r;
	struct stretch w;
	struct slope s;
	double freedom;

	if (!history_stretch(h, 0, 0, h->last_s, &w))
		return 0;
	slope_of(&w, &s);
	history_samples(h, AGE_NONE, 0, &all);
	if (!slows(&s, true) || all.n < FORECAST_FEWEST)
		return 0;
	explain_count(&all, from_s, &r);
	freedom = (double)all.n - 4;
	if (r.grown <= 0 || r.line < (1 + THAN_LINE / freedom) * r.fill ||
	    r.fill > (1 + WITH_LINE / freedom) * r.both)
		return 0;
	return r.grown / (h->last_s - from_s) * 60;
}

/*
 * Do the explanations of the count (forecast.h) agree that it grows by more than what settles, and still
 * does? per_s: how fast.
 */
static bool surely_grows(const struct history *h, double from_s, bool steady, double *per_s)
{
	struct growth all, late;

	growth_since(h, from_s, &all);
	if (!all.known ||
	    all.per_min - settles(h, from_s) < (steady ? SURELY : SURELY_UNSTEADY) * all.error_per_min)
		return false;
	growth_since(h, (from_s + h->last_s) / 2, &late);
	*per_s = all.per_min / 60;
	return late.known && late.per_min > STILL * all.per_min;
}

/*
 * Where only counts are known, does all that is known of the count since then speak against a growth that was
 * told? It has fallen, or grows by less than half of that, both by more than its noise makes; or all of it
 * may as well be no growth. Else per_s becomes what is known of it now.
 */
static bool counts_refute(const struct history *h, double from_s, double *per_s)
{
	const struct cycle *c = &h->cycles[FLOOR_AGE];
	double span_s = h->last_s - from_s, fell = c->peak - h->survivors[FLOOR_AGE];

	if (c->bottom_s > from_s && c->returned)
		fell = fmax(fell, c->fell_from - c->bottom);
	if (stalls(h, 0, from_s, *per_s) ||
	    (fell >= RISE_LEAST && fell >= *per_s * span_s / 2 && fell >= FELL_JITTERS * h->jitter))
		return true;
	for (int k = 0; k < RECENTLY && span_s >= RISE_COUNTS_S / 2; k++, span_s /= 2) {
		struct growth g;

		growth_since(h, h->last_s - span_s, &g);
		if (!g.known)
			continue;
		if (g.per_min + SURELY * g.error_per_min < *per_s * 60 / 2)
			return true;
		if (k > 0)
			continue;
		if (g.per_min < UNSURE * g.error_per_min || g.per_min < settles(h, from_s))
			return true;
		*per_s = g.per_min / 60;
	}
	return false;
}

static bool rises(const struct history *h, int age, double from_s, struct rise *out)
{
	const struct cycle *c = &h->cycles[age];
	struct stretch w;
	struct slope s;
	double rise_s;
	bool steady, noisy;

	if (!history_stretch(h, age, from_s, h->last_s, &w))
		return false;
	slope_of(&w, &s);
	rise_s = RISE_S * pow(RISE_COUNT / s.growth, RISE_POWER);
	if (!h->ages_known) /* and so nobody knows how long they live */
		rise_s = fmax(rise_s, RISE_COUNTS_S);
	if (s.growth < RISE_LEAST || w.span_s < rise_s)
		return false;
	steady = s.ups >= PARTS - 2 && s.downs <= 1 &&
		 s.growth >= (s.downs || !h->ages_known ? RISE_Z_UNSURE : RISE_Z) * s.error &&
		 (h->ages_known || s.growth >= h->jitter);
	if (!steady && (h->ages_known || w.span_s < UNSTEADY_S || s.growth < RISE_Z_COUNTS * s.error))
		return false;
	if (c->returned && w.span_s < CYCLES * c->longest_s &&
	    s.growth < (h->ages_known ? 3 : 1.5) * c->deepest)
		return false;
	noisy = !h->ages_known && h->jitter > NOISY * s.per_s;
	if (die_out(h, age, from_s, FEW_DEATHS) ||
	    (!noisy && (!would_show(h, age, &w, &s) || slowed_before(h, age, &w, &s))))
		return false;
	*out = (struct rise){.on = true, .age = age, .since_s = w.from_s, .per_s = s.per_s};
	if (h->ages_known)
		return !refuted(h, age, w.from_s, s.per_s, false);
	return !slows(&s, noisy) && surely_grows(h, w.from_s, steady, &out->per_s) &&
	       !counts_refute(h, w.from_s, &out->per_s);
}

static bool find_rise(const struct history *h, struct rise *out)
{
	for (int age = 0; age < (h->ages_known ? NR_AGES : 1); age++) {
		double span_s = h->last_s - history_from(h, age),
		       step = h->ages_known ? WINDOWS_STEP : COUNTS_STEP;

		if (h->survivors[age] < RISE_LEAST) /* nor of those that are older */
			return false;
		for (int k = 0; k < WINDOWS && span_s >= PARTS * h->spacing_s; k++, span_s /= step)
			if (rises(h, age, h->last_s - span_s, out))
				return true;
	}
	return false;
}

/* It has grown for longer than the stretch that shows it now. */
static void go_on(const struct history *h, double since_s, struct rise *found)
{
	struct stretch w;
	struct slope s;

	found->since_s = since_s;
	if (!history_stretch(h, found->age, since_s, h->last_s, &w))
		return;
	slope_of(&w, &s);
	if (s.per_s > 0)
		found->per_s = fmin(found->per_s, s.per_s);
}

/* A closer look at counts takes time: so often that it tells no later than by a thirtieth. */
static bool look_closer(struct history *h)
{
	if (h->ages_known)
		return true;
	if (h->last_s < h->look_s)
		return false;
	h->look_s = h->last_s + (h->last_s - h->first_s) / LOOKS - 0.01;
	return true;
}

int history_judge(struct history *h, const struct reading *r)
{
	struct rise *rise = &h->rise, found;
	int rc = history_add(h, r);

	if (rc || !look_closer(h))
		return rc;
	if (rise->on && !h->ages_known) {
		bool against = counts_refute(h, rise->since_s, &rise->per_s);

		if (against && rise->doubted)
			*rise = (struct rise){.slowed = true};
		else
			rise->doubted = against;
	} else if (find_rise(h, &found)) {
		if (rise->on && rise->age == found.age && rise->since_s < found.since_s)
			go_on(h, rise->since_s, &found);
		*rise = found;
	} else if (rise->on && refuted(h, rise->age, rise->since_s, rise->per_s, true)) {
		*rise = (struct rise){.slowed = true};
	}
	return 0;
}

/*
 * Of a count that has never moved more time is no news: the figure is as it was, but for an error that would
 * be smaller now. So it is made anew when twice as much was seen. Most tables of most processes are such.
 */
static bool is_no_news(const struct history *h, int age, double limit, const struct samples *s)
{
	return age == AGE_NONE && s->moves == 0 && h->growth.known && !h->growth_moved &&
	       age == h->growth_age && limit == h->growth_limit &&
	       s->t_s[s->n - 1] - s->t_s[0] < FLAT_LONGER * h->growth.span_s;
}

static double counted(const struct history *h, int age)
{
	return age == AGE_NONE ? (double)h->outstanding : h->survivors[age];
}

/* By how much the count went otherwise, a minute, since the figure was made that is due again; 0: it is not.
 */
static double stray_per_min(const struct history *h)
{
	double since_s = h->last_s - h->growth_made_s, change = counted(h, h->growth_age) - h->growth_count;
	double chance = 2 * sqrt(fabs(change)) + h->jitter + 1;

	if (!h->growth.known || h->last_s < h->growth_until_s || since_s < STRAY_S)
		return 0;
	return fmax(0, fabs(change / since_s * 60 - h->growth.per_min) - chance / since_s * 60);
}

bool history_strays(const struct history *h)
{
	return stray_per_min(h) > 2 * h->growth.error_per_min;
}

static bool may_make(struct figures *f, bool made, bool grows)
{
	if (!f || !(made || (f->first && !grows)))
		return true;
	if (!f->left)
		return false;
	f->left--;
	return true;
}

/* Growth as a figure. It takes time, and so it is made anew when there is news: a second, or a sixteenth of
 * what was seen. false: there is none yet, as its turn has not come. */
static bool figure(struct history *h, int age, double from_s, double limit, struct figures *figures,
		   struct flat *flat)
{
	bool made = h->growth_until_s > 0 && age == h->growth_age && limit == h->growth_limit &&
		    h->rise.on == h->growth_rising;
	double span_s = h->last_s - from_s;
	struct samples samples;

	if ((made && h->last_s < h->growth_until_s) || !may_make(figures, made, h->rise.on))
		return made;
	history_samples(h, age, from_s, &samples);
	if (is_no_news(h, age, limit, &samples)) {
		h->growth.samples = samples.n;
	} else {
		if (flat && samples.moves == 0 && limit <= 0)
			forecast_flat(flat, &samples, &h->growth);
		else
			forecast(&samples, limit, &h->growth);
		h->growth_moved = samples.moves > 0;
	}
	h->growth_made_s = h->last_s;
	h->growth_count = counted(h, age);
	h->growth_until_s = h->last_s + fmax(h->spacing_s, span_s / 16);
	h->growth_age = age;
	h->growth_limit = limit;
	h->growth_rising = h->rise.on;
	return true;
}

/* Might it grow? Then it is not said to be bounded. */
static bool may_grow(const struct history *h, const struct growth *g)
{
	for (int age = 0; age < NR_AGES; age++) {
		double first_s = history_from(h, age), span_s = h->last_s - first_s;

		for (int k = 0; k < 2 && span_s >= ENOUGH_S / 2; k++, span_s /= 2) {
			struct stretch w;
			struct slope s;

			if (!history_stretch(h, age, h->last_s - span_s, h->last_s, &w))
				break;
			slope_of(&w, &s);
			if (s.ups >= PARTS - 3 && s.downs < 2 && s.growth > 2.5 * s.error &&
			    !slows(&s, false))
				return true;
		}
	}
	return g->known && g->per_min > 1.5 * g->error_per_min;
}

/* Of a site that does not grow and has references outstanding. */
static enum site_verdict shape_of(const struct history *h, const struct growth *g)
{
	double seen_s = h->last_s - h->first_s, quiet_s = h->last_s - h->last_acquired_s;
	double mean = h->sum_outstanding / (double)h->readings;

	if (quiet_s >= EARLY_S && quiet_s >= seen_s / 2)
		return h->outstanding < h->peak / 2 ? VERDICT_BURST : VERDICT_CACHED;
	if (seen_s < ENOUGH_S || h->readings < ENOUGH)
		return VERDICT_UNKNOWN;
	if ((double)h->peak > BURST_FACTOR * mean && h->outstanding < h->peak / 2)
		return VERDICT_BURST;
	return may_grow(h, g) ? VERDICT_UNKNOWN : VERDICT_BOUNDED;
}

/* Until growth of one a second is told, with readings as often as now. */
static double ready_in(const struct history *h)
{
	double seen_s = h->last_s - h->first_s,
	       gap_s = h->readings > 1 ? seen_s / (double)(h->readings - 1) : 0;

	return fmax(0, survivor_ages_s[0] + fmax(READY_S, PARTS * gap_s) - seen_s);
}

static enum confidence sure_of(enum site_verdict kind, double seen_s, double grown_s)
{
	double sure_s = kind == VERDICT_BOUNDED ? SURE_BOUND_S : SURE_S;

	if (kind == VERDICT_GROWING)
		return grown_s >= SURE_GROWTH_S ? CONFIDENCE_HIGH
		       : grown_s >= MEDIUM_S    ? CONFIDENCE_MEDIUM
						: CONFIDENCE_LOW;
	return seen_s >= sure_s ? CONFIDENCE_HIGH : seen_s >= ENOUGH_S ? CONFIDENCE_MEDIUM : CONFIDENCE_LOW;
}

/* For how long it has been growing. */
static double grown_s(const struct history *h)
{
	return h->last_s - h->rise.since_s + survivor_ages_s[h->rise.age];
}

void history_verdict(struct history *h, struct figures *figures, struct report_verdict *out)
{
	double seen_s = h->last_s - h->first_s;
	int age = h->rise.on ? h->rise.age : 0;
	const struct growth *g = &h->growth;
	bool figured = true;

	*out = (struct report_verdict){
	    .span_s = seen_s, .per_min = NAN, .error_per_min = NAN, .ready_in_s = NAN};
	if (!h->readings)
		return;
	/* Most sites have none, and nothing to tell. */
	if (h->rise.on || h->survivors[0] > 0)
		figured = figure(h, age, h->rise.on ? h->rise.since_s : 0, 0, figures, NULL);
	if (g->known && figured && (h->rise.on || h->survivors[0] > 0)) {
		out->per_min = g->per_min;
		out->error_per_min = fmax(g->error_per_min, stray_per_min(h));
	}
	out->ready_in_s = h->rise.on ? 0 : ready_in(h);
	out->survivors = (uint64_t)h->survivors[0];
	if (h->rise.on) {
		out->kind = VERDICT_GROWING;
		out->same_life_s = grown_s(h);
	} else if (seen_s >= EARLY_S) {
		h->clean = !h->outstanding || (h->clean && h->ages_known && h->survivors[0] == 0);
		out->kind = h->clean ? VERDICT_CLEAN : shape_of(h, g);
	}
	if (out->kind == VERDICT_BOUNDED && !figured) {
		out->kind = VERDICT_UNKNOWN; /* its turn is to come */
		out->ready_in_s = fmax(out->ready_in_s, TURN_S);
	}
	out->confidence = sure_of(out->kind, seen_s, out->same_life_s);
	out->slowed = out->kind == VERDICT_UNKNOWN && h->rise.slowed;
}

void verdict_of_none(double seen_s, struct report_verdict *out)
{
	struct history h = {.readings = 2, .last_s = seen_s};

	history_verdict(&h, NULL, out);
}

void verdict_wait(struct report_verdict *v)
{
	v->kind = VERDICT_UNKNOWN;
	v->confidence = sure_of(v->kind, v->span_s, 0);
	v->same_life_s = 0;
	v->waits = true;
}

void history_growth(struct history *h, double limit, struct flat *flat, struct growth *out)
{
	if (h->n > 0)
		figure(h, AGE_NONE, 0, limit, NULL, flat);
	*out = h->n > 0 ? h->growth
			: (struct growth){.limit_s = -1, .limit_soonest_s = -1, .limit_latest_s = -1};
	out->span_s = h->last_s - h->first_s;
	out->alarm = h->rise.on;
	out->same_life_s = h->rise.on ? grown_s(h) : 0;
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

/*
 * Who made the call: the innermost module outside the VM; a wrapper of jni.h may be another library's, which
 * has an equal one. A native method may be the VM's own function. Unknown when one left no frame and its
 * function could not be proven: what is behind its Java frames has not made it.
 */
static const struct frame *caller_of(const struct report_site *s, const struct frame *vm)
{
	const struct frame *caller = frames_caller(&s->frames);
	size_t i = 0;

	if (caller && caller->type == FRAME_NATIVE && caller->module)
		return caller;
	for (; i < s->frames.n && !frame_is_managed(&s->frames.v[i]); i++)
		if (s->frames.v[i].type == FRAME_NATIVE && s->frames.v[i].module)
			return &s->frames.v[i];
	return i < s->frames.n && s->frames.v[i].native_of_vm ? vm : NULL;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* Two files may have one name. */
static struct report_library *library(struct report *r, const struct frame *caller)
{
	static const struct frame unknown;
	struct report_library *l;

	caller = caller ?: &unknown;
	for (size_t i = 0; i < r->libraries.n; i++)
		if (is_same(r->libraries.v[i].module, caller->module) &&
		    is_same(r->libraries.v[i].path, caller->path))
			return &r->libraries.v[i];
	l = VEC_ADD(&r->libraries);
	if (l) {
		l->module = caller->module;
		l->path = caller->path;
		l->build_id = caller->build_id;
	}
	return l;
}

bool verdicts_judge(const struct catalog *catalog, enum func_id func)
{
	enum family_kind kind = func_kind(catalog, func);

	return kind == KIND_REFERENCE || kind == KIND_LOCAL || kind == KIND_MONITOR || kind == KIND_THREAD ||
	       kind == KIND_PAIR || func_is_pin(catalog, func);
}

int verdicts_sum_up(struct report *r)
{
	const struct frame vm = {.module = base_name(r->target.library),
				 .path = r->target.library,
				 .build_id = r->target.build_id};
	memset(r->verdicts, 0, sizeof(r->verdicts));
	r->libraries.n = 0;
	for (size_t i = 0; i < r->sites.n; i++) {
		const struct report_site *s = &r->sites.v[i];
		struct report_library *l = library(r, caller_of(s, &vm));

		if (!l)
			return -ENOMEM;
		l->sites++;
		l->outstanding += s->outstanding;
		if (!verdicts_judge(r->catalog, s->func))
			continue;
		l->judged = true;
		r->verdicts[s->verdict.kind]++;
		l->verdicts[s->verdict.kind]++;
	}
	return 0;
}
