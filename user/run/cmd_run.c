/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace run. See cmd_run.h. */
#include "run/cmd_run.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "export/formats.h"
#include "proc/proc.h"
#include "run/cmd_top.h"
#include "run/gate.h"
#include "run/loop.h"
#include "run/run_judge.h"
#include "run/supervise.h"
#include "run/waker.h"
#include "runtime/runtime.h"

#define WATCH_S   0.25 /* looks after the gate; */
#define CLASSES_S 0.1  /* from one look at the objects' classes to the next, where they are asserted */
#define END_S     0.02 /* and, once the command has ended, whether all its JVMs have */

struct run {
	struct options o;
	struct run_judge *judge;
	int socket, waker; /* to the supervisor; see waker.h */
	pid_t root;
	struct start_gate *gate; /* NULL: JVMs cannot be held */
	struct loop *loop;
	int timer;
	bool ended;
	uint64_t end_ns; /* when those that outlive the command are not waited for any more */
};

static void tell(const struct run *r, enum supervise_word word)
{
	const struct supervise_message m = {.word = word};

	send(r->socket, &m, sizeof(m), MSG_NOSIGNAL);
}

/* --- events -------------------------------------------------------------------------------------- */

static bool has_vm(pid_t pid)
{
	struct proc_maps maps = {0};
	bool found = !proc_maps_read(pid, &maps) && vm_file_is_mapped(&maps, NULL);

	proc_maps_free(&maps);
	return found;
}

/* Told once: the rest is like it. */
static void missed(void *run, pid_t pid, const struct error *why)
{
	struct run *r = run;

	(void)why;
	warn("PID %d: a %s that could not be traced", (int)pid, r->o.pairs ? "process" : "JVM");
	run_judge_doubt(r->judge, r->o.pairs ? "a process could not be traced" : "a JVM could not be traced");
}

static int on_gate(void *trace, void *run, struct error *err)
{
	struct run *r = run;
	struct gate_event e;
	int rc = 0;

	while (!rc && (e = gate_next(r->gate)).what != GATE_NOTHING) {
		switch (e.what) {
		case GATE_SEEN:
			trace_expect(trace, e.pid);
			break;
		case GATE_HELD:
			if (has_vm(e.pid)) /* else somebody copies the file */
				rc = trace_held(trace, e.pid, err);
			gate_let_go(r->gate, e.pid);
			break;
		case GATE_LATE:
			if (!trace_not_held(trace, e.pid))
				missed(r, e.pid, NULL);
			break;
		case GATE_LOST:
			warn("JVMs are not held any more while they start: the gate has ended");
			loop_remove(r->loop, gate_fd(r->gate));
			return rc;
		case GATE_NOTHING:
			break;
		}
	}
	return rc;
}

static int on_supervisor(void *trace, void *run, struct error *err)
{
	struct run *r = run;
	struct supervise_message m;
	ssize_t n = recv(r->socket, &m, sizeof(m), MSG_DONTWAIT);

	(void)trace;
	(void)err;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n != sizeof(m) || m.word == SUPERVISE_HURRY) {
		loop_remove(r->loop, r->socket);
		loop_end(r->loop);
		return 0;
	}
	if (m.word != SUPERVISE_ENDED)
		return 0;
	r->ended = true;
	r->end_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(r->o.wait_s * 1e9);
	return loop_set_timer(r->timer, END_S);
}

/* number: as in struct supervise_message. */
static void ask_to_go_on(const struct run *r, pid_t number)
{
	const struct supervise_message m = {.word = SUPERVISE_GO_ON, .number = number};

	send(r->socket, &m, sizeof(m), MSG_NOSIGNAL);
}

/* It sends nothing: it was killed, and what it was told last it may not have done. */
static int on_waker(void *trace, void *run, struct error *err)
{
	struct run *r = run;

	(void)trace;
	(void)err;
	loop_remove(r->loop, r->waker);
	r->waker = -1;
	ask_to_go_on(r, 0);
	warn("jnitrace-waker was killed: what a process that loads libraries just now calls at first may not "
	     "be seen");
	run_judge_doubt(r->judge, "a process may have gone on too early");
	return 0;
}

static int on_timer(void *trace, void *run, struct error *err)
{
	struct run *r = run;

	(void)err;
	if (r->gate)
		gate_watch(r->gate);
	if (r->ended && (!trace_targets(trace) || clock_ns(CLOCK_MONOTONIC) > r->end_ns))
		loop_end(r->loop);
	return 0;
}

/* --- what the trace asks ------------------------------------------------------------------------- */

static int begin(void *run, struct trace *trace, struct loop *l, struct error *err)
{
	struct run *r = run;
	int rc = run_judge_open(r->judge, err);

	if (!rc && r->o.pairs)
		trace_hold(trace);
	r->loop = l;
	rc = rc ?: loop_add(l, r->socket, on_supervisor, r);
	if (!rc && r->waker >= 0)
		rc = loop_add(l, r->waker, on_waker, r);
	if (!rc && r->gate)
		rc = loop_add(l, gate_fd(r->gate), on_gate, r);
	if (!rc)
		r->timer = rc = loop_timer_of(l, WATCH_S, on_timer, r);
	if (rc < 0)
		return rc;
	tell(r, SUPERVISE_READY);
	return 0;
}

static void held(void *run, pid_t pid)
{
	const struct run *r = run;

	waker_tell_held(r->waker, pid);
}

/* Only these two may send signals to whoever the command has become. */
static void go_on(void *run, pid_t pid)
{
	const struct run *r = run;

	if (waker_go_on(r->waker, pid))
		ask_to_go_on(r, pid);
}

static bool wants(void *run, pid_t pid)
{
	const struct run *r = run;

	return proc_descends(pid, r->root, getpid());
}

static void began(void *run, const struct proc_id *id)
{
	(void)run;
	warn("PID %d: the first %.0f ms of it were not seen: it was not held at its start", id->pid,
	     proc_age_s(id) * 1000);
}

static int last(void *run, const struct report *report)
{
	struct run *r = run;

	if (report->end_reason == END_DETACHED)
		warn("PID %d (%s) outlives the command: judged as it is now (--wait waits longer)",
		     report->target.pid, target_name_of(&report->target));
	return run_judge_take(r->judge, report);
}

/* In the child of the supervisor. */
static int trace(void *run, int socket, int waker, pid_t root)
{
	struct run *r = run;
	const struct trace_use use = {.of = r,
				      .brief = true,
				      .began = began,
				      .begin = begin,
				      .wants = wants,
				      .missed = missed,
				      .held = held,
				      .go_on = go_on,
				      .last = last};
	struct error err = {0}, why = {0};
	enum exit_code code;

	r->socket = socket;
	r->waker = waker;
	r->root = root;
	if (gate_open(root, r->o.argv, &r->gate, &why))
		error_print(&why);
	code = trace_run(&r->o, &use, &err);
	waker_end(r->waker);
	gate_close(r->gate);
	if (code == EXIT_OK)
		code = run_judge_end(r->judge, &err);
	run_judge_free(r->judge);
	if (err.what[0])
		error_print(&err);
	return code;
}

enum exit_code cmd_run(const struct options *o, struct error *err)
{
	struct run r = {.o = *o};
	struct supervised s = {.argv = o->argv,
			       .trace = trace,
			       .of = &r,
			       .must_judge = o->nr_asserts || o->baseline,
			       .stops = o->pairs};
	int code, rc;

	/* Without anything else the tables are the answer: on stderr, as stdout is the command's. */
	if (o->report && o->view.format != &format_none)
		r.o.view.output = o->report;
	else if (o->report || o->record || o->nr_asserts || o->baseline)
		r.o.view.output = "/dev/null";
	r.o.view.batch = true;
	r.o.allow_loss = true;
	r.o.from_start = true;
	rc = run_judge_new(&r.o, &r.judge, err);
	if (rc)
		return err->exit_code;
	r.o.classes = run_judge_needs_classes(r.judge);
	if (r.o.classes) /* what was acquired since the last look has no class when the JVM is gone */
		r.o.interval_s = CLASSES_S;
	code = supervise(&s, err);
	run_judge_free(r.judge);
	return (enum exit_code)code;
}
