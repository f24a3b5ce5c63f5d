/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The gate: see gate.h. */
#include "run/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proc/proc.h"
#include "run/gate_files.h"
#include "run/privileges.h"

#define MAX_HELD     64
#define NS_PER_MS    1000000ULL
#define EVENTS_BYTES 4096

enum word { WORD_SEEN, WORD_HELD, WORD_LATE, WORD_ALIVE, /* to the gate: */ WORD_GO, WORD_ASK };
struct message {
	enum word word;
	pid_t pid;
};

struct start_gate {
	pid_t pid, files; /* the processes; 0: reaped */
	int socket;
	uint64_t asked_ns; /* since when an answer is due; 0: none is */
	bool lost, lost_told;
};

/* --- the process that holds ---------------------------------------------------------------------- */

struct held {
	int fd; /* of the event */
	pid_t pid;
	uint64_t since_ns, until_ns;
};
struct holder {
	int fanotify, socket, files; /* files: from who looks them up; -1: it has ended */
	pid_t root, tracer;
	struct held v[MAX_HELD];
	size_t n;
};

static void answer(const struct holder *h, int fd)
{
	const struct fanotify_response r = {.fd = fd, .response = FAN_ALLOW};

	if (write(h->fanotify, &r, sizeof(r)) != sizeof(r))
		_exit(1); /* then the kernel does it */
	close(fd);
}

static bool tell(int fd, enum word word, pid_t pid)
{
	const struct message m = {word, pid};

	return send(fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(m);
}

static void on_open(struct holder *h, const struct fanotify_event_metadata *e)
{
	uint64_t now;

	if (e->fd < 0)
		return;
	if (!(e->mask & FAN_OPEN_PERM)) {
		close(e->fd);
		return;
	}
	if (!proc_descends(e->pid, h->root, h->tracer)) {
		answer(h, e->fd);
		return;
	}
	if (h->n == MAX_HELD || !tell(h->socket, WORD_HELD, e->pid)) {
		answer(h, e->fd);
		tell(h->socket, WORD_LATE, e->pid);
		return;
	}
	now = clock_ns(CLOCK_MONOTONIC);
	h->v[h->n++] = (struct held){e->fd, e->pid, now, now + GATE_HOLD_MS * NS_PER_MS};
}

static void read_events(struct holder *h)
{
	char events[EVENTS_BYTES] __attribute__((aligned(__alignof__(struct fanotify_event_metadata))));
	const struct fanotify_event_metadata *e = (void *)events;
	ssize_t n = read(h->fanotify, events, sizeof(events));

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		_exit(1);
	for (; n > 0 && FAN_EVENT_OK(e, n); e = FAN_EVENT_NEXT(e, n)) {
		if (e->vers != FANOTIFY_METADATA_VERSION)
			_exit(1);
		on_open(h, e);
	}
}

static void let_go(struct holder *h, size_t i)
{
	answer(h, h->v[i].fd);
	h->v[i] = h->v[--h->n];
}

static void on_message(struct holder *h)
{
	struct message m;
	ssize_t n = recv(h->socket, &m, sizeof(m), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		_exit(0); /* the tracer has ended */
	if (n != sizeof(m))
		return;
	if (m.word == WORD_ASK)
		tell(h->socket, WORD_ALIVE, 0);
	for (size_t i = 0; m.word == WORD_GO && i < h->n;)
		if (h->v[i].pid == m.pid)
			let_go(h, i);
		else
			i++;
}

/* A file to be marked, opened by its path only. */
static void on_file(struct holder *h)
{
	pid_t pid;
	int fd, rc = gate_files_take(h->files, &pid, &fd);

	if (!rc && fd < 0) {
		tell(h->socket, WORD_SEEN, pid);
	} else if (!rc) {
		gate_files_mark(h->fanotify, fd);
		close(fd);
	} else if (rc != -EAGAIN) {
		close(h->files);
		h->files = -1;
	}
}

/* Those that were held long enough. Returns the milliseconds until the next; -1: none. */
static int let_go_late(struct holder *h)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), next = ~0ULL;

	for (size_t i = 0; i < h->n;) {
		/* A tracer that runs, or waits for a CPU, is about to answer. */
		if (h->v[i].until_ns <= now && now - h->v[i].since_ns < GATE_BUSY_MS * NS_PER_MS &&
		    !proc_is_stopped(h->tracer))
			h->v[i].until_ns = now + GATE_HOLD_MS * NS_PER_MS;
		if (h->v[i].until_ns <= now) {
			tell(h->socket, WORD_LATE, h->v[i].pid);
			let_go(h, i);
			continue;
		}
		next = h->v[i].until_ns < next ? h->v[i].until_ns : next;
		i++;
	}
	return h->n ? (int)((next - now) / NS_PER_MS) + 1 : -1;
}

/* Signals that a terminal or somebody sends to all are not for this process. */
static void be_a_helper(const char *name, enum privileges keep)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE};
	sigset_t none;

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, name);
	/* It has next to nothing to do, but others wait for that. Where it may not: later. */
	setpriority(PRIO_PROCESS, 0, -20);
	if (privileges_keep(keep, false, NULL))
		_exit(1);
}

static _Noreturn void hold(struct holder *h)
{
	be_a_helper("jnitrace-gate", PRIVILEGES_MARK);
	for (;;) {
		struct pollfd p[] = {{.fd = h->fanotify, .events = POLLIN},
				     {.fd = h->socket, .events = POLLIN},
				     {.fd = h->files, .events = POLLIN}};

		if (poll(p, ARRAY_LEN(p), let_go_late(h)) < 0 && errno != EINTR)
			_exit(1);
		if (p[0].revents)
			read_events(h);
		if (p[1].revents)
			on_message(h);
		if (p[2].revents)
			on_file(h);
	}
}

/* --- the tracer's side --------------------------------------------------------------------------- */

/* Also of what is inherited: a descriptor of the fanotify group that is open anywhere keeps its marks. */
static void close_others(const int *kept, size_t n)
{
	for (int fd = 3; fd < 1024; fd++) {
		bool keep = false;

		for (size_t i = 0; i < n; i++)
			keep |= kept[i] == fd;
		if (!keep)
			close(fd);
	}
}

/* Start both processes; fanotify is theirs then. */
static int start(struct start_gate *g, pid_t root, int fanotify)
{
	struct holder h = {.fanotify = fanotify, .root = root, .tracer = getpid()};
	int pair[2], files[2], execs;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, files)) {
		close(pair[0]);
		close(pair[1]);
		return -errno;
	}
	h.socket = pair[1];
	h.files = files[0];
	g->socket = pair[0];
	g->pid = fork();
	if (!g->pid) {
		close_others((const int[]){fanotify, h.socket, h.files}, 3);
		hold(&h);
	}
	g->files = g->pid > 0 ? fork() : 0;
	if (g->pid > 0 && !g->files) {
		close_others(&files[1], 1);
		execs = gate_files_listen();
		be_a_helper("jnitrace-files", PRIVILEGES_READ);
		gate_files_run(files[1], execs, root, h.tracer);
	}
	close(files[0]);
	close(files[1]);
	close(pair[1]);
	return g->pid < 0 ? -errno : 0;
}

int gate_open(pid_t root, char *const *argv, struct start_gate **out, struct error *err)
{
	struct start_gate *g = calloc(1, sizeof(*g));
	int fanotify =
	    fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_LARGEFILE | O_CLOEXEC);
	int rc = !g ? -ENOMEM : fanotify < 0 ? -errno : 0;

	if (g)
		g->socket = -1;
	if (!rc)
		gate_files_mark_known(fanotify, argv);
	rc = rc ?: start(g, root, fanotify);
	if (fanotify >= 0)
		close(fanotify);
	if (rc) {
		gate_close(g);
		return error_set(err, rc, EXIT_FAILED, "hold JVMs while they start", NULL, "%s",
				 strerror(-rc));
	}
	*out = g;
	return 0;
}

static void end(pid_t *pid)
{
	if (*pid > 0) {
		kill(*pid, SIGKILL);
		waitpid(*pid, NULL, 0);
	}
	*pid = 0;
}

void gate_close(struct start_gate *g)
{
	if (!g)
		return;
	end(&g->pid);
	end(&g->files);
	if (g->socket >= 0)
		close(g->socket);
	free(g);
}

int gate_fd(const struct start_gate *g)
{
	return g->socket;
}

struct gate_event gate_next(struct start_gate *g)
{
	struct message m;
	ssize_t n;

	while (!g->lost && (n = recv(g->socket, &m, sizeof(m), MSG_DONTWAIT)) != 0) {
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return (struct gate_event){.what = GATE_NOTHING};
		if (n < 0)
			break;
		g->asked_ns = 0;
		if (m.word == WORD_SEEN)
			return (struct gate_event){GATE_SEEN, m.pid};
		if (m.word == WORD_HELD || m.word == WORD_LATE)
			return (struct gate_event){m.word == WORD_HELD ? GATE_HELD : GATE_LATE, m.pid};
	}
	g->lost = true;
	if (g->lost_told)
		return (struct gate_event){.what = GATE_NOTHING};
	g->lost_told = true;
	end(&g->pid);
	return (struct gate_event){.what = GATE_LOST};
}

void gate_let_go(struct start_gate *g, pid_t pid)
{
	if (!g->lost)
		tell(g->socket, WORD_GO, pid);
}

void gate_watch(struct start_gate *g)
{
	struct pollfd answer = {.fd = g->socket, .events = POLLIN};
	uint64_t now = clock_ns(CLOCK_MONOTONIC), late_ns;

	if (g->lost)
		return;
	if (!g->asked_ns) {
		if (tell(g->socket, WORD_ASK, 0))
			g->asked_ns = now;
		return;
	}
	/* It answers within microseconds, unless it is stopped, or the machine is busy: nobody is to wait for
	 * it. An answer that was not read yet is one: it is the tracer that comes late. */
	late_ns = now - g->asked_ns;
	if (late_ns > GATE_ANSWER_MS * NS_PER_MS && poll(&answer, 1, 0) <= 0 &&
	    (proc_is_stopped(g->pid) || late_ns > GATE_BUSY_MS * NS_PER_MS))
		kill(g->pid, SIGKILL);
}
