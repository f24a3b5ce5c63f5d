/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/hotspot/flags.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FLAGS           16384
#define MAX_FLAG_BYTES      256
#define MAX_FLAG_NAME_BYTES 64

/* JDK 8 calls the class Flag. */
int hotspot_bool_flag(const struct hotspot *h, const char *name, bool *value)
{
	const char *type = "JVMFlag";
	uint64_t flags, count, size, at_name, at_addr, addr;
	uint8_t *v;
	int rc = -ENOENT;

	if (!hotspot_type_size(h, type, &size))
		type = "Flag";
	if (!hotspot_type_size(h, type, &size) || !hotspot_read_static(h, type, "flags", &flags) ||
	    !hotspot_read_static(h, type, "numFlags", &count) ||
	    !hotspot_field_offset(h, type, "_name", &at_name) ||
	    !hotspot_field_offset(h, type, "_addr", &at_addr))
		return -ENOENT;
	if (size > MAX_FLAG_BYTES || count > MAX_FLAGS || at_name + 8 > size || at_addr + 8 > size)
		return -EPROTO;
	v = malloc(size * count);
	if (!v || proc_read(h->pid, flags, v, size * count) < 0) {
		free(v);
		return v ? -EFAULT : -ENOMEM;
	}
	for (size_t i = 0; i < count && rc == -ENOENT; i++) {
		char text[MAX_FLAG_NAME_BYTES] = "";
		uint8_t b;

		memcpy(&addr, v + i * size + at_name, sizeof(addr));
		elf_read(h->libjvm, addr - h->bias, text, sizeof(text) - 1);
		if (strcmp(text, name) != 0)
			continue;
		memcpy(&addr, v + i * size + at_addr, sizeof(addr));
		rc = hotspot_data_range(h, addr) ? proc_read(h->pid, addr, &b, sizeof(b)) : -EPROTO;
		if (rc == 0)
			*value = b != 0;
	}
	free(v);
	return rc;
}

bool hotspot_flag(const struct hotspot *h, const char *name)
{
	bool value;

	return hotspot_bool_flag(h, name, &value) == 0 && value;
}

bool hotspot_is_generational_zgc(const struct hotspot *h)
{
	return hotspot_flag(h, "UseZGC") && (h->feature >= 23 || hotspot_flag(h, "ZGenerational"));
}
