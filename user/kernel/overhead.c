/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/overhead.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "kernel/uprobe.h"
#include "proc/proc.h"

#define ROUNDS        7
#define CALLS         100           /* of a probed instruction in one round */
#define ENOUGH_RUNS   1000          /* of programs: then the clock around them stops */
#define PAUSE_NS      1000000000ULL /* until it goes on again; the switch costs, so each time longer, up to */
#define LONGEST_NS    8000000000ULL
#define SOME          7     /* averages that a median is taken of */
#define SOME_RUNS     20    /* in each */
#define REMEMBER_RUNS 20000 /* of one program: beyond, older ones count less and less */

struct program {
	const struct bpf_program *program;
	uint64_t ns_read, runs_read; /* the kernel's sums when they were read last */
	double ns, runs;             /* lately */
	double some_ns[SOME];        /* of one run on average, from poll to poll; a ring: */
	size_t nr_some;              /* that were ever */
};

struct overhead {
	const struct bpf_program *nothing;
	bool use_multi, steady, step, started;
	pthread_t thread;
	double trap_ns[NR_TRAPS]; /* written by the thread, each once */
	int stats;     /* while open, the kernel measures every run of every BPF program; -1: closed */
	bool no_stats; /* it cannot */
	uint64_t window_runs, closed_ns, pause_ns;
	uint64_t new_runs; /* since overhead_forget() */
	size_t n;
	struct program program[];
};

/* --- the trap ------------------------------------------------------------------------------------ */

/* Two functions to probe: their first instruction is one the kernel emulates, and one it does not. */
void overhead_emulated(void);
void overhead_stepped(void);
#if defined(__x86_64__)
#define EMULATED "nop"
#define STEPPED  "mov %rax, %rax"
#elif defined(__aarch64__)
#define EMULATED "nop"
#define STEPPED  "mov x0, x0"
#else
#error "which instruction does this architecture's kernel emulate in a uprobe?"
#endif
#define TINY_FUNCTION(name, insn)                                                                            \
	__asm__(".pushsection .text\n"                                                                       \
		".type " #name ", %function\n" #name ":\n\t" insn "\n\tret\n"                                \
		".size " #name ", . - " #name "\n"                                                           \
		".popsection")
TINY_FUNCTION(overhead_emulated, EMULATED);
TINY_FUNCTION(overhead_stepped, STEPPED);

/* Where one of them is in our own file. 0 or -errno. */
static int place_of(void (*function)(void), unsigned long *offset)
{
	struct proc_maps maps = {0};
	int rc = proc_maps_read(getpid(), &maps);
	const struct mapping *m = rc ? NULL : proc_maps_find(&maps, (uint64_t)function);

	if (m)
		*offset = (uint64_t)function - m->start + m->offset;
	proc_maps_free(&maps);
	return rc ?: m ? 0 : -ENOENT;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Nanoseconds of CPU time of one call: the median of some rounds. */
static double time_calls(void (*function)(void))
{
	uint64_t ns[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		ns[i] = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		for (int k = 0; k < CALLS; k++)
			function();
		ns[i] = clock_ns(CLOCK_THREAD_CPUTIME_ID) - ns[i];
	}
	qsort(ns, ROUNDS, sizeof(ns[0]), compare_u64);
	return (double)ns[ROUNDS / 2] / CALLS;
}

static double measure_trap(const struct overhead *o, enum trap trap)
{
	void (*function)(void) = trap == TRAP_STEP ? overhead_stepped : overhead_emulated;
	const struct uprobe_where where = {getpid(), "/proc/self/exe", trap == TRAP_RETURN, o->use_multi};
	double alone_ns = time_calls(function), probed_ns;
	unsigned long offset;
	struct bpf_link *link;

	if (place_of(function, &offset))
		return -1;
	link = uprobe_attach(o->nothing, &where, offset, 0);
	if (!link)
		return -1;
	probed_ns = time_calls(function);
	bpf_link__destroy(link);
	return probed_ns > alone_ns ? probed_ns - alone_ns : 0;
}

static void *measure_traps(void *arg)
{
	struct overhead *o = arg;

	for (int i = 0; i < NR_TRAPS; i++) {
		double ns = i == TRAP_STEP && !o->step ? -1 : measure_trap(o, i);

		__atomic_store(&o->trap_ns[i], &ns, __ATOMIC_RELAXED);
	}
	return NULL;
}

double overhead_trap_ns(const struct overhead *o, enum trap trap)
{
	double ns;

	__atomic_load(&o->trap_ns[trap], &ns, __ATOMIC_RELAXED);
	return ns;
}

/* --- the programs -------------------------------------------------------------------------------- */

/* What the program's runs took since the last time, to what is remembered. */
static uint64_t read_program(struct program *p)
{
	struct bpf_prog_info info = {0};
	__u32 n = sizeof(info);
	uint64_t ns, runs;

	if (bpf_program__fd(p->program) < 0 || bpf_obj_get_info_by_fd(bpf_program__fd(p->program), &info, &n))
		return 0;
	ns = info.run_time_ns - p->ns_read;
	runs = info.run_cnt - p->runs_read;
	p->ns_read = info.run_time_ns;
	p->runs_read = info.run_cnt;
	p->ns += ns;
	p->runs += runs;
	if (runs >= SOME_RUNS)
		p->some_ns[p->nr_some++ % SOME] = (double)ns / (double)runs;
	if (p->runs > REMEMBER_RUNS) {
		p->ns /= 2;
		p->runs /= 2;
	}
	return runs;
}

void overhead_poll(struct overhead *o)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), runs = 0;

	if (!o->started || o->no_stats)
		return;
	if (o->stats < 0) {
		if (o->closed_ns && now - o->closed_ns < o->pause_ns)
			return;
		o->stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
		o->no_stats = o->stats < 0;
		o->window_runs = 0;
		return;
	}
	for (size_t i = 0; i < o->n; i++)
		runs += read_program(&o->program[i]);
	o->window_runs += runs;
	o->new_runs += runs;
	if (o->window_runs < ENOUGH_RUNS)
		return;
	close(o->stats);
	o->stats = -1;
	o->closed_ns = now;
	if (!o->steady && o->pause_ns < LONGEST_NS)
		o->pause_ns *= 2;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double overhead_usual_ns(const struct overhead *o, const struct bpf_program *p)
{
	double some_ns[SOME];

	for (size_t i = 0; i < o->n; i++) {
		const struct program *of = &o->program[i];
		size_t n = of->nr_some < SOME ? of->nr_some : SOME;

		if (of->program != p || !n)
			continue;
		memcpy(some_ns, of->some_ns, sizeof(some_ns));
		qsort(some_ns, n, sizeof(some_ns[0]), compare_doubles);
		return some_ns[n / 2];
	}
	return overhead_run_ns(o, p);
}

void overhead_forget(struct overhead *o)
{
	for (size_t i = 0; i < o->n; i++) {
		struct program *p = &o->program[i];

		read_program(
		    p); /* what has run until now is of before, also where another has the clock on */
		if (p->runs > 1) {
			p->ns /= p->runs;
			p->runs = 1;
		}
		p->nr_some = 0;
	}
	o->closed_ns = o->window_runs = o->new_runs = 0;
	o->pause_ns = PAUSE_NS;
}

bool overhead_is_new(const struct overhead *o)
{
	return o->new_runs >= ENOUGH_RUNS / 2 || o->no_stats;
}

double overhead_run_ns(const struct overhead *o, const struct bpf_program *p)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->program[i].program == p && o->program[i].runs > 0)
			return o->program[i].ns / o->program[i].runs;
	return -1;
}

/* --- both ---------------------------------------------------------------------------------------- */

int overhead_new(const struct bpf_object *obj, const struct bpf_program *nothing, bool use_multi, bool steady,
		 struct overhead **out)
{
	struct bpf_program *p;
	struct overhead *o;
	size_t n = 0;

	bpf_object__for_each_program (p, obj)
		n++;
	o = calloc(1, sizeof(*o) + n * sizeof(o->program[0]));
	if (!o)
		return -ENOMEM;
	bpf_object__for_each_program (p, obj)
		o->program[o->n++].program = p;
	for (int i = 0; i < NR_TRAPS; i++)
		o->trap_ns[i] = -1;
	o->nothing = nothing;
	o->use_multi = use_multi;
	o->steady = steady;
	o->stats = -1;
	o->pause_ns = PAUSE_NS;
	*out = o;
	return 0;
}

void overhead_start(struct overhead *o, bool step)
{
	if (o->started)
		return;
	o->step = step;
	o->started = !pthread_create(&o->thread, NULL, measure_traps, o);
	overhead_poll(o);
}

void overhead_free(struct overhead *o)
{
	if (!o)
		return;
	if (o->started)
		pthread_join(o->thread, NULL);
	if (o->stats >= 0)
		close(o->stats);
	free(o);
}
