/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/budget.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/strset.h"
#include "base/util.h"

#define FILE_NS                                                                                              \
	2000000000ULL /* CPU time for one file; a JVM's largest takes 30 ms, 20 times that emulated          \
		       */
#define SLOW_NS        250000000ULL   /* what takes half of that may have to wait for the next slice */
#define SHARE_NS       3000000000ULL  /* CPU time of a target at once; it comes back */
#define SHARE_PER_WALL 4              /* at a quarter of a CPU */
#define READ_A_TARGET  4              /* bytes to be read at once, in limits for memory, */
#define READ_BY_ALL    16             /* of all targets; */
#define READ_AGAIN_NS  16000000000ULL /* they come back in */
#define OPEN_A_TARGET  64             /* files at a time */
#define MAX_STRETCH    4              /* of a slice, on a busy machine; */
#define LAST_STRETCH   20             /* of one that nothing can be put off from */
#define FEW_FILES      8              /* after a signal; of more, all */
#define LATE_NS        130000000ULL   /* have this CPU time */
#define LOOK_NS        10000000ULL    /* from look to look at who waits for an answer */
#define MAX_REFUSALS   64             /* texts kept of a target */

/* Bytes that may be read. */
struct reading {
	uint64_t left, most;
	uint64_t refilled_ns;
};
struct budget {
	uint64_t limit_bytes, held_bytes;
	struct reading reading;
	unsigned int files, most_files; /* open */
	int stop_fd;
	bool heard;                           /* budget_heard(): */
	unsigned int late_files;              /* read since; */
	uint64_t heard_cpu_ns, late_spent_ns; /* this thread's CPU time then; what others spent since */
	struct share *payer;
	struct reclaimable *reclaimables;
	uint64_t file_end_ns; /* of this thread's CPU time; 0: no file is read */
	uint64_t file_begin_ns;
	unsigned int nesting; /* of budget_begin_file() */
	/* the slice: of CLOCK_MONOTONIC; of CPU time when it began, and what others spent since */
	uint64_t begin_ns, deadline_ns, begin_cpu_ns, spent_ns;
	bool last, begun;         /* a file was read in this slice */
	bool full;                /* budget_fill_slice() */
	bool impatient;           /* budget_wait() */
	void (*look)(void *what); /* budget_on_look() */
	void *look_what;
	uint64_t looked_ns;
};
struct share {
	struct budget *budget;
	unsigned int references; /* the target's and the charges' */
	uint64_t held_bytes;
	struct reading reading;
	unsigned int files; /* open */
	uint64_t left_ns, refilled_ns;
	bool has_slow; /* files: others of its may be as slow */
	uint64_t refused;
	struct strset refusals; /* texts */
	struct {
		const char **v;
		size_t n, cap;
	} list;
};

static struct reading reading_of(uint64_t limit_bytes, uint64_t limits)
{
	uint64_t most = limit_bytes > UINT64_MAX / limits ? UINT64_MAX : limit_bytes * limits;

	return (struct reading){most, most, clock_ns(CLOCK_MONOTONIC)};
}

static void refill(struct reading *r, uint64_t now_ns)
{
	double more = (double)(now_ns - r->refilled_ns) / READ_AGAIN_NS * (double)r->most;

	r->left = more >= (double)(r->most - r->left) ? r->most : r->left + (uint64_t)more;
	r->refilled_ns = now_ns;
}

/* Half of what the process may open: the rest is for probes and maps. */
static unsigned int most_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur / 2 > UINT_MAX)
		return UINT_MAX;
	return (unsigned int)(limit.rlim_cur / 2);
}

int budget_new(uint64_t limit_bytes, int stop_fd, struct budget **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->limit_bytes = limit_bytes;
	(*out)->reading = reading_of(limit_bytes, READ_BY_ALL);
	(*out)->most_files = most_files();
	(*out)->stop_fd = stop_fd;
	return 0;
}

void budget_free(struct budget *b)
{
	free(b);
}

uint64_t budget_limit(const struct budget *b)
{
	return b ? b->limit_bytes : UINT64_MAX;
}

int budget_stop_fd(const struct budget *b)
{
	return b ? b->stop_fd : -1;
}

void budget_heard(struct budget *b)
{
	if (!b)
		return;
	b->heard = true;
	b->heard_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	b->stop_fd = -1;
}

uint64_t budget_late_ns(const struct budget *b)
{
	if (!b || !b->heard)
		return 0;
	return clock_ns(CLOCK_THREAD_CPUTIME_ID) - b->heard_cpu_ns + b->late_spent_ns;
}

/* --- shares --------------------------------------------------------------------------------------- */

int share_new(struct budget *b, struct share **out)
{
	struct share *s = calloc(1, sizeof(*s));

	*out = s;
	if (!s)
		return -ENOMEM;
	s->budget = b;
	s->references = 1;
	s->left_ns = SHARE_NS;
	s->refilled_ns = clock_ns(CLOCK_MONOTONIC);
	s->reading = reading_of(budget_limit(b), READ_A_TARGET);
	return 0;
}

void share_put(struct share *s)
{
	if (!s || --s->references)
		return;
	if (s->budget && s->budget->payer == s)
		s->budget->payer = NULL;
	strset_free(&s->refusals);
	free(s->list.v);
	free(s);
}

void budget_pay(struct budget *b, struct share *s)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (!b)
		return;
	b->payer = s;
	refill(&b->reading, now);
	if (!s)
		return;
	refill(&s->reading, now);
	s->left_ns += (now - s->refilled_ns) / SHARE_PER_WALL;
	if (s->left_ns > SHARE_NS)
		s->left_ns = SHARE_NS;
	s->refilled_ns = now;
}

/* --- memory --------------------------------------------------------------------------------------- */

/* A target may hold half, so that there is something left for others. */
uint64_t budget_room(const struct budget *b)
{
	uint64_t all, own;

	if (!b)
		return UINT64_MAX;
	all = b->limit_bytes - b->held_bytes;
	own = b->limit_bytes / 2;
	if (b->payer)
		own -= b->payer->held_bytes < own ? b->payer->held_bytes : own;
	return own < all ? own : all;
}

int budget_limit_process(uint64_t more_bytes)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	bool known = f && fscanf(f, "%lu", &pages) == 1;
	struct rlimit limit;
	uint64_t most = add_capped(pages * (uint64_t)sysconf(_SC_PAGESIZE), more_bytes);

	if (f)
		fclose(f);
	if (!known || getrlimit(RLIMIT_AS, &limit))
		return known ? -errno : -EIO;
	if (limit.rlim_cur <= most)
		return 0;
	limit.rlim_cur = most;
	if (limit.rlim_max > most)
		limit.rlim_max = most;
	return setrlimit(RLIMIT_AS, &limit) ? -errno : 0;
}

static struct reclaimable *least_recent(const struct budget *b)
{
	struct reclaimable *oldest = b->reclaimables;

	for (struct reclaimable *r = oldest; r; r = r->next)
		if (r->used_ns < oldest->used_ns)
			oldest = r;
	return oldest;
}

/* Who began it pays for all of it. */
static void begin(struct charge *c, struct budget *b)
{
	if (c->budget)
		return;
	c->budget = b;
	c->share = b->payer;
	if (c->share)
		c->share->references++;
}

int budget_take(struct budget *b, uint64_t bytes, struct charge *c)
{
	if (!b)
		return 0;
	while (bytes > budget_room(b) && bytes <= b->limit_bytes / 2 && b->reclaimables) {
		struct reclaimable *r = least_recent(b);

		r->let_go(r->what);
	}
	if (bytes > budget_room(b))
		return -EDQUOT;
	begin(c, b);
	c->bytes += bytes;
	b->held_bytes += bytes;
	if (c->share)
		c->share->held_bytes += bytes;
	return 0;
}

int budget_take_file(struct budget *b, struct charge *c)
{
	if (!b)
		return 0;
	if (b->files >= b->most_files || (b->payer && b->payer->files >= OPEN_A_TARGET))
		return -EDQUOT;
	begin(c, b);
	c->files++;
	b->files++;
	if (c->share)
		c->share->files++;
	return 0;
}

void budget_give(struct charge *c)
{
	if (c->budget) {
		c->budget->held_bytes -= c->bytes;
		c->budget->files -= c->files;
	}
	if (c->share) {
		c->share->held_bytes -= c->bytes;
		c->share->files -= c->files;
		share_put(c->share);
	}
	*c = (struct charge){0};
}

void budget_add_reclaimable(struct budget *b, struct reclaimable *r)
{
	size_t n = 0;

	r->used_ns = clock_ns(CLOCK_MONOTONIC);
	if (!b)
		return;
	for (struct reclaimable *other = b->reclaimables; other; other = other->next)
		n++;
	for (; n >= BUDGET_MAX_RECLAIMABLES; n--)
		least_recent(b)->let_go(least_recent(b)->what);
	r->next = b->reclaimables;
	b->reclaimables = r;
}

void budget_remove_reclaimable(struct budget *b, struct reclaimable *r)
{
	struct reclaimable **at = b ? &b->reclaimables : NULL;

	while (at && *at && *at != r)
		at = &(*at)->next;
	if (at && *at)
		*at = r->next;
	r->next = NULL;
}

/* --- time ----------------------------------------------------------------------------------------- */

void budget_on_look(struct budget *b, void (*look)(void *what), void *what)
{
	b->look = look;
	b->look_what = what;
}

void budget_look(struct budget *b)
{
	uint64_t now = b && b->look ? clock_ns(CLOCK_MONOTONIC) : 0, cpu_ns;

	if (!now || now - b->looked_ns < LOOK_NS)
		return;
	cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	b->look(b->look_what);
	cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns; /* is charged to nobody */
	if (b->file_end_ns) {
		b->file_begin_ns += cpu_ns;
		b->file_end_ns += cpu_ns;
	}
	b->begin_cpu_ns += cpu_ns;
	b->looked_ns = clock_ns(CLOCK_MONOTONIC);
}

static bool is_asked_to_stop(const struct budget *b)
{
	struct pollfd p = {.fd = b->stop_fd, .events = POLLIN};

	return b->stop_fd >= 0 && poll(&p, 1, 0) > 0;
}

/*
 * On a busy machine the same work takes longer: then there is more of the time, within reason. After a signal
 * the slice is short, and all of it is there for work.
 */
static bool time_is_over(const struct budget *b, uint64_t ahead_ns)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC) + ahead_ns, length = b->deadline_ns - b->begin_ns;
	uint64_t enough = b->heard ? length : length / 2, cpu;

	if (b->late_files > FEW_FILES && budget_late_ns(b) + ahead_ns >= LATE_NS)
		return true;

	if (!b->deadline_ns || now < b->deadline_ns)
		return false;
	cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - b->begin_cpu_ns + b->spent_ns + ahead_ns;
	return cpu >= enough || now >= b->begin_ns + (b->last ? LAST_STRETCH : MAX_STRETCH) * length;
}

void budget_begin_file(struct budget *b)
{
	if (!b || b->nesting++)
		return;
	b->file_begin_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	b->file_end_ns = b->file_begin_ns + (b->heard ? BUDGET_LATE_FILE_NS : FILE_NS);
	b->late_files += b->heard;
	b->begun = true;
}

int budget_check(struct budget *b)
{
	if (!b)
		return 0;
	budget_look(b);
	if (is_asked_to_stop(b) || (b->heard && time_is_over(b, 0)))
		return -EINTR;
	if (b->file_end_ns && clock_ns(CLOCK_THREAD_CPUTIME_ID) >= b->file_end_ns)
		return b->heard ? -EINTR : -EDQUOT;
	return 0;
}

int budget_read(struct budget *b, uint64_t bytes)
{
	int rc = budget_check(b);

	if (rc || !b)
		return rc;
	if (bytes > b->reading.left || (b->payer && bytes > b->payer->reading.left))
		return -EDQUOT;
	b->reading.left -= bytes;
	if (b->payer)
		b->payer->reading.left -= bytes;
	return 0;
}

static void charge_ns(struct budget *b, uint64_t cpu_ns)
{
	struct share *s = b->payer;

	if (s)
		s->left_ns -= cpu_ns < s->left_ns ? cpu_ns : s->left_ns;
}

void budget_end_file(struct budget *b)
{
	uint64_t cpu_ns;

	if (!b || --b->nesting)
		return;
	b->file_end_ns = 0;
	cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - b->file_begin_ns;
	charge_ns(b, cpu_ns);
	if (b->payer && cpu_ns > SLOW_NS / 2)
		b->payer->has_slow = true;
}

void budget_slice(struct budget *b, uint64_t deadline_ns, bool last)
{
	if (!b)
		return;
	b->begin_ns = clock_ns(CLOCK_MONOTONIC);
	b->begin_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	b->spent_ns = 0;
	b->deadline_ns = deadline_ns;
	b->last = last;
	b->begun = false;
	b->full = false;
}

bool budget_slice_over(struct budget *b)
{
	if (!b)
		return false;
	budget_look(b);
	return time_is_over(b, 0) || (b->payer && !b->payer->left_ns && !b->last) || is_asked_to_stop(b);
}

void budget_fill_slice(struct budget *b)
{
	if (b)
		b->full = true;
}

bool budget_slice_full(struct budget *b)
{
	if (!b || budget_slice_over(b))
		return b != NULL;
	return b->full ||
	       (!b->last && b->begun && b->payer && b->payer->has_slow && time_is_over(b, SLOW_NS));
}

bool budget_is_late(const struct budget *b)
{
	return b && b->heard;
}

void budget_wait(struct budget *b, bool may)
{
	if (b)
		b->impatient = !may;
}

bool budget_may_wait(const struct budget *b)
{
	return !b || !(b->impatient || b->full);
}

bool budget_slice_last(const struct budget *b)
{
	return b && b->last;
}

void budget_spend_ns(struct budget *b, uint64_t cpu_ns)
{
	if (!b)
		return;
	charge_ns(b, cpu_ns);
	b->spent_ns += cpu_ns;
	if (b->heard)
		b->late_spent_ns += cpu_ns;
}

/* --- refusals ------------------------------------------------------------------------------------- */

void budget_refuse(struct budget *b, const char *path, const char *why)
{
	struct share *s = b ? b->payer : NULL;
	char text[512], clean[256];
	const char **place, *kept;

	if (!s)
		return;
	path = path ?: "[vdso]";
	if (s->list.n < MAX_REFUSALS) {
		snprintf(text, sizeof(text), "%s: %s", text_clean(clean, sizeof(clean), path, strlen(path)),
			 why);
		kept = strset_add(&s->refusals, text);
		for (size_t i = 0; kept && i < s->list.n; i++)
			if (s->list.v[i] == kept)
				return;
		place = kept ? VEC_ADD(&s->list) : NULL;
		if (place)
			*place = kept;
	}
	s->refused++;
}

uint64_t share_refused(const struct share *s)
{
	return s ? s->refused : 0;
}

const char *share_refusal(const struct share *s, size_t i)
{
	return s && i < s->list.n ? s->list.v[i] : NULL;
}
