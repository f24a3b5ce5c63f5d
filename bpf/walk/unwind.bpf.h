/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From one native frame to its caller, by the unwind tables that the loader compiled from .eh_frame
 * (user/unwind/unwind_table.c). Every frame found is proven by the module's own call frame information; where
 * there is none the walk ends with a reason.
 */
#ifndef JNITRACE_UNWIND_BPF_H
#define JNITRACE_UNWIND_BPF_H

#include "border/unwind.h"
#include "maps.bpf.h"
#include "walk/walk.bpf.h"

/* A frame lies at most that far above the one it called: the largest stack a thread gets. */
#define UNWIND_SPAN_BYTES (64ULL << 20)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, JT_MAX_TARGETS);
	__type(key, u32);
	__type(value, struct unwind_space);
} unwind_spaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, JT_UNWIND_RANGES);
	__type(key, u32);
	__type(value, struct unwind_range);
} unwind_ranges SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, JT_UNWIND_CACHE);
	__type(key, u32);
	__type(value, struct unwind_cached);
} unwind_cache SEC(".maps");

/* As many words as each table has: inner arrays may differ in size since Linux 5.10 (4a8f87e60f6d). */
struct unwind_words {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, JT_UNWIND_TABLES);
	__type(key, u32);
	__array(values, struct unwind_words);
} unwind_tables SEC(".maps");

/* A rule as one word: unpacked by shifts, so that it can pass through a register. */
static __always_inline u64 unwind_special(enum unwind_kind kind)
{
	return (u64)kind << 56;
}
static __always_inline u32 rule_kind(u64 rule)
{
	return rule >> 56;
}
static __always_inline u32 rule_ra_words(u64 rule)
{
	return rule >> 48 & 0xff;
}
static __always_inline u32 rule_fp_words(u64 rule)
{
	return rule >> 32 & 0xffff;
}
static __always_inline s64 rule_cfa_offset(u64 rule)
{
	return (s32)rule;
}

/* The rule of the last row at or before pc (an offset from the table's base), in one table. */
static __always_inline u64 unwind_search(void *words, u32 pc)
{
	u32 at = 0, lo, hi;
	u64 *word = bpf_map_lookup_elem(words, &at), head;

	if (!word)
		return unwind_special(UNWIND_NO_CFI);
	head = *word;
	lo = 1 + (u32)head;
	hi = lo + (u32)(head >> 32);
	at = 0;
	for (int i = 0; i < JT_UNWIND_ROW_STEPS; i++) {
		u32 mid = lo + (hi - lo) / 2;

		if (lo >= hi)
			break;
		word = bpf_map_lookup_elem(words, &mid);
		if (!word)
			break;
		if ((u32)*word <= pc) {
			at = 1 + (u32)(*word >> 32);
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	word = at ? bpf_map_lookup_elem(words, &at) : NULL;
	return word ? *word : unwind_special(UNWIND_NO_CFI);
}

/* The index of the range that holds pc, or ~0. */
static __always_inline u32 unwind_range_of(u64 layout, u64 pc)
{
	u32 lo = UNWIND_LAYOUT_FIRST(layout), hi = lo + UNWIND_LAYOUT_COUNT(layout);

	if (UNWIND_IS_CLOSED(layout))
		return ~0U;

	for (int i = 0; i < JT_UNWIND_RANGE_STEPS; i++) {
		u32 mid = (lo + hi) / 2;
		struct unwind_range *r;

		if (lo >= hi)
			break;
		r = bpf_map_lookup_elem(&unwind_ranges, &mid);
		if (!r)
			break;
		if (pc < r->start)
			hi = mid;
		else if (pc >= r->end)
			lo = mid + 1;
		else
			return mid;
	}
	return ~0U;
}

/* Is addr in code that comes from a file? A global function: verified once. */
__noinline int unwind_is_code(u32 target_id, u64 addr)
{
	struct unwind_space *s = bpf_map_lookup_elem(&unwind_spaces, &target_id);

	return s && unwind_range_of(*(volatile u64 *)&s->layout, addr) != ~0U;
}

static __always_inline u32 unwind_closings(u32 target_id)
{
	struct unwind_space *s = bpf_map_lookup_elem(&unwind_spaces, &target_id);

	return s ? s->closings : 0;
}

/*
 * The rule for code that is in no file that is known, where a runtime generates some: it keeps a frame
 * pointer at its calls, as unwind_table_all_fp() has it. Where it lies the loader learns somewhat later; but
 * it is code, as a frame that is known was called by it, and no library, as the linker would have told. Not
 * to be remembered: it may be a library's by and by. Where nobody tells of libraries nothing is taken for
 * generated.
 */
static __always_inline u64 unwind_generated(const struct unwind_space *s)
{
#if defined(__TARGET_ARCH_x86)
	const u64 ra_words = 1;
#else
	const u64 ra_words = UNWIND_RA_AFTER_FP;
#endif

	if (!s->generates || !s->link_debug)
		return unwind_special(UNWIND_NOT_CODE);
	return unwind_special(UNWIND_SCRIPT) | ra_words << 48 | 2ULL << 32 | 16;
}

/* The rule for pc, searched, and *code, which only files have. What is not there is asked of the loader. */
static __always_inline u64 unwind_look_up(struct unwind_space *s, u64 layout, u64 pc, u32 *code)
{
	u32 at = unwind_range_of(layout, pc); /* of the range, then of its table: the stack is short */
	struct unwind_range *r = bpf_map_lookup_elem(&unwind_ranges, &at);
	void *words;

	if (UNWIND_IS_CLOSED(layout))
		return unwind_special(UNWIND_CLOSING);
	if (!r) /* code that came just now has no range yet */
		return s->added != s->added_seen ? unwind_special(UNWIND_NO_TABLE) : unwind_generated(s);
	*code = r->code;
	at = *(volatile u16 *)&r->table;
	if (at == UNWIND_TABLE_EMPTY)
		return unwind_special(UNWIND_NO_CFI);
	words = at ? bpf_map_lookup_elem(&unwind_tables, &at) : NULL;
	if (!words) {
		r->wanted = 1;
		return unwind_special(UNWIND_NO_TABLE);
	}
	return unwind_search(words, pc - r->base);
}

static __always_inline u64 unwind_check(u64 id, u64 rule, u32 code)
{
	return id ^ rule * 0xff51afd7ed558ccdULL ^ code * 0xc4ceb9fe1a85ec53ULL;
}

/*
 * The rule (struct unwind_rule) for an address of a target: pc itself, or for a return address one less,
 * as the call may be the last instruction of its function. w->code: which code that address means, 0 where
 * none is known. A global function: verified once.
 */
__noinline u64 unwind_find(struct walk *w, u32 target_id)
{
	struct unwind_space *s = bpf_map_lookup_elem(&unwind_spaces, &target_id);
	u64 layout, id, rule, pc;
	struct unwind_cached *c;
	u32 at;

	if (!w || !s)
		return unwind_special(UNWIND_NOT_CODE);
	pc = w->pc - !w->exact;
	layout = *(volatile u64 *)&s->layout;
	id = mix(pc + layout * 0x9e3779b97f4a7c15ULL);
	w->key = id;
	at = id & (JT_UNWIND_CACHE - 1);
	c = bpf_map_lookup_elem(&unwind_cache, &at);
	if (!c)
		return unwind_special(UNWIND_NOT_CODE);
	rule = *(volatile u64 *)&c->rule;
	w->code = *(volatile u32 *)&c->code;
	if (*(volatile u64 *)&c->check == unwind_check(id, rule, w->code) && rule)
		return rule;
	w->code = 0;
	rule = unwind_look_up(s, layout, w->pc - !w->exact, &w->code);
	if (w->code && rule_kind(rule) < UNWIND_NO_TABLE && rule_kind(rule) != UNWIND_NO_CFI) {
		*(volatile u64 *)&c->rule = rule;
		*(volatile u32 *)&c->code = w->code;
		*(volatile u64 *)&c->check = unwind_check(*(volatile u64 *)&w->key, rule, w->code);
	}
	return rule;
}

/* What interrupted code had in its registers, in the frame the kernel pushed for the handler. */
static __always_inline enum stack_end unwind_signal(struct walk *w)
{
#if defined(__TARGET_ARCH_x86)
	/* at __restore_rt sp points to the ucontext: gregs[REG_RBP], gregs[REG_RSP] and gregs[REG_RIP] */
	u64 fp_at = w->sp + 120, sp_at = w->sp + 160, pc_at = w->sp + 168;
#else
	/* at __kernel_rt_sigreturn sp points to siginfo (128 bytes), then ucontext with regs at 176 + 8 */
	u64 fp_at = w->sp + 312 + 29 * 8, sp_at = w->sp + 312 + 31 * 8, pc_at = w->sp + 312 + 32 * 8;
#endif
	w->notes.lost = 1; /* on another stack, mostly */
	if (window_word(&w->win, fp_at, &w->fp) || window_word(&w->win, sp_at, &w->sp) ||
	    window_word(&w->win, pc_at, &w->pc))
		return END_UNREAD;
	w->exact = 1;
	return w->sp & 7 ? END_BAD_FRAME : END_NONE;
}

/* The CFA of the frame in hand. 0, or -1 when it is in memory that cannot be read. */
static __always_inline int unwind_cfa(struct walk *w, u64 rule, u64 *cfa)
{
	switch (rule_kind(rule)) {
	case UNWIND_FP:
	case UNWIND_FP_CODE:
	case UNWIND_SCRIPT:
		fp_used(w);
		*cfa = w->fp + rule_cfa_offset(rule);
		return 0;
	case UNWIND_FP_DEREF:
		fp_used(w);
		*cfa = w->fp + rule_cfa_offset(rule);
		return *cfa & 7 || walk_link(w, *cfa, cfa) ? -1 : 0;
	case UNWIND_PLT:
		*cfa = w->sp + 8 + ((w->pc & 15) >= (u64)rule_cfa_offset(rule) ? 8 : 0);
		return 0;
	default:
		*cfa = w->sp + rule_cfa_offset(rule);
		return 0;
	}
}

/* The caller, when the CFA is known. */
static __always_inline enum stack_end unwind_caller(struct walk *w, u64 rule, u64 cfa)
{
	u32 fp_words = rule_fp_words(rule), ra_words = rule_ra_words(rule);
	u64 fp_at = cfa - fp_words * 8, ra_at = cfa - ra_words * 8;

	if (rule_kind(rule) == UNWIND_FP_DEREF)
		fp_at = w->fp;
	else if (!fp_words)
		fp_at = 0;
	if (ra_words == UNWIND_RA_AFTER_FP)
		ra_at = fp_at + 8;
	if (fp_at & 7)
		return END_BAD_FRAME;
	/* the saved registers lie below the return address: one read for all, and for the next frames */
	if (fp_at && walk_fp(w, fp_at))
		return END_UNREAD;
#if defined(__TARGET_ARCH_arm64)
	if (ra_words == UNWIND_RA_IN_REGISTER) {
		if (!w->lr)
			return END_BAD_FRAME;
		w->pc = w->lr;
	} else if (walk_word(w, ra_at, &w->pc)) {
		return END_UNREAD;
	}
	w->lr = 0;
	w->pc &= (1ULL << 48) - 1; /* no pointer authentication code */
#else
	if (walk_word(w, ra_at, &w->pc))
		return END_UNREAD;
#endif
	w->sp = cfa;
	w->exact = 0;
	return w->pc ? END_NONE : END_BOTTOM;
}

/*
 * V8 has below the frame record of a JavaScript function its context and the function, two objects; of other
 * frames a number (src/execution/frame-constants.h, StandardFrameConstants; common/globals.h: pointers to
 * objects end in 01, numbers in 0). A function is an object that any program makes many of; what they have in
 * common, and the collector seldom moves, is its SharedFunctionInfo. Nothing of it is on the stack: such a
 * walk is not kept. A function of its own, for the sake of the stack.
 */
#define V8_TAG_MASK 3
#define V8_OBJECT   1
__noinline int script_function(struct walk *w, u32 target_id)
{
	struct unwind_space *s = bpf_map_lookup_elem(&unwind_spaces, &target_id);
	u64 words[2], info = 0; /* function, context */

	if (!w || !s || !s->function_info)
		return 0;
	w->notes.lost = 1;
	if (bpf_probe_read_user(words, sizeof(words), (void *)(w->fp - sizeof(words))) ||
	    (words[0] & V8_TAG_MASK) != V8_OBJECT || (words[1] & V8_TAG_MASK) != V8_OBJECT ||
	    bpf_probe_read_user(&info, sizeof(info), (void *)(words[0] - V8_OBJECT + s->function_info)) ||
	    (info & V8_TAG_MASK) != V8_OBJECT)
		return 0;
	w->function = info - V8_OBJECT;
	return 0;
}

/*
 * A frame of an interpreter in assembler, which keeps the stack pointer of its caller in its frame, below
 *where a register points that its callees save, and they do that next to their return address (Android:
 * runtime/interpreter/mterp/x86_64ng/main.S, SETUP_STACK_FRAME; nterp_helpers.cc):
 *
 *	sp	the method; arguments of callees
 *		the instruction that it executes; the caller's stack pointer
 *	saved	registers of the method, twice
 *		registers of the caller's
 *	cfa
 *
 * The loader proves that a frame of the method has this size. Returns the CFA, or enum stack_end. A global
 * function: verified once.
 */
#define SPILLED_MIN_BYTES 24 /* from sp to saved */
#define SPILLED_MAX_BYTES (1 << 19)
__noinline u64 unwind_spilled(struct walk *w, u32 offset_bytes)
{
	u64 saved, caller, at, method, cfa;

	if (!w || w->exact)
		return END_RICH_CFI;
	if (walk_link(w, w->sp - 16, &saved))
		return END_UNREAD;
	if (saved & 7 || saved - w->sp - SPILLED_MIN_BYTES > SPILLED_MAX_BYTES)
		return END_METHOD;
	if (walk_word(w, w->sp, &method) || walk_word(w, saved - 16, &at) || walk_link(w, saved - 8, &caller))
		return END_UNREAD;
	cfa = caller + offset_bytes;
	if (caller & 7 || caller < saved || cfa - w->sp > SPILLED_MAX_BYTES - 8 || method & 7 || !method)
		return END_METHOD;
	w->function = method;
	w->executes = (at & RAW_BCP_MASK) | (cfa - w->sp) / 8 << RAW_METHOD_SHIFT;
	return cfa;
}

/*
 * From the frame in hand to its caller: w->pc, sp, fp. END_NONE: there is one; else why not, with w of no
 * more use. END_NOT_CODE says that the frame in hand is none: its pc lies outside all files' code.
 * w->code: of the frame that was in hand. w: all fields initialised; window empty at first. A global
 * function: verified once.
 */
__noinline int native_step(struct walk *w, u32 target_id)
{
	u64 rule, cfa;

	if (!w)
		return END_BAD_FRAME;
	rule = unwind_find(w, target_id);
	switch (rule_kind(rule)) {
	case UNWIND_SPILLED:
		if (!by_fragments)
			return END_RICH_CFI;
		cfa = unwind_spilled(w, rule_cfa_offset(rule));
		return cfa < NR_ENDS ? cfa : unwind_caller(w, rule, cfa);
	case UNWIND_SP:
	case UNWIND_FP:
	case UNWIND_FP_DEREF:
	case UNWIND_PLT:
		break;
	case UNWIND_SCRIPT:
		script_function(w, target_id);
		__attribute__((fallthrough));
	case UNWIND_FP_CODE: /* interrupted code may be in its epilogue */
		if (w->exact)
			return END_NO_CFI;
		break;
	case UNWIND_SIGNAL:
		return unwind_signal(w);
	case UNWIND_BOTTOM:
		return END_BOTTOM;
	case UNWIND_RICH:
		return END_RICH_CFI;
	case UNWIND_NO_TABLE:
		return END_NO_TABLE;
	case UNWIND_NOT_CODE:
		return END_NOT_CODE;
	case UNWIND_CLOSING:
		return END_CLOSING;
	default:
		return END_NO_CFI;
	}
	if (unwind_cfa(w, rule, &cfa))
		return END_UNREAD;
	/* above the frame in hand; at its sp only if that was interrupted before it touched its stack */
	if (cfa & 7 || cfa - w->sp - !w->exact >= UNWIND_SPAN_BYTES)
		return END_BAD_FRAME;
	return unwind_caller(w, rule, cfa);
}

#endif
