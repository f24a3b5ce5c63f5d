/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Words of windows. See window.h. */
#include "model/window.h"

const char *const window_reason_names[NR_WINDOW_REASONS] = {
    [WINDOW_SCHEDULE] = "schedule",
    [WINDOW_GROWTH] = "growth",
    [WINDOW_REQUEST] = "request",
};
const char *const window_state_names[NR_WINDOW_STATES] = {
    [WINDOW_WAITS] = "waits", [WINDOW_ATTACHES] = "attaches", [WINDOW_OPEN] = "open",
    [WINDOW_DONE] = "done",   [WINDOW_FAILED] = "failed",
};
