/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace top. See cmd_top.h. */
#include "run/cmd_top.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "run/opening.h"
#include "run/privileges.h"
#include "run/sampling.h"
#include "run/trace.h"

static void trace_close(struct trace *s)
{
	while (s->targets.n)
		targets_remove(&s->targets, s->targets.n - 1);
	tracer_close(s->tracer);
	free(s->left.v);
	targets_free(&s->targets); /* its modules, which the tracer uses */
	snapshots_free(&s->snapshots);
	if (s->loop)
		loop_on_leave(s->loop, NULL, NULL);
	output_close(&s->out);
	browser_free(s->browser);
	frozen_free(s->frozen);
	record_file_close(&s->record);
	write_now_close(&s->write);
	loop_close(s->loop);
}

/* Is every process the user named traced? One that --all found and that does not get ready keeps nobody
 * waiting. */
static bool all_live(const struct trace *s)
{
	for (size_t i = 0; i < s->targets.n; i++)
		if (target_asked_for(s->targets.v[i]) && target_state(s->targets.v[i]) == TARGET_WAITING &&
		    !target_lacks_libraries(s->targets.v[i], &(struct error){0}))
			return false;
	return true;
}

static int on_key(void *trace, void *what, struct error *err);

/* There is something on the screen before the first report, and keys are read. */
static int start_browser(struct trace *s)
{
	int rc = output_draw(&s->out, s->browser, NULL);

	return rc ?: terminal_has_keys(s->out.terminal) ? loop_add(s->loop, STDIN_FILENO, on_key, NULL) : 0;
}

/* From one look at new processes and stacks to the next. */
static double look_interval_s(const struct trace *s)
{
	return s->use && s->use->brief ? SEARCH_INTERVAL_S : NAME_INTERVAL_S;
}

/* The one line scripts wait for. */
static int announce(struct trace *s)
{
	struct buf b = {0};
	size_t probes = 0;
	int rc;

	for (size_t i = 0; i < s->targets.n; i++) {
		if (target_state(s->targets.v[i]) != TARGET_TRACED)
			continue;
		buf_printf(&b, "%s%d", b.n ? "," : "", target_id(s->targets.v[i])->pid);
		probes += tracer_probes(s->tracer, target_number(s->targets.v[i]));
	}
	if (s->o->verbose > 1)
		tracer_print_unwind(s->tracer);
	if (!s->use)
		fprintf(stderr, "jnitrace: tracing %s: %zu probes\n", b.n ? b.p : "none yet", probes);
	buf_free(&b);
	s->announced = true;
	s->last_usage_ns = clock_ns(CLOCK_MONOTONIC);
	s->reading_due_ns = s->last_usage_ns + (uint64_t)(READING_S * 1e9);
	loop_end_in(s->loop, s->o->duration_s);
	loop_set_timer(s->search, look_interval_s(s));
	rc = loop_set_timer(s->tick, s->o->interval_s);
	return rc ?: s->browser ? start_browser(s) : 0;
}

/* --- the loop ------------------------------------------------------------------------------------ */

static int on_tick(void *trace, void *what, struct error *err)
{
	struct trace *s = trace;
	int rc;

	(void)what;
	for (size_t i = 0; i < s->targets.n; i++)
		if (target_state(s->targets.v[i]) == TARGET_TRACED &&
		    tracer_execed(s->tracer, target_number(s->targets.v[i])))
			target_stop(s->targets.v[i], END_EXECED);
	rc = trace_let_go(s, err);
	s->intervals++;
	if (s->o->count > 0 && s->intervals >= s->o->count)
		loop_end(s->loop);
	/* For people the last report stands for the last interval's, which would say the same. */
	if (s->o->count != s->intervals || !s->o->view.format->screen)
		rc = rc ?: trace_is_paused(s) ? trace_read(s, err) : trace_report(s, TARGET_TRACED, err);
	return rc;
}

static int on_exit_of(void *trace, void *target, struct error *err)
{
	struct trace *s = trace;
	struct target *t = target;
	struct error gone = {0};
	char what[64];

	loop_remove(s->loop, target_pidfd(t));
	if (target_state(t) == TARGET_TRACED) {
		target_stop(t, END_EXITED);
		return trace_let_go(s, err);
	}
	for (size_t i = 0; i < s->targets.n; i++) {
		if (s->targets.v[i] != t)
			continue;
		if (target_asked_for(t)) {
			snprintf(what, sizeof(what), "trace PID %d", target_id(t)->pid);
			return error_set(err, -ESRCH, EXIT_NO_TARGET, what, NULL,
					 "it has exited before its %s was loaded",
					 target_lacks_libraries(t, &(struct error){0}) ? "library" : "VM");
		}
		error_set(&gone, -ESRCH, EXIT_NO_TARGET, "trace it", NULL, "it has exited");
		if (s->use && !target_lacks_libraries(t, &(struct error){0}))
			s->use->missed(s->use->of, target_id(t)->pid, &gone);
		trace_drop(s, i);
		break;
	}
	return 0;
}

static int on_redraw(void *trace, void *what, struct error *err)
{
	struct trace *s = trace;

	(void)what;
	terminal_renew(s->out.terminal);
	return s->announced ? output_draw(&s->out, s->browser, err) : 0;
}

static int switch_families(struct trace *s, struct error *err)
{
	struct error why = {0};
	int rc = targets_switch(&s->targets, browser_take_families(s->browser), &why);
	char told[512];

	if (rc) { /* what was traced goes on */
		snprintf(told, sizeof(told), "%s: %s", why.what, why.why);
		browser_tell(s->browser, told);
	}
	return trace_report(s, TARGET_TRACED, err);
}

/* Draw what was reported last as the keys want it now; up to one that has a wish, which is kept. */
static int take_keys(struct trace *s, struct error *err)
{
	bool changed = false;
	struct key key;
	int rc = 0;

	while (s->wish == WISH_NOTHING && (rc = terminal_key(s->out.terminal, &key)) > 0) {
		enum wish wish = browser_key(s->browser, &key);

		s->wish = wish == WISH_DRAW ? WISH_NOTHING : wish;
		changed |= wish != WISH_NOTHING;
		if (trace_freeze(s))
			browser_tell(s->browser, "out of memory: what is shown will change");
	}
	if (rc < 0)
		loop_remove(s->loop, STDIN_FILENO);
	/* What is wished for is seen when it is done. */
	return changed && s->wish == WISH_NOTHING ? output_draw(&s->out, s->browser, err) : 0;
}

static int grant_wish(struct trace *s, struct error *err)
{
	enum wish wish = s->wish;
	int rc = 0;

	s->wish = WISH_NOTHING;
	switch (wish) {
	case WISH_NOTHING:
	case WISH_DRAW:
		return 0;
	case WISH_QUIT:
		loop_end(s->loop);
		return 0;
	case WISH_WRITE:
		write_now(&s->write, s->browser);
		break;
	case WISH_SWITCH:
		rc = switch_families(s, err);
		break;
	case WISH_THREADS:
		tracer_tell_threads(s->tracer);
		browser_tell(s->browser,
			     "threads are told apart from now on, which makes calls a little dearer");
		rc = trace_report(s, TARGET_TRACED, err);
		break;
	}
	rc = rc ?: output_draw(&s->out, s->browser, err);
	return rc ?: take_keys(s, err); /* those behind it */
}

static int on_key(void *trace, void *what, struct error *err)
{
	(void)what;
	return take_keys(trace, err);
}

/*
 * A key that was pressed while files are read and names are looked up: it waits for neither. Not where the
 * reports that are shown are being made anew.
 */
static void on_look(void *trace)
{
	struct trace *s = trace;
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

	if (s->announced && !s->remade && terminal_is_on(s->out.terminal) && poll(&p, 1, 0) > 0)
		take_keys(s, NULL); /* what fails does so again in the next drawing */
}

static void leave_over_budget(struct trace *s, struct target *t)
{
	double ms = target_overspent_ms(t);
	char bore[64] = "";

	if (ms >= 0)
		snprintf(bore, sizeof(bore), ": of too many calls those of %.1f ms were counted", ms);
	trace_leave(s, t, END_OVER_BUDGET);
	warn("PID %d: the probes took more than --budget allows, and were removed after %.1f s%s",
	     target_id(t)->pid, target_traced_s(t), bore);
}

/* Detach at once from what is not to be borne; its last report can wait. */
static int on_budget(void *trace, void *what, struct error *err)
{
	struct trace *s = trace;
	bool any = false;

	(void)what;
	for (size_t i = 0; i < s->targets.n; i++) {
		struct target *t = s->targets.v[i];

		/* What it has become by exec has taken nothing. */
		if (target_state(t) == TARGET_TRACED && tracer_execed(s->tracer, target_number(t)))
			continue;
		if (!target_has_overspent(t) && !target_over_budget(t))
			continue;
		leave_over_budget(s, t);
		any = true;
	}
	return any ? trace_let_go(s, err) : 0;
}

/* And from what may end the process, before it does. */
static int leave_endangered(struct trace *s, struct error *err)
{
	bool any = false;

	for (size_t i = 0; i < s->targets.n; i++) {
		struct target *t = s->targets.v[i];

		if (target_state(t) != TARGET_TRACED || !tracer_endangers(s->tracer, target_number(t)))
			continue;
		trace_leave(s, t, END_SIGNAL_STACK);
		warn("PID %d: it handles a signal on a stack above that of a thread (sigaltstack): a handler "
		     "that calls "
		     "a traced function might have ended it, and the probes were removed",
		     target_id(t)->pid);
		any = true;
	}
	return any ? trace_let_go(s, err) : 0;
}

/* Code has changed, or the programs have stopped counting: that comes first. */
static int on_code(void *trace, void *what, struct error *err)
{
	int rc = ((struct trace *)trace)->o->budget_share > 0 ? on_budget(trace, what, err) : 0;

	return rc ?: trace_take_code(trace, err);
}

/* VMs that were attached to while they started. */
static int catch_up(struct trace *s)
{
	bool was = s->catching_up;

	s->catching_up = false;
	for (size_t i = 0; i < s->targets.n; i++)
		s->catching_up |= target_catch_up(s->targets.v[i]);
	return was && !s->catching_up ? loop_set_timer(s->search, look_interval_s(s)) : 0;
}

/* Once the terminal is ours again, of which nobody tells, draw what is known. */
static int draw_again(struct trace *s, struct error *err)
{
	if (!s->browser || !s->announced || s->asked || terminal_is_on(s->out.terminal) ||
	    terminal_is_lent(s->out.terminal))
		return 0;
	return output_draw(&s->out, s->browser, err);
}

static int on_search(void *trace, void *what, struct error *err)
{
	struct trace *s = trace;
	int rc;

	(void)what;
	tracer_poll(s->tracer);
	rc = catch_up(s);
	rc = rc ?: trace_attach_ready(s, err);
	rc = rc ?: trace_name_sites(s, err);
	rc = rc ?: draw_again(s, err);
	return rc ?: trace_take_reading(s, err);
}

/* Before each wait. */
static int before_wait(void *trace, void *what, struct error *err)
{
	struct trace *s = trace;
	int rc = leave_endangered(s, err);

	(void)what;
	rc = rc ?: trace_take_stopped(s, err); /* whoever heard of them */
	while (!rc && s->wish != WISH_NOTHING)
		rc = grant_wish(s, err);
	if (!rc && !s->announced && all_live(s))
		rc = announce(s);
	if (s->announced && !s->targets.n && !s->targets.discovery && !s->use)
		loop_end(s->loop);
	return rc;
}

/* A link takes one to four file descriptors of a target: as many as the system allows. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* What is kept of references and of stacks, with their names, is in proportion to the room for them. */
#define BYTES_OF_A_REF   256
#define BYTES_OF_A_STACK (32 << 10)
#define BYTES_OF_REST    (1ULL << 30)
static void limit_memory(const struct options *o)
{
	budget_limit_process(o->limit_bytes + BYTES_OF_A_REF * o->max_refs +
			     BYTES_OF_A_STACK * o->max_stacks + BYTES_OF_REST);
}

static int open_output(struct trace *s, struct error *err)
{
	int rc = output_open(&s->out, &s->o->view, !s->use, true, loop_stop_fd(s->loop), err);

	rc = rc ?: record_file_open(&s->record, s->o, loop_stop_fd(s->loop), err);
	if (rc || !s->out.terminal)
		return rc;
	s->write = (struct write_now){.request = &s->o->view, .o = s->o, .stop_fd = loop_stop_fd(s->loop)};
	rc = browser_new(&s->o->view, NULL, &s->browser);
	if (rc)
		return rc;
	s->targets.shared.drawn = true;
	if (terminal_has_keys(s->out.terminal))
		budget_on_look(s->targets.shared.budget, on_look, s);
	if (!s->o->count_only && terminal_has_keys(s->out.terminal))
		targets_may_switch(&s->targets);
	loop_on_leave(s->loop, terminal_leave, s->out.terminal);
	return loop_on_redraw(s->loop, on_redraw);
}

/* Programs for other runtimes than those of the processes that were named are not loaded. */
static uint32_t may_be_traced(const struct options *o)
{
	const struct runtime *only = runtime_by_name(o->runtime);
	uint32_t families = o->all || !o->nr_pids ? only ? runtime_families(only, o->catalog) : ~0U : 0;

	for (size_t i = 0; i < o->nr_pids; i++)
		families |= opening_families(o->pids[i], o->catalog);
	return families;
}

/* Likewise what the walk of a stack does for one of them only. */
static bool may_have_fragments(const struct options *o)
{
	const struct runtime *only = runtime_by_name(o->runtime);
	bool may = o->all || !o->nr_pids;

	for (size_t i = 0; i < o->nr_pids; i++)
		may |= opening_by_fragments(o->pids[i]);
	return may && (!only || only->by_fragments);
}

/* As many as were named, or the command has; of others it is not known. */
static size_t most_targets(const struct trace *s)
{
	if (s->use)
		return s->use->most_targets;
	return s->o->all ? 0 : s->o->nr_pids;
}

#define FEW_WALKS 0.1 /* of a CPU: with as many threads as a JVM has, few of them are in a walk at once */

static int open_tracer(struct trace *s, const struct features *features, struct error *err)
{
	const struct options *o = s->o;
	uint32_t may_have = may_be_traced(o);
	const struct tracer_opts opts = {
	    .catalog = o->catalog,
	    .bottom = s->bottom,
	    .attach = o->attach,
	    .families = (o->families | s->targets.shared.switchable) & may_have,
	    .at_once = o->families,
	    .max_refs = o->max_refs,
	    .max_stacks = o->max_stacks,
	    .max_targets = most_targets(s),
	    .local_capacity = (uint32_t)o->local_capacity,
	    .depth = o->depth,
	    .memo = o->memo,
	    /* of pairs they may be in several files, and over the budget they go from one target alone */
	    .share = o->all && !o->pairs && o->budget_share <= 0,
	    .by_thread = o->view.group_by == GROUP_THREAD,
	    .may_tell_threads = s->browser != NULL,
	    .count_only = o->count_only,
	    .sampled = sampling_of(o, o->families),
	    .one_in = o->sample,
	    .check = o->check,
	    .fragments = may_have_fragments(o),
	    .budgeted = o->budget_share > 0,
	    .few_walks = o->budget_share > 0 && o->budget_share <= FEW_WALKS,
	    .hold = s->use && o->pairs,
	    .verbose = o->verbose > 0,
	};

	runtimes_bottom(s->bottom);
	return tracer_open(&opts, features, &s->tracer, err);
}

static int open_loop(struct trace *s)
{
	int rc = loop_open(&s->loop, s);

	if (!rc)
		loop_may_abandon(s->loop, true);
	if (!rc)
		s->tick = rc = loop_timer(s->loop, 0, on_tick);
	if (rc >= 0)
		s->search = rc = loop_timer(s->loop, SEARCH_INTERVAL_S, on_search);
	if (rc >= 0 && s->o->budget_share > 0)
		rc = loop_timer(s->loop, BUDGET_INTERVAL_S, on_budget);
	return rc < 0 ? rc : 0;
}

static int open_targets(struct trace *s, struct error *err)
{
	int rc = targets_open(&s->targets, s->o, loop_stop_fd(s->loop), err);

	for (size_t i = 0; !rc && i < s->targets.n; i++)
		rc = trace_watch(s, s->targets.v[i], err);
	return rc;
}

/* At a terminal files may be asked for. */
static bool may_write(const struct options *o)
{
	return o->view.output || o->record || (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
}

static int start(struct trace *s, struct error *err)
{
	struct features features;
	int rc = privileges_keep(PRIVILEGES_TRACE, may_write(s->o), err);

	raise_file_limit();
	rc = rc ?: features_detect(&features, err);
	rc = rc ?: open_loop(s);
	rc = rc ?: open_targets(s, err);
	rc = rc ?: open_output(s, err);
	rc = rc ?: open_tracer(s, &features, err);
	if (!rc)
		limit_memory(s->o); /* behind the maps, which are mapped */
	if (!rc && s->o->verbose > 1)
		tracer_print_programs(s->tracer);
	rc = rc ?: loop_add(s->loop, tracer_code_fd(s->tracer), on_code, NULL);
	if (!rc && s->use)
		rc = s->use->begin(s->use->of, s, s->loop, err);
	return rc ? error_set(err, rc, EXIT_FAILED, "start", NULL, "%s", strerror(-rc)) : 0;
}

/* Processes that the user named and that never loaded a library of --pair: an error if nothing else was
 * traced. */
static int tell_lacking(const struct trace *s, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; i < s->targets.n && !rc; i++)
		rc = target_asked_for(s->targets.v[i]) ? target_lacks_libraries(s->targets.v[i], err) : 0;
	if (!rc || !s->outcome.reported)
		return rc;
	error_print(err);
	*err = (struct error){0};
	return 0;
}

/* A signal asked to end. One that comes later ends what takes long. */
static void hear(struct trace *s)
{
	s->asked = true;
	budget_heard(s->targets.shared.budget);
	if (!s->out.terminal)
		return;
	loop_on_leave(s->loop, NULL, NULL); /* so that what takes long can be told */
	terminal_leave(s->out.terminal);
}

enum exit_code cmd_top(const struct options *o, struct error *err)
{
	return trace_run(o, NULL, err);
}

enum exit_code trace_run(const struct options *o, const struct trace_use *use, struct error *err)
{
	struct trace s = {.o = o, .use = use, .on_exit = on_exit_of};
	int rc = start(&s, err);

	rc = rc ?: trace_attach_ready(&s, err);
	rc = rc ?: loop_run(s.loop, before_wait, err);
	trace_end_hold(&s);
	if (s.loop && loop_is_stopped(s.loop))
		hear(&s);
	if (!rc) {
		for (size_t i = 0; i < s.targets.n; i++)
			if (target_state(s.targets.v[i]) == TARGET_TRACED)
				target_stop(s.targets.v[i], trace_end_reason(&s, s.targets.v[i]));
		s.ends = true;
		rc = trace_let_go(&s, err);
		rc = rc ?: tell_lacking(&s, err);
	}
	rc = rc ?: output_end(&s.out, err);
	rc = rc ?: record_file_end(&s.record, err);
	rc = rc ?: write_now_end(&s.write, err);
	if (!rc && o->verbose > 1)
		tracer_print_walks(s.tracer);
	trace_close(&s);
	if (rc)
		return err->what[0] ? err->exit_code : EXIT_FAILED;
	return outcome_code(&s.outcome, o);
}
