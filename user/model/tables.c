/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The .def files as tables. */
#include "model/report.h"

const char *const jni_func_names[NR_ALL_FUNCS] = {
#define JNI_USE(name, slot, args) [FUNC_USE_##name] = #name,
#include "bpf/border/jni_uses.def"
#undef JNI_USE
#define JNI_FUNC(name, table, slot, family, operation, handle) [FUNC_##name] = #name,
#include "bpf/border/jni_funcs.def"
#undef JNI_FUNC
};

#define NULLS_SHIFT 4
#define REF(n)      (1U << (n))
#define OR_NULL(n)  (REF(n) | REF(n) << NULLS_SHIFT)
#define REFS_MASK   ((1U << NULLS_SHIFT) - 1)
const struct jni_func_row jni_funcs[NR_ALL_FUNCS] = {
    [NR_FUNCS] = {"", TABLE_ENV, 0, FAMILY_NONE, OP_COUNT, HANDLE_NONE, 0, 0},
#define JNI_USE(name, slot, args)                                                                            \
	[FUNC_USE_##name] = {#name,                                                                          \
			     TABLE_ENV,                                                                      \
			     slot,                                                                           \
			     FAMILY_CHECK,                                                                   \
			     OP_USE,                                                                         \
			     HANDLE_ARG1,                                                                    \
			     (args)&REFS_MASK,                                                               \
			     (args) >> NULLS_SHIFT},
#include "bpf/border/jni_uses.def"
#undef JNI_USE
#define JNI_FUNC(name, table, slot, family, operation, handle)                                               \
	[FUNC_##name] = {#name, TABLE_##table, slot, FAMILY_##family, OP_##operation, HANDLE_##handle, 0, 0},
#include "bpf/border/jni_funcs.def"
#undef JNI_FUNC
};

bool jni_func_at_both_ends(enum jni_func_id func)
{
	switch (jni_funcs[func].family) {
	case FAMILY_STRING:
	case FAMILY_ARRAY:
	case FAMILY_CRITICAL:
		return jni_funcs[func].operation == OP_ACQUIRE;
	case FAMILY_MONITOR:
	case FAMILY_THREAD:
		return true;
	default:
		return false;
	}
}

const char *const jni_family_names[NR_FAMILIES] = {
    [FAMILY_GLOBAL] = "global",   [FAMILY_WEAK] = "weak",     [FAMILY_LOCAL] = "local",
    [FAMILY_STRING] = "string",   [FAMILY_ARRAY] = "array",   [FAMILY_CRITICAL] = "critical",
    [FAMILY_MONITOR] = "monitor", [FAMILY_THREAD] = "thread",
};

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
	[FINDING_##id] = {name, SEVERITY_##severity, EVIDENCE_##evidence, wrong, todo},
#include "bpf/border/findings.def"
#undef FINDING
};

const char *const finding_severity_names[NR_SEVERITIES] = {
    [SEVERITY_ERROR] = "error",
    [SEVERITY_WARNING] = "warning",
};

const char *const site_verdict_names[NR_VERDICTS] = {
    [VERDICT_CLEAN] = "clean", [VERDICT_CACHED] = "cached-once", [VERDICT_BOUNDED] = "bounded",
    [VERDICT_BURST] = "burst", [VERDICT_GROWING] = "growing",
};
const char *const confidence_names[CONFIDENCE_HIGH + 1] = {"low", "medium", "high"};
