/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Bins of time. See history.h. */
#include "judge/history.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SPACING_S       0.9 /* of the youngest bins, at first */
#define JITTER_READINGS 32

const double survivor_ages_s[NR_AGES] = {5, 30, 180};

static uint16_t add_up(uint32_t a, uint32_t b)
{
	return (uint16_t)(a + b < UINT16_MAX ? a + b : UINT16_MAX);
}

static void join(struct history *h, size_t i)
{
	struct bin *a = &h->bins[i], *b = &h->bins[i + 1];

	for (int k = 0; k < NR_AGES; k++)
		b->least[k] = fminf(a->least[k], b->least[k]);
	for (int k = 0; k <= NR_AGES; k++)
		b->moves[k] = add_up(a->moves[k], b->moves[k]);
	b->readings = add_up(a->readings, b->readings);
	b->doublings++;
	memmove(a, b, (h->n - i - 1) * sizeof(*a));
	h->n--;
}

/* Where there are too many bins of one width, the oldest two become one; of the next width, there may be now.
 */
static void thin_out(struct history *h)
{
	size_t end = h->n;

	while (end > 0) {
		uint32_t width = h->bins[end - 1].doublings;
		size_t start = end;

		while (start > 0 && h->bins[start - 1].doublings <= width)
			start--;
		if (end - start <= BINS_EACH)
			break;
		join(h, start);
		end = start + 1;
	}
}

/* All bins become twice as wide, but for those that are wider already. */
static void widen(struct history *h)
{
	h->spacing_s *= 2;
	for (size_t i = 0; i + 1 < h->n; i++)
		if (h->bins[i].doublings == 0 && h->bins[i + 1].doublings == 0)
			join(h, i);
	for (size_t i = 0; i < h->n; i++)
		h->bins[i].doublings -= h->bins[i].doublings > 0;
	thin_out(h);
}

/* All the room that it will ever have. 0 or -ENOMEM. */
static int begin(struct history *h, const struct reading *r)
{
	if (!h->bins) {
		h->bins = calloc(HISTORY_BINS, sizeof(*h->bins));
		h->cap = HISTORY_BINS;
	}
	if (!h->bins)
		return -ENOMEM;
	h->first_s = r->t_s;
	h->spacing_s = SPACING_S;
	h->ages_known = r->ages_known;
	return 0;
}

/* The bin of this moment. */
static struct bin *bin_now(struct history *h, double t_s)
{
	struct bin *b;

	if (h->n > 0 && t_s - h->opened_s < h->spacing_s)
		return &h->bins[h->n - 1];
	thin_out(h);
	if (h->n == h->cap)
		widen(h);
	b = &h->bins[h->n++];
	*b = (struct bin){.doublings = 0};
	for (int k = 0; k < NR_AGES; k++)
		b->least[k] = INFINITY;
	h->opened_s = t_s;
	return b;
}

/* The least count of the last age_s seconds, or of the last two readings when they are further apart. */
static double least_of(struct floor_window *w, double age_s, double t_s, double count, double before)
{
	uint64_t part = (uint64_t)(t_s / (age_s / FLOOR_PARTS));
	double least = fmin(count, before);

	while (w->part < part) {
		if (part - w->part > FLOOR_PARTS + 1)
			w->part = part - FLOOR_PARTS - 1;
		w->part++;
		w->least[w->part % (FLOOR_PARTS + 1)] = INFINITY;
	}
	w->least[part % (FLOOR_PARTS + 1)] = fminf(w->least[part % (FLOOR_PARTS + 1)], (float)count);
	for (int i = 0; i <= FLOOR_PARTS; i++)
		least = fmin(least, w->least[i]);
	return least;
}

static int take_survivors(struct history *h, const struct reading *r)
{
	if (!r->ages_known && !h->floors) {
		h->floors = calloc(NR_AGES, sizeof(*h->floors));
		if (!h->floors)
			return -ENOMEM;
		for (int k = 0; k < NR_AGES; k++)
			for (int i = 0; i <= FLOOR_PARTS; i++)
				h->floors[k].least[i] = INFINITY;
	}
	for (int k = 0; k < NR_AGES; k++) {
		if (r->ages_known) {
			h->died[k] += fmax(0, h->survivors[k] - (double)r->kept[k]);
			h->survivors[k] = (double)r->survivors[k];
		} else {
			double before = h->readings ? (double)h->outstanding : (double)r->outstanding;

			h->survivors[k] = least_of(&h->floors[k], survivor_ages_s[k], r->t_s,
						   (double)r->outstanding, before);
		}
	}
	return 0;
}

/* A fall by half of what it rose, and by more than chance, ends a cycle. */
static void follow(struct cycle *c, double t_s, double count)
{
	if (!c->begun) {
		*c = (struct cycle){
		    .begun = true, .bottom = count, .bottom_s = t_s, .peak = count, .fell_from = count};
	} else if (count < c->bottom) {
		if (c->returned)
			c->deepest = fmax(c->deepest, c->fell_from - count);
		c->bottom = c->peak = count;
		c->bottom_s = t_s;
	} else if (count > c->peak) {
		c->peak = count;
	} else if (c->peak - count >= fmax((c->peak - c->bottom) / 2, 3 + 2 * sqrt(c->peak))) {
		c->returned = true;
		c->longest_s = fmax(c->longest_s, t_s - c->bottom_s);
		c->deepest = fmax(c->deepest, c->peak - count);
		c->fell_from = c->peak;
		c->bottom = c->peak = count;
		c->bottom_s = t_s;
	}
}

/* before: the survivors of the last reading. */
static void count_moves(const struct history *h, const struct reading *r, const double *before, struct bin *b)
{
	b->readings = add_up(b->readings, 1);
	for (int k = 0; k < NR_AGES; k++)
		b->moves[k] = add_up(b->moves[k], h->survivors[k] != before[k]);
	b->moves[NR_AGES] = add_up(b->moves[NR_AGES], h->readings && r->outstanding != h->outstanding);
}

int history_add(struct history *h, const struct reading *r)
{
	double before[NR_AGES];
	struct bin *b;

	if (!h->readings && begin(h, r))
		return -ENOMEM;
	memcpy(before, h->survivors, sizeof(before));
	b = bin_now(h, r->t_s);
	if (take_survivors(h, r))
		return -ENOMEM;
	count_moves(h, r, before, b);
	if (!h->readings || r->acquired > h->acquired)
		h->last_acquired_s = r->t_s;
	if (h->readings)
		h->jitter +=
		    (fabs((double)r->outstanding - (double)h->outstanding) - h->jitter) / JITTER_READINGS;
	h->last_s = r->t_s;
	h->readings++;
	h->sum_outstanding += (double)r->outstanding;
	h->acquired = r->acquired;
	h->outstanding = r->outstanding;
	if (r->outstanding > h->peak)
		h->peak = r->outstanding;
	b->t_s = (float)r->t_s;
	b->count = (float)r->outstanding;
	for (int k = 0; k < NR_AGES; k++) {
		b->last[k] = (float)h->survivors[k];
		b->least[k] = fminf(b->least[k], b->last[k]);
		b->died[k] = (float)h->died[k];
		if (r->t_s >= history_from(h, k))
			follow(&h->cycles[k], r->t_s, h->survivors[k]);
	}
	return 0;
}

void history_free(struct history *h)
{
	free(h->bins);
	free(h->floors);
	*h = (struct history){.n = 0};
}

double history_from(const struct history *h, int age)
{
	return h->first_s + (age == AGE_NONE ? 0 : survivor_ages_s[age]);
}

/* The first bin that ends after that. */
static size_t bin_after(const struct history *h, double t_s)
{
	size_t lo = 0, hi = h->n;

	while (lo < hi) {
		size_t i = (lo + hi) / 2;

		if (h->bins[i].t_s <= t_s)
			lo = i + 1;
		else
			hi = i;
	}
	return lo;
}

/* The survivors at that time, in the i-th bin; between the ends of two bins they go straight. */
static double at_time(const struct history *h, int age, size_t i, double t_s)
{
	const struct bin *b = &h->bins[i], *a = i > 0 ? b - 1 : b;
	double share = i > 0 && b->t_s > a->t_s ? (t_s - a->t_s) / (b->t_s - a->t_s) : 1;

	return a->last[age] + share * (b->last[age] - a->last[age]);
}

bool history_stretch(const struct history *h, int age, double from_s, double to_s, struct stretch *out)
{
	double part_s;
	size_t i, end;

	*out = (struct stretch){.from_s = fmax(from_s, history_from(h, age))};
	to_s = fmin(to_s, h->last_s);
	out->span_s = to_s - out->from_s;
	i = bin_after(h, out->from_s);
	end = bin_after(h, to_s);
	if (!(out->span_s > 0) || end - i < PARTS - 1)
		return false;
	if (i > 0)
		out->begin = at_time(h, age, i, out->from_s);
	out->end = end < h->n ? at_time(h, age, end, to_s) : h->survivors[age];
	out->died = h->ages_known ? h->bins[end - 1].died[age] - (i > 0 ? h->bins[i - 1].died[age] : 0) : NAN;
	part_s = out->span_s / PARTS;
	for (int k = 0; k < PARTS; k++) {
		double start_s = out->from_s + k * part_s;

		out->floors[k] = at_time(h, age, i, start_s);
		/* A bin on the border belongs to where it ends. */
		for (; i + 1 < end && h->bins[i].t_s <= start_s + part_s; i++)
			out->floors[k] = fmin(out->floors[k], h->bins[i].least[age]);
	}
	return true;
}

void history_samples(const struct history *h, int age, double from_s, struct samples *out)
{
	size_t first = bin_after(h, fmax(from_s, history_from(h, age)) - 0.01), max = FORECAST_SAMPLES;
	double start_s = first < h->n ? h->bins[first].t_s : 0;
	double every_s = h->n - first > max ? (h->last_s - start_s) / (double)(max - 1) : 0;

	out->n = 0;
	out->readings = out->moves = 0;
	for (size_t i = first; i < h->n; i++) {
		const struct bin *b = &h->bins[i];

		if (i > first) {
			out->readings += b->readings;
			out->moves += b->moves[age == AGE_NONE ? NR_AGES : age];
		}
		/* As many as there is room for; the last one always. */
		if (i + 1 < h->n && b->t_s < start_s + every_s * (double)out->n - 0.01)
			continue;
		out->n = out->n < max ? out->n : max - 1;
		out->t_s[out->n] = b->t_s;
		out->count[out->n++] = age == AGE_NONE ? b->count : b->last[age];
	}
}
