/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "run/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/proc.h"
#include "run/privileges.h"
#include "run/waker.h"

/* As of a shell (POSIX, XCU 2.8.2). */
#define CODE_NOT_FOUND   127
#define CODE_NOT_EXECUTE 126
#define CODE_SIGNAL      128

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH};

struct supervisor {
	const struct supervised *s;
	sigset_t before;
	int signals, socket, waker; /* -1: closed */
	pid_t tracer, command;      /* 0: not started, or gone */
	bool started;
	int code, judged; /* of the command; of the tracer, -1: it died */
	bool hurried;
	bool no_sigchld; /* it was ignored */
};

static void tell(const struct supervisor *s, enum supervise_word word, int number)
{
	const struct supervise_message m = {word, number};

	send(s->socket, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int code_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : CODE_SIGNAL + WTERMSIG(status);
}

/* --- starting ------------------------------------------------------------------------------------ */

static int start_tracer(struct supervisor *s)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	s->tracer = fork();
	if (!s->tracer) {
		pid_t root = getppid();
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

		/* Keys of the terminal are for the command. Its output is not to be kept open, or mixed up.
		 */
		setsid();
		sigprocmask(SIG_SETMASK, &s->before, NULL);
		if (null >= 0)
			dup2(null, STDIN_FILENO);
		dup2(STDERR_FILENO, STDOUT_FILENO);
		close(pair[0]);
		close(s->signals);
		exit(s->s->trace(s->s->of, pair[1], s->waker, root));
	}
	close(pair[1]);
	if (s->waker >= 0)
		close(s->waker); /* it ends with the tracer */
	s->waker = -1;
	s->socket = pair[0];
	return s->tracer < 0 ? -errno : 0;
}

/* In the child that becomes the command. */
static _Noreturn void be_command(const struct supervisor *s)
{
	int rc;

	sigprocmask(SIG_SETMASK, &s->before, NULL);
	if (s->no_sigchld)
		signal(SIGCHLD, SIG_IGN);
	if (s->s->stops) /* it may have stopped just then */
		prctl(PR_SET_PDEATHSIG, SIGCONT);
	execvp(s->s->argv[0], s->s->argv);
	rc = errno;
	fprintf(stderr, "jnitrace: run %s: %s\n", s->s->argv[0], strerror(rc));
	_exit(rc == ENOENT || rc == ENOTDIR ? CODE_NOT_FOUND : CODE_NOT_EXECUTE);
}

static int start_command(struct supervisor *s)
{
	int null;

	s->command = fork();
	if (!s->command)
		be_command(s);
	if (s->command < 0)
		return -errno;
	s->started = true;
	tell(s, SUPERVISE_STARTED, s->command);
	if (privileges_keep(PRIVILEGES_SIGNAL, false, NULL)) /* nothing else is done here from now on */
		warn("cannot give up privileges");
	/* Who reads its output sees the end of it when the command is gone. */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		close(null);
	}
	return 0;
}

/* --- meanwhile ----------------------------------------------------------------------------------- */

/* Whoever waits for the tracer to let it go on (SUPERVISE_GO_ON). */
static void let_all_go_on(void)
{
	struct pid_list pids = {0};

	if (!proc_list(&pids))
		for (size_t i = 0; i < pids.n; i++)
			if (pids.v[i] != getpid() && proc_descends(pids.v[i], getpid(), 0))
				kill(pids.v[i], SIGCONT);
	free(pids.v);
}

static void on_end_of(struct supervisor *s, pid_t pid, int status)
{
	if (pid == s->tracer) {
		s->tracer = 0;
		if (s->s->stops)
			let_all_go_on();
		s->judged = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	} else if (pid == s->command) {
		s->command = 0;
		s->code = code_of(status);
		tell(s, SUPERVISE_ENDED, s->code);
	}
}

/* Also of processes whose parents went before them. */
static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		on_end_of(s, pid, status);
}

static void on_signal(struct supervisor *s)
{
	struct signalfd_siginfo i;

	if (read(s->signals, &i, sizeof(i)) != sizeof(i))
		return;
	if (i.ssi_signo == SIGCHLD) {
		reap(s);
	} else if (s->command > 0) {
		/* One that the kernel sends is the terminal's, and the command has it already. */
		if (i.ssi_code != SI_KERNEL)
			kill(s->command, (int)i.ssi_signo);
	} else if (!s->started || s->hurried) {
		if (s->tracer > 0)
			kill(s->tracer, SIGKILL);
		if (!s->started)
			s->code = CODE_SIGNAL + (int)i.ssi_signo;
	} else {
		s->hurried = true;
		tell(s, SUPERVISE_HURRY, 0);
	}
}

/* 0 or -errno. */
static int on_message(struct supervisor *s)
{
	struct supervise_message m;
	ssize_t n = recv(s->socket, &m, sizeof(m), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) { /* its end is told by a signal */
		close(s->socket);
		s->socket = -1;
		return 0;
	}
	if (n == sizeof(m) && m.word == SUPERVISE_GO_ON && m.number > 1)
		kill(m.number, SIGCONT);
	else if (n == sizeof(m) && m.word == SUPERVISE_GO_ON)
		let_all_go_on();
	return n == sizeof(m) && m.word == SUPERVISE_READY && !s->started ? start_command(s) : 0;
}

/* Until both are gone. 0 or -errno. */
static int wait_for_both(struct supervisor *s)
{
	int rc = 0;

	while (!rc && (s->tracer > 0 || s->command > 0)) {
		struct pollfd p[] = {{.fd = s->signals, .events = POLLIN},
				     {.fd = s->socket, .events = POLLIN}};

		if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
			rc = -errno;
		if (!rc && p[0].revents)
			on_signal(s);
		if (!rc && p[1].revents)
			rc = on_message(s);
	}
	return rc;
}

/* --- all of it ----------------------------------------------------------------------------------- */

static int open_signals(struct supervisor *s)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
		sigaddset(&mask, passed_on[i]);
	if (sigprocmask(SIG_BLOCK, &mask, &s->before))
		return -errno;
	s->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? -errno : 0;
}

static int judge(const struct supervisor *s)
{
	if (!s->started)
		return s->judged > 0 ? s->judged : s->code ?: EXIT_FAILED;
	if (s->judged < 0 || (s->judged && s->judged != EXIT_ASSERT)) {
		warn("the tracer has failed: what the command did was not judged%s",
		     s->s->must_judge ? "" : " (there was nothing to assert)");
		return s->s->must_judge ? EXIT_ASSERT : s->code;
	}
	return s->judged ?: s->code;
}

int supervise(const struct supervised *what, struct error *err)
{
	struct supervisor s = {.s = what, .signals = -1, .socket = -1, .waker = -1};
	int rc = open_signals(&s);

	/* Where it is ignored nobody is told of children's ends. */
	s.no_sigchld = signal(SIGCHLD, SIG_DFL) == SIG_IGN;

	if (!rc && what->stops) /* before it would be the waker's next parent */
		s.waker = rc = waker_start();
	rc = rc < 0 ? rc : 0;
	if (!rc && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		rc = -errno;
	rc = rc ?: start_tracer(&s);
	rc = rc ?: wait_for_both(&s);
	if (s.socket >= 0)
		close(s.socket);
	if (s.signals >= 0)
		close(s.signals);
	if (rc) {
		error_set(err, rc, EXIT_FAILED, "run the command", NULL, "%s", strerror(-rc));
		return EXIT_FAILED;
	}
	return judge(&s);
}
