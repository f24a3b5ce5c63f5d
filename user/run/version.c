/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Made anew when the commit changes, and nothing else with it. */
#include "run/version.h"

const char version[] = JNITRACE_VERSION;
const char commit[] = JNITRACE_COMMIT;
