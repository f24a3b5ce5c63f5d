/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Explanations of a count that grows, weighed by how likely they make it. See forecast.h. */
#include "judge/forecast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define N_MAX    FORECAST_SAMPLES
#define JITTER   1e-6       /* of the samples' variance: keeps the matrices regular */
#define QUANTUM  (1.0 / 12) /* variance of what is lost by counting whole references */
#define LEAST    0.003      /* an explanation that weighs less is dropped */
#define TAIL     0.025
#define BEND_MAX 0.9
#define SHARPER  1.2 /* a small doubt decides no interval's end */
#define HORIZON  1e5 /* times the span: further is not looked */
#define FIRST    (1.0 / 256)
#define STEP     1.1
#define STEPS    30 /* of a bisection */

/*
 * The explanations are not all that there are, and each takes its best guess of its own noise for the truth:
 * variances are this much wider. Found by simulation of the kinds of growth that docs/verdicts.md lists.
 */
#define WIDER        1.13
#define WIDER_EVEN   1.15 /* without a walk */
#define WIDER_CURVED 1.15 /* more, of a parabola */

/* Waves: so many in the span, from WAVES_LEAST on. */
#define NR_WAVES    30
#define WAVES_LEAST 0.667
#define WAVES_STEP  0.25
#define WAVES_FADE  8.0 /* spans in which a wave forgets its phase */
#define WAVES_PRIOR 0.064

/*
 * A count that falls has references that come and go. One that only rises has none that could make its noise
 * white, nor of short lives.
 */
#define FALLS         0.02 /* of all ups and downs */
#define NO_LIVES      0.1
#define NO_WHITE      0.3  /* beside a walk */
#define WALK_OF_COUNT 0.25 /* references that come at random walk by one each; much less is unlikely */
/*
 * A count that moves in few steps has a growth that is not known better than from so few, however straight
 * its line: sizes and times of steps differ. Relative variance of a step, and how many of the readings may be
 * steps: more is no stepping.
 */
#define STEP_VARIANCE 0.15
#define STEPS_AT_MOST 0.7

/* Noise as the sum of kinds, as shares of one variance. Time is in spans. */
struct noise {
	double white, walk, drift, lives, life, wave, wave_length;
	double prior;
	double curved; /* how likely the growth itself changes steadily */
	double wider;
};
static const struct noise noises[] = {
    {.white = 1, .prior = 4, .curved = 0.05, .wider = WIDER_EVEN},
    {.walk = 1, .prior = 4, .curved = 0.3, .wider = WIDER},
    {.walk = 1, .white = 0.05, .prior = 1.5, .curved = 0.3, .wider = WIDER},
    {.walk = 1, .white = 0.2, .prior = 0.5, .curved = 0.1, .wider = WIDER},
    {.walk = 1, .white = 0.6, .prior = 0.25, .curved = 0.1, .wider = WIDER},
    {.lives = 1, .life = 0.02, .prior = 1, .curved = 0.05, .wider = WIDER_EVEN},
    {.lives = 1, .life = 0.06, .prior = 1, .curved = 0.05, .wider = WIDER_EVEN},
    {.lives = 1, .life = 0.15, .prior = 1, .curved = 0.05, .wider = WIDER_EVEN},
    {.drift = 1, .white = 0.02, .prior = 0.3, .wider = WIDER},
    {.drift = 1, .walk = 0.2, .prior = 0.3, .wider = WIDER},
};
/* Beside a wave: the higher it is, the more depends on its being one. */
static const struct {
	double walk, wider;
} wave_walks[] = {{0.05, 2.7}, {0.4, 1.8}, {3, 1.3}};

#define NR_MODELS (2 * ARRAY_LEN(noises) + NR_WAVES * ARRAY_LEN(wave_walks))

/*
 * All these kinds of noise forget: what is to come depends on what is now, which three numbers say, the
 * state. So the samples are taken one after the other (a Kalman filter); a matrix of covariances would take
 * n^3 steps.
 */
enum { WALK, WANDERS, RATE, STATES, SINE = RATE }; /* a drift wanders at a rate; of a wave cosine and sine */
enum { LEVEL, GROWTH, CHANGE, TRENDS, COUNT = TRENDS, COLUMNS }; /* the count is explained by trends */

/* What is known of the state of each column, after a sample. */
struct state {
	double mean[STATES][COLUMNS], cov[STATES][STATES]; /* upper half */
};

/* What is new in each sample, in units of its error. */
struct news {
	double v[COLUMNS][N_MAX];
	size_t n;
	double log_det; /* of the samples' covariance */
};

/* One explanation, fitted. */
struct model {
	struct noise noise;
	int trends;
	double weight, variance, freedom;
	struct state state; /* after the last sample */
	double beta[TRENDS], cov[TRENDS][TRENDS];
};

struct fit {
	double u[N_MAX], y[N_MAX]; /* time in spans, 0: the last sample; count above the last one */
	size_t n;
	double fades[N_MAX];               /* of any wave since the sample before */
	double cosine[N_MAX], sine[N_MAX]; /* of the wave that is being fitted */
	double grown, falls; /* from the first to the last sample; share of falls in all ups and downs */
	double uneven;       /* relative variance of the growth, of few steps; 0: many */
	double bend; /* references that come one by one scatter the more the faster they come; 0: evenly */
	struct model models[NR_MODELS];
	size_t nr_models;
};

/* The variance of a walk by then. */
static double walked(const struct fit *f, double u)
{
	double a = u + 1; /* since the first sample */

	return a + f->bend * (a * a - a);
}

static void begin(const struct noise *k, struct state *s)
{
	*s = (struct state){.cov[WANDERS][WANDERS] = k->wave + k->lives, .cov[SINE][SINE] = k->wave};
}

/* Time goes on from u to v. fade: of a wave. */
static void go_on(const struct fit *f, const struct noise *k, double u, double v, double fade,
		  struct state *s)
{
	double(*p)[STATES] = s->cov, dt = v - u;

	p[WALK][WALK] += k->walk * (walked(f, v) - walked(f, u));
	if (k->drift > 0) {
		for (int c = 0; c < COLUMNS; c++)
			s->mean[WANDERS][c] += dt * s->mean[RATE][c];
		p[WALK][WANDERS] += dt * p[WALK][RATE];
		p[WANDERS][WANDERS] += dt * (2 * p[WANDERS][RATE] + dt * (p[RATE][RATE] + k->drift * dt / 3));
		p[WANDERS][RATE] += dt * (p[RATE][RATE] + k->drift * dt / 2);
		p[RATE][RATE] += dt * k->drift;
	} else if (k->wave + k->lives > 0) {
		double stays = k->wave > 0 ? fade : exp(-dt / k->life), comes = 1 - stays * stays;

		for (int c = 0; c < COLUMNS; c++) {
			s->mean[WANDERS][c] *= stays;
			s->mean[SINE][c] *= stays;
		}
		p[WALK][WANDERS] *= stays;
		p[WALK][SINE] *= stays;
		p[WANDERS][SINE] *= stays * stays;
		p[WANDERS][WANDERS] += comes * (k->wave + k->lives - p[WANDERS][WANDERS]);
		p[SINE][SINE] += comes * (k->wave - p[SINE][SINE]);
	}
}

/* By how much each state shows in a sample. */
static void shows(const struct noise *k, double cosine, double sine, double *out)
{
	out[WALK] = 1;
	out[WANDERS] = k->wave > 0 ? cosine : 1;
	out[SINE] = k->wave > 0 ? sine : 0;
}

/* The variance of a sample but for what is white; and how it varies with each state. */
static double varies(const struct state *s, const double *shows, double *with)
{
	const double(*p)[STATES] = s->cov;

	with[WALK] =
	    shows[WALK] * p[WALK][WALK] + shows[WANDERS] * p[WALK][WANDERS] + shows[SINE] * p[WALK][SINE];
	with[WANDERS] = shows[WALK] * p[WALK][WANDERS] + shows[WANDERS] * p[WANDERS][WANDERS] +
			shows[SINE] * p[WANDERS][SINE];
	with[SINE] =
	    shows[WALK] * p[WALK][SINE] + shows[WANDERS] * p[WANDERS][SINE] + shows[SINE] * p[SINE][SINE];
	return shows[WALK] * with[WALK] + shows[WANDERS] * with[WANDERS] + shows[SINE] * with[SINE];
}

/* What each column of a sample should be by the state. */
static void should_be(const struct state *s, const double *shows, double *out)
{
	for (int c = 0; c < COLUMNS; c++)
		out[c] = shows[WALK] * s->mean[WALK][c] + shows[WANDERS] * s->mean[WANDERS][c] +
			 shows[SINE] * s->mean[SINE][c];
}

/* Take the i-th sample. Returns its variance. */
static double take(const struct fit *f, const struct noise *k, size_t i, struct state *s, struct news *news)
{
	double u = f->u[i], sample[COLUMNS] = {1, u, u * u, f->y[i]}, expected[COLUMNS], shown[STATES],
	       with[STATES], variance, error;

	shows(k, f->cosine[i], f->sine[i], shown);
	variance = fmax(varies(s, shown, with) + k->white + JITTER, 1e-12);
	error = 1 / sqrt(variance);
	should_be(s, shown, expected);
	for (int c = 0; c < COLUMNS; c++) {
		sample[c] = (sample[c] - expected[c]) * error;
		news->v[c][i] = sample[c];
	}
	for (int a = 0; a < STATES; a++) {
		with[a] *= error;
		for (int c = 0; c < COLUMNS; c++)
			s->mean[a][c] += with[a] * sample[c];
		for (int b = 0; b <= a; b++)
			s->cov[b][a] -= with[a] * with[b];
	}
	return variance;
}

static void take_all(const struct fit *f, const struct noise *k, struct state *s, struct news *news)
{
	double det = 1; /* at least JITTER^N_MAX */

	news->n = f->n;
	begin(k, s);
	for (size_t i = 0; i < f->n; i++) {
		if (i > 0)
			go_on(f, k, f->u[i - 1], f->u[i], f->fades[i], s);
		det *= take(f, k, i, s, news);
	}
	news->log_det = log(det);
}

static double dot(const double *a, const double *b, size_t n)
{
	double s = 0;

	for (size_t i = 0; i < n; i++)
		s += a[i] * b[i];
	return s;
}

/* beta and its covariance; the logarithm of the determinant of X'C^-1X. */
static double regress(struct model *m, const struct news *news)
{
	double a[TRENDS][TRENDS + TRENDS + 1] = {{0}}, log_det = 0;
	int p = m->trends;

	for (int i = 0; i < p; i++) {
		for (int j = 0; j < p; j++)
			a[i][j] = dot(news->v[i], news->v[j], news->n);
		a[i][p + i] = 1;
		a[i][2 * p] = dot(news->v[i], news->v[COUNT], news->n);
	}
	for (int i = 0; i < p; i++) {
		double pivot = a[i][i] > 1e-12 ? a[i][i] : 1e-12;

		log_det += log(pivot);
		for (int k = 0; k <= 2 * p; k++)
			a[i][k] /= pivot;
		for (int j = 0; j < p; j++) {
			double f = a[j][i];

			for (int k = 0; k <= 2 * p && j != i; k++)
				a[j][k] -= f * a[i][k];
		}
	}
	for (int i = 0; i < p; i++) {
		m->beta[i] = a[i][2 * p];
		for (int j = 0; j < p; j++)
			m->cov[i][j] = a[i][p + j];
	}
	return log_det;
}

/* By how much the growth gets faster from the first sample to the last: a parabola through them, or 0. */
static double bend_of(const struct fit *f)
{
	struct model m = {.trends = TRENDS};
	struct news news = {.n = f->n};
	double bend, end;

	for (size_t i = 0; i < f->n; i++) {
		news.v[LEVEL][i] = 1;
		news.v[GROWTH][i] = f->u[i];
		news.v[CHANGE][i] = f->u[i] * f->u[i];
		news.v[COUNT][i] = f->y[i];
	}
	regress(&m, &news);
	end = m.beta[GROWTH] - m.beta[CHANGE]; /* of the whole span, u = -1 to 0 */
	bend = end > 0 ? m.beta[CHANGE] / end : 0;
	return bend < 0 ? 0 : bend > BEND_MAX ? BEND_MAX : bend;
}

/* How likely is such noise in a count like this? Its logarithm. */
static double plausible(const struct fit *f, const struct model *m, double scale)
{
	const struct noise *k = &m->noise;
	double walk = m->variance / k->wider * k->walk * scale / fmax(f->grown, 1e-3), p = log(k->prior);

	/* How much the growth may change over the span: as much as the count did. */
	p += m->trends > 2 ? log(k->curved / sqrt(2 * M_PI)) - m->beta[2] * m->beta[2] / 2
			   : log(1 - k->curved);
	if ((k->walk >= 0.5 || k->wave > 0) && walk < WALK_OF_COUNT)
		p -= log(walk / WALK_OF_COUNT) * log(walk / WALK_OF_COUNT) / 2;
	if (f->falls < FALLS && k->lives > 0)
		p += log(NO_LIVES);
	if (f->falls < FALLS && k->white > 0 && k->walk > 0)
		p += log(NO_WHITE);
	return p;
}

/* What the trends leave unexplained, as a sum of squares. */
static double rest_of(const struct model *m, const struct news *news)
{
	double sum = 0;

	for (size_t i = 0; i < news->n; i++) {
		double rest = news->v[COUNT][i];

		for (int k = 0; k < m->trends; k++)
			rest -= m->beta[k] * news->v[k][i];
		sum += rest * rest;
	}
	return sum;
}

/* m->weight becomes the logarithm of its likelihood. */
static void fit_model(const struct fit *f, const struct news *news, struct model *m, double scale)
{
	double log_xx = regress(m, news), rss = rest_of(m, news) + QUANTUM / (scale * scale);

	m->freedom = (double)f->n - m->trends + 1;
	m->variance = m->noise.wider * rss / m->freedom;
	m->weight = plausible(f, m, scale) - (news->log_det + log_xx + m->freedom * log(rss)) / 2 +
		    lgamma(m->freedom / 2) - m->freedom / 2 * log(M_PI);
	if (m->trends > 2)
		m->variance *= WIDER_CURVED;
}

/* A line, and a parabola where the growth may change. */
static void add_models(struct fit *f, const struct noise *noise, double scale)
{
	struct state state;
	struct news news;

	take_all(f, noise, &state, &news);
	for (int trends = 2; trends <= (noise->curved > 0 ? TRENDS : 2); trends++) {
		struct model *m = &f->models[f->nr_models++];

		m->noise = *noise;
		m->trends = trends;
		m->state = state;
		fit_model(f, &news, m, scale);
	}
}

static void add_waves(struct fit *f, double scale)
{
	for (size_t k = 0; k < NR_WAVES; k++) {
		double length = 1 / (WAVES_LEAST + WAVES_STEP * (double)k);

		for (size_t i = 0; i < f->n; i++) {
			f->cosine[i] = cos(2 * M_PI * f->u[i] / length);
			f->sine[i] = sin(2 * M_PI * f->u[i] / length);
		}
		for (size_t w = 0; w < ARRAY_LEN(wave_walks); w++) {
			const struct noise noise = {.wave = 1,
						    .wave_length = length,
						    .walk = wave_walks[w].walk,
						    .prior = WAVES_PRIOR,
						    .wider = wave_walks[w].wider};

			add_models(f, &noise, scale);
		}
	}
}

static void fit_all(struct fit *f, double scale)
{
	double best = -INFINITY, sum = 0;
	size_t kept = 0;

	f->nr_models = 0;
	for (size_t k = 0; k < ARRAY_LEN(noises); k++)
		add_models(f, &noises[k], scale);
	add_waves(f, scale);
	for (size_t i = 0; i < f->nr_models; i++)
		best = fmax(best, f->models[i].weight);
	for (size_t i = 0; i < f->nr_models; i++) {
		f->models[i].weight = exp((f->models[i].weight - best) * SHARPER);
		if (!(f->models[i].weight >= LEAST))
			continue;
		if (kept != i)
			f->models[kept] = f->models[i];
		sum += f->models[kept++].weight;
	}
	f->nr_models = kept;
	for (size_t i = 0; i < kept; i++)
		f->models[i].weight /= sum;
}

/* Student's distribution by Wallace's transformation to the normal one (1959). */
static double t_below(double t, double freedom)
{
	double z = (8 * freedom + 1) / (8 * freedom + 3) * sqrt(freedom * log1p(t * t / freedom));

	return erfc((t < 0 ? z : -z) / M_SQRT2) / 2;
}

/* The variance of what the trends add up to, each so much. */
static double of_trends(const struct model *m, const double *d)
{
	double var = 0;

	for (int i = 0; i < m->trends; i++)
		for (int j = 0; j < m->trends; j++)
			var += d[i] * d[j] * m->cov[i][j];
	return var;
}

/* What an explanation says of the growth now, per span. */
static void growth_of(const struct fit *f, const struct model *m, double *mean, double *error)
{
	double d[TRENDS] = {0, 1, 0}, var = 0;

	*mean = m->beta[GROWTH];
	if (m->noise.drift > 0) { /* the rate that wandered off */
		*mean += m->state.mean[RATE][COUNT];
		for (int k = 0; k < m->trends; k++) {
			*mean -= m->beta[k] * m->state.mean[RATE][k];
			d[k] -= m->state.mean[RATE][k];
		}
		var = m->state.cov[RATE][RATE];
	}
	var += of_trends(m, d);
	*error = sqrt(fmax(fmax(var, 0) * m->variance, f->uneven * f->grown * f->grown));
}

/* What an explanation says of the count at a time to come. */
static void count_of(const struct fit *f, const struct model *m, double u, double *mean, double *error)
{
	double d[TRENDS] = {1, u, u * u}, expected[COLUMNS], shown[STATES], with[STATES], var,
	       turn = m->noise.wave > 0 ? 2 * M_PI * u / m->noise.wave_length : 0;
	struct state s = m->state;

	go_on(f, &m->noise, 0, u, m->noise.wave > 0 ? exp(-u / WAVES_FADE) : 0, &s);
	shows(&m->noise, cos(turn), sin(turn), shown);
	should_be(&s, shown, expected);
	*mean = expected[COUNT];
	for (int k = 0; k < m->trends; k++) {
		d[k] -= expected[k];
		*mean += m->beta[k] * d[k];
	}
	var = varies(&s, shown, with) + m->noise.white + of_trends(m, d);
	*error = sqrt(fmax(fmax(var, 1e-12) * m->variance, f->uneven * f->grown * f->grown * (u + u * u)));
}

static double growth_below(const struct fit *f, const double *mean, const double *error, double x)
{
	double p = 0;

	for (size_t i = 0; i < f->nr_models; i++)
		p +=
		    f->models[i].weight * t_below((x - mean[i]) / fmax(error[i], 1e-9), f->models[i].freedom);
	return p;
}

/* The growth now that is not reached with this likelihood. */
static double growth_at(const struct fit *f, const double *mean, const double *error, double p)
{
	double lo = INFINITY, hi = -INFINITY;

	for (size_t i = 0; i < f->nr_models; i++) {
		lo = fmin(lo, mean[i] - 20 * error[i] - 1e-6);
		hi = fmax(hi, mean[i] + 20 * error[i] + 1e-6);
	}
	for (int k = 0; k < STEPS; k++) {
		double x = (lo + hi) / 2;

		*(growth_below(f, mean, error, x) < p ? &lo : &hi) = x;
	}
	return (lo + hi) / 2;
}

/* How likely is it that the count is at the limit, so far above the last count, at that time? */
static double is_at(const struct fit *f, double limit, double u)
{
	double p = 0;

	for (size_t i = 0; i < f->nr_models; i++) {
		const struct model *m = &f->models[i];
		double mean, error;

		count_of(f, m, u, &mean, &error);
		p += m->weight * (1 - t_below((limit - mean) / error, m->freedom));
	}
	return p;
}

/* When that likelihood is passed, somewhere between two times. */
static double between(const struct fit *f, double limit, double before, double after, double p)
{
	for (int k = 0; k < STEPS / 2; k++) {
		double u = (before + after) / 2;

		*(is_at(f, limit, u) < p ? &before : &after) = u;
	}
	return (before + after) / 2;
}

/* When it has been at the limit with each of these likelihoods, rising; in spans from now, INFINITY: not
 * within the horizon. */
static void reached_at(const struct fit *f, double limit, const double *p, size_t n, double *out)
{
	double last_u = 0, last = 0;
	size_t k = 0;

	for (double u = FIRST; u < HORIZON && k < n; u *= STEP) {
		double now = fmax(last, is_at(f, limit, u));

		for (; k < n && now >= p[k]; k++)
			out[k] = between(f, limit, last_u, u, p[k]);
		last_u = u;
		last = now;
	}
	while (k < n)
		out[k++] = INFINITY;
}

static void tell(const struct fit *f, double span_s, double scale, double missing, struct growth *out)
{
	double mean[ARRAY_LEN(f->models)], error[ARRAY_LEN(f->models)], lo, hi;
	static const double p[] = {TAIL, 0.5, 1 - TAIL};
	double at[ARRAY_LEN(p)];

	for (size_t i = 0; i < f->nr_models; i++)
		growth_of(f, &f->models[i], &mean[i], &error[i]);
	lo = growth_at(f, mean, error, TAIL);
	hi = growth_at(f, mean, error, 1 - TAIL);
	out->known = true;
	out->per_min = (lo + hi) / 2 * scale / span_s * 60;
	out->error_per_min = (hi - lo) / 2 * scale / span_s * 60;
	if (isnan(missing))
		return;
	if (missing <= 0) {
		out->limit_s = out->limit_soonest_s = out->limit_latest_s = 0;
		return;
	}
	reached_at(f, missing / scale, p, ARRAY_LEN(p), at);
	out->limit_soonest_s = at[0] * span_s;
	out->limit_s = at[1] * span_s;
	out->limit_latest_s = at[2] * span_s;
}

/* What kind of count is it? */
static void look_at(struct fit *f, const struct samples *s)
{
	double up = 0, down = 0;

	for (size_t i = 1; i < f->n; i++) {
		up += fmax(f->y[i] - f->y[i - 1], 0);
		down += fmax(f->y[i - 1] - f->y[i], 0);
	}
	f->grown = up - down;
	f->falls = up + down > 0 ? down / (up + down) : 0;
	if (f->falls < FALLS && s->moves > 0 && s->moves < STEPS_AT_MOST * s->readings)
		f->uneven = STEP_VARIANCE / s->moves;
	f->bend = bend_of(f);
	for (size_t i = 1; i < f->n; i++)
		f->fades[i] = exp((f->u[i - 1] - f->u[i]) / WAVES_FADE);
}

void forecast(const struct samples *s, double limit, struct growth *out)
{
	size_t n = s->n;
	double span_s = n > 0 ? s->t_s[n - 1] - s->t_s[0] : 0, lo = INFINITY, hi = -INFINITY, scale;
	struct fit *f;

	*out = (struct growth){
	    .samples = n, .span_s = span_s, .limit_s = -1, .limit_soonest_s = -1, .limit_latest_s = -1};
	if (n < FORECAST_FEWEST || n > N_MAX || !(span_s > 0))
		return;
	f = malloc(sizeof(*f));
	if (!f)
		return;
	f->n = n;
	f->uneven = 0;
	for (size_t i = 0; i < n; i++) {
		lo = fmin(lo, s->count[i]);
		hi = fmax(hi, s->count[i]);
	}
	scale = fmax(hi - lo, 1);
	for (size_t i = 0; i < n; i++) {
		f->u[i] = (s->t_s[i] - s->t_s[n - 1]) / span_s;
		f->y[i] = (s->count[i] - s->count[n - 1]) / scale;
	}
	look_at(f, s);
	fit_all(f, scale);
	tell(f, span_s, scale, limit > 0 ? limit - s->count[n - 1] : NAN, out);
	free(f);
}

void forecast_flat(struct flat *flat, const struct samples *s, struct growth *out)
{
	size_t bytes = s->n * sizeof(*s->t_s);

	if (!s->n || flat->n != s->n || memcmp(flat->t_s, s->t_s, bytes) != 0) {
		forecast(s, 0, &flat->growth);
		flat->n = flat->growth.known ? s->n : 0;
		memcpy(flat->t_s, s->t_s, bytes);
	}
	*out = flat->growth;
}
