/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/python/layout.h"

#include <stddef.h>

#include "base/util.h"

static const struct python_layout layouts[] = {
    {.major = 3,
     .minor = 11,
     .interpreters = 40,
     .threads = 16,
     .next = 8,
     .thread = 152,
     .frame = 56,
     .cframe_frame = 8,
     .cframe_previous = 16,
     .code = 32,
     .previous = 48,
     .place = 56,
     .owner = 68, /* is_entry */
     .last = 1,
     .first_line = 72,
     .stack_size = 68,
     .instructions = 184,
     .ascii_bytes = 48,
     .compact_bytes = 72},
    {.major = 3,
     .minor = 13,
     .interpreters = 632,
     .threads = 7344,
     .next = 8,
     .thread = 152,
     .frame = 72,
     .code = 0,
     .previous = 8,
     .place = 56,
     .owner = 70,
     .last = 3, /* FRAME_OWNED_BY_CSTACK */
     .has_no_code = 3,
     .first_line = 68,
     .stack_size = 64,
     .instructions = 200,
     .ascii_bytes = 40,
     .compact_bytes = 56},
};

const struct python_layout *python_layout_of(unsigned major, unsigned minor)
{
	for (size_t i = 0; i < ARRAY_LEN(layouts); i++)
		if (layouts[i].major == major && layouts[i].minor == minor)
			return &layouts[i];
	return NULL;
}
