/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How far long work is. See progress.h. */
#include "run/progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

#define FIRST_NS   400000000ULL /* who waits so long wants to know */
#define AGAIN_NS   100000000ULL
#define MOST_BYTES 40 /* of a name: its end; so that the line fits into 80 columns */

struct progress progress_begin(const char *what, const char *name)
{
	struct progress p = {.what = what, .name = name};

	if (isatty(STDERR_FILENO))
		p.due_ns = clock_ns(CLOCK_MONOTONIC) + FIRST_NS;
	return p;
}

/* One in the background would be stopped (stty tostop), or disturb another. */
static bool is_ours(void)
{
	return tcgetpgrp(STDERR_FILENO) == getpgrp();
}

void progress_tell(struct progress *p, double part)
{
	char name[MOST_BYTES * 2];
	uint64_t now_ns;
	size_t n;

	if (!p->due_ns)
		return;
	now_ns = clock_ns(CLOCK_MONOTONIC);
	if (now_ns < p->due_ns)
		return;
	p->due_ns = now_ns + AGAIN_NS;
	if (!is_ours())
		return;
	n = strlen(p->name);
	text_clean(name, sizeof(name), n > MOST_BYTES ? p->name + n - MOST_BYTES : p->name,
		   n > MOST_BYTES ? MOST_BYTES : n);
	part = part < 0 ? 0 : part > 1 ? 1 : part;
	fprintf(stderr, "\r\033[Kjnitrace: %s %s: %d %%", p->what, name, (int)(part * 100));
	fflush(stderr);
	p->shown = true;
}

void progress_end(struct progress *p)
{
	if (p->shown && is_ours()) {
		fputs("\r\033[K", stderr);
		fflush(stderr);
	}
	p->shown = false;
	p->due_ns = 0;
}
