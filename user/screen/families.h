/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The panel that switches families on and off. */
#ifndef JNITRACE_SCREEN_FAMILIES_H
#define JNITRACE_SCREEN_FAMILIES_H

#include "screen/key.h"
#include "screen/state.h"

/* Open it; false: nothing can be switched, and it is told why. */
bool families_open(struct browser *b);
/* While it is open all keys are its own, but for those that leave it. */
enum wish families_key(struct browser *b, const struct key *key);
void families_page(const struct browser *b, struct page *p);

#endif
