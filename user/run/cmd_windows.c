/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The tracer of an agent's windows. See cmd_windows.h. */
#include "run/cmd_windows.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "export/formats.h"
#include "proc/proc.h"
#include "run/cmd_top.h"
#include "run/loop.h"
#include "run/record_file.h"
#include "run/window_words.h"

#define READY_S 60.0 /* for a VM that is starting: then it is not waited for any more */
#define LOOK_S  1.0  /* from one look at the clock to the next, at most */
#define SPARE   1    /* places for targets: one may be slow to be free again */

struct open_window {
	uint64_t number;
	struct proc_id id;
	double length_s;
	uint64_t end_ns; /* CLOCK_MONOTONIC: until then; before it has begun: until then it must have */
	bool begun;
	double cpu_s;
	int file; /* owned */
};
struct windows_of_agent {
	struct options o;
	struct loop *loop;
	int timer;
	struct {
		struct open_window *v;
		size_t n, cap;
	} open;
	double charged_cpu_s; /* of this process: windows have it */
};

/* --- those that are open --- */

static struct open_window *find(struct windows_of_agent *w, pid_t pid)
{
	for (size_t i = 0; i < w->open.n; i++)
		if (w->open.v[i].id.pid == pid)
			return &w->open.v[i];
	return NULL;
}

static double seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* What this process has taken since the last time is of those that were open, in equal parts. */
static void charge(struct windows_of_agent *w)
{
	struct rusage self, helpers;
	double all_s;

	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &helpers);
	all_s = seconds_of(self.ru_utime) + seconds_of(self.ru_stime) + seconds_of(helpers.ru_utime) +
		seconds_of(helpers.ru_stime);
	for (size_t i = 0; i < w->open.n; i++)
		w->open.v[i].cpu_s += (all_s - w->charged_cpu_s) / (double)w->open.n;
	if (w->open.n)
		w->charged_cpu_s = all_s;
}

/* That nobody hears it is told by the socket, too. */
static void tell(const struct open_window *of, enum window_word word, const char *why)
{
	struct window_message m = {.word = word, .number = of->number, .cpu_s = of->cpu_s};

	snprintf(m.why, sizeof(m.why), "%s", why);
	send(STDIN_FILENO, &m, sizeof(m), MSG_NOSIGNAL);
}

/* Look at the clock when the next one ends. */
static void set_timer(const struct windows_of_agent *w)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	double next_s = LOOK_S;

	for (size_t i = 0; i < w->open.n; i++) {
		uint64_t end_ns = w->open.v[i].end_ns;

		next_s = fmin(next_s, end_ns > now ? (double)(end_ns - now) / 1e9 : 0);
	}
	loop_set_timer(w->timer, fmax(next_s, 0.001));
}

static void ended(struct windows_of_agent *w, struct open_window *of, const char *why)
{
	charge(w);
	tell(of, WORD_ENDED, why);
	if (of->file >= 0)
		close(of->file);
	*of = w->open.v[--w->open.n];
}

/* --- what the trace says --- */

static void began(void *windows, const struct proc_id *id)
{
	struct windows_of_agent *w = windows;
	struct open_window *of = find(w, id->pid);

	if (!of)
		return;
	of->begun = true;
	of->end_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(of->length_s * 1e9);
	tell(of, WORD_BEGUN, "");
	set_timer(w);
}

static void missed(void *windows, pid_t pid, const struct error *why)
{
	struct windows_of_agent *w = windows;
	struct open_window *of = find(w, pid);

	if (of)
		ended(w, of, why && why->why[0] ? why->why : "it could not be traced");
}

/* What cannot be written is this window's failure alone. */
static int last(void *windows, const struct report *r)
{
	struct windows_of_agent *w = windows;
	struct open_window *of = find(w, r->target.pid);
	struct record_file file;
	struct error why = {0};

	if (!of)
		return 0;
	if (!record_file_into(&file, &w->o, of->file, &why))
		(void)(record_file_write(&file, &r, 1, &why) ?: record_file_end(&file, &why));
	record_file_close(&file);
	ended(w, of, why.why);
	return 0;
}

/* --- what the agent says --- */

static int open_one(struct windows_of_agent *w, struct trace *trace, const struct window_message *m, int file)
{
	struct open_window *of;
	struct error why = {0};

	charge(w);
	of = VEC_ADD(&w->open);
	if (!of) {
		close(file);
		return -ENOMEM;
	}
	*of = (struct open_window){
	    .number = m->number,
	    .id = {.pid = m->pid, .start_time_ticks = m->start_time_ticks},
	    .length_s = m->length_s,
	    .end_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(READY_S * 1e9),
	    .file = file,
	};
	if (file < 0)
		ended(w, of, "it got no file to record into (raise ulimit -n)");
	else if (trace_add(trace, &of->id, &why))
		ended(w, of, why.why);
	return 0;
}

/* Those whose end has come, all in one: to detach takes time. why: of those that had not begun. */
static int end_due(struct windows_of_agent *w, struct trace *trace, const char *why, struct error *err)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	int rc;

	for (size_t i = w->open.n; i-- > 0;) {
		struct open_window *of = &w->open.v[i];

		if (of->end_ns > now)
			continue;
		trace_unwant(trace, &of->id);
		if (!of->begun)
			ended(w, of, why);
	}
	rc = trace_end_unwanted(trace, err);
	for (size_t i = w->open.n; !rc && i-- > 0;)
		if (w->open.v[i].end_ns <= now) /* it was not reported */
			ended(w, &w->open.v[i], "it has no report");
	return rc;
}

/* 1: it has said something; file: came with it; -1: none did. 0: not yet. */
static int hear(struct window_message *m, int *file)
{
	char room[CMSG_SPACE(sizeof(int))] __attribute__((aligned(_Alignof(struct cmsghdr))));
	struct iovec bytes = {m, sizeof(*m)};
	struct msghdr h = {
	    .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	ssize_t n = recvmsg(STDIN_FILENO, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&h) : NULL;

	*file = -1;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(file, CMSG_DATA(c), sizeof(*file));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n == sizeof(*m) ? 1 : -EPIPE;
}

static int on_agent(void *trace, void *windows, struct error *err)
{
	struct windows_of_agent *w = windows;
	struct window_message m;
	int file, rc = hear(&m, &file);

	if (rc < 0) { /* it has ended */
		loop_remove(w->loop, STDIN_FILENO);
		loop_end(w->loop);
		return 0;
	}
	if (!rc)
		return 0;
	if (m.word == WORD_OPEN)
		return open_one(w, trace, &m, file);
	if (file >= 0)
		close(file);
	for (size_t i = 0; i < w->open.n; i++)
		if (m.word == WORD_END && w->open.v[i].number == m.number)
			w->open.v[i].end_ns = 0;
	rc = end_due(w, trace, "it was ended before its VM was ready", err);
	set_timer(w);
	return rc;
}

static int on_timer(void *trace, void *windows, struct error *err)
{
	struct windows_of_agent *w = windows;
	int rc = end_due(w, trace, "its VM did not get ready", err);

	set_timer(w);
	return rc;
}

static int begin(void *windows, struct trace *trace, struct loop *l, struct error *err)
{
	struct windows_of_agent *w = windows;
	int rc = loop_add(l, STDIN_FILENO, on_agent, w);

	(void)trace;
	(void)err;
	w->loop = l;
	if (!rc)
		w->timer = rc = loop_timer_of(l, LOOK_S, on_timer, w);
	return rc < 0 ? rc : 0;
}

enum exit_code cmd_windows(const struct options *o, struct error *err)
{
	struct windows_of_agent w = {.o = *o};
	const struct trace_use use = {.of = &w,
				      .most_targets = (size_t)o->windows + SPARE,
				      .begin = begin,
				      .missed = missed,
				      .began = began,
				      .last = last};
	enum exit_code code;
	int type = 0;

	if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof(type)}) ||
	    type != SOCK_SEQPACKET) {
		error_set(err, -ENOTSOCK, EXIT_USAGE, "trace for an agent", "start jnitrace agent",
			  "stdin is no socket of one");
		return err->exit_code;
	}
	w.o.view.format = &format_none;
	w.o.view.batch = true;
	w.o.allow_loss = true;
	code = trace_run(&w.o, &use, err);
	for (size_t i = 0; i < w.open.n; i++)
		if (w.open.v[i].file >= 0)
			close(w.open.v[i].file);
	free(w.open.v);
	return code;
}
