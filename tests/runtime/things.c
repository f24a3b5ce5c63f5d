/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Makes things in known numbers. A line "leak N" makes N that stay, "come N" N that go again, each used once,
 * "fail N" N calls that make none, "old N" lets go of N that were there when it began. It answers each with a
 * line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OLD 101

void *thing_new(int fails);
void thing_free(void *thing);
int thing_use(void *thing);

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
		if (!strcmp(what, "leak"))
			make_leaks(n);
		else if (!strcmp(what, "come"))
			come_and_go(n);
		else if (!strcmp(what, "fail"))
			fail(n);
		for (; !strcmp(what, "old") && n > 0 && nr_old > 0; n--)
			thing_free(old[--nr_old]);
		puts("done");
		fflush(stdout);
	}
	return 0;
}
