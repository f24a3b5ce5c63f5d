/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Words of a comparison. See comparison.h. */
#include "model/comparison.h"

const char *const change_names[NR_CHANGES] = {
    [CHANGE_NEW] = "new",       [CHANGE_GROWN] = "grown", [CHANGE_SAME] = "same",
    [CHANGE_SHRUNK] = "shrunk", [CHANGE_GONE] = "gone",
};
const char *const matched_names[NR_MATCHED] = {
    [MATCHED_ID] = "id", [MATCHED_NAMES] = "names", [MATCHED_CALLER] = "caller"};
const char *const per_names[NR_PER] = {[PER_RUN] = "run", [PER_SECOND] = "second", [PER_CALL] = "call"};
