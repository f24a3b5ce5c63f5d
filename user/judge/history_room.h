/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Histories of call sites, laid aside before they are needed: one with each site. So what the tool takes
 * grows with the sites that it knows, and with nothing else. Most sites are never found to hold anything, but
 * any may be, after hours: a history that were made only then would be a slow growth, as of a leak.
 *
 * One takes 8.4 KB; 2.6 KB where HISTORIES_WHOLE of the command are there already. The widest that are left
 * go to the sites that hold something first. Of the default 20,000 sites all take 58 MB.
 */
#ifndef JNITRACE_HISTORY_ROOM_H
#define JNITRACE_HISTORY_ROOM_H

#include <stddef.h>

#define HISTORIES_WHOLE  1024 /* that have HISTORY_BINS; others have HISTORY_FEW_BINS */
#define HISTORY_FEW_BINS 32

struct history;

/* Of all targets of a command. Starts with zeros; holds nothing when each site has left. */
struct history_room {
	size_t whole;                 /* there are, laid aside or not */
	struct laid_aside *all, *few; /* laid aside, whole or with few bins; owned */
};

/* One more site. 0 or -ENOMEM. */
int history_room_enter(struct history_room *r);
/* It needs its history now. NULL when more are asked for than sites have entered. */
struct history *history_room_take(struct history_room *r);
/* A site leaves; h: what it took, or NULL. */
void history_room_leave(struct history_room *r, struct history *h);

#endif
