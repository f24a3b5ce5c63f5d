/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/hotspot/flags.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FLAGS           16384
#define MAX_FLAG_BYTES      256
#define MAX_FLAG_NAME_BYTES 64
#define WINDOW_BYTES        4096

/* A part of the file: names stand close together, and most behind the one before. */
struct window {
	uint64_t at; /* address in the file */
	size_t n;
	char text[WINDOW_BYTES];
};

static bool is_name(const struct hotspot *h, struct window *w, uint64_t at, const char *name)
{
	size_t n = strlen(name) + 1;
	uint64_t from = at - w->at; /* any number: the target says where it is */

	if (n > MAX_FLAG_NAME_BYTES)
		return false;
	if (from > w->n || w->n - from < MAX_FLAG_NAME_BYTES) {
		w->at = at;
		w->n = elf_read(h->libjvm, at, w->text, sizeof(w->text));
		from = 0;
	}
	return n <= w->n - from && !memcmp(w->text + from, name, n);
}

/* JDK 8 calls the class Flag. */
int hotspot_bool_flag(const struct hotspot *h, const char *name, bool *value)
{
	const char *type = "JVMFlag";
	uint64_t flags, count, size, at_name, at_addr, addr;
	struct window window = {0};
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
		uint8_t b;

		memcpy(&addr, v + i * size + at_name, sizeof(addr));
		if (!is_name(h, &window, addr - h->bias, name))
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
