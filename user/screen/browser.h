/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a person looks at on a terminal, of a live run and of a recording alike: panels, the row that is
 * selected, what the keys have changed. It is given reports, and keys, and draws on a canvas; it knows no
 * terminal, no process and no file.
 */
#ifndef JNITRACE_BROWSER_H
#define JNITRACE_BROWSER_H

#include <stdbool.h>

#include "base/util.h"
#include "model/report.h"
#include "screen/canvas.h"
#include "screen/key.h"
#include "screen/timeline.h"
#include "view/view_opts.h"

struct browser; /* opaque */

/* request outlives it. timeline: NULL: it is live. 0 or -ENOMEM. */
int browser_new(const struct view_request *request, const struct timeline *timeline, struct browser **out);
void browser_free(struct browser *b);

/* Reports of one moment, which live until others come. 0 or -ENOMEM. */
int browser_reports(struct browser *b, const struct report *const *reports, size_t n);
/* The last report of a target, which will not be among those that come. */
void browser_ended(struct browser *b, const struct report *last);
/* For curves alone: of a moment that is passed by. 0 or -ENOMEM. */
int browser_pass(struct browser *b, const struct report *const *reports, size_t n);
enum wish browser_key(struct browser *b, const struct key *key);
/* Everything, as large as the canvas is. 0 or -ENOMEM. */
int browser_draw(struct browser *b, struct canvas *c);

/* The file that was asked for with WISH_WRITE. */
const char *browser_file(const struct browser *b);
/* The reports that are looked at, all of them. */
const struct report *const *browser_shown(const struct browser *b, size_t *n);
/* Which families can be switched on and off: bit per enum family_id (0: none, as in a recording), and which
 * are on. */
void browser_set_families(struct browser *b, uint32_t may, uint32_t on);
/* Those that are to be on, when WISH_SWITCH is granted. From the next browser_set_families() on it is done.
 */
uint32_t browser_take_families(struct browser *b);
/* A line to be seen, in place of the keys, until a key is pressed. */
void browser_tell(struct browser *b, const char *line);

/* Is the display to stay as it is? */
bool browser_paused(const struct browser *b);
/* The owner goes there, and sets `at`. */
struct timeline *browser_timeline(struct browser *b);

#endif
