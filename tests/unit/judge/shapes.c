/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "shapes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

struct model *model_new(uint64_t seed)
{
	struct model *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	m->seed = seed * 0x9e3779b97f4a7c15ULL + 1;
	for (int i = 0; i < 4; i++)
		uniform(m);
	return m;
}

void model_free(struct model *m)
{
	free(m->v);
	free(m);
}

double uniform(struct model *m)
{
	m->seed = m->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double)(m->seed >> 11) / (double)(1ULL << 53);
}

double exponential(struct model *m, double mean)
{
	return -mean * log(1 - uniform(m));
}

double normal(struct model *m)
{
	return sqrt(-2 * log(1 - uniform(m))) * cos(2 * M_PI * uniform(m));
}

void birth(struct model *m, double at, double life)
{
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 1024;
		m->v = realloc(m->v, m->cap * sizeof(*m->v));
		if (!m->v)
			abort();
	}
	m->v[m->n].born = at;
	m->v[m->n++].dies = at + life;
}

void poisson(struct model *m, double from, double to, double per_s, double life)
{
	for (double t = from + exponential(m, 1 / per_s); t < to; t += exponential(m, 1 / per_s))
		birth(m, t, life == NEVER ? NEVER : exponential(m, life));
}

/* The first reading at or after that. */
static size_t reading_of(double t, double every_s, size_t n)
{
	double i = ceil(t / every_s) - 1;

	return i < 0 ? 0 : i > (double)n ? n : (size_t)i;
}

struct reading *model_read(const struct model *m, double seconds, double every_s, bool ages, size_t *n)
{
	size_t count = (size_t)(seconds / every_s + 0.5);
	struct reading *r = calloc(count + 1, sizeof(*r));
	int64_t *change = calloc((count + 2) * (2 + 2 * NR_AGES), sizeof(*change));
	int64_t sum[2 + NR_AGES] = {0};

	if (!r || !change)
		abort();
	for (size_t i = 0; i < m->n; i++) {
		size_t born = reading_of(m->v[i].born, every_s, count),
		       dies = reading_of(m->v[i].dies, every_s, count);

		change[born * 8]++;
		change[dies * 8 + 1]++;
		for (int k = 0; k < NR_AGES; k++) {
			size_t old = reading_of(m->v[i].born + survivor_ages_s[k] + 1e-9, every_s, count);

			if (old >= dies)
				continue;
			change[old * 8 + 2 + k]++;
			change[dies * 8 + 2 + k]--;
			change[dies * 8 + 5 + k]++; /* of the survivors of the reading before */
		}
	}
	for (size_t i = 0; i < count; i++) {
		r[i].t_s = (double)(i + 1) * every_s;
		r[i].ages_known = ages;
		r[i].acquired = (uint64_t)(sum[0] += change[i * 8]);
		r[i].released = (uint64_t)(sum[1] += change[i * 8 + 1]);
		r[i].outstanding = r[i].acquired - r[i].released;
		for (int k = 0; k < NR_AGES; k++) {
			r[i].kept[k] = (uint64_t)(sum[2 + k] - change[i * 8 + 5 + k]);
			r[i].survivors[k] = (uint64_t)(sum[2 + k] += change[i * 8 + 2 + k]);
		}
	}
	free(change);
	*n = count;
	return r;
}

/* --- what is no leak --- */

static void short_lives(struct model *m, double seconds)
{
	poisson(m, 0, seconds, 100, 0.5);
}

static void lives_of_10s(struct model *m, double seconds)
{
	poisson(m, 0, seconds, 2 + 18 * uniform(m), 10);
}

static void lives_of_30s(struct model *m, double seconds)
{
	for (double t = exponential(m, 1); t < seconds; t += exponential(m, 1))
		birth(m, t, 30);
}

static void lives_of_120s(struct model *m, double seconds)
{
	poisson(m, 0, seconds, 1 + 4 * uniform(m), 120);
}

static void reload(struct model *m, double seconds)
{
	double every_s = 20 + 40 * uniform(m);

	for (double t = every_s * uniform(m); t < seconds; t += every_s)
		for (int i = 0; i < 300; i++)
			birth(m, t + 3 * uniform(m), every_s);
}

static void sawtooth(struct model *m, double seconds)
{
	double period = 12 + 13 * uniform(m), per_s = 2 + 3 * uniform(m);

	for (double t = exponential(m, 1 / per_s); t < seconds; t += exponential(m, 1 / per_s))
		birth(m, t, period - fmod(t, period));
}

/* A collection frees nine of ten, at irregular times. */
static void collections(struct model *m, double seconds)
{
	double next = 0, per_s = 2 + 3 * uniform(m), t = 0;

	while (t < seconds) {
		size_t first = m->n;

		for (next = t + 8 + 17 * uniform(m); t < next; t += exponential(m, 1 / per_s))
			birth(m, t, NEVER);
		for (size_t i = first; i < m->n; i++) { /* who stays goes with one of the next */
			double dies = next;

			while (uniform(m) < 0.1)
				dies += 20;
			m->v[i].dies = dies;
		}
	}
}

static void wave(struct model *m, double seconds)
{
	double period = 40 + 160 * uniform(m), per_s = 20;

	for (double t = 0; t < seconds; t += exponential(m, 1 / (2 * per_s)))
		if (uniform(m) < (1 + 0.8 * sin(2 * M_PI * t / period)) / 2)
			birth(m, t, exponential(m, 4));
}

static void cache(struct model *m, double size, double fill_s)
{
	for (int i = 0; i < size; i++)
		birth(m, exponential(m, fill_s), NEVER);
}

static void cache_of_15s(struct model *m, double seconds)
{
	(void)seconds;
	cache(m, 200 + 800 * uniform(m), 15);
}

static void bursts(struct model *m, double seconds)
{
	for (double t = 5; t < seconds; t += exponential(m, 90))
		for (int i = 0; i < 500; i++)
			birth(m, t + 2 * uniform(m), 5 + 10 * uniform(m));
}

static void steps(struct model *m, double seconds)
{
	for (int k = 0; k < 3; k++) {
		double t = seconds * uniform(m);

		for (int i = 0; i < 200; i++)
			birth(m, t + uniform(m), NEVER);
	}
}

static void start_up(struct model *m, double seconds)
{
	for (int i = 0; i < 500; i++)
		birth(m, 4 * uniform(m), NEVER);
	poisson(m, 0, seconds, 5, 0.1);
}

/* One server, nine tenths busy: each waits until those before it are served. */
static void queue(struct model *m, double seconds)
{
	double free_s = 0;

	for (double t = exponential(m, 0.1); t < seconds; t += exponential(m, 0.1)) {
		free_s = fmax(free_s, t) + exponential(m, 0.09);
		birth(m, t, free_s - t);
	}
}

const struct shape fine_shapes[] = {
    {"short lives", "100 a second, each lives half a second", short_lives, 0},
    {"lives of 10 s", "2 to 20 a second, 10 s each on average", lives_of_10s, 0},
    {"lives of 30 s", "1 a second, each lives 30 s", lives_of_30s, 0},
    {"reload", "300 at once every 20 to 60 s, those before let go", reload, 0},
    {"sawtooth", "2 to 5 a second, all let go every 12 to 25 s", sawtooth, 0},
    {"collections", "2 to 5 a second, nine of ten let go every 8 to 25 s", collections, 0},
    {"wave", "20 a second up and down by 80 % in 40 to 200 s, 4 s each", wave, 0},
    {"cache of 15 s", "200 to 1,000 slots, filled with a constant of 15 s", cache_of_15s, 0},
    {"bursts", "500 at once every 90 s or so, 5 to 15 s each", bursts, 0},
    {"steps", "200 at once, three times, kept", steps, 0},
    {"start-up", "500 in the first 4 s, kept, and short lives", start_up, 0},
    {"queue", "10 a second wait for one server that is busy for nine tenths of the time", queue, 0},
};
const size_t nr_fine_shapes = ARRAY_LEN(fine_shapes);

/* --- what looks like a leak for as long as it lasts --- */

static void cache_of_120s(struct model *m, double seconds)
{
	(void)seconds;
	cache(m, 400 + 1600 * uniform(m), 120);
}

static void lives_of_300s(struct model *m, double seconds)
{
	for (double t = 0; t < seconds; t++)
		birth(m, t + 0.5, 300);
}

static void slow_sawtooth(struct model *m, double seconds)
{
	for (double t = 0; t < seconds; t += exponential(m, 0.5))
		birth(m, t, 120 - fmod(t, 120));
}

const struct shape long_shapes[] = {
    {"cache of 120 s", "400 to 2,000 slots, filled with a constant of 120 s", cache_of_120s, 240},
    {"lives of 120 s", "1 to 5 a second, 120 s each on average", lives_of_120s, 240},
    {"lives of 300 s", "1 a second, each lives 5 minutes", lives_of_300s, 300},
    {"slow sawtooth", "2 a second, all let go every 120 s", slow_sawtooth, 120},
};
const size_t nr_long_shapes = ARRAY_LEN(long_shapes);

/* --- leaks --- */

static void leak_of(struct model *m, double seconds, double per_s)
{
	for (double t = uniform(m) / per_s; t < seconds; t += 1 / per_s)
		birth(m, t, NEVER);
}

static void leak_1(struct model *m, double seconds)
{
	leak_of(m, seconds, 1);
}

static void leak_50(struct model *m, double seconds)
{
	leak_of(m, seconds, 50);
}

static void leak_random(struct model *m, double seconds)
{
	poisson(m, 0, seconds, 1, NEVER);
}

static void leak_third(struct model *m, double seconds)
{
	poisson(m, 0, seconds, 1 / 3.0, NEVER);
}

static void leak_churn(struct model *m, double seconds)
{
	leak_of(m, seconds, 1);
	poisson(m, 0, seconds, 100, 0.5);
}

static void leak_churn_10s(struct model *m, double seconds)
{
	leak_of(m, seconds, 1);
	poisson(m, 0, seconds, 100, 10);
}

static void leak_wave(struct model *m, double seconds)
{
	leak_of(m, seconds, 0.3);
	for (double t = 0; t < seconds; t += exponential(m, 1 / 40.0))
		if (uniform(m) < (1 + 0.8 * sin(2 * M_PI * t / 60)) / 2)
			birth(m, t, exponential(m, 4));
}

static void leak_sawtooth(struct model *m, double seconds)
{
	leak_of(m, seconds, 1 / 3.0);
	for (double t = 0; t < seconds; t += exponential(m, 0.2))
		birth(m, t, 20 - fmod(t, 20));
}

static void leak_sessions(struct model *m, double seconds)
{
	for (double t = exponential(m, 1); t < seconds; t += exponential(m, 1))
		birth(m, t, uniform(m) < 0.1 ? NEVER : 120);
}

static void leak_steps(struct model *m, double seconds)
{
	for (double t = 20 * uniform(m); t < seconds; t += 20)
		for (int i = 0; i < 20; i++)
			birth(m, t + 0.1 * uniform(m), NEVER);
}

static void leak_faster(struct model *m, double seconds)
{
	for (double n = 1, t = 0; t < seconds; n++) {
		t = sqrt(n * 2 / 0.02); /* a fiftieth a second more each second */
		birth(m, t, NEVER);
	}
}

static void leak_later(struct model *m, double seconds)
{
	poisson(m, 0, seconds, 20, 4);
	for (double t = 300; t < seconds; t++)
		birth(m, t + 0.5, NEVER);
}

const struct shape leak_shapes[] = {
    {"1 a second", "nothing else", leak_1, 50},
    {"50 a second", "nothing else", leak_50, 15},
    {"1 a second at random", "", leak_random, 60},
    {"20 a minute at random", "", leak_third, 120},
    {"1 a second, short lives", "under 100 a second that live half a second", leak_churn, 50},
    {"1 a second, lives of 10 s", "under 100 a second that live 10 s", leak_churn_10s, 240},
    {"18 a minute, wave", "under 20 a second up and down by 80 % each minute, 4 s each", leak_wave, 240},
    {"20 a minute, sawtooth", "under 5 a second that are let go every 20 s", leak_sawtooth, 200},
    {"a tenth of sessions", "1 a second, each lives 120 s, one of ten for ever", leak_sessions, 600},
    {"20 each 20 s", "at once", leak_steps, 240},
    {"faster and faster", "1 a second after 50 s, 2 after 100", leak_faster, 90},
    {"1 a second from 300 s on", "and 20 a second that live 4 s", leak_later, 420},
};
const size_t nr_leak_shapes = ARRAY_LEN(leak_shapes);

/* --- growth towards a limit --- */

/* How many events of a Poisson process. */
static double events(struct model *m, double mean)
{
	double n = 0;

	if (mean > 200)
		return fmax(0, round(mean + sqrt(mean) * normal(m)));
	for (double t = exponential(m, 1); t < mean; t += exponential(m, 1))
		n++;
	return n;
}

/* From low to high, each factor as likely as any other. */
static double between(struct model *m, double low, double high)
{
	return exp(log(low) + log(high / low) * uniform(m));
}

/* A line and noise that forgets itself, at most so much of it from reading to reading. */
static double grow_line(struct model *m, double *count, size_t n, double per_s, double noise, double kept)
{
	double level = 1000 * uniform(m), keeps = kept * uniform(m), rest = 0;

	for (size_t i = 0; i < n; i++) {
		rest = keeps * rest + noise * normal(m);
		count[i] = fmax(0, floor(level + per_s * (double)i + rest));
	}
	return per_s * 60;
}

static double grow_linear(struct model *m, double *count, size_t seen, size_t n)
{
	double per_s = between(m, 0.5, 50), noise = 3 * uniform(m);

	(void)seen;
	return grow_line(m, count, n, per_s, noise, 0.9);
}

static double grow_linear_too(struct model *m, double *count, size_t seen, size_t n)
{
	double per_s = between(m, 0.2, 20), noise = 5 * uniform(m);

	(void)seen;
	return grow_line(m, count, n, per_s, noise, 0.8);
}

/* Steps of this size, on average, each by so much larger or smaller at most; the times between as well. */
static double grow_by_steps(struct model *m, double *count, size_t n, double every_s, double size, double by)
{
	double next = every_s * uniform(m), level = 1000 * uniform(m);

	for (size_t i = 0; i < n; i++) {
		for (; next <= (double)i; next += every_s * (1 - by + 2 * by * uniform(m)))
			level += round(size * (1 - by + 2 * by * uniform(m)));
		count[i] = floor(level);
	}
	return size / every_s * 60;
}

static double grow_steps(struct model *m, double *count, size_t seen, size_t n)
{
	double every_s = (double)seen / (8 + 22 * uniform(m));

	return grow_by_steps(m, count, n, every_s, 5 + 95 * uniform(m), 0.5);
}

static double grow_steps_too(struct model *m, double *count, size_t seen, size_t n)
{
	double every_s = (double)seen / (6 + 14 * uniform(m));

	return grow_by_steps(m, count, n, every_s, 20 + 200 * uniform(m), 0.3 + 0.4 * uniform(m));
}

/* At the end of what is seen it is so many times as fast as at the beginning. */
static double grow_by_times(struct model *m, double *count, size_t seen, size_t n, double per_s, double times)
{
	double c = 1000 * uniform(m);

	for (size_t i = 0; i < n; i++) {
		c += events(m, per_s * (1 + (times - 1) * (double)i / (double)seen));
		count[i] = floor(c);
	}
	return per_s * times * 60;
}

static double grow_faster(struct model *m, double *count, size_t seen, size_t n)
{
	double per_s = 0.5 + 4 * uniform(m);

	return grow_by_times(m, count, seen, n, per_s, 3 + 7 * uniform(m));
}

static double grow_faster_too(struct model *m, double *count, size_t seen, size_t n)
{
	double per_s = 1 + 9 * uniform(m);

	return grow_by_times(m, count, seen, n, per_s, 2 + 4 * uniform(m));
}

static double grow_in_batches(struct model *m, double *count, size_t n, double per_s, double batch)
{
	double c = floor(1000 * uniform(m));

	for (size_t i = 0; i < n; i++) {
		c += batch * events(m, per_s / batch);
		count[i] = c;
	}
	return per_s * 60;
}

static double grow_random(struct model *m, double *count, size_t seen, size_t n)
{
	double per_s = between(m, 0.3, 9);

	(void)seen;
	return grow_in_batches(m, count, n, per_s, 1 + floor(4 * uniform(m)));
}

static double grow_random_too(struct model *m, double *count, size_t seen, size_t n)
{
	double per_s = between(m, 1, 30);

	(void)seen;
	return grow_in_batches(m, count, n, per_s, 1 + floor(7 * uniform(m)));
}

/* So many waves are seen, so high against what grows meanwhile. */
static double grow_in_waves(struct model *m, double *count, size_t seen, size_t n, double per_s, double waves,
			    double height)
{
	double period = (double)seen / waves, phase = 2 * M_PI * uniform(m), c = 1000 * uniform(m);

	for (size_t i = 0; i < n; i++) {
		c += events(m, per_s);
		count[i] =
		    fmax(0, floor(c + height * per_s * period * sin(phase + 2 * M_PI * (double)i / period)));
	}
	return per_s * 60;
}

static double grow_wavy(struct model *m, double *count, size_t seen, size_t n)
{
	double per_s = 0.5 + 5 * uniform(m), waves = 1.5 + 6 * uniform(m);

	return grow_in_waves(m, count, seen, n, per_s, waves, 0.05 + 0.3 * uniform(m));
}

static double grow_wavy_too(struct model *m, double *count, size_t seen, size_t n)
{
	double per_s = 2 + 10 * uniform(m), waves = 2 + 3 * uniform(m);

	return grow_in_waves(m, count, seen, n, per_s, waves, 0.1 + 0.4 * uniform(m));
}

const struct growing growing_shapes[] = {
    {"linear", "a line and noise of lives up to ten seconds", 0, grow_linear},
    {"stepped", "8 to 30 uneven steps at uneven times", 0, grow_steps},
    {"accelerating", "three to ten times as fast at the end as at the beginning", 0, grow_faster},
    {"random", "a Poisson process of batches of 1 to 4", 0, grow_random},
    {"wavy", "a Poisson process and a wave, 1.5 to 7.5 of them seen", 0, grow_wavy},
};
const size_t nr_growing_shapes = ARRAY_LEN(growing_shapes);

/* No factor of forecast.c was chosen by these. */
const struct growing unseen_shapes[] = {
    {"linear", "0.2 to 20 a second, more noise of shorter lives", 1000000, grow_linear_too},
    {"stepped", "6 to 20 larger steps, from hardly to very uneven", 1000000, grow_steps_too},
    {"accelerating", "two to six times as fast at the end as at the beginning", 1000000, grow_faster_too},
    {"random", "1 to 30 a second in batches of 1 to 7", 1000000, grow_random_too},
    {"wavy", "2 to 5 higher waves", 1000000, grow_wavy_too},
};
const size_t nr_unseen_shapes = ARRAY_LEN(unseen_shapes);
