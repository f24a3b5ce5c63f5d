/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of classes where there is little room: without the package, as long as that tells them apart. */
#ifndef JNITRACE_SCREEN_CLASS_NAMES_H
#define JNITRACE_SCREEN_CLASS_NAMES_H

#include <stdint.h>

#include "view/columns.h"

/* How many of the last parts of its names tell a row from others; start zeroed. */
struct class_parts {
	uint8_t class, of;
};
/* parts: of each row, start zeroed or as they were found before. 0 or -ENOMEM. */
int class_parts_find(const struct rows *rows, struct class_parts *parts);

/* What a row's references are of, and of how many classes more; NULL: unknown, or several. */
const char *class_of_row(const struct row *r, size_t *more);
/*
 * "Listener" of "com.acme.ThumbCache$Listener", or more parts of it. What a compiler or a VM names by numbers
 * has the part before that, too: "Server$1", "Server$$Lambda$14".
 */
void class_tail(struct buf *out, const char *name, unsigned parts);
/* Without its package, "ThumbCache$Listener", unless those parts are more. */
void class_short(struct buf *out, const char *name, unsigned parts);

#endif
