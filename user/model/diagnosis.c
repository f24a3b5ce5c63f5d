/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/diagnosis.h"

const char *const check_state_names[NR_CHECK_STATES] = {
    [CHECK_OK] = "ok",
    [CHECK_NOTE] = "note",
    [CHECK_BAD] = "bad",
};
