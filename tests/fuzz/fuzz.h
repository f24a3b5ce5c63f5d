/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the fuzz targets share. Each fuzz_*.c is a program of libFuzzer's: see tests/README.md. */
#ifndef JNITRACE_FUZZ_H
#define JNITRACE_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* A file with these bytes: an fd, which the caller owns. */
static inline int fuzz_file(const uint8_t *data, size_t n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

/* The next bytes of the input as a number; zeros when it has ended. */
static inline uint64_t fuzz_number(const uint8_t **data, size_t *n, size_t bytes)
{
	uint64_t v = 0;

	for (size_t i = 0; i < bytes && *n; i++, ++*data, --*n)
		v |= (uint64_t) * *data << (8 * i);
	return v;
}

#endif
