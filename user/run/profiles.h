/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What windows have seen, as profiles for a store: in pprof's format for one such as Pyroscope, by POST
 * /ingest; by OTLP for a collector of OpenTelemetry.
 */
#ifndef JNITRACE_PROFILES_H
#define JNITRACE_PROFILES_H

#include "agent/pusher.h"
#include "model/window.h"
#include "run/options.h"

struct profiles; /* opaque */

/* Can what o says be used? 0, or -errno with err. */
int profiles_check(const struct options *o, struct error *err);
/* As o says; *out is NULL where it asks for none. 0, or -errno with err. */
int profiles_open(const struct options *o, struct profiles **out, struct error *err);
/* What was not sent stays in the spool. */
void profiles_close(struct profiles *p);
/*
 * Those that have ended since the last call: on disk when this returns. One for which there is no room is
 * told and counted.
 */
void profiles_push(struct profiles *p, const struct window *const *v, size_t n);
/* All zero for NULL. */
struct pusher_counts profiles_counts(const struct profiles *p);

#endif
