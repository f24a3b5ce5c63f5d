/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/snapshot.h"

#include <stdlib.h>
#include <string.h>

void snapshot_free(struct snapshot *s)
{
	free(s->sites.v);
	free(s->refs.v);
	free(s->findings.v);
	free(s->pushes.v);
	free(s->pins.v);
	free(s->pin_stats.v);
	free(s->criticals.v);
	free(s->stalled.v);
	free(s->stalls.v);
	free(s->held.v);
	free(s->churns.v);
	memset(s, 0, sizeof(*s));
}

void snapshots_free(struct snapshots *s)
{
	for (size_t i = 0; i < ARRAY_LEN(s->of); i++)
		snapshot_free(&s->of[i]);
	free(s->position);
	free(s->threads);
	s->position = NULL;
	s->threads = NULL;
}
