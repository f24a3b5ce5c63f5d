// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A library of C++ that gives and takes, and lets exceptions through. Built with -DCRATES_MAIN: a program that uses it,
// "go N" as things.c.
#include <cstdio>
#include <stdexcept>

namespace yard
{
struct Crate {
	int weight;
};

Crate *make(int weight);
Crate *make(const char *name);
Crate *make_by(void (*hook)());
void drop(Crate *crate);
} // namespace yard

#ifndef CRATES_MAIN
namespace yard
{
__attribute__((noinline)) Crate *make(int weight)
{
	if (weight < 0)
		throw std::invalid_argument("weight");
	return new Crate{weight};
}

__attribute__((noinline)) Crate *make(const char *name)
{
	return new Crate{name[0]};
}

// The hook may throw.
__attribute__((noinline)) Crate *make_by(void (*hook)())
{
	hook();
	return new Crate{1};
}

__attribute__((noinline)) void drop(Crate *crate)
{
	delete crate;
}
} // namespace yard
#else
static volatile int sink;

static void throw_it()
{
	throw std::runtime_error("by the hook");
}

static void make_one()
{
	sink += yard::make("inside")->weight; // stays
}

static __attribute__((noinline)) void go()
{
	yard::drop(yard::make(7));
	try {
		yard::make(-1);
	} catch (const std::exception &) {
		sink++;
	}
	try {
		yard::make_by(throw_it);
	} catch (const std::exception &) {
		sink++;
	}
	sink += yard::make(7)->weight;            // stays,
	sink += yard::make_by(make_one)->weight;  // as this does
}

int main()
{
	char line[64];
	int n;

	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) && sscanf(line, "go %d", &n) == 1) {
		for (int i = 0; i < n; i++)
			go();
		puts("done");
		fflush(stdout);
	}
	return 0;
}
#endif
