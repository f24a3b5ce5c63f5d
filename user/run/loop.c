/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The event loop of a command. See loop.h. */
#include "run/loop.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "run/interrupt.h"

#define DAY_MS 86400000

struct source {
	int fd;
	loop_fn *ready;
	void *what;
	bool timer; /* fd is our own */
	bool asks;  /* fd is one of those of interrupt.h */
};
struct loop {
	void *command;
	struct interrupt *interrupt;
	int epoll;
	struct {
		struct source **v;
		size_t n, cap;
	} sources;
	bool ended;
	bool stopped;    /* by a signal that was heard */
	uint64_t end_ns; /* CLOCK_MONOTONIC; 0: never */
};

static int add_source(struct loop *l, int fd, loop_fn *ready, void *what, bool timer)
{
	struct source *s = calloc(1, sizeof(*s)), **place = s ? VEC_ADD(&l->sources) : NULL;
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};

	if (!place) {
		free(s);
		return -ENOMEM;
	}
	*s = (struct source){.fd = fd, .ready = ready, .what = what, .timer = timer};
	*place = s;
	if (!epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev))
		return 0;
	l->sources.n--;
	free(s);
	return -errno;
}

int loop_add(struct loop *l, int fd, loop_fn *ready, void *what)
{
	return add_source(l, fd, ready, what, false);
}

void loop_remove(struct loop *l, int fd)
{
	for (size_t i = 0; i < l->sources.n; i++) {
		if (l->sources.v[i]->fd != fd)
			continue;
		epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
		free(l->sources.v[i]);
		l->sources.v[i] = l->sources.v[--l->sources.n];
		return;
	}
}

static int on_interrupt(void *command, void *what, struct error *err)
{
	struct loop *l = what;

	(void)command;
	(void)err;
	l->stopped = true;
	interrupt_heard(l->interrupt);
	loop_end(l);
	return 0;
}

int loop_open(struct loop **out, void *command)
{
	struct loop *l = calloc(1, sizeof(*l));
	int rc;

	if (!l)
		return -ENOMEM;
	l->command = command;
	signal(SIGPIPE, SIG_IGN);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	rc = l->epoll < 0 ? -errno : interrupt_open(&l->interrupt);
	rc = rc ?: loop_add(l, interrupt_fd(l->interrupt), on_interrupt, l);
	if (rc) {
		loop_close(l);
		return rc;
	}
	*out = l;
	return 0;
}

void loop_close(struct loop *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->sources.n; i++) {
		if (l->sources.v[i]->timer)
			close(l->sources.v[i]->fd);
		free(l->sources.v[i]);
	}
	free(l->sources.v);
	if (l->epoll >= 0)
		close(l->epoll);
	interrupt_close(l->interrupt);
	free(l);
}

int loop_set_timer(int timer, double interval_s)
{
	struct itimerspec t = {0};

	t.it_interval.tv_sec = (time_t)interval_s;
	t.it_interval.tv_nsec = (long)((interval_s - floor(interval_s)) * 1e9);
	t.it_value = t.it_interval;
	return timerfd_settime(timer, 0, &t, NULL) ? -errno : 0;
}

int loop_timer(struct loop *l, double interval_s, loop_fn *fire)
{
	return loop_timer_of(l, interval_s, fire, NULL);
}

int loop_timer_of(struct loop *l, double interval_s, loop_fn *fire, void *what)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int rc = fd < 0 ? -errno : add_source(l, fd, fire, what, true);

	if (rc < 0) {
		if (fd >= 0)
			close(fd);
		return rc;
	}
	rc = loop_set_timer(fd, interval_s);
	return rc < 0 ? rc : fd;
}

void loop_skip(int timer)
{
	uint64_t expirations;

	while (read(timer, &expirations, sizeof(expirations)) > 0)
		;
}

void loop_end_in(struct loop *l, double seconds)
{
	l->end_ns = seconds < 0 ? 0 : clock_ns(CLOCK_MONOTONIC) + (uint64_t)(seconds * 1e9);
}

void loop_end(struct loop *l)
{
	l->ended = true;
}

int loop_stop_fd(const struct loop *l)
{
	return interrupt_fd(l->interrupt);
}

bool loop_is_stopped(const struct loop *l)
{
	struct pollfd p = {.fd = loop_stop_fd(l), .events = POLLIN};

	return l->stopped || poll(&p, 1, 0) > 0;
}

void loop_may_abandon(struct loop *l, bool may)
{
	interrupt_may_abandon(l->interrupt, may);
}

bool loop_pause(struct loop *l, int milliseconds)
{
	struct pollfd wait = {.fd = interrupt_fd(l->interrupt), .events = POLLIN};

	if (poll(&wait, 1, milliseconds) <= 0)
		return false;
	interrupt_heard(l->interrupt);
	return true;
}

void loop_on_leave(struct loop *l, void (*leave)(void *), void *what)
{
	interrupt_tell(l->interrupt, leave, what);
}

static int on_asked(struct loop *l, int fd, loop_fn *asked)
{
	int rc = loop_add(l, fd, asked, NULL);

	if (!rc)
		l->sources.v[l->sources.n - 1]->asks = true;
	return rc;
}

int loop_on_redraw(struct loop *l, loop_fn *redraw)
{
	return on_asked(l, interrupt_redraw_fd(l->interrupt), redraw);
}

int loop_on_hangup(struct loop *l, loop_fn *hangup)
{
	return on_asked(l, interrupt_hangup_fd(l->interrupt), hangup);
}

/* Milliseconds until the end; -1: never. */
static int time_left_ms(const struct loop *l)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	double left_ms;

	if (!l->end_ns)
		return -1;
	left_ms = l->end_ns > now ? ceil((double)(l->end_ns - now) / 1e6) : 0;
	return left_ms > DAY_MS ? DAY_MS : (int)left_ms;
}

static int handle(struct loop *l, struct source *s, struct error *err)
{
	uint64_t expirations;

	if (s->timer && read(s->fd, &expirations, sizeof(expirations)) < 0)
		return 0; /* taken by loop_skip(), or set anew */
	while (s->asks && read(s->fd, &expirations, sizeof(expirations)) > 0)
		;
	return s->ready(l->command, s->what, err);
}

int loop_run(struct loop *l, loop_fn *before, struct error *err)
{
	int rc = 0;

	while (!rc && !l->ended) {
		struct epoll_event ev;
		int n;

		rc = before ? before(l->command, NULL, err) : 0;
		if (rc || l->ended)
			break;
		n = epoll_wait(l->epoll, &ev, 1, time_left_ms(l));
		if (n < 0 && errno != EINTR)
			return error_set(err, -errno, EXIT_FAILED, "wait for events", NULL, "%s",
					 strerror(errno));
		if (loop_is_stopped(l)) /* whatever else is due */
			rc = on_interrupt(l->command, l, err);
		else if (n > 0)
			rc = handle(l, ev.data.ptr, err);
		if (!time_left_ms(l)) /* also when there always is an event */
			l->ended = true;
	}
	return rc;
}
