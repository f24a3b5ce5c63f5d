/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The VM's performance counters (hsperfdata), as they lie in its memory. */
#include "fake.h"

#include "runtime/hotspot/perf.h"

#define START 0x10000

bool __wrap_hotspot_read_static(const struct hotspot *h, const char *type, const char *field,
				uint64_t *value);
bool __wrap_hotspot_read_static(const struct hotspot *h, const char *type, const char *field, uint64_t *value)
{
	(void)h, (void)type, (void)field;
	*value = START;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct hotspot h = {.pid = FAKE_PID};
	uint64_t at;

	fake.start = START;
	fake.memory = malloc(n ? n : 1);
	if (!fake.memory)
		abort();
	memcpy(fake.memory, data, n);
	fake.memory_bytes = n;
	at = hotspot_perf_counter(&h, "java.cls.unloadedClasses");
	if (at && (at < START || at > START + n - sizeof(uint64_t)))
		abort(); /* what is read again and again is in there */
	free(fake.memory);
	return 0;
}
