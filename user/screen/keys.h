/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The keys, a row each: they feed the screen, its footer, its help, jnitrace help keys and the man page. */
#ifndef JNITRACE_SCREEN_KEYS_H
#define JNITRACE_SCREEN_KEYS_H

#include "screen/key.h"
#include "screen/state.h"

/* What the key that was pressed changes. */
enum wish keys_press(struct browser *b, const struct key *key);
/* The keys of this panel, as far as there is room. */
void keys_footer(const struct browser *b, struct canvas *c, int row);
void keys_page(const struct browser *b, struct page *p);

/* What they are called, and what they do; NULL behind the last. */
const char *keys_name(size_t i);
const char *keys_help(size_t i);

#endif
