/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Words of what is compared. See fleet.h. */
#include "model/fleet.h"

const char *const fleet_by_names[NR_FLEET_BY] = {
    [FLEET_BY_SERVICE] = "service",
    [FLEET_BY_VERSION] = "version",
    [FLEET_BY_IMAGE] = "image",
    [FLEET_BY_HOST] = "host",
};
