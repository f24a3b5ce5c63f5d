/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's clock of references: ticks, and how long one is. */
#include "kernel/clock.h"

#include <bpf/bpf.h>
#include <string.h>

/* Clock rates Linux is built with (kernel/Kconfig.hz, arch/alpha). */
static const int known_hz[] = {100, 250, 256, 300, 1000, 1024};

/*
 * Seconds of one tick. jiffies start at -300 s as a 32-bit number (INITIAL_JIFFIES,
 * include/linux/jiffies.h) and stand still in suspend like CLOCK_MONOTONIC, so both
 * together give the rate, which no interface tells.
 */
static double tick_seconds(const struct clocks *h)
{
	int best = known_hz[0];
	double best_error = 1e300;

	for (size_t i = 0; i < ARRAY_LEN(known_hz); i++) {
		uint64_t since_boot = h->jiffies - (uint32_t)(-300 * known_hz[i]);
		double e = (double)since_boot / known_hz[i] - h->monotonic_ns / 1e9;

		e = e < 0 ? -e : e;
		if (e < best_error) {
			best_error = e;
			best = known_hz[i];
		}
	}
	return (double)(1 << JT_TICK_SHIFT) / best;
}

int clock_read(struct tracer *t, struct clock_reading *out)
{
	struct clocks c = {0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &c, .ctx_size_in = sizeof(c));
	int rc = bpf_prog_test_run_opts(bpf_program__fd(t->skel->progs.jt_clock), &run);

	*out = (struct clock_reading){
	    .monotonic_ns = c.monotonic_ns,
	    .tick = c.jiffies >> JT_TICK_SHIFT,
	    .tick_s = tick_seconds(&c),
	};
	return rc;
}

int tracer_tick(struct tracer *t, uint32_t *tick)
{
	struct clock_reading now;
	int rc = clock_read(t, &now);

	*tick = now.tick;
	return rc;
}
