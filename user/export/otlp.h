/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Profiles for OpenTelemetry: a gzip'd request of user/export/otlp.proto. */
#ifndef JNITRACE_OTLP_H
#define JNITRACE_OTLP_H

#include "base/util.h"
#include "model/report.h"
#include "view/view_opts.h"

#define OTLP_PATH "/v1development/profiles" /* of opentelemetry-proto 1.10, whose profiles are alpha */

/*
 * service: see service_of(). One target is one resource, whose attributes tell service, host, process,
 * container and pod. Each type of value is a profile: jni_outstanding and jni_acquired (count), and
 * jni_outstanding_bytes where bytes are known. The samples of a site have its stack, and attributes
 * (jnitrace.family, .function, .verdict, .class). Outstanding references have a sample for each class that is
 * known, and one without class for the rest. Unknown numbers have no sample; attributes of each profile
 * (jnitrace.sites_unknown, jnitrace.drop.NAME, jnitrace.sampled.FAMILY) tell how many there are, what was
 * lost, and that one handle in N is followed. An id of a profile is of what it is, not of when it was
 * written.
 */
void otlp_write(struct buf *out, const char *service, const struct report *r, const struct view_opts *o);

/* How many profiles a store will not have, by the body of its answer; why: clean, "": it does not say. */
uint64_t otlp_rejected(const char *answer, size_t n, char *why, size_t cap);

#endif
