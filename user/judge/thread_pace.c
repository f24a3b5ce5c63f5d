/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "judge/thread_pace.h"

struct thread_pace thread_pace_begin(uint64_t held, double at_s)
{
	return (struct thread_pace){{held, held}, {at_s, at_s}};
}

void thread_paces(struct report_thread *threads, struct thread_pace *paces, size_t n, double elapsed_s,
		  bool final, uint64_t each)
{
	for (size_t i = 0; i < n; i++) {
		struct report_thread *t = &threads[i];
		struct thread_pace *p = &paces[i];
		double held = final ? 0 : (double)p->held[0], at_s = final ? 0 : p->at_s[0];

		t->paced = !t->life_unknown;
		t->rate_per_s = elapsed_s > at_s
				    ? ((double)t->outstanding - held) * (double)each / (elapsed_s - at_s)
				    : 0;
		if (elapsed_s - p->at_s[1] < THREAD_PACE_S)
			continue;
		p->held[0] = p->held[1];
		p->at_s[0] = p->at_s[1];
		p->held[1] = t->outstanding;
		p->at_s[1] = elapsed_s;
	}
}
