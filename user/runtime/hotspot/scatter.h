/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Many small reads of a process at once. */
#ifndef JNITRACE_HOTSPOT_SCATTER_H
#define JNITRACE_HOTSPOT_SCATTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SCATTER_BATCH 1024 /* IOV_MAX */

/*
 * n pieces of `bytes` each, into dst one behind the other; what stands in one page in ascending order is read
 * together. ok[i] tells of each whether it could be read. 0, -ESRCH when the process is gone, or -ENOMEM.
 */
int scatter_read(pid_t pid, const uint64_t *addr, size_t n, size_t bytes, void *dst, bool *ok);
/* The same for single words; neighbours, as the slots of a block are, are read in one piece. */
int scatter_read_words(pid_t pid, const uint64_t *addr, size_t n, uint64_t *dst, bool *ok);

#endif
