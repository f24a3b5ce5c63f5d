/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What becomes of the references of a call site: a verdict from its history. Young references come and go in
 * any program and would hide a slow leak in their noise, so growth is judged by the survivors: those that
 * have been outstanding for a while.
 */
#ifndef JNITRACE_VERDICTS_H
#define JNITRACE_VERDICTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/report.h"

/* Ages from which on a reference is a survivor. A site whose references live long is judged by a later one.
 */
#define NR_AGES 3
extern const double survivor_ages_s[NR_AGES];

#define HISTORY_MAX 48
struct history {
	/* At first about once a second; whenever it is full, every second one goes. */
	float t_s[HISTORY_MAX];
	float survivors[NR_AGES][HISTORY_MAX]; /* outstanding and of that age */
	float deaths[NR_AGES][HISTORY_MAX];    /* survivors that were released, so far */
	size_t n;
	double spacing_s;
	uint64_t last_survivors[NR_AGES], last_deaths[NR_AGES];

	double first_s, last_s; /* first and last reading */
	double last_acquired_s; /* when it was last seen to acquire */
	double sum_outstanding; /* of all readings */
	uint64_t readings, acquired, released, outstanding, peak;
};

/* What is known of a site at one moment. */
struct reading {
	double t_s; /* since attach */
	uint64_t acquired, released, outstanding;
	uint64_t survivors[NR_AGES]; /* of the outstanding */
	uint64_t kept[NR_AGES];      /* of those, survivors at the last reading already */
};
/* h starts with zeros. Readings in the order of their time. */
void history_add(struct history *h, const struct reading *r);
void history_verdict(const struct history *h, struct report_verdict *out);

/* Can what is acquired by functions of this family pile up, and is each known by its age? */
bool verdicts_judge(const struct catalog *catalog, enum jni_func_id func);

/* Of all sites: how many of each verdict, and each library's. 0 or -ENOMEM. */
int verdicts_sum_up(struct report *r);

#endif
