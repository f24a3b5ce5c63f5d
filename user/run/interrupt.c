/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "run/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

/* timeout(1) signals its child and then the whole process group: that is one wish to end, not two. */
#define ONE_WISH_NS 200000000ULL
/* A person is told what is awaited when nothing is to be seen for so long. */
#define TELL_NS 200000000L
/* Longer nobody waits for what may be abandoned. */
#define HEAR_NS 150000000L

static const int wishes[] = {SIGINT, SIGTERM, SIGHUP};
/* These end a process at once, and do so, but the terminal is given back before. */
static const int deadly[] = {SIGQUIT, SIGABRT, SIGUSR1, SIGUSR2, SIGALRM};
/* The terminal has another size, or what was on it may be gone. */
static const int redraws[] = {SIGWINCH, SIGCONT};

struct interrupt {
	pthread_t thread, main;
	int event, redraw, hangup;
	sigset_t signals, before;
	bool closing; /* the next signal is interrupt_close()'s */
	bool heard, may_abandon;
	bool hangup_asks; /* for something else than the end */

	pthread_mutex_t lock; /* of: */
	void (*leave)(void *);
	void *what;
};

/* Do what the signal does to a process that does not expect it. */
static void obey(struct interrupt *i, int sig)
{
	sigset_t one;

	pthread_mutex_lock(&i->lock);
	if (i->leave)
		i->leave(i->what);
	pthread_mutex_unlock(&i->lock);
	sigemptyset(&one);
	sigaddset(&one, sig);
	signal(sig, SIG_DFL);
	raise(sig);
	pthread_sigmask(SIG_UNBLOCK, &one, NULL);
	/* Here only after SIGTSTP. */
	pthread_sigmask(SIG_BLOCK, &one, NULL);
}

/* Whether the first signal is heard in time, or nothing would be lost. */
static void see_heard(struct interrupt *i, int sig)
{
	struct timespec t = {.tv_nsec = HEAR_NS};

	nanosleep(&t, NULL);
	if (!__atomic_load_n(&i->heard, __ATOMIC_ACQUIRE) &&
	    __atomic_load_n(&i->may_abandon, __ATOMIC_ACQUIRE))
		obey(i, sig);
}

void interrupt_heard(struct interrupt *i)
{
	__atomic_store_n(&i->heard, true, __ATOMIC_RELEASE);
}

void interrupt_may_abandon(struct interrupt *i, bool may)
{
	__atomic_store_n(&i->may_abandon, may, __ATOMIC_RELEASE);
}

static void ask(int event)
{
	uint64_t one = 1;

	if (write(event, &one, sizeof(one)) < 0)
		return; /* it was asked 2^64 - 1 times already */
}

static bool is_redraw(int sig)
{
	for (size_t i = 0; i < ARRAY_LEN(redraws); i++)
		if (redraws[i] == sig)
			return true;
	return false;
}

static bool is_wish(int sig)
{
	for (size_t i = 0; i < ARRAY_LEN(wishes); i++)
		if (wishes[i] == sig)
			return true;
	return false;
}

static void on_nothing(int sig)
{
	(void)sig;
}

/*
 * Whoever should hear may be writing to a terminal that takes nothing: it was stopped (Ctrl-S), or its other
 * end is gone, as of a connection that broke. It goes on, what it has not taken is thrown away, and the
 * write() begins anew.
 */
static void unstick(const struct interrupt *i)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

	if (tcgetpgrp(STDOUT_FILENO) != getpgrp()) /* no terminal, or another's */
		return;
	if (poll(&p, 1, 0) != 0) /* it takes something, or is gone */
		return;
	tcflow(STDOUT_FILENO, TCOOFF); /* without, TCOON does nothing against Ctrl-S */
	tcflow(STDOUT_FILENO, TCOON);
	tcflush(STDOUT_FILENO, TCOFLUSH);
	pthread_kill(i->main, SIGURG);
}

/* On a terminal that shows lines: a script has no second Ctrl-C. true: nothing more is to be said. */
static bool tell(struct interrupt *i)
{
	bool heard = __atomic_load_n(&i->heard, __ATOMIC_ACQUIRE), drawn_on;

	pthread_mutex_lock(&i->lock);
	drawn_on = i->leave != NULL;
	pthread_mutex_unlock(&i->lock);
	unstick(i);
	if (!heard || drawn_on)
		return false;
	if (isatty(STDERR_FILENO))
		warn("ending takes a while (a second signal ends at once, without what is not written yet)");
	return true;
}

/* The next signal; told: nothing more is to be said meanwhile. */
static int next_signal(struct interrupt *i, bool told)
{
	const struct timespec most = {.tv_nsec = TELL_NS};
	int sig = told ? sigwaitinfo(&i->signals, NULL) : sigtimedwait(&i->signals, NULL, &most);

	return sig < 0 ? -errno : sig;
}

static void *wait_for_signals(void *arg)
{
	struct interrupt *i = arg;
	uint64_t first_ns = 0, one = 1;
	bool told = false;

	for (;;) {
		int sig = next_signal(i, told || !first_ns);

		if (sig == -EAGAIN)
			told = tell(i);
		if (sig < 0)
			continue;
		if (__atomic_load_n(&i->closing, __ATOMIC_ACQUIRE))
			return NULL;
		if (is_redraw(sig)) {
			ask(i->redraw);
			continue;
		}
		if (sig == SIGHUP && __atomic_load_n(&i->hangup_asks, __ATOMIC_ACQUIRE)) {
			ask(i->hangup);
			continue;
		}
		if (!is_wish(sig)) {
			obey(i, sig);
			ask(i->redraw); /* it was stopped, and goes on */
			continue;
		}
		if (!first_ns) {
			first_ns = clock_ns(CLOCK_MONOTONIC);
			if (write(i->event, &one, sizeof(one)) == sizeof(one)) {
				if (__atomic_load_n(&i->may_abandon, __ATOMIC_ACQUIRE))
					see_heard(i, sig);
				continue;
			}
		} else if (clock_ns(CLOCK_MONOTONIC) - first_ns < ONE_WISH_NS) {
			continue;
		}
		/* The kernel removes the probes with their last file descriptor. */
		obey(i, sig);
	}
}

int interrupt_open(struct interrupt **out)
{
	struct interrupt *i = calloc(1, sizeof(*i));
	int rc;

	if (!i)
		return -ENOMEM;
	i->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	i->redraw = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	i->hangup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = i->event < 0 || i->redraw < 0 || i->hangup < 0 ? -errno : 0;
	sigemptyset(&i->signals);
	for (size_t k = 0; k < ARRAY_LEN(wishes); k++)
		sigaddset(&i->signals, wishes[k]);
	for (size_t k = 0; k < ARRAY_LEN(deadly); k++)
		sigaddset(&i->signals, deadly[k]);
	for (size_t k = 0; k < ARRAY_LEN(redraws); k++)
		sigaddset(&i->signals, redraws[k]);
	sigaddset(&i->signals, SIGTSTP);
	pthread_mutex_init(&i->lock, NULL);
	i->main = pthread_self();
	sigaction(SIGURG, &(struct sigaction){.sa_handler = on_nothing}, NULL);
	pthread_sigmask(SIG_BLOCK, &i->signals, &i->before);
	if (!rc)
		rc = -pthread_create(&i->thread, NULL, wait_for_signals, i);
	if (rc) {
		pthread_sigmask(SIG_SETMASK, &i->before, NULL);
		if (i->event >= 0)
			close(i->event);
		if (i->redraw >= 0)
			close(i->redraw);
		if (i->hangup >= 0)
			close(i->hangup);
		free(i);
		return rc;
	}
	*out = i;
	return 0;
}

void interrupt_close(struct interrupt *i)
{
	if (!i)
		return;
	__atomic_store_n(&i->closing, true, __ATOMIC_RELEASE);
	pthread_kill(i->thread, SIGTERM);
	pthread_join(i->thread, NULL);
	pthread_sigmask(SIG_SETMASK, &i->before, NULL);
	close(i->event);
	close(i->redraw);
	close(i->hangup);
	free(i);
}

void interrupt_tell(struct interrupt *i, void (*leave)(void *), void *what)
{
	pthread_mutex_lock(&i->lock);
	i->leave = leave;
	i->what = what;
	pthread_mutex_unlock(&i->lock);
}

int interrupt_fd(const struct interrupt *i)
{
	return i->event;
}

int interrupt_redraw_fd(const struct interrupt *i)
{
	return i->redraw;
}

int interrupt_hangup_fd(struct interrupt *i)
{
	__atomic_store_n(&i->hangup_asks, true, __ATOMIC_RELEASE);
	return i->hangup;
}
