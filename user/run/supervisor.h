/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What whoever started the process as a service is told, and wants to hear: the protocol of sd_notify(3). */
#ifndef JNITRACE_SUPERVISOR_H
#define JNITRACE_SUPERVISOR_H

#include "base/util.h"

/* "READY=1\nSTATUS=...". Nothing happens where nobody listens ($NOTIFY_SOCKET), or listens no more. */
void supervisor_tell(const char *fmt, ...) JT_PRINTF(1, 2);
/* It wants to hear "WATCHDOG=1" at least once in so many seconds (sd_watchdog_enabled(3)); 0: it does not. */
double supervisor_watchdog_s(void);

#endif
