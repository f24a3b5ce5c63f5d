/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/ruby/layout.h"

#include <string.h>

#include "base/util.h"

static const struct ruby_layout layouts[] = {
    {.version = "3.1",
     .frame_words = 8,
     .line_is_number = false,
     .insns_info = 120,
     .length_in_string = false,
     .id_call = 0xd51},
    {.version = "3.3",
     .frame_words = 7,
     .line_is_number = true,
     .insns_info = 112,
     .length_in_string = true,
     .id_call = 0xd61},
};

const struct ruby_layout *ruby_layout_of(const char *version)
{
	for (size_t i = 0; i < ARRAY_LEN(layouts); i++) {
		size_t n = strlen(layouts[i].version);

		if (!strncmp(version, layouts[i].version, n) && (version[n] == '.' || !version[n]))
			return &layouts[i];
	}
	return NULL;
}

const char *ruby_layouts_known(void)
{
	return "3.1 and 3.3";
}
