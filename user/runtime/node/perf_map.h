/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of generated code as the process itself writes them for perf(1): /tmp/perf-PID.map, where V8 was told
 * to (--perf-basic-prof). Lines "START BYTES NAME", the addresses in hex, the last word on an address counts.
 * What it says is not proven: it is bounded, cleaned, and shown as a name only.
 */
#ifndef JNITRACE_NODE_PERF_MAP_H
#define JNITRACE_NODE_PERF_MAP_H

#include <sys/types.h>

#include "model/report.h"

struct perf_map; /* opaque */

/* 0 or -ENOMEM; whether there is a file shows later. */
int perf_map_new(pid_t pid, struct perf_map **out);
void perf_map_free(struct perf_map *m);
/* Read what was written since. */
void perf_map_refresh(struct perf_map *m);
/*
 * *out: the function whose code is at addr, file and line those where it is defined; the texts live as long
 * as m. 1, 0: it has no name, or -ENOMEM.
 */
int perf_map_find(struct perf_map *m, uint64_t addr, struct frame *out);

/* Take a name apart: "JS:~leak /srv/app.js:3:18" into symbol, file (its base name; all of "node:...") and
 * line, cleaned. false: it is no JavaScript function's. */
#define PERF_NAME_BYTES 256
struct perf_name {
	char symbol[PERF_NAME_BYTES], file[PERF_NAME_BYTES];
	int line; /* 0: unknown */
};
bool perf_name_parse(const char *text, size_t n, struct perf_name *out);

#endif
