/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Makes things in known numbers. A line "leak N" makes N that stay, "come N" N that go again, each used once,
 * "fail N" N calls that make none, "old N" lets go of N that were there when it began. It answers each with a
 * line. "depths N" makes things by a hundred stacks, "pace N" some every 10 ms, so often.
 * "deep N" makes N by one deep stack, of which the last 400 stay; "crowd N" likewise, by four threads at
 * once.
 */
#include "things.h"

#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OLD 101

static volatile int sink;

/* Each keeps a frame of its own: what they call is not the last that they do. */
static __attribute__((noinline)) void make_leaks(long n)
{
	for (long i = 0; i < n; i++)
		sink += thing_new(0) != NULL;
}

static __attribute__((noinline)) void come_and_go(long n)
{
	for (long i = 0; i < n; i++) {
		void *thing = thing_new(0);

		sink += thing_use(thing);
		thing_free(thing);
	}
}

static __attribute__((noinline)) void fail(long n)
{
	for (long i = 0; i < n; i++)
		sink += thing_new(1) != NULL;
}

#define MANY 5

static __attribute__((noinline)) void *make_box(int fails)
{
	void *box = NULL;

	sink += box_make(0, 0, 0, 0, 0, fails, &box);
	return box;
}

static __attribute__((noinline)) void boxes(long n)
{
	for (long i = 0; i < n; i++) {
		void *many[MANY];

		sink += make_box(0) != NULL;          /* stays */
		box_free(make_box(0));                /* goes */
		sink += make_box(1) != NULL;          /* fails */
		sink += box_make_many(0, MANY, many); /* all but one stay */
		box_free(many[0]);
		sink += box_make_many(1, MANY, many); /* fails, and frees what it had */
		box_close(make_box(0));               /* which looks at it and frees it */
		box_free(NULL);
	}
}

static __attribute__((noinline)) void counted(long n)
{
	void *box = make_box(0);

	for (long i = 0; i < n; i++)
		box_ref(box);
	for (long i = 0; i < n; i++)
		box_unref(box);
	sink += box_look(box);
	box_unref(box); /* the last one */
	for (long i = 0; i < n; i++)
		sink += door_open(0) != NULL;
	for (long i = 0; i + 3 < n; i++)
		door_close(door_open(0));
	sink += door_open(1) != NULL;
	for (long i = 0; i + 1 < n; i++)
		door_close(door_open(0));
}

static __attribute__((noinline)) void free_twice(void *box)
{
	box_free(box);
	sink++;
	box_free(box);
}

static __attribute__((noinline)) void wrong(long n)
{
	for (long i = 0; i < n; i++) {
		void *box = make_box(0);

		free_twice(box);
		sink += box_look(box);
		sink += box_look(make_box(0)); /* this one stays */
		door_close(make_box(0));       /* so does this */
	}
}

/* Nobody gave these. */
static __attribute__((noinline)) void foreign(long n)
{
	static char handles[64];

	for (size_t i = 0; i < (size_t)n && i < sizeof(handles); i++)
		box_free(&handles[i]);
}

/* Of a library that is loaded when it is needed: all but one file stay open. */
static __attribute__((noinline)) void late(long n)
{
	static void *library;
	void *(*open)(const char *, const char *);
	int (*close)(void *);

	library = library ? library : dlopen("libz.so.1", RTLD_NOW);
	open = (void *(*)(const char *, const char *))dlsym(library, "gzopen");
	close = (int (*)(void *))dlsym(library, "gzclose");
	for (long i = 0; i < n; i++) {
		void *file = open("/dev/null", "rb");

		sink += i ? file != NULL : close(file);
	}
}

static __attribute__((noinline)) void desks(long n)
{
	for (long i = 0; i < n; i++) {
		int desk = desk_take(0);

		desk_leave(desk_take(0));
		desk_leave(desk_take(1));
		if (i % 2)
			desk_leave(desk);
	}
}

static __attribute__((noinline)) void replaced(long n)
{
	void *box = NULL;

	for (long i = 0; i < n; i++)
		box = box_replace(box, 7);
	sink += box_replace(box, 0) != NULL;
	for (long i = 0; i < n; i++)
		sink += box_replace(make_box(0), 7) != NULL; /* stays */
}

static void jump(void *to)
{
	longjmp(to, 1);
}

static void make_inside(void *box)
{
	sink += box_make(0, 0, 0, 0, 0, 0, box);
}

static __attribute__((noinline)) void jumps(long n)
{
	static void *box, *inner;
	jmp_buf here;

	for (volatile long i = 0; i < n; i++) {
		if (!setjmp(here))
			sink += box_make_by(jump, here, &box);  /* makes none */
		sink += make_box(0) != NULL;                    /* stays */
		sink += box_make_by(make_inside, &inner, &box); /* both stay */
	}
}

#define DEPTHS 100

/* From each depth: N that go, whose addresses come again at once, then three times the depth that stay. */
static __attribute__((noinline)) void at_depth(long depth, long n)
{
	if (depth < DEPTHS) {
		at_depth(depth + 1, n);
		sink++;
	}
	for (long i = 0; i < n; i++) {
		void *thing = thing_new(0);

		sink += thing != NULL;
		thing_free(thing);
	}
	for (long i = 0; i < 3 * depth; i++)
		sink += thing_new(0) != NULL;
}

static void depths(long n)
{
	at_depth(1, n);
}

#define SHELF 400

/* What is put there stays until its place is needed. */
static __attribute__((noinline)) void put_on_shelf(long i)
{
	static void *shelf[SHELF];

	thing_free(shelf[i % SHELF]);
	shelf[i % SHELF] = thing_new(0);
}

/* N, from a place that takes long to walk from. */
static __attribute__((noinline)) void below(long depth, long n)
{
	static long next;

	if (depth > 0)
		below(depth - 1, n);
	else
		for (; n > 0; n--)
			put_on_shelf(next++);
	sink++;
}

static void deep(long n)
{
	below(DEPTHS, n);
}

#define CROWD 4

/* Each has a part of a shelf for itself. */
struct one_of_crowd {
	void *shelf[SHELF / CROWD];
	long next, n;
	pthread_t thread;
};

static __attribute__((noinline)) void below_in_crowd(struct one_of_crowd *c, long depth)
{
	if (depth > 0) {
		below_in_crowd(c, depth - 1);
		sink++;
		return;
	}
	for (long i = 0; i < c->n; i++, c->next++) {
		void **place = &c->shelf[c->next % (SHELF / CROWD)];

		thing_free(*place);
		*place = thing_new(0);
	}
}

static void *one_of_crowd(void *c)
{
	below_in_crowd(c, DEPTHS);
	sink++;
	return NULL;
}

static void crowd(long n)
{
	static struct one_of_crowd all[CROWD];

	for (int i = 0; i < CROWD; i++) {
		all[i].n = n / CROWD;
		if (pthread_create(&all[i].thread, NULL, one_of_crowd, &all[i]))
			abort();
	}
	for (int i = 0; i < CROWD; i++)
		pthread_join(all[i].thread, NULL);
}

static __attribute__((noinline)) void pace(long n)
{
	for (long i = 0; i < n; i++) {
		make_leaks(3);
		put_on_shelf(2 * i);
		put_on_shelf(2 * i + 1);
		come_and_go(5);
		usleep(10000);
	}
}

static void command(const char *what, long n)
{
	static const struct {
		const char *what;
		void (*run)(long n);
	} commands[] = {
	    {"leak", make_leaks}, {"come", come_and_go}, {"fail", fail},       {"boxes", boxes},
	    {"counted", counted}, {"wrong", wrong},      {"desks", desks},     {"replaced", replaced},
	    {"jumps", jumps},     {"late", late},        {"foreign", foreign}, {"depths", depths},
	    {"pace", pace},       {"deep", deep},        {"crowd", crowd},
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(what, commands[i].what)) {
			commands[i].run(n);
			return;
		}
}

int main(void)
{
	void *old[OLD];
	size_t nr_old = OLD;
	char line[64], what[16];
	long n;

	for (int i = 0; i < OLD; i++)
		old[i] = thing_new(0);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) && sscanf(line, "%15s %ld", what, &n) == 2) {
		command(what, n);
		for (; !strcmp(what, "old") && n > 0 && nr_old > 0; n--)
			thing_free(old[--nr_old]);
		puts("done");
		fflush(stdout);
	}
	return 0;
}
