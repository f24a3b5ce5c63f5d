/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What follows from how strings and arrays are held. */
#ifndef JNITRACE_FINDINGS_PINS_H
#define JNITRACE_FINDINGS_PINS_H

#include "judge/finding.h"

/* Add sections held for long, and arrays only ever committed, to r->findings. 0 or -ENOMEM. */
int findings_of_pins(const struct findings_input *in, struct report *r);

#endif
