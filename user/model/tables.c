/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The .def files as tables. */
#include "model/report.h"

const struct drop_row drop_rows[NR_DROPS] = {
#define DROP(id, name, meaning, advice) [DROP_##id] = {name, meaning, advice},
#include "bpf/border/drops.def"
#undef DROP
};

const struct stack_end_row stack_end_rows[NR_ENDS] = {
#define STACK_END(id, name, meaning, advice) [END_##id] = {name, meaning, advice},
#include "bpf/border/stack_ends.def"
#undef STACK_END
};

const struct finding_row finding_rows[NR_FINDINGS] = {
#define FINDING(id, name, severity, evidence, wrong, todo)                                                   \
	[FINDING_##id] = {#id, name, SEVERITY_##severity, EVIDENCE_##evidence, wrong, todo},
#include "bpf/border/findings.def"
#undef FINDING
};

const char *const finding_severity_names[NR_SEVERITIES] = {
    [SEVERITY_ERROR] = "error",
    [SEVERITY_WARNING] = "warning",
};

const char *const end_reason_names[NR_END_REASONS] = {
    [END_EXITED] = "exited",
    [END_EXECED] = "execed",
    [END_DETACHED] = "detached",
    [END_OVER_BUDGET] = "over-budget",
    [END_SIGNAL_STACK] = "signal-stack",
};
const char *const site_verdict_names[NR_VERDICTS] = {
    [VERDICT_CLEAN] = "clean", [VERDICT_CACHED] = "cached-once", [VERDICT_BOUNDED] = "bounded",
    [VERDICT_BURST] = "burst", [VERDICT_GROWING] = "growing",
};
const char *const confidence_names[CONFIDENCE_HIGH + 1] = {"low", "medium", "high"};
