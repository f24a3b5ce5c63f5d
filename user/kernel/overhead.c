/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/overhead.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "kernel/run_cost.h"
#include "kernel/uprobe.h"
#include "proc/proc.h"

#define ROUNDS        7
#define CALLS         100           /* of a probed instruction in one round */
#define ENOUGH_RUNS   1000          /* of programs: then the clock around them stops */
#define PAUSE_NS      1000000000ULL /* until it goes on again; the switch costs, so each time longer, up to */
#define LONGEST_NS    8000000000ULL
#define IDLE_NS       1000000000ULL /* until it is read again while no program runs */
#define MOMENTS       3             /* that are looked at where programs run too often for longer */
#define MOMENT_RUN_NS 300000.0      /* so long do they run in one */
#define MOMENT_MIN_NS 200000.0
#define MOMENT_MAX_NS 4000000.0

struct program {
	const struct bpf_program *program;
	uint64_t ns_read, runs_read; /* the kernel's sums when they were read last */
	struct run_cost cost;
};

struct overhead {
	const struct bpf_program *nothing;
	bool use_multi, steady, step, started;
	pthread_t thread;
	double trap_ns[NR_TRAPS]; /* written by the thread, each once */
	int stats;     /* while open, the kernel measures every run of every BPF program; -1: closed */
	bool no_stats; /* it cannot */
	uint64_t window_runs, closed_ns, pause_ns;
	uint64_t read_ns;  /* when it was, while stats is open */
	bool idle;         /* nothing had run then */
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

/* What runs took since the last time. */
struct sum {
	uint64_t runs;
	uint64_t most_ns; /* of one program */
	bool too_long;    /* of a program: to be of use */
};

/* sum: NULL: what they took is of no interest. */
static void read_program(struct program *p, struct sum *sum)
{
	struct bpf_prog_info info = {0};
	__u32 n = sizeof(info);
	uint64_t ns, runs;

	if (bpf_program__fd(p->program) < 0 || bpf_obj_get_info_by_fd(bpf_program__fd(p->program), &info, &n))
		return;
	ns = info.run_time_ns - p->ns_read;
	runs = info.run_cnt - p->runs_read;
	p->ns_read = info.run_time_ns;
	p->runs_read = info.run_cnt;
	if (!sum)
		return;
	sum->too_long |= run_cost_add(&p->cost, ns, runs);
	sum->most_ns = ns > sum->most_ns ? ns : sum->most_ns;
	sum->runs += runs;
}

static struct sum read_all(struct overhead *o)
{
	struct sum sum = {0};

	for (size_t i = 0; i < o->n; i++)
		read_program(&o->program[i], &sum);
	o->window_runs += sum.runs;
	o->new_runs += sum.runs;
	return sum;
}

/* A few milliseconds: so short that mostly nobody else has a turn in between. */
static void read_moments(struct overhead *o, double ran_ns, double elapsed_ns)
{
	double ns = fmin(fmax(elapsed_ns * MOMENT_RUN_NS / ran_ns, MOMENT_MIN_NS), MOMENT_MAX_NS);
	const struct timespec moment = {0, (long)ns};

	for (int i = 0; i < MOMENTS; i++) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
		read_all(o);
	}
}

void overhead_poll(struct overhead *o)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	struct sum sum;

	if (!o->started || o->no_stats)
		return;
	if (o->stats < 0) {
		if (o->closed_ns && now - o->closed_ns < o->pause_ns)
			return;
		o->stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
		o->no_stats = o->stats < 0;
		o->window_runs = 0;
		o->idle = false;
		for (size_t i = 0; i < o->n; i++) /* another may have had the clock on */
			read_program(&o->program[i], NULL);
		o->read_ns = now;
		return;
	}
	if (o->idle && now - o->read_ns < IDLE_NS)
		return;
	sum = read_all(o);
	o->idle = !sum.runs;
	if (sum.too_long)
		read_moments(o, (double)sum.most_ns, (double)(now - o->read_ns));
	o->read_ns = clock_ns(CLOCK_MONOTONIC);
	if (o->window_runs < ENOUGH_RUNS)
		return;
	close(o->stats);
	o->stats = -1;
	o->closed_ns = o->read_ns;
	if (!o->steady && o->pause_ns < LONGEST_NS)
		o->pause_ns *= 2;
}

void overhead_forget(struct overhead *o)
{
	for (size_t i = 0; i < o->n; i++) {
		/* what has run until now is of before, also where another has the clock on */
		read_program(&o->program[i], NULL);
		run_cost_forget(&o->program[i].cost);
	}
	o->closed_ns = o->window_runs = o->new_runs = 0;
	o->idle = false;
	o->pause_ns = PAUSE_NS;
}

bool overhead_is_new(const struct overhead *o)
{
	return o->new_runs >= ENOUGH_RUNS / 2 || o->no_stats;
}

double overhead_run_ns(const struct overhead *o, const struct bpf_program *p)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->program[i].program == p)
			return run_cost_ns(&o->program[i].cost);
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
