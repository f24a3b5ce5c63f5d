/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What findings.c and findings_pins.c share. */
#ifndef JNITRACE_FINDINGS_PRIV_H
#define JNITRACE_FINDINGS_PRIV_H

#include "judge/findings.h"

/* Add a sentence. */
void finding_add_text(struct report_finding *f, const char *s);
/* What is wrong and what to do, by f->kind. */
void finding_set_text(const struct findings_input *in, struct report_finding *f);
/* Why a finding of this kind may not be true; NULL: it is. */
const char *finding_doubt(const struct report *r, enum finding_kind kind);
/* ids: of the three sites, 0: not known. */
uint64_t finding_id(enum finding_kind kind, const uint64_t ids[3]);
/* The stack of a site by its number, its id (0: not known), and when func is not NULL its function. */
uint64_t finding_site(const struct findings_input *in, uint32_t number, struct report_stack *out,
		      enum jni_func_id *func);
int findings_add(struct report *r, const struct report_finding *f);

/* Add what follows from the pins: sections held for long, arrays only ever committed. 0 or -ENOMEM. */
int findings_of_pins(const struct findings_input *in, struct report *r);

#endif
