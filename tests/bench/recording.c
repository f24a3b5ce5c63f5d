/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How large a recording gets, and what writing it takes: an hour of 10,000 events a second at 1,000 sites,
 * all of which change in every interval, made up by chance, so that little of it can be compressed. As JSON.
 * Usage: recording [SECONDS]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "record/recorder.h"

#define SITES    1000
#define EVENTS   10000
#define DEPTH    16
#define PER_HOUR (14U << 20) /* as run/record_file.c has it */

static struct report report;
static struct report_site sites[SITES];
static struct frame frames[SITES][DEPTH];
static char names[SITES][DEPTH][64];

static void begin(void)
{
	report.catalog = &jni_catalog;
	report.target = (struct report_target){.pid = 7, .comm = "java"};
	report.sites.v = sites;
	report.sites.n = SITES;
	for (int i = 0; i < SITES; i++) {
		sites[i] = (struct report_site){.id = mix64((uint64_t)i),
						.func = FUNC_NewGlobalRef,
						.frames = {frames[i], DEPTH, 0},
						.outstanding_bytes = -1,
						.peak_per_call = -1};
		for (int k = 0; k < DEPTH; k++) {
			int which = k > 8 ? k : (i * 31 + k * 17) % 4000;

			snprintf(names[i][k], sizeof(names[i][k]), "com.acme.module%d.Service%d.method%d",
				 which % 13, which % 401, which);
			frames[i][k] = (struct frame){.type = FRAME_JAVA,
						      .symbol = names[i][k],
						      .offset = (uint64_t)which * 48,
						      .line = which};
		}
	}
}

/* One second more: as many events as there are on average, more or less. */
static void go_on(int second)
{
	double last_s = report.elapsed_s, interval_s;

	report.elapsed_s = second + drand48() / 1000;
	interval_s = report.elapsed_s - last_s;
	report.time_unix_s = 1764432000 + report.elapsed_s;
	report.events += EVENTS;
	report.calls[FUNC_NewGlobalRef] = report.calls[FUNC_DeleteGlobalRef] = report.events / 2;
	report.events_per_s = EVENTS + drand48();
	report.target_cpu_pct = drand48();
	for (int i = 0; i < SITES; i++) {
		struct report_site *s = &sites[i];
		uint64_t acquired = s->acquired, outstanding = s->outstanding;

		s->acquired += (uint64_t)(2 * EVENTS / 2 / SITES * drand48() + 0.5);
		s->released = s->acquired - (uint64_t)(i % 10 ? 20 * drand48() : second / 3.0);
		s->outstanding = s->acquired > s->released ? s->acquired - s->released : 0;
		s->oldest_s = i % 10 ? round(drand48() * 60) * 0.016 : report.elapsed_s - i * 0.001;
		s->rate_per_s = s->recent_per_s = ((double)s->outstanding - (double)outstanding) / interval_s;
		s->acquired_per_s = (double)(s->acquired - acquired) / interval_s;
		s->verdict = (struct report_verdict){.kind = i % 10 ? VERDICT_BOUNDED : VERDICT_GROWING,
						     .confidence = CONFIDENCE_HIGH,
						     .per_min = drand48(),
						     .error_per_min = drand48(),
						     .span_s = report.elapsed_s - i * 0.01,
						     .survivors = s->outstanding / 2};
	}
}

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void measure(int seconds, uint64_t per_hour)
{
	size_t bytes = 0, kept = 0;
	struct recorder *r;
	double took_s = 0;

	report.events = 0;
	report.elapsed_s = 0;
	begin();
	if (recorder_new(&jni_catalog, NULL, 0, per_hour, &r))
		exit(1);
	for (int i = 1; i <= seconds; i++) {
		const struct report *reports = &report;
		struct buf out = {0};
		double start_s;

		go_on(i);
		report.final = i == seconds;
		start_s = cpu_s();
		if (recorder_reports(r, &reports, 1, &out))
			exit(1);
		took_s += cpu_s() - start_s;
		bytes += out.n;
		kept += out.n > 0;
		buf_free(&out);
	}
	recorder_free(r);
	report.final = false;
	printf("{\"limit_mb_per_hour\": %llu, \"seconds\": %d, \"mb\": %.1f, \"kept\": %zu, \"cpu_pct\": "
	       "%.2f}\n",
	       (unsigned long long)per_hour >> 20, seconds, (double)bytes / (1 << 20), kept,
	       took_s / seconds * 100);
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 3600;

	measure(seconds, PER_HOUR);
	measure(seconds < 300 ? seconds : 300, 0); /* nothing is left out */
	return 0;
}
