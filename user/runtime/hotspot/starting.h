/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A VM that is held while it starts, and has no list of threads yet. */
#ifndef JNITRACE_HOTSPOT_STARTING_H
#define JNITRACE_HOTSPOT_STARTING_H

#include "runtime/hotspot/hotspot.h"

/*
 * The JNI function table of the thread that starts the VM: one of the n in `table`. The thread has its JNIEnv
 * before it is in any list (JDK: runtime/threads.cpp, Threads::create_vm(), which has the JavaThread in a
 * local variable). So its object is found by the thread's stack: what a word there points to, when it begins
 * as a C++ object of the library does, and names one of those tables. 0: no thread that waits in a system
 * call has such a word, or they name different ones; or its memory could not be read.
 */
uint64_t hotspot_starting_table(const struct hotspot *h, const uint64_t *table, size_t n);

#endif
