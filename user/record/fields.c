/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rows. See fields.h. */
#include "record/fields.h"

#include <stdio.h>

#include "base/util.h"

/* Names. */

#define NAME(fn, array)                                                                                      \
	static const char *fn(const struct catalog *c, size_t i)                                             \
	{                                                                                                    \
		(void)c;                                                                                     \
		return i < ARRAY_LEN(array) ? (array)[i] : NULL;                                             \
	}
#define NAME_OF_ROW(fn, array, member)                                                                       \
	static const char *fn(const struct catalog *c, size_t i)                                             \
	{                                                                                                    \
		(void)c;                                                                                     \
		return i < ARRAY_LEN(array) ? (array)[i].member : NULL;                                      \
	}
static const char *const frame_types[] = {
    [FRAME_NATIVE] = "native", [FRAME_JAVA] = "java", [FRAME_VM] = "vm", [FRAME_SCRIPT] = "script"};
NAME(frame_type_name, frame_types)
NAME(confidence_name, confidence_names)
NAME_OF_ROW(drop_name, drop_rows, name)
NAME_OF_ROW(finding_name, finding_rows, word)

/* What is shown as null has a word here. */
static const char *verdict_name(const struct catalog *c, size_t i)
{
	(void)c;
	return i < NR_VERDICTS ? site_verdict_names[i] ?: "unknown" : NULL;
}

static const char *end_name(const struct catalog *c, size_t i)
{
	(void)c;
	return i < NR_END_REASONS ? end_reason_names[i] ?: "not_ended" : NULL;
}

/* Some ends of stacks lack nothing, and have no name that is shown. */
static const char *stack_end_name(const struct catalog *c, size_t i)
{
	static const char *const words[NR_ENDS] = {
#define STACK_END(id, name, meaning, advice) [END_##id] = #id,
#include "bpf/border/stack_ends.def"
#undef STACK_END
	};

	(void)c;
	return i < NR_ENDS ? words[i] : NULL;
}

static const char *family_word(const struct catalog *c, size_t i)
{
	return i < NR_FAMILIES ? c->families[i].name : NULL;
}

const char *func_word(const struct catalog *c, size_t func, char room[FUNC_WORD_MAX])
{
	const struct func_row *row = &c->funcs[func];

	if (func == FUNC_NONE || func >= NR_ALL_FUNCS || !row->name)
		return NULL;
	if (func < NR_JNI_FUNCS)
		return row->name;
	snprintf(room, FUNC_WORD_MAX, "%s:%s",
		 func_is_use((enum func_id)func) ? "use" : c->families[row->family].name, row->name);
	return room;
}

static const char not_at_hand;
const struct later *const some_later = (const struct later *)&not_at_hand;

/* Rows. A member of another type than the row's does not compile. */

#define IS(type, s, m)                                                                                       \
	(0 * sizeof(char[__builtin_types_compatible_p(type, __typeof__(((s *)0)->m)) ? 1 : -1]))
#define IS_EITHER(a, b, s, m)                                                                                \
	(0 * sizeof(char[__builtin_types_compatible_p(a, __typeof__(((s *)0)->m)) ||                         \
				 __builtin_types_compatible_p(b, __typeof__(((s *)0)->m))                    \
			     ? 1                                                                             \
			     : -1]))
#define AT(s, m)  .at = offsetof(s, m), .bytes = sizeof(((s *)0)->m)
#define LEN(s, m) (sizeof(((s *)0)->m) / sizeof(((s *)0)->m[0]))
/* clang-format off */
#define BOOL(s, m, key)        { key, FIELD_BOOL, AT(s, m), .n = IS(bool, s, m) }
#define INT(s, m, key)         { key, FIELD_INT, AT(s, m), .n = IS(int, s, m) }
#define U32(s, m, key)         { key, FIELD_U32, AT(s, m), .n = IS(uint32_t, s, m) }
#define U64(s, m, key)         { key, FIELD_U64, AT(s, m), .n = IS_EITHER(uint64_t, size_t, s, m) }
#define I64(s, m, key)         { key, FIELD_I64, AT(s, m), .n = IS(int64_t, s, m) }
#define ID(s, m, key)          { key, FIELD_ID, AT(s, m), .n = IS(uint64_t, s, m) }
#define HEX(s, m, key)         { key, FIELD_HEX, AT(s, m), .n = IS(uint64_t, s, m) }
#define REAL(s, m, key)        { key, FIELD_REAL, AT(s, m), .n = IS(double, s, m) }
#define KNOWN(s, m, key)       { key, FIELD_KNOWN, AT(s, m), .n = IS(double, s, m) }
#define TEXT(s, m, key)        { key, FIELD_TEXT, AT(s, m), .n = IS(const char *, s, m) }
#define CHARS(s, m, key)       { key, FIELD_CHARS, AT(s, m), .n = sizeof(((s *)0)->m) }
#define WORD(s, m, key, nr, words) { key, FIELD_WORD, AT(s, m), .n = (nr), .name = (words) }
#define FUNC(s, m, key)        { key, FIELD_FUNC, AT(s, m), .n = IS(enum func_id, s, m) }
#define FAMILY(s, m, key)      { key, FIELD_FAMILY, AT(s, m), .n = NR_FAMILIES, .name = family_word }
#define STACK(s, m, key)       { key, FIELD_STACK, AT(s, m), .n = IS(struct frames, s, m) }
#define STRUCT(s, m, key, f)   { key, FIELD_STRUCT, AT(s, m), .of = &(f) }
#define POINTER(s, m, key, f)  { key, FIELD_POINTER, AT(s, m), .of = &(f) }
#define LIST(s, m, key, f)     { key, FIELD_LIST, .at = offsetof(s, m.v), .bytes = sizeof(((s *)0)->m.v), \
				 .n_at = offsetof(s, m.n), .of = &(f) }
#define COUNTS(s, m, key, nm)  { key, FIELD_COUNTS, AT(s, m), .n = LEN(s, m), .name = (nm) }
#define FLAGS(s, m, key, nm)   { key, FIELD_FLAGS, AT(s, m), .n = LEN(s, m), .name = (nm) }
#define STRUCTS(s, m, key, nm, f) { key, FIELD_STRUCTS, AT(s, m), .n = LEN(s, m), .name = (nm), .of = &(f) }
#define ROWS(rows, s)          { rows, ARRAY_LEN(rows), sizeof(s) }

static const struct field frame_rows[] = {
	WORD(struct frame, type, "type", ARRAY_LEN(frame_types), frame_type_name),
	TEXT(struct frame, symbol, "symbol"),
	/* its module, path and build_id, which follow each other */
	{ "module", FIELD_MODULE, AT(struct frame, module), .n = IS(const char *, struct frame, module) },
	HEX(struct frame, offset, "offset"),
	TEXT(struct frame, file, "file"),
	INT(struct frame, line, "line"),
	BOOL(struct frame, inlined, "inlined"),
	BOOL(struct frame, tail_call, "tail_call"),
	BOOL(struct frame, native_of_vm, "native_of_vm"),
	BOOL(struct frame, native_method, "native_method"),
	BOOL(struct frame, hidden, "hidden"),
	{ "line_pending", FIELD_LATER, AT(struct frame, later), .n = IS(const struct later *, struct frame, later) },
	WORD(struct frame, lacks, "lacks", NR_ENDS, stack_end_name),
};
const struct fields frame_fields = ROWS(frame_rows, struct frame);

static const struct field of_rows[] = {
	TEXT(struct report_of, name, "name"),
	TEXT(struct report_of, loader, "loader"),
	HEX(struct report_of, loader_id, "loader_id"),
	U64(struct report_of, loaders, "loaders"),
	U64(struct report_of, count, "count"),
};
static const struct fields of_fields = ROWS(of_rows, struct report_of);

static const struct field class_rows[] = {
	TEXT(struct report_class, name, "name"),
	U64(struct report_class, outstanding, "outstanding"),
	BOOL(struct report_class, is_class, "is_class"),
	LIST(struct report_class, of, "of", of_fields),
};
static const struct fields class_fields = ROWS(class_rows, struct report_class);

static const char *bucket_name(const struct catalog *c, size_t i)
{
	static const char *const names[JT_HOLD_BUCKETS] = {
	    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15",
	    "16", "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31"};
	_Static_assert(JT_HOLD_BUCKETS <= 32, "a name for each");

	(void)c;
	return i < JT_HOLD_BUCKETS ? names[i] : NULL;
}

static const struct field pins_rows[] = {
	U64(struct report_pins, copied, "copied"),
	U64(struct report_pins, direct, "direct"),
	U64(struct report_pins, copy_unknown, "copy_unknown"),
	U64(struct report_pins, committed, "committed"),
	U64(struct report_pins, aborted, "aborted"),
	U64(struct report_pins, nested, "nested"),
	U64(struct report_pins, inner, "inner"),
	U64(struct report_pins, holds, "holds"),
	U64(struct report_pins, hold_ns, "hold_ns"),
	U64(struct report_pins, max_hold_ns, "max_hold_ns"),
	U64(struct report_pins, cpu_wait_ns, "cpu_wait_ns"),
	U64(struct report_pins, max_own_ns, "max_own_ns"),
	BOOL(struct report_pins, cpu_waits_known, "cpu_waits_known"),
	COUNTS(struct report_pins, hold, "histogram", bucket_name),
};
static const struct fields pins_fields = ROWS(pins_rows, struct report_pins);

static const struct field thread_rows[] = {
	INT(struct report_thread, tid, "tid"),
	U64(struct report_thread, start_ns, "start_ns"),
	TEXT(struct report_thread, name, "name"),
	U64(struct report_thread, acquired, "acquired"),
	U64(struct report_thread, released, "released"),
	U64(struct report_thread, outstanding, "outstanding"),
	BOOL(struct report_thread, life_unknown, "life_unknown"),
	BOOL(struct report_thread, paced, "paced"),
	REAL(struct report_thread, rate_per_s, "rate_per_s"),
};
static const struct fields thread_fields = ROWS(thread_rows, struct report_thread);

static const struct field verdict_rows[] = {
	WORD(struct report_verdict, kind, "kind", NR_VERDICTS, verdict_name),
	WORD(struct report_verdict, confidence, "confidence", CONFIDENCE_HIGH + 1, confidence_name),
	REAL(struct report_verdict, per_min, "growth_per_min"),
	REAL(struct report_verdict, error_per_min, "error_per_min"),
	REAL(struct report_verdict, span_s, "span_s"),
	REAL(struct report_verdict, ready_in_s, "ready_in_s"),
	U64(struct report_verdict, survivors, "survivors"),
	REAL(struct report_verdict, same_life_s, "same_life_s"),
	BOOL(struct report_verdict, slowed, "slowed"),
	BOOL(struct report_verdict, waits, "waits"),
};
static const struct fields verdict_fields = ROWS(verdict_rows, struct report_verdict);

static const struct field site_rows[] = {
	ID(struct report_site, id, "id"),
	FUNC(struct report_site, func, "function"),
	U64(struct report_site, acquired, "acquired"),
	U64(struct report_site, released, "released"),
	U64(struct report_site, outstanding, "outstanding"),
	U64(struct report_site, died, "died"),
	U64(struct report_site, unverified, "unverified"),
	I64(struct report_site, peak_per_call, "peak_per_call"),
	BOOL(struct report_site, life_unknown, "life_unknown"),
	KNOWN(struct report_site, oldest_s, "oldest_s"),
	REAL(struct report_site, rate_per_s, "rate_per_s"),
	REAL(struct report_site, acquired_per_s, "acquired_per_s"),
	REAL(struct report_site, recent_per_s, "recent_per_s"),
	STACK(struct report_site, frames, "stack"),
	TEXT(struct report_site, truncated, "truncated"),
	BOOL(struct report_site, no_stack, "no_stack"),
	I64(struct report_site, outstanding_bytes, "outstanding_bytes"),
	POINTER(struct report_site, pins, "pins", pins_fields),
	STRUCT(struct report_site, verdict, "verdict", verdict_fields),
	LIST(struct report_site, classes, "classes", class_fields),
	BOOL(struct report_site, classes.known, "classes_known"),
	LIST(struct report_site, threads, "threads", thread_fields),
	BOOL(struct report_site, threads.known, "threads_known"),
};
const struct fields site_fields = ROWS(site_rows, struct report_site);

static const struct field stack_rows[] = {
	BOOL(struct report_stack, known, "known"),
	STACK(struct report_stack, frames, "stack"),
	TEXT(struct report_stack, truncated, "truncated"),
};
static const struct fields stack_fields = ROWS(stack_rows, struct report_stack);

static const struct field holding_rows[] = {
	U32(struct report_holding, tid, "tid"),
	REAL(struct report_holding, ms, "ms"),
};
static const struct fields holding_fields = ROWS(holding_rows, struct report_holding);

static const struct field stalled_rows[] = {
	U32(struct report_stalled, tid, "tid"),
	CHARS(struct report_stalled, name, "name"),
	U64(struct report_stalled, times, "times"),
	REAL(struct report_stalled, ms, "ms"),
	REAL(struct report_stalled, max_ms, "max_ms"),
	REAL(struct report_stalled, own_ms, "own_ms"),
};
static const struct fields stalled_fields = ROWS(stalled_rows, struct report_stalled);

static const struct field held_rows[] = {
	STRUCT(struct report_held, pins, "pins", pins_fields),
	REAL(struct report_held, max_ms, "max_ms"),
	REAL(struct report_held, own_ms, "own_ms"),
	INT(struct report_held, collector_waits, "collector_waits"),
	U64(struct report_held, calls_inside, "calls_inside"),
	LIST(struct report_held, now, "held_now", holding_fields),
	TEXT(struct report_held, no_stalled, "stalled_unknown"),
	LIST(struct report_held, stalled, "stalled", stalled_fields),
};
static const struct fields held_fields = ROWS(held_rows, struct report_held);

static const struct field finding_thread_rows[] = {
	U32(struct report_finding_thread, tid, "tid"),
	CHARS(struct report_finding_thread, name, "name"),
};
static const struct fields finding_thread_fields = ROWS(finding_thread_rows, struct report_finding_thread);

static const struct field finding_row_rows[] = {
	WORD(struct report_finding, kind, "kind", NR_FINDINGS, finding_name),
	ID(struct report_finding, id, "id"),
	ID(struct report_finding, site_id, "site_id"),
	U64(struct report_finding, count, "count"),
	FUNC(struct report_finding, func, "function"),
	KNOWN(struct report_finding, first_s, "first_s"),
	KNOWN(struct report_finding, last_s, "last_s"),
	HEX(struct report_finding, handle, "handle"),
	U64(struct report_finding, local_refs, "local_refs"),
	STRUCT(struct report_finding, stack, "call", stack_fields),
	STRUCT(struct report_finding, acquire, "acquire", stack_fields),
	STRUCT(struct report_finding, release, "release", stack_fields),
	TEXT(struct report_finding, doubt, "doubt"),
	CHARS(struct report_finding, text, "text"),
	POINTER(struct report_finding, held, "held", held_fields),
	STRUCT(struct report_finding, caller, "caller_thread", finding_thread_fields),
	STRUCT(struct report_finding, owner, "owner_thread", finding_thread_fields),
	FUNC(struct report_finding, thrown_by, "thrown_by"),
	REAL(struct report_finding, per_s, "per_s"),
	REAL(struct report_finding, cost_ms_per_s, "cost_ms_per_s"),
};
const struct fields finding_fields = ROWS(finding_row_rows, struct report_finding);

static const struct field before_rows[] = {
	FAMILY(struct report_before, family, "family"),
	TEXT(struct report_before, class, "class"),
	U64(struct report_before, outstanding, "outstanding"),
	BOOL(struct report_before, is_class, "is_class"),
	LIST(struct report_before, of, "of", of_fields),
};
const struct fields before_fields = ROWS(before_rows, struct report_before);

static const struct field library_rows[] = {
	TEXT(struct report_library, module, "module"),
	TEXT(struct report_library, path, "path"),
	TEXT(struct report_library, build_id, "build_id"),
	TEXT(struct report_library, package, "package"),
	TEXT(struct report_library, package_version, "package_version"),
	U64(struct report_library, sites, "sites"),
	COUNTS(struct report_library, verdicts, "verdicts", verdict_name),
	BOOL(struct report_library, judged, "judged"),
	U64(struct report_library, outstanding, "outstanding"),
};
static const struct fields library_fields = ROWS(library_rows, struct report_library);

static const struct field limit_rows[] = {
	BOOL(struct vm_limit, known, "known"),
	U64(struct vm_limit, most, "most"),
	TEXT(struct vm_limit, then, "then"),
	BOOL(struct vm_limit, per_thread, "per_thread"),
	U32(struct vm_limit, slot_bytes, "slot_bytes"),
};
static const struct fields limit_fields = ROWS(limit_rows, struct vm_limit);

static const struct field family_rows[] = {
	BOOL(struct report_family, traced, "traced"),
	U64(struct report_family, acquired, "acquired"),
	U64(struct report_family, released, "released"),
	U64(struct report_family, outstanding, "outstanding"),
	U64(struct report_family, released_untracked, "released_untracked"),
	I64(struct report_family, vm_total, "vm_total"),
	TEXT(struct report_family, vm_note, "vm_note"),
	BOOL(struct report_family, before_known, "before_known"),
	U64(struct report_family, before_attach, "before_attach"),
	U64(struct report_family, vm_own, "vm_own"),
	KNOWN(struct report_family, cost_ns_per_event, "probe_cost_ns_per_event"),
	KNOWN(struct report_family, target_cpu_pct, "target_cpu_pct"),
	U64(struct report_family, died, "died"),
	U64(struct report_family, unverified, "unverified"),
	BOOL(struct report_family, life_unknown, "life_unknown"),
	REAL(struct report_family, off_s, "off_s"),
	REAL(struct report_family, on_s, "on_s"),
	U64(struct report_family, let_go, "let_go"),
	U64(struct report_family, one_in, "one_in"),
	U64(struct report_family, one_in_now, "one_in_now"),
	STRUCT(struct report_family, limit, "limit", limit_fields),
};
static const struct fields family_fields = ROWS(family_rows, struct report_family);

static const struct field check_rows[] = {
	BOOL(struct report_check, on, "on"),
	U64(struct report_check, calls, "calls"),
	KNOWN(struct report_check, cost_ns_per_event, "probe_cost_ns_per_event"),
	KNOWN(struct report_check, target_cpu_pct, "target_cpu_pct"),
};
static const struct fields check_fields = ROWS(check_rows, struct report_check);

static const struct field pile_rows[] = {
	BOOL(struct report_pile, found, "found"),
	INT(struct report_pile, pid, "pid"),
	INT(struct report_pile, tid, "tid"),
	CHARS(struct report_pile, name, "thread"),
	U64(struct report_pile, refs, "local_refs"),
	U64(struct report_pile, frames, "frames"),
	BOOL(struct report_pile, more, "at_least"),
	BOOL(struct report_pile, now, "now"),
	REAL(struct report_pile, per_s, "per_s"),
};
static const struct fields pile_fields = ROWS(pile_rows, struct report_pile);

static const struct field target_rows[] = {
	INT(struct report_target, pid, "pid"),
	U64(struct report_target, start_time_ticks, "start_time_ticks"),
	TEXT(struct report_target, comm, "comm"),
	TEXT(struct report_target, vm, "vm"),
	TEXT(struct report_target, vm_version, "vm_version"),
	TEXT(struct report_target, library, "library"),
	TEXT(struct report_target, build_id, "build_id"),
	TEXT(struct report_target, main, "main"),
	TEXT(struct report_target, command, "command"),
	TEXT(struct report_target, user, "user"),
	TEXT(struct report_target, container, "container"),
	TEXT(struct report_target, cgroup, "cgroup"),
	TEXT(struct report_target, host, "host"),
	TEXT(struct report_target, service, "service"),
	TEXT(struct report_target, version, "version"),
	TEXT(struct report_target, image, "image"),
	TEXT(struct report_target, pod, "pod"),
	TEXT(struct report_target, pod_namespace, "namespace"),
	TEXT(struct report_target, pod_uid, "pod_uid"),
};
static const struct fields target_fields = ROWS(target_rows, struct report_target);

static const struct field stacks_rows[] = {
	U64(struct report_stacks, complete, "complete"),
	U64(struct report_stacks, incomplete, "incomplete"),
	U64(struct report_stacks, complete_sites, "complete_sites"),
	U64(struct report_stacks, incomplete_sites, "incomplete_sites"),
	COUNTS(struct report_stacks, reasons, "reasons", stack_end_name),
};
static const struct fields stacks_fields = ROWS(stacks_rows, struct report_stacks);

/* name NULL: of functions, see func_word() */
static const struct field refusal_rows[] = {
	TEXT(struct report_refusal, text, "text"),
};
static const struct fields refusal_fields = ROWS(refusal_rows, struct report_refusal);

static const struct field report_rows[] = {
	STRUCT(struct report, target, "target", target_fields),
	REAL(struct report, time_unix_s, "time_unix_s"),
	REAL(struct report, elapsed_s, "elapsed_s"),
	BOOL(struct report, final, "final"),
	WORD(struct report, end_reason, "end_reason", NR_END_REASONS, end_name),
	FLAGS(struct report, probed, "probed", NULL),
	COUNTS(struct report, calls, "calls", NULL),
	STRUCTS(struct report, families, "families", family_word, family_fields),
	STRUCT(struct report, check, "check", check_fields),
	STRUCT(struct report, pile, "local_pile", pile_fields),
	COUNTS(struct report, verdicts, "verdicts", verdict_name),
	LIST(struct report, libraries, "libraries", library_fields),
	LIST(struct report, refusals, "refusals", refusal_fields),
	STRUCT(struct report, stacks, "stacks", stacks_fields),
	TEXT(struct report, no_java, "no_java"),
	TEXT(struct report, language, "language"),
	COUNTS(struct report, drops, "drops", drop_name),
	U64(struct report, sites_pending, "sites_pending"),
	U64(struct report, nr_probes, "probes"),
	U64(struct report, events, "events"),
	BOOL(struct report, count_only, "count_only"),
	REAL(struct report, events_per_s, "events_per_s"),
	KNOWN(struct report, probe_cost_ns_per_event, "probe_cost_ns_per_event"),
	KNOWN(struct report, target_cpu_pct, "target_cpu_pct"),
	KNOWN(struct report, self_cpu_pct, "self_cpu_pct"),
	U64(struct report, map_bytes, "map_bytes"),
};
const struct fields report_fields = ROWS(report_rows, struct report);

const struct report_list_row report_lists[NR_REPORT_LISTS] = {
	[LIST_SITES] = { "site", "sites", LIST(struct report, sites, "site", site_fields) },
	[LIST_FINDINGS] = { "finding", "findings", LIST(struct report, findings, "finding", finding_fields) },
	[LIST_BEFORE] = { "before", "before_attach", LIST(struct report, before, "before", before_fields) },
};
/* clang-format on */

_Static_assert(sizeof(size_t) == sizeof(uint64_t), "one kind of row serves both");
_Static_assert(offsetof(struct frame, path) == offsetof(struct frame, module) + sizeof(char *) &&
		   offsetof(struct frame, build_id) > offsetof(struct frame, path),
	       "see FIELD_MODULE");
