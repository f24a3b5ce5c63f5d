/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Holding the JVMs that a command starts, each once, before its first JNI call.
 *
 * A JVM opens certain files (runtime_start_file(), libjava.so for one) when its own library is loaded and
 * nothing of it has run yet but its own start: no JNI call was made. A permission event of fanotify(7) on
 *such a file holds it inside open() until it is answered. The marks are on the inodes of such files, never on
 *a mount or a file system, so nobody else can come to wait but who opens one of them.
 *
 * The safety of the host comes first. The events are read and answered by a process of its own, which does
 * nothing that can block: it looks at /proc/PID/stat, and answers. Every open by a process that does not
 * descend from the command is answered at once. One that does is held until the tracer lets it go, for
 * GATE_HOLD_MS at most, or, on a machine so busy that the tracer gets no farther, GATE_BUSY_MS. And when
 * somebody dies or stops:
 *	the tracer ends, however      the gate sees the end of its socket, and ends
 *	the gate ends, however        the kernel answers for it: with the last descriptor of it all may go on
 *	the tracer is stopped         the gate lets everybody go after GATE_HOLD_MS
 *	the gate is stopped           the tracer kills it when it has not answered for GATE_ANSWER_MS
 *	                              (of a busy machine: GATE_BUSY_MS)
 * Only when both are stopped (their cgroup is frozen) does who opens one of those files wait until they go
 * on.
 *
 * What a file is called is looked up by a third process, as a lookup may hang (a network file system): it
 * watches which programs the command's descendants exec, and hands their libjava.so to the gate, opened.
 */
#ifndef JNITRACE_GATE_H
#define JNITRACE_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/util.h"

#define GATE_HOLD_MS   2000
#define GATE_BUSY_MS   20000
#define GATE_ANSWER_MS 1000

struct start_gate; /* opaque */

enum gate_what {
	GATE_NOTHING,
	GATE_SEEN, /* pid runs a launcher now, and will be a JVM */
	GATE_HELD, /* pid is held; gate_let_go() is due */
	GATE_LATE, /* pid was let go by itself, as that took too long, or as too many were held */
	GATE_LOST, /* it is not there any more: nobody is held from here on */
};
struct gate_event {
	enum gate_what what;
	pid_t pid;
};

/*
 * argv: of the command, NULL-terminated: JDKs that it names are known ones. root: descendants of this process
 * are held, but for those of the caller. Starts the processes: call it
 * while there is one thread, and before privileges are given up. Known JDKs are marked when it returns. 0, or
 * -errno with err: this system cannot hold.
 */
int gate_open(pid_t root, char *const *argv, struct start_gate **out, struct error *err);
void gate_close(struct start_gate *g);
/* Readable when there are events. */
int gate_fd(const struct start_gate *g);
/* Does not block. */
struct gate_event gate_next(struct start_gate *g);
void gate_let_go(struct start_gate *g, pid_t pid);
/* Call it several times a second: see that it still answers. */
void gate_watch(struct start_gate *g);

#endif
