/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "elf/lines_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "elf/elf_internal.h"
#include "proc/foreign.h"

#define MAX_LINES        32         /* a function and what is inlined in it */
#define FUNCTION_BYTES   1025       /* kept of a name, as much as is shown */
#define FILE_BYTES       256        /* of a file's base name */
#define FILE_NS          5000000000 /* CPU time that a file has at first */
#define LEAST_NS         1000000000 /* a helper that was stopped for it has had this much */
#define REST             50         /* then so many times as long as that it has none */
#define PATIENCE_NS      300000000 /* a file that has had more is not waited for: it is looked at again later; */
#define LAST_NS          500000000 /* or at the end: not any more */
#define END_STEP_NS      1000000   /* one that is killed ends at once, but for a file that does not answer: */
#define END_STEPS        50
#define LOOK_MS          20          /* how often to look what it takes, while it is waited for */
#define STILL_NS         10000000000 /* it has not moved for so long: it is stopped, or its file does not answer; */
#define STILL_STEP_NS    1000000000 /* of that, from one look to the next: we may have been stopped, too */
#define LEAST_ROOM_BYTES (24ULL << 20)
#define PROBE_BYTES      (1U << 20) /* so much is always free, or memory was short */

/*
 * What the helper says: first that the file is open, then one answer for each address. The file may have got
 * hold of it: what is taken of an answer has no values that are none, and how long it took is not asked of
 * it.
 */
struct answer {
	int32_t rc; /* lines, or -errno */
	struct {
		int32_t line;
		uint8_t has_function, has_file;
		char function[FUNCTION_BYTES], scope[ELF_LINE_SCOPE_BYTES], file[FILE_BYTES];
	} v[MAX_LINES];
};
#define ANSWER_BYTES(n) (offsetof(struct answer, v) + (n) * sizeof(((struct answer *)0)->v[0]))

struct lines_helper {
	pid_t pid;
	int socket;
	struct budget *budget;
	struct charge held;
	struct reclaimable reclaimable;
	struct lines_helper **owner; /* where the pointer to this is */
	int failed;                  /* -errno for all further calls; 0: none */
	bool opening, asked;         /* an answer is to come: that it is open; for: */
	uint64_t asked_vaddr;
	struct lines_history *history;
	uint64_t spent_ns;  /* CPU time of this helper that is in history */
	uint64_t still_ns;  /* how long it has neither used a CPU nor waited for one; */
	uint64_t looked_ns; /* when that was looked at (CLOCK_MONOTONIC) */
	struct answer answer;
};

/* --- the helper's side ---------------------------------------------------------------------------- */

/* Ends this process if one step takes longer, wherever it is (SIGPROF). */
static void allow_cpu(int seconds)
{
	struct itimerval t = {.it_value.tv_sec = seconds};

	setitimer(ITIMER_PROF, &t, NULL);
}

/* Is memory short? Then what was not found may well be there. */
static bool is_short_of_memory(void)
{
	void *p = malloc(PROBE_BYTES);

	free(p);
	return !p;
}

static void copy_text(char *dst, size_t cap, const char *text)
{
	size_t n = strnlen(text, cap - 1);

	memcpy(dst, text, n);
	dst[n] = '\0';
}

static void fill(struct answer *a, const struct elf_line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *file = lines[i].file, *slash = file ? strrchr(file, '/') : NULL;

		a->v[i].line = lines[i].line;
		a->v[i].has_function = lines[i].function != NULL;
		a->v[i].has_file = file != NULL;
		copy_text(a->v[i].function, FUNCTION_BYTES, lines[i].function ?: "");
		copy_text(a->v[i].scope, ELF_LINE_SCOPE_BYTES, lines[i].scope);
		copy_text(a->v[i].file, FILE_BYTES, slash ? slash + 1 : file ?: "");
	}
	a->rc = !n && is_short_of_memory() ? -EDQUOT : (int)n;
}

static void say(int socket, struct answer *a)
{
	allow_cpu(0);
	if (send(socket, a, ANSWER_BYTES(a->rc > 0 ? a->rc : 0), MSG_NOSIGNAL) < 0)
		_exit(1);
}

/* Nothing of the tool's stays open here: its probes end with its descriptors, not with the helper's. */
static void keep_only(int a, int b)
{
	int lo = a < b ? a : b, hi = a < b ? b : a, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= 2; fd++)
		if (null >= 0 ? dup2(null, fd) < 0 : close(fd))
			_exit(1);
	if (lo > 3)
		close_range(3, lo - 1, 0);
	if (hi - lo > 1)
		close_range(lo + 1, hi - 1, 0);
	close_range(hi + 1, ~0U, 0);
}

_Noreturn static void serve(int socket, const struct elf_image *e, pid_t root_pid, uint64_t bytes, int step_s)
{
	static struct answer a;
	struct elf_line lines[MAX_LINES];
	struct elf_lines *l;
	uint64_t vaddr;

	prctl(PR_SET_NAME, "jnitrace-lines");
	signal(SIGPROF, SIG_DFL);
	foreign_in_place();
	if (e->budget)
		budget_on_look(e->budget, NULL, NULL);
	keep_only(socket, e->fd);
	/* Not before: who is killed while it closes the last descriptor of a probe leaves it in the target.
	 */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (foreign_take(e->fd))
		_exit(1);
	if (budget_limit_process(bytes))
		_exit(1);
	allow_cpu(step_s);
	a.rc = elf_lines_open(e, root_pid, &l);
	if (a.rc && is_short_of_memory())
		a.rc = -EDQUOT;
	say(socket, &a);
	while (!a.rc || a.rc > 0) {
		if (recv(socket, &vaddr, sizeof(vaddr), 0) != sizeof(vaddr))
			_exit(0);
		allow_cpu(step_s);
		fill(&a, lines, elf_lines_at(l, vaddr, lines, MAX_LINES));
		say(socket, &a);
	}
	_exit(0);
}

/* --- the tool's side ------------------------------------------------------------------------------ */

/* Has it ended by its timer? */
static bool end_process(struct lines_helper *h)
{
	const struct timespec step = {.tv_nsec = END_STEP_NS};
	int status = 0;

	if (h->pid > 0) {
		pid_t ended = 0;

		kill(h->pid, SIGKILL);
		for (int i = 0; i < END_STEPS && !(ended = waitpid(h->pid, &status, WNOHANG)); i++)
			nanosleep(&step, NULL);
		if (!ended) /* its file does not answer */
			foreign_reap_later(h->pid);
	}
	h->pid = 0;
	if (h->socket >= 0)
		close(h->socket);
	h->socket = -1;
	budget_give(&h->held);
	budget_remove_reclaimable(h->budget, &h->reclaimable);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF;
}

static void let_go(void *what)
{
	struct lines_helper *h = what;

	*h->owner = NULL;
	lines_helper_close(h);
}

void lines_helper_close(struct lines_helper *h)
{
	if (!h)
		return;
	end_process(h);
	free(h);
}

static uint64_t allowed_ns(const struct lines_history *past)
{
	return past->allowed_ns ?: FILE_NS;
}

bool lines_history_rests(const struct lines_history *past)
{
	return past->again_ns && clock_ns(CLOCK_MONOTONIC) < past->again_ns;
}

/* From here on it has something to do. */
static void watch(struct lines_helper *h)
{
	h->still_ns = 0;
	h->looked_ns = clock_ns(CLOCK_MONOTONIC);
}

static int start(struct lines_helper *h, const struct elf_image *e, pid_t root_pid, uint64_t bytes)
{
	uint64_t spent_ns = h->history->spent_ns, most_ns = allowed_ns(h->history);
	int step_s = spent_ns < most_ns ? (int)((most_ns - spent_ns) / 1000000000) + 1 : 1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	h->pid = fork();
	if (!h->pid)
		serve(pair[1], e, root_pid, bytes, step_s);
	close(pair[1]);
	h->socket = pair[0];
	h->opening = true;
	watch(h);
	return h->pid < 0 ? -errno : 0;
}

int lines_helper_open(const struct elf_image *e, pid_t root_pid, struct lines_history *history,
		      struct lines_helper **out)
{
	uint64_t bytes, room = budget_limit(e->budget) / 8;
	struct lines_helper *h;
	int rc = elf_lines_bytes(e, &bytes);

	*out = NULL;
	if (!rc && !history->read)
		rc = budget_read(e->budget, bytes);
	if (rc)
		return rc == -E2BIG ? -EDQUOT : rc;
	history->read = true;
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->socket = -1;
	h->budget = e->budget;
	h->history = history;
	h->owner = out;
	h->reclaimable = (struct reclaimable){.let_go = let_go, .what = h};
	/* the file is mapped as a whole; and what libdw makes of it */
	if (!e->budget)
		room = 1ULL << 30;
	else if (room < LEAST_ROOM_BYTES)
		room = LEAST_ROOM_BYTES;
	bytes += room;
	rc = budget_take(e->budget, bytes, &h->held);
	if (!rc)
		budget_add_reclaimable(e->budget, &h->reclaimable);
	rc = rc ?: start(h, e, root_pid, bytes + PROBE_BYTES);
	if (rc)
		lines_helper_close(h);
	else
		*out = h;
	return rc;
}

/* Its CPU time; what it has used since it last said so, too. */
static uint64_t cpu_of(const struct lines_helper *h)
{
	struct timespec t;
	clockid_t clock;

	if (h->pid <= 0 || clock_getcpuclockid(h->pid, &clock) || clock_gettime(clock, &t))
		return h->spent_ns;
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void note_cpu(struct lines_helper *h, uint64_t now_ns)
{
	if (now_ns > h->spent_ns) {
		budget_spend_ns(h->budget, now_ns - h->spent_ns);
		h->history->spent_ns += now_ns - h->spent_ns;
		h->spent_ns = now_ns;
	}
}

static int fail(struct lines_helper *h, int rc)
{
	struct lines_history *past = h->history;
	uint64_t took_ns;

	note_cpu(h, cpu_of(h));
	took_ns = h->spent_ns > LEAST_NS ? h->spent_ns : LEAST_NS;
	if (end_process(h))
		rc = -ETIME;
	if (rc == -ETIME) {
		past->allowed_ns = past->spent_ns + 2 * took_ns;
		past->again_ns = clock_ns(CLOCK_MONOTONIC) + REST * took_ns;
	}
	return h->failed = rc;
}

/* It is waited for: does it still not move? On a busy machine one that could run waits for a CPU. */
static bool is_stuck(struct lines_helper *h)
{
	uint64_t cpu_ns = cpu_of(h), now_ns = clock_ns(CLOCK_MONOTONIC), gone_ns = now_ns - h->looked_ns;
	struct proc_times t;

	proc_thread_times(h->pid, h->pid, &t); /* a kernel without schedstat tells but whether it is ready */
	if (cpu_ns > h->spent_ns || t.ready)
		h->still_ns = 0;
	else
		h->still_ns += gone_ns < STILL_STEP_NS ? gone_ns : STILL_STEP_NS;
	h->looked_ns = now_ns;
	note_cpu(h, cpu_ns);
	return h->still_ns > STILL_NS;
}

static bool is_too_slow(const struct lines_helper *h)
{
	uint64_t most = budget_slice_last(h->budget) ? LAST_NS : PATIENCE_NS;
	const struct lines_history *past = h->history;

	if (!h->budget)
		return false;
	return past->spent_ns > most || h->still_ns > most ||
	       (past->late && past->spent_ns - past->late_from_ns > BUDGET_LATE_FILE_NS);
}

/* Wait for its next answer. -EAGAIN: not in this slice; what else is wrong ends it. */
static int wait_answer(struct lines_helper *h)
{
	if (budget_is_late(h->budget) && !h->history->late) {
		h->history->late = true;
		h->history->late_from_ns = h->history->spent_ns;
	}
	for (;;) {
		struct pollfd p[] = {{.fd = h->socket, .events = POLLIN},
				     {.fd = budget_stop_fd(h->budget), .events = POLLIN}};
		bool over = budget_slice_over(h->budget) || !budget_may_wait(h->budget) || is_too_slow(h);
		ssize_t n;

		if (poll(p, ARRAY_LEN(p), over ? 0 : LOOK_MS) < 0 && errno != EINTR)
			return fail(h, -errno);
		if (!p[0].revents) {
			if (is_stuck(h))
				return fail(h, -ETIMEDOUT);
			if (h->history->spent_ns > allowed_ns(h->history))
				return fail(h, -ETIME);
			if (over)
				return -EAGAIN;
			continue;
		}
		n = recv(h->socket, &h->answer, sizeof(h->answer), 0);
		if (n < (ssize_t)ANSWER_BYTES(
			    0)) /* it was ended: by its timer, for want of memory, by the file */
			return fail(h, -EDQUOT);
		if (h->answer.rc > MAX_LINES ||
		    (h->answer.rc > 0 && n != (ssize_t)ANSWER_BYTES(h->answer.rc)))
			return fail(h, -EPROTO);
		note_cpu(h, cpu_of(h));
		if (h->answer.rc < 0)
			return fail(h, h->answer.rc == -EDQUOT || h->answer.rc == -E2BIG ? -EDQUOT : -EPROTO);
		return 0;
	}
}

static int take(struct lines_helper *h, struct elf_line *out, size_t max)
{
	size_t n = (size_t)h->answer.rc < max ? (size_t)h->answer.rc : max;

	for (size_t i = 0; i < n; i++) {
		struct answer *a = &h->answer;

		a->v[i].function[FUNCTION_BYTES - 1] = a->v[i].file[FILE_BYTES - 1] = '\0';
		out[i] = (struct elf_line){.function = a->v[i].has_function ? a->v[i].function : NULL,
					   .file = a->v[i].has_file ? a->v[i].file : NULL,
					   .line = a->v[i].line > 0 ? a->v[i].line : 0};
		copy_text(out[i].scope, sizeof(out[i].scope), a->v[i].scope);
	}
	return (int)n;
}

int lines_helper_at(struct lines_helper *h, uint64_t vaddr, struct elf_line *out, size_t max)
{
	int rc = 0;

	if (h->failed)
		return h->failed;
	h->reclaimable.used_ns = clock_ns(CLOCK_MONOTONIC);
	if (h->opening) {
		rc = wait_answer(h);
		h->opening = rc != 0;
	}
	if (rc)
		return rc;
	if (h->asked && h->asked_vaddr != vaddr)
		return -EAGAIN;
	if (!h->asked) {
		if (h->history->spent_ns > allowed_ns(h->history))
			return fail(h, -ETIME);
		if (budget_slice_over(h->budget))
			return -EAGAIN;
		if (send(h->socket, &vaddr, sizeof(vaddr), MSG_NOSIGNAL) != sizeof(vaddr))
			return fail(h, -EDQUOT);
		watch(h);
		h->asked = true;
		h->asked_vaddr = vaddr;
	}
	rc = wait_answer(h);
	if (rc)
		return rc;
	h->asked = false;
	return take(h, out, max);
}

bool lines_helper_asked(const struct lines_helper *h, uint64_t *vaddr)
{
	*vaddr = h->asked_vaddr;
	return h->asked && !h->failed;
}
