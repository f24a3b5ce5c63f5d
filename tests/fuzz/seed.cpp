// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Compiled in several ways into small libraries, from which the fuzz targets start (scripts/fuzz).
namespace outer {
template <typename T> struct Box {
	T v;
	inline __attribute__((always_inline)) T get(T by) { return v * by + 1; }
};
}

extern "C" int callee(int);

extern "C" int seed_plain(int a)
{
	outer::Box<int> box{a};

	return callee(box.get(3)) + callee(box.get(a));
}

extern "C" long seed_alloca(int n)
{
	auto *p = static_cast<long *>(__builtin_alloca(static_cast<unsigned>(n) * sizeof(long)));

	for (int i = 0; i < n; i++)
		p[i] = callee(i);
	return p[n / 2];
}

static int hidden(int (*call)(int), int a)
{
	return call(a) ^ a;
}

extern "C" int seed_tail(int (*call)(int), int a)
{
	return a > 3 ? call(hidden(call, a)) : hidden(call, a + 1);
}

// A USDT note: provider, name, arguments.
asm(".pushsection .note.stapsdt,\"?\",\"note\"\n"
    ".balign 4\n.4byte 8, 1f-2f, 3\n.asciz \"stapsdt\"\n"
    "2: .8byte 0x1000, 0, 0\n.asciz \"hotspot\"\n.asciz \"NewGlobalRef__entry\"\n.asciz \"8@%rdi 8@-24(%rbp)\"\n1: .balign 4\n"
    ".popsection\n");
