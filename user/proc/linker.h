/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How the dynamic linker of a process tells debuggers that libraries come and go: it calls an empty function
 * before and after, and says in r_state which it is (glibc: link.h, struct r_debug; musl has the same).
 */
#ifndef JNITRACE_LINKER_H
#define JNITRACE_LINKER_H

#include <stdint.h>
#include <sys/types.h>

struct linker {
	uint64_t call_at;  /* the function (r_brk), an address in the process */
	uint64_t debug_at; /* the struct r_debug */
};
/*
 * Found by the program's own headers (AT_PHDR) and its DT_DEBUG. 0; -ENOENT: linked statically, or started
 * by ld.so itself; -EAGAIN: the linker has not begun; -ESRCH, -EPROTO (what is there makes no sense), ...
 */
int linker_find(pid_t pid, struct linker *out);

#endif
