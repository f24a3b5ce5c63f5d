/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/probe_site.h"

const char *const site_strategy_names[NR_STRATEGIES] = {
    [STRATEGY_USDT] = "usdt",
    [STRATEGY_SYMTAB] = "symtab",
    [STRATEGY_DEBUGFILE] = "debugfile",
    [STRATEGY_FUNCTION_TABLE] = "function-table",
};

const char *probe_site_cost(const struct probe_site *s)
{
	if (s->single_step)
		return "single-step";
	return s->point == POINT_URETPROBE ? "uretprobe" : "emulated";
}

const char *probe_site_operation(const struct probe_site *s)
{
	return s->point == POINT_ENTRY ? "entry" : "return";
}
