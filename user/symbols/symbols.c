/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stacks by name: native frames by natives.c, Java frames by the runtime, and what is missing between them.
 */
#include "symbols/symbols.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strset.h"
#include "runtime/runtime.h"
#include "symbols/natives.h"

#define REASON_BYTES 192

struct symbols {
	struct natives *natives;
	struct strset strings;
	struct vm *vm; /* not owned; NULL: managed frames stay nameless */
	bool hidden;   /* those that the runtime hides are shown */
	enum stack_end
	    refused; /* managed frames cannot be found: what their stacks lack; END_NONE: they can */
};

int symbols_new(const struct code *code, struct symbols **out)
{
	struct symbols *s = calloc(1, sizeof(*s));
	int rc = s ? natives_new(code, &s->natives) : -ENOMEM;

	if (rc) {
		free(s);
		s = NULL;
	}
	*out = s;
	return rc;
}

struct budget *symbols_budget(const struct symbols *s)
{
	return natives_budget(s->natives);
}

void symbols_set_vm(struct symbols *s, struct vm *vm, bool hidden)
{
	s->vm = vm;
	s->hidden = hidden;
}

void symbols_set_refused(struct symbols *s, enum stack_end lacks)
{
	s->refused = lacks;
}

void symbols_free(struct symbols *s)
{
	if (!s)
		return;
	natives_free(s->natives);
	strset_free(&s->strings);
	free(s);
}

void symbols_tidy(struct symbols *s)
{
	natives_tidy(s->natives);
}

uint64_t symbols_nameless(const struct symbols *s)
{
	return natives_nameless(s->natives);
}

static int append(struct symbols *s, const struct symbolized *c, const struct native_place *where,
		  uint64_t pc, struct frames *out)
{
	const struct frame nowhere = {.type = FRAME_NATIVE, .offset = pc};
	const struct later *later = c->pending ? natives_later(s->natives, where) : NULL;

	for (size_t i = 0; i < (c->n ? c->n : 1); i++) {
		struct frame *f = VEC_ADD(out);

		if (!f)
			return -ENOMEM;
		*f = c->n ? c->frames[i] : nowhere;
		f->later = later;
	}
	return 0;
}

/* Why the stack ends at this frame, whose caller cannot be found through the frame pointer. */
static const char *link_reason(struct symbols *s, const struct symbolized *c,
			       const struct native_place *where)
{
	char reason[REASON_BYTES];

	if (!c->n)
		return "return address in no known file";
	snprintf(reason, sizeof(reason), "%s %s", link_reasons[c->link], module_symbols_name(where->module));
	return strset_add(&s->strings, reason);
}

/* Native frames are missing here. */
static int append_gap(struct symbols *s, enum stack_end lacks, const char *why, struct frames *out)
{
	char text[REASON_BYTES];
	struct frame *f = VEC_ADD(out);

	if (!f)
		return -ENOMEM;
	snprintf(text, sizeof(text), "[native frames missing: %s]", why);
	f->symbol = strset_add(&s->strings, text);
	f->lacks = lacks;
	return f->symbol ? 0 : -ENOMEM;
}

static enum frame_kind kind_of(const struct raw_frame *raw)
{
	return raw->a >> RAW_KIND_SHIFT;
}

static int append_java(struct symbols *s, const struct raw_frame *raw, struct frames *out)
{
	bool script = kind_of(raw) == RAW_SCRIPT_WORDS;
	const struct frame unknown = {.type = script ? FRAME_SCRIPT : FRAME_JAVA,
				      .symbol = script ? "[script frame]" : "[Java frame]",
				      .lacks = END_UNNAMED};
	size_t n = out->n, kept;
	struct frame *f;

	if (!s->vm) {
		f = VEC_ADD(out);
		if (f)
			*f = unknown;
		return f ? 0 : -ENOMEM;
	}
	if (vm_frames_add(s->vm, raw, out))
		return -ENOMEM;
	for (kept = n; n < out->n; n++)
		if (s->hidden || !out->v[n].hidden)
			out->v[kept++] = out->v[n];
	out->n = kept;
	return 0;
}

/* Are these frames, innermost first, the VM's own, and none is missing? */
static bool all_vm(const struct frames *frames)
{
	for (size_t i = 0; i < frames->n; i++)
		if (frames->v[i].type != FRAME_VM)
			return false;
	return true;
}

/*
 * A native method whose last act is a call leaves no frame: what it called returns to Java. The VM knows what
 * function it is, and that is believed if a function of a library's begins just there. *of_vm: it is the VM's
 * own (Class.getSuperclass of JDK 25 is registered as the JNI function itself).
 */
static int append_tail_call(struct symbols *s, const struct raw_frame *raw, struct frames *out, bool *of_vm)
{
	struct native_place where;
	struct frame frame, *f;
	uint64_t addr;
	int rc = vm_frames_native(s->vm, raw, &addr);

	if (rc || !addr)
		return rc;
	rc = natives_place(s->natives, addr, false, &where);
	if (rc || !where.module)
		return rc;
	*of_vm = module_symbols_type(where.module) == FRAME_VM;
	if (*of_vm)
		return 0;
	rc = module_symbols_function(where.module, where.vaddr, &frame);
	if (rc <= 0)
		return rc;
	f = VEC_ADD(out);
	if (!f)
		return -ENOMEM;
	*f = frame;
	f->tail_call = true;
	return 0;
}

/* The first Java frame, of a native method unless the VM itself made the call, and what it left no frame of.
 */
static int append_innermost_java(struct symbols *s, const struct raw_frame *raw, struct frames *out)
{
	bool of_vm = false;
	size_t at;
	int rc = s->vm && all_vm(out) ? append_tail_call(s, raw, out, &of_vm) : 0;

	at = out->n;
	rc = rc ?: append_java(s, raw, out);
	if (!rc && at < out->n)
		out->v[at].native_of_vm = of_vm;
	return rc;
}

static uint32_t nr_frames(const struct stack *st)
{
	return st->n < JT_MAX_FRAMES ? st->n : JT_MAX_FRAMES;
}

static bool is_java(const struct raw_frame *raw)
{
	return kind_of(raw) == RAW_INTERPRETED || kind_of(raw) == RAW_COMPILED ||
	       kind_of(raw) == RAW_DEOPTIMIZED || kind_of(raw) == RAW_METHOD;
}

static bool is_managed(const struct raw_frame *raw)
{
	return is_java(raw) || kind_of(raw) == RAW_SCRIPT_WORDS;
}

/* Ends that say something of the last frame's frame pointer, if it has one. */
static bool is_end_of_chain(u32 end)
{
	return end == END_NO_FP || end == END_UNREAD || end == END_NOT_CODE || end == END_NO_TABLE;
}

/* A native frame, or a script's, which its runtime may name. function: of RAW_SCRIPT, else 0. */
static int append_frame(struct symbols *s, const struct symbolized *c, const struct native_place *where,
			uint64_t pc, uint64_t function, struct frames *out)
{
	bool generated = where->placement && where->placement->module->generated;
	int rc = generated || function ? vm_frames_script(s->vm, function, generated ? pc : 0, out) : 0;
	size_t n = out->n;

	if (rc)
		return rc < 0 ? rc : 0;
	rc = append(s, c, where, pc, out);
	for (; generated && n < out->n; n++) /* where it lies is by chance: no two runs have it there */
		out->v[n].offset = 0;
	return rc;
}

/* Of the library that the frame is in, as its openings are numbered; 0: the mappings tell. */
static uint32_t opened_number(const struct raw_frame *f)
{
	return kind_of(f) == RAW_OPENED ? (uint32_t)(f->b >> 32) : 0;
}

/*
 * A native frame. *next: the frame to go on with, which is not the next one when that was found by a frame
 * pointer which c does not keep: then all of that chain is cut. *cut: why, or NULL.
 */
static int append_native(struct symbols *s, const struct stack *st, uint32_t i, struct frames *out,
			 uint32_t *next, const char **cut)
{
	uint64_t pc = st->frame[i].a & RAW_ADDR_MASK;
	uint32_t opened = opened_number(&st->frame[i]);
	uint64_t function = kind_of(&st->frame[i]) == RAW_SCRIPT ? st->frame[i].b : 0;
	uint64_t exact = !opened && !function &&
			 st->frame[i].b != 0; /* an interrupted instruction, not one before the return */
	size_t n = out->n;
	struct native_place where;
	struct symbolized c;
	bool by_fp; /* what follows was found, or not found, by the frame pointer */
	int rc;

	*next = i + 1;
	*cut = NULL;
	if (opened)
		rc = natives_opened_at(s->natives, opened, pc, &c, &where);
	else
		rc = natives_at(s->natives, pc + exact, &c, &where);
	if (!rc)
		rc = append_frame(s, &c, &where, pc + exact, function, out);
	for (; exact && n < out->n; n++)
		out->v[n].offset--;
	rc = rc ?: vm_frames_remark(s->vm, pc, out);
	by_fp = *next < nr_frames(st) ? kind_of(&st->frame[*next]) == RAW_NATIVE_FP
				      : kind_of(&st->frame[i]) == RAW_NATIVE_FP && is_end_of_chain(st->end);
	if (rc || !by_fp || (c.n && c.link == LINK_PROVEN))
		return rc;
	*cut = link_reason(s, &c, &where);
	while (*next < nr_frames(st) && !is_managed(&st->frame[*next]))
		++*next;
	return *cut ? 0 : -ENOMEM;
}

/* Why the walk ended, as the kernel side says. */
static enum stack_end end_of(uint64_t end)
{
	return end < NR_ENDS ? (enum stack_end)end : END_NONE;
}

/* What is said of it: "no Java" where nobody said that there is Java is only code that is in no file. */
static enum stack_end end_said(const struct symbols *s, enum stack_end end)
{
	return end == END_JAVA_OFF && s->refused != END_JAVA_OFF ? END_NOT_CODE : end;
}

static int append_stack(struct symbols *s, const struct stack *st, struct frames *out, enum stack_end *end,
			const char **truncated)
{
	uint32_t n = nr_frames(st), next;
	bool innermost = true; /* no Java frame yet */
	const char *cut;
	int rc = 0;

	*end = end_of(st->end);
	*truncated = stack_end_rows[*end].meaning;
	for (uint32_t i = 0; !rc && i < n; i = next) {
		const struct raw_frame *raw = &st->frame[i];
		enum stack_end gap = end_said(s, end_of(raw->a & RAW_ADDR_MASK));

		next = i + 1;
		cut = NULL;
		if (is_java(raw)) {
			rc = innermost ? append_innermost_java(s, raw, out) : append_java(s, raw, out);
			innermost = false;
			if (!rc && out->n && out->v[out->n - 1].lacks == END_METHOD) {
				*end = END_METHOD; /* and so it did not lead to what follows */
				*truncated = stack_end_rows[*end].meaning;
				break;
			}
		} else if (kind_of(raw) == RAW_SCRIPT_WORDS) {
			rc = append_java(s, raw, out);
		} else if (kind_of(raw) == RAW_GAP)
			rc = append_gap(s, gap, stack_end_rows[gap].meaning ?: "?", out);
		else
			rc = append_native(s, st, i, out, &next, &cut);
		if (!rc && cut && next < n) {
			rc = append_gap(s, END_UNPROVEN, cut, out);
		} else if (cut) {
			*end = END_UNPROVEN;
			*truncated = cut;
		}
	}
	return rc;
}

/*
 * A VM whose interpreter is a C++ function runs Java on native frames (Zero): such a stack is walked to the
 * thread's start, and lacks the Java frames all the same. One without a frame of the VM's is a native
 * thread's.
 */
static bool hides_java(const struct symbols *s, enum stack_end end, const struct frames *frames)
{
	if (!s->refused || end != END_BOTTOM)
		return false;
	for (size_t i = 0; i < frames->n; i++)
		if (frames->v[i].type == FRAME_VM)
			return true;
	return false;
}

bool symbols_wait(const struct symbols *s, const struct stack *st)
{
	for (uint32_t i = 0; i < nr_frames(st); i++)
		if (kind_of(&st->frame[i]) == RAW_OPENED &&
		    !natives_know_opened(s->natives, opened_number(&st->frame[i])))
			return true;
	return false;
}

int symbols_stack(struct symbols *s, const struct stack *st, struct frames *out, const char **truncated,
		  uint32_t *lacks)
{
	enum stack_end end;
	int rc;

	out->n = 0;
	rc = append_stack(s, st, out, &end, truncated);
	if (hides_java(s, end, out)) {
		end = s->refused;
		*truncated = stack_end_rows[end].meaning;
	} else if (end != end_said(s, end)) {
		end = end_said(s, end);
		*truncated = stack_end_rows[end].meaning;
	}
	*lacks = stack_end_rows[end].name ? 1U << end : 0;
	for (size_t i = 0; i < out->n; i++)
		if (out->v[i].lacks)
			*lacks |= 1U << out->v[i].lacks;
	return rc;
}

enum symbols_more symbols_again(struct symbols *s, const struct frames *frames, struct frames *out)
{
	size_t said = 0, wait = 0;

	out->n = 0;
	for (size_t i = 0; i < frames->n; i++) {
		const struct frame *f = &frames->v[i];
		struct symbolized c = {.frames = f, .n = 1};

		if (f->later && (natives_again(s->natives, f->later, &c) || c.pending)) {
			c = (struct symbolized){.frames = f, .n = 1};
			wait++;
		} else if (f->later) {
			said++;
		}
		for (size_t k = 0; k < c.n; k++) {
			struct frame *g = VEC_ADD(out);

			if (!g)
				return MORE_NONE;
			*g = c.frames[k];
			g->offset = f->offset; /* which may be that of an interrupted instruction */
		}
	}
	return !wait ? MORE_OF_ALL : said ? MORE_OF_SOME : MORE_NONE;
}
