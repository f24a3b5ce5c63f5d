/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the dynamic linker calls: by the auxiliary vector, program headers, the dynamic section and r_debug.
 */
#include "fake.h"

#include <elf.h>

#include "proc/linker.h"

#define START 0x10000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct linker linker = {0};

	fake.nr_files = 0;
	fake.file[fake.nr_files++] = fake_take("auxv", &data, &n);
	fake.start = START;
	fake.memory = malloc(n ? n : 1);
	if (!fake.memory)
		abort();
	memcpy(fake.memory, data, n);
	fake.memory_bytes = n;
	if (linker_find(FAKE_PID, &linker) == 0 && (!linker.call_at || !linker.debug_at))
		abort();
	free(fake.memory);
	return 0;
}
