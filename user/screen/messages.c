/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "screen/messages.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

#define MOST_KEPT 65536 /* bytes; of what is more the number of lines is */

struct messages {
	struct line_taker taker;
	struct terminal *terminal;
	pthread_mutex_t lock; /* of all below: lines come from any thread */
	struct buf kept;
	size_t left_out;
	struct buf newest;
	size_t unseen; /* lines that nobody has asked for */
};

/* true: it is not to be printed now. */
static bool take(void *messages, const char *line)
{
	struct messages *m = messages;
	bool keep;

	if (!terminal_is_on(m->terminal))
		return false;
	pthread_mutex_lock(&m->lock);
	m->newest.n = 0;
	buf_printf(&m->newest, "%s", line);
	m->unseen++;
	keep = isatty(STDERR_FILENO);
	if (keep && !m->kept.failed && m->kept.n + strlen(line) < MOST_KEPT)
		buf_printf(&m->kept, "jnitrace: %s\n", line);
	else if (keep)
		m->left_out++;
	pthread_mutex_unlock(&m->lock);
	return keep;
}

/* The process is about to end. */
static void leave(void *messages)
{
	struct messages *m = messages;

	terminal_leave(m->terminal);
	messages_print(m);
}

int messages_begin(struct terminal *terminal, struct messages **out)
{
	struct messages *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->taker = (struct line_taker){take, leave, m};
	m->terminal = terminal;
	pthread_mutex_init(&m->lock, NULL);
	lines_go_to(&m->taker);
	*out = m;
	return 0;
}

bool messages_newest(struct messages *m, char *line, size_t bytes)
{
	bool any;

	pthread_mutex_lock(&m->lock);
	any = m->unseen && m->newest.p;
	if (any && m->unseen > 1)
		snprintf(line, bytes, "%.400s (and %zu more)", m->newest.p, m->unseen - 1);
	else if (any)
		snprintf(line, bytes, "%s", m->newest.p);
	m->unseen = 0;
	pthread_mutex_unlock(&m->lock);
	return any;
}

void messages_print(struct messages *m)
{
	pthread_mutex_lock(&m->lock);
	if (m->kept.n && m->kept.p)
		fwrite(m->kept.p, 1, m->kept.n, stderr);
	if (m->left_out)
		fprintf(stderr, "jnitrace: and %zu lines more\n", m->left_out);
	m->kept.n = 0;
	m->left_out = 0;
	pthread_mutex_unlock(&m->lock);
}

void messages_end(struct messages *m)
{
	if (!m)
		return;
	lines_go_to(NULL);
	messages_print(m);
	buf_free(&m->kept);
	buf_free(&m->newest);
	pthread_mutex_destroy(&m->lock);
	free(m);
}
