/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tracers in processes of their own. See window_tracers.h. */
#include "run/window_tracers.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run/privileges.h"
#include "run/window_words.h"

#define MOST_BYTES   (64UL << 20) /* of a recording: kept in memory while it is made */
#define MOST_WINDOWS 256          /* of one tracer: what a long life has left behind is given back */
#define LATE_S       120.0        /* than its length, at most, a window ends; else its tracer is killed */
#define STOP_S       25           /* for the kernel to remove its probes; then it is killed */
#define LINE_BYTES   512
#define CANNOT_EXEC  127
#define ARG_MAX_LEN  32
#define PARENT_ENDED 1

struct tracer {
	struct window_tracers *of;
	struct window_terms terms; /* podinfo: owned */
	bool takes;                /* more windows */
	pid_t pid;                 /* 0: it was waited for */
	int pidfd, socket, said;   /* said: a pipe, of what it writes on standard error */
	size_t open, opened;       /* windows: now, and ever */
	double charged_cpu_s;      /* to windows */
	uint64_t ends_ns;          /* CLOCK_MONOTONIC: when it was told to; 0: it was not */
	char line[LINE_BYTES];     /* the last one that it has said, as far as it was read */
	size_t line_n;
	bool line_ended;
};
struct open_window {
	uint64_t number;
	struct tracer *tracer;
	void *window;
	int file;
	uint64_t latest_ns; /* it has ended by then */
	bool ends;          /* its tracer was told that it is to */
	uint64_t limit_bytes;
};
struct window_tracers {
	struct window_tracers_use use;
	struct loop *loop;
	uint64_t number; /* of the last window */
	double cpu_s;
	struct {
		struct tracer **v;
		size_t n, cap;
	} all;
	struct {
		struct open_window *v;
		size_t n, cap;
	} open;
};

/* --- one tracer: its start and end --- */

/* In the child: become the tracer. Its privileges are the agent's, its signals as at the start of a program.
 */
static _Noreturn void be_tracer(const struct window_terms *t, pid_t agent, int socket, int said)
{
	const struct rlimit most = {MOST_BYTES, MOST_BYTES};
	char windows[ARG_MAX_LEN], limit[ARG_MAX_LEN], budget[ARG_MAX_LEN], refs[ARG_MAX_LEN];
	char *argv[] = {"jnitrace", "windows",  "--windows", windows,      "--limit-memory",
			limit,      "--budget", budget,      "--max-refs", refs,
			NULL,       NULL,       NULL,        NULL,         NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), n = 10;
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	setpgid(0, 0);          /* who ends the agent by the terminal ends it alone, and it us: once */
	if (getppid() != agent) /* it has ended since */
		_exit(PARENT_ENDED);
	if (t->podinfo) {
		argv[n++] = "--podinfo";
		argv[n++] = (char *)t->podinfo;
	}
	if (t->runtime) {
		argv[n++] = "--runtime";
		argv[n++] = (char *)t->runtime;
	}
	snprintf(windows, sizeof(windows), "%d", t->at_a_time);
	snprintf(limit, sizeof(limit), "%llu", (unsigned long long)t->limit_bytes);
	snprintf(refs, sizeof(refs), "%llu", (unsigned long long)t->max_refs);
	snprintf(budget, sizeof(budget), "%.4f%%", t->budget_share * 100);
	if (dup2(socket, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(said, STDERR_FILENO) < 0 || setrlimit(RLIMIT_FSIZE, &most) || privileges_pass_on())
		_exit(CANNOT_EXEC);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_IGN); /* a recording that is too long is one window's failure */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv("/proc/self/exe", argv);
	_exit(CANNOT_EXEC);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void end_tracer(struct tracer *t)
{
	t->takes = false;
	if (t->pid > 0 && !t->ends_ns)
		kill(t->pid, SIGTERM);
	t->ends_ns = t->ends_ns ?: clock_ns(CLOCK_MONOTONIC);
}

/* Waits for its end until then (CLOCK_MONOTONIC), and kills it. */
static void tracer_free(struct tracer *t, uint64_t until_ns)
{
	if (t->socket >= 0)
		loop_remove(t->of->loop, t->socket);
	if (t->said >= 0)
		loop_remove(t->of->loop, t->said);
	if (t->pidfd >= 0)
		loop_remove(t->of->loop, t->pidfd);
	end_tracer(t);
	while (t->pid > 0 && !waitpid(t->pid, NULL, WNOHANG)) {
		if (clock_ns(CLOCK_MONOTONIC) > until_ns)
			kill(t->pid, SIGKILL);
		usleep(10000);
	}
	close_fd(&t->pidfd);
	close_fd(&t->socket);
	close_fd(&t->said);
	free((char *)t->terms.podinfo);
	free(t);
}

static int on_word(void *agent, void *tracer, struct error *err);
static int on_said(void *agent, void *tracer, struct error *err);
static int on_end(void *agent, void *tracer, struct error *err);

static int spawn(struct tracer *t)
{
	int pair[2] = {-1, -1}, said[2] = {-1, -1};
	pid_t agent = getpid();
	int rc =
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) || pipe2(said, O_CLOEXEC | O_NONBLOCK)
		? -errno
		: 0;

	if (!rc) {
		t->pid = fork();
		if (!t->pid)
			be_tracer(&t->terms, agent, pair[1], said[1]);
		rc = t->pid < 0 ? -errno : 0;
	}
	close_fd(&pair[1]);
	close_fd(&said[1]);
	t->socket = pair[0];
	t->said = said[0];
	if (rc)
		return rc;
	t->pidfd = (int)syscall(SYS_pidfd_open, t->pid, 0);
	return t->pidfd < 0 ? -errno : 0;
}

static int tracer_new(struct window_tracers *p, const struct window_terms *terms, struct tracer **out)
{
	struct tracer **place = VEC_ADD(&p->all), *t = place ? calloc(1, sizeof(*t)) : NULL;
	int rc;

	if (!t) {
		p->all.n -= place != NULL;
		return -ENOMEM;
	}
	*t = (struct tracer){.of = p, .terms = *terms, .takes = true, .pidfd = -1, .socket = -1, .said = -1};
	t->terms.podinfo = terms->podinfo ? strdup(terms->podinfo) : NULL;
	rc = terms->podinfo && !t->terms.podinfo ? -ENOMEM : spawn(t);
	rc = rc ?: loop_add(p->loop, t->socket, on_word, t);
	rc = rc ?: loop_add(p->loop, t->said, on_said, t);
	rc = rc ?: loop_add(p->loop, t->pidfd, on_end, t);
	if (rc) {
		p->all.n--;
		tracer_free(t, 0); /* it has attached to nothing */
		return rc;
	}
	*place = *out = t;
	return 0;
}

/* --- what it says on standard error --- */

/* Keeps the last line, or how it begins. */
static void add(struct tracer *t, char letter)
{
	if (letter == '\n') {
		t->line_ended = true;
		return;
	}
	if (t->line_ended)
		t->line_n = 0;
	t->line_ended = false;
	if (t->line_n < sizeof(t->line))
		t->line[t->line_n++] = letter;
}

/* false: there is no more now. */
static bool read_said(struct tracer *t)
{
	char said[4096];
	ssize_t n = read(t->said, said, sizeof(said));

	for (ssize_t i = 0; i < n; i++)
		add(t, said[i]);
	if (!n)
		loop_remove(t->of->loop, t->said);
	return n > 0;
}

static int on_said(void *agent, void *tracer, struct error *err)
{
	(void)agent;
	(void)err;
	read_said(tracer);
	return 0;
}

/* --- one window --- */

static int find(const struct window_tracers *p, uint64_t number)
{
	for (size_t i = 0; i < p->open.n; i++)
		if (p->open.v[i].number == number)
			return (int)i;
	return -1;
}

static void fail(struct window_result *r, const char *why)
{
	snprintf(r->why, sizeof(r->why), "%s", why);
}

/* Go to its last moment. */
static void read_recording(const struct open_window *of, struct window_result *out)
{
	struct error err = {0};
	int moments = 0,
	    rc = recording_open(of->file, "the window", of->limit_bytes, true, &out->recording, &err);

	while (!rc && (rc = recording_next(out->recording, &err)) > 0) {
		moments++;
		rc = 0;
	}
	if (!rc && moments)
		return;
	fail(out, rc ? err.why : "it ended before its first report");
	recording_close(out->recording);
	out->recording = NULL;
}

/* The i-th: nobody asks for it any more. */
static int tell_ended(struct window_tracers *p, size_t i, struct window_result *r, struct error *err)
{
	struct open_window of = p->open.v[i];
	int rc;

	p->open.v[i] = p->open.v[--p->open.n];
	of.tracer->open--;
	close(of.file);
	rc = p->use.ended(of.window, r, err);
	if (!of.tracer->open) /* nor was one opened just now */
		end_tracer(of.tracer);
	return rc;
}

static int hear(struct tracer *t, const struct window_message *m, struct error *err)
{
	struct window_tracers *p = t->of;
	struct window_result r = {.cpu_s = m->cpu_s};
	int i = find(p, m->number);

	if (i < 0 || p->open.v[i].tracer != t)
		return 0;
	if (m->word == WORD_BEGUN)
		return p->use.begun(p->open.v[i].window, err);
	if (m->word != WORD_ENDED || !isfinite(m->cpu_s) || m->cpu_s < 0)
		return 0;
	t->charged_cpu_s += m->cpu_s;
	if (m->why[0])
		text_clean(r.why, sizeof(r.why), m->why, strnlen(m->why, sizeof(m->why)));
	else
		read_recording(&p->open.v[i], &r);
	return tell_ended(p, (size_t)i, &r, err);
}

static int on_word(void *agent, void *tracer, struct error *err)
{
	struct tracer *t = tracer;
	struct window_message m;
	ssize_t n = recv(t->socket, &m, sizeof(m), MSG_DONTWAIT);

	(void)agent;
	if (n == sizeof(m))
		return hear(t, &m, err);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	loop_remove(t->of->loop, t->socket);
	end_tracer(t); /* if it does not end by itself */
	return 0;
}

/* --- the end of a tracer --- */

static void why_it_ended(const struct tracer *t, int status, struct window_result *r)
{
	r->died = WIFSIGNALED(status) || WEXITSTATUS(status) != EXIT_OK;
	if (WIFSIGNALED(status))
		snprintf(r->why, sizeof(r->why), "the tracer was ended by signal %d", WTERMSIG(status));
	else if (!r->died)
		fail(r, "the tracer was ended");
	else
		text_clean(r->why, sizeof(r->why), t->line, t->line_n);
	if (!r->why[0])
		fail(r, "the tracer failed");
}

static int on_end(void *agent, void *tracer, struct error *err)
{
	struct tracer *t = tracer;
	struct window_tracers *p = t->of;
	struct window_message m;
	struct rusage used = {0};
	double rest_s;
	int status = 0, rc = 0;

	(void)agent;
	if (wait4(t->pid, &status, WNOHANG, &used) == 0)
		return 0;
	t->pid = 0;
	t->takes = false;
	while (!rc && recv(t->socket, &m, sizeof(m), MSG_DONTWAIT) == sizeof(m))
		rc = hear(t, &m, err);
	while (read_said(t))
		;
	rest_s = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		 (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6 - t->charged_cpu_s;
	p->cpu_s += rest_s > 0 ? rest_s : 0;
	for (size_t i = p->open.n; i-- > 0 && !rc;) {
		struct window_result r = {0};

		if (i >= p->open.n || p->open.v[i].tracer != t)
			continue;
		why_it_ended(t, status, &r);
		rc = tell_ended(p, i, &r, err);
	}
	for (size_t i = 0; i < p->all.n; i++)
		if (p->all.v[i] == t)
			p->all.v[i] = p->all.v[--p->all.n];
	tracer_free(t, 0);
	return rc;
}

/* --- all --- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_terms(const struct window_terms *a, const struct window_terms *b)
{
	return same_text(a->runtime, b->runtime) && a->at_a_time == b->at_a_time &&
	       a->budget_share == b->budget_share && a->limit_bytes == b->limit_bytes &&
	       a->max_refs == b->max_refs && same_text(a->podinfo, b->podinfo);
}

static struct tracer *tracer_for(const struct window_tracers *p, const struct window_order *o)
{
	for (size_t i = 0; i < p->all.n && !o->alone; i++) {
		struct tracer *t = p->all.v[i];

		if (t->takes && t->open < (size_t)t->terms.at_a_time && same_terms(&t->terms, &o->terms))
			return t;
	}
	return NULL;
}

static int ask(const struct tracer *t, const struct window_message *m, int file)
{
	char room[CMSG_SPACE(sizeof(int))] __attribute__((aligned(_Alignof(struct cmsghdr)))) = {0};
	struct iovec bytes = {(void *)m, sizeof(*m)};
	struct msghdr h = {.msg_iov = &bytes, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (file >= 0) {
		h.msg_control = room;
		h.msg_controllen = sizeof(room);
		c = CMSG_FIRSTHDR(&h);
		*c = (struct cmsghdr){
		    .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
		memcpy(CMSG_DATA(c), &file, sizeof(file));
	}
	return sendmsg(t->socket, &h, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int window_tracers_open(struct window_tracers *p, const struct window_order *o, void *window,
			uint64_t *number, struct error *err)
{
	const struct window_message m = {.word = WORD_OPEN,
					 .number = ++p->number,
					 .pid = o->target,
					 .start_time_ticks = o->start_time_ticks,
					 .length_s = o->length_s};
	int file = memfd_create("jnitrace-window", MFD_CLOEXEC);
	struct open_window *of = file < 0 ? NULL : VEC_ADD(&p->open);
	struct tracer *t = tracer_for(p, o);
	int rc = file < 0 ? -errno : of ? 0 : -ENOMEM;

	if (!rc && !t)
		rc = tracer_new(p, &o->terms, &t);
	if (!rc)
		rc = ask(t, &m, file);
	if (rc == -EPIPE) { /* it ends just now */
		end_tracer(t);
		rc = tracer_new(p, &o->terms, &t) ?: ask(t, &m, file);
	}
	if (rc) {
		p->open.n -= of != NULL;
		close_fd(&file);
		if (t && !t->open)
			end_tracer(t);
		return error_set(err, rc, EXIT_FAILED, "start a tracer", NULL, "%s", strerror(-rc));
	}
	*of = (struct open_window){.number = *number = m.number,
				   .tracer = t,
				   .window = window,
				   .file = file,
				   .latest_ns =
				       clock_ns(CLOCK_MONOTONIC) + (uint64_t)((o->length_s + LATE_S) * 1e9),
				   .limit_bytes = o->terms.limit_bytes};
	t->open++;
	t->takes = !o->alone && ++t->opened < MOST_WINDOWS;
	return 0;
}

void window_tracers_end(struct window_tracers *p, uint64_t number)
{
	const struct window_message m = {.word = WORD_END, .number = number};
	int i = find(p, number);

	if (i >= 0 && !p->open.v[i].ends)
		p->open.v[i].ends = !ask(p->open.v[i].tracer, &m, -1);
}

void window_tracers_look(struct window_tracers *p)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	for (size_t i = 0; i < p->open.n; i++)
		if (p->open.v[i].latest_ns < now)
			end_tracer(p->open.v[i].tracer);
	for (size_t i = 0; i < p->all.n; i++) {
		const struct tracer *t = p->all.v[i];

		if (t->ends_ns && now - t->ends_ns > (uint64_t)(LATE_S * 1e9) && t->pid > 0)
			kill(t->pid, SIGKILL);
	}
}

double window_tracers_cpu_s(const struct window_tracers *p)
{
	return p->cpu_s;
}

int window_tracers_new(const struct window_tracers_use *use, struct loop *loop, struct window_tracers **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	**out = (struct window_tracers){.use = *use, .loop = loop};
	return 0;
}

void window_tracers_free(struct window_tracers *p)
{
	uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + STOP_S * 1000000000ULL;

	if (!p)
		return;
	for (size_t i = 0; i < p->all.n; i++) /* all at once, then wait for each */
		end_tracer(p->all.v[i]);
	for (size_t i = 0; i < p->all.n; i++)
		tracer_free(p->all.v[i], until_ns);
	for (size_t i = 0; i < p->open.n; i++)
		close(p->open.v[i].file);
	free(p->all.v);
	free(p->open.v);
	free(p);
}
