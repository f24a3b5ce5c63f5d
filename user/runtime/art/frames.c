/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A frame names its method by the address of an ArtMethod, which begins { declaring class, access flags } and
 * has its number in the list of methods of the class's dex file: at 12, behind where its code lies in the
 * file (Android 10 and 11), or at 8, and the address of its code at 16 (since 12; ART: runtime/art_method.h).
 * Which of both it is no version tells: the method of that number must be one of the class. jmethodIDs that
 * are indices (opaque ones) are not met here: stacks have ArtMethods.
 *
 * Nothing is kept of a method but its texts, as a class may be unloaded and its memory used anew.
 */
#include "runtime/art/frames.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strset.h"
#include "runtime/art/jni.h"

#define METHOD_WORDS     8
#define OLD_CODE_AT      2 /* words of an ArtMethod */
#define OLD_NUMBER_AT    3
#define NEW_NUMBER_AT    2
#define NEW_CODE_AT      4
#define NEW_CODE_COMPACT 1u /* bit of the address: the file is a compact one */
#define ACCESS_NATIVE    0x100u
#define NO_NUMBER        UINT32_MAX /* of the runtime's own methods */
#define CODE_ALIGN       2
#define MAX_KEPT_TEXT    (64u << 20) /* bytes */
#define FRAGMENT_WORDS   5           /* quick, link, shadow, where suspension is triggered, JNIEnv */
#define TRIGGER_WORD     3
/* Of a frame of the interpreter in assembler (ART: runtime/nterp_helpers.cc, NterpGetFrameSize). */
#define FRAME_ALIGN       16
#define FRAME_FIXED_BYTES 24 /* method, caller's stack pointer, instruction */
#define SAVED_BYTES       88 /* x86-64: the registers that it preserves, and the return address */

struct art_frames {
	const struct art *a;
	const struct art_classes *c;
	unsigned number_at; /* word of an ArtMethod; 0: not proven yet */
	struct strset texts;
	uint64_t unnamed;
};

/* --- the thread --- */

/*
 * ART: runtime/thread.h, tlsPtr_: managed_stack, suspend_trigger, jni_env; but for a thread that is to stop,
 * the one in the middle is its own address.
 */
int art_plan_fragments(struct art *a, struct java_config *out)
{
	uint64_t w[FRAGMENT_WORDS], at;
	int rc = art_prove_env(a);

	if (rc)
		return rc;
	if (a->jni_env_bytes < sizeof(w))
		return -EPROTO;
	at = a->thread + a->jni_env_bytes - sizeof(w) + sizeof(w[0]);
	rc = proc_read(a->pid, at, w, sizeof(w));
	if (rc)
		return rc == -ESRCH ? rc : -EAGAIN;
	if (w[FRAGMENT_WORDS - 1] != a->env)
		return -EAGAIN;
	if (w[TRIGGER_WORD] != at + TRIGGER_WORD * sizeof(w[0]))
		return w[TRIGGER_WORD] ? -EPROTO : -EAGAIN;
	out->on = MANAGED_BY_FRAGMENTS;
	out->env_at_in_thread = (uint32_t)a->jni_env_bytes;
	out->fragment_in_thread = (uint32_t)(at - a->thread);
	return 0;
}

struct art_frames *art_frames_new(const struct art *a, const struct art_classes *c)
{
	struct art_frames *f = calloc(1, sizeof(*f));

	if (f) {
		f->a = a;
		f->c = c;
	}
	return f;
}

void art_frames_free(struct art_frames *f)
{
	if (f)
		strset_free(&f->texts);
	free(f);
}

uint64_t art_frames_unnamed(const struct art_frames *f)
{
	return f->unnamed;
}

/* --- methods --- */

struct method {
	union {
		uint32_t w[METHOD_WORDS];
		uint64_t wide[METHOD_WORDS / 2];
	};
	struct art_dex dex;
	struct art_dex_method row;
	uint32_t type, class_def;
};

static bool is_of_class(const struct method *m, unsigned number_at, struct art_dex_method *row)
{
	return art_dex_method(&m->dex, m->w[number_at], row) && row->class_type == m->type;
}

/* By both layouts, until one method has told them apart. */
static bool find_row(struct art_frames *f, struct method *m)
{
	struct art_dex_method old, new;
	bool is_old = f->number_at != NEW_NUMBER_AT && is_of_class(m, OLD_NUMBER_AT, &old);
	bool is_new = f->number_at != OLD_NUMBER_AT && is_of_class(m, NEW_NUMBER_AT, &new);

	if (is_old == is_new)
		return false;
	f->number_at = is_old ? OLD_NUMBER_AT : NEW_NUMBER_AT;
	m->row = is_old ? old : new;
	return true;
}

static bool read_class(struct art_frames *f, struct method *m)
{
	return art_class_dex(f->c, m->w[0], &m->dex, &m->type, &m->class_def) && find_row(f, m);
}

static bool is_native(const struct method *m)
{
	return m->w[1] & ACCESS_NATIVE;
}

static bool find_code(const struct art_frames *f, const struct method *m, struct art_dex_code *out)
{
	uint64_t at =
	    f->number_at == OLD_NUMBER_AT ? m->dex.begin + m->w[OLD_CODE_AT] : m->wide[NEW_CODE_AT / 2];

	return !is_native(m) && !(at & NEW_CODE_COMPACT) && art_dex_code(&m->dex, at, out);
}

/* Which instruction a frame is at. false: this is no frame of such a method. */
static bool find_insn(const struct art_dex_code *code, uint64_t executes, uint32_t *insn)
{
	uint64_t at = executes & RAW_BCP_MASK, words = executes >> RAW_METHOD_SHIFT, bytes;

	if (words == METHOD_BY_INDEX) {
		*insn = (uint32_t)at;
		return at < code->nr_insns;
	}
	bytes = SAVED_BYTES + FRAME_FIXED_BYTES + 8ull * code->registers + 4ull * code->outs;
	*insn = (uint32_t)((at - code->insns) / CODE_ALIGN);
	return at >= code->insns && at % CODE_ALIGN == 0 &&
	       (at - code->insns) / CODE_ALIGN < code->nr_insns &&
	       words * 8 == (bytes + FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN;
}

/* --- frames --- */

static int add(struct art_frames *f, const struct frame *frame, struct frames *out)
{
	struct frame *added = VEC_ADD(out);

	if (!added)
		return -ENOMEM;
	*added = *frame;
	f->unnamed += frame->lacks == END_UNNAMED;
	return 0;
}

static bool name(struct art_frames *f, const struct method *m, struct frame *out)
{
	char type[DEX_NAME_MAX_BYTES], class[DEX_NAME_MAX_BYTES], method[DEX_NAME_MAX_BYTES],
	    clean[DEX_NAME_MAX_BYTES], symbol[2 * DEX_NAME_MAX_BYTES + 2];

	if (f->texts.bytes > MAX_KEPT_TEXT || !art_dex_type(&m->dex, m->type, type, sizeof(type)) ||
	    !art_binary_name(type, class, sizeof(class)) ||
	    !art_dex_string(&m->dex, m->row.name, method, sizeof(method)))
		return false;
	text_clean(clean, sizeof(clean), method, strlen(method));
	snprintf(symbol, sizeof(symbol), "%s.%s", class, clean);
	out->symbol = strset_add(&f->texts, symbol);
	if (out->symbol && art_dex_source(&m->dex, m->class_def, m->type, clean, sizeof(clean)))
		out->file = strset_add(&f->texts, clean);
	return out->symbol;
}

int art_frames_add(struct art_frames *f, const struct raw_frame *raw, struct frames *out)
{
	const struct frame unnamed = {.type = FRAME_JAVA, .symbol = "[managed frame]", .lacks = END_UNNAMED};
	const struct frame invalid = {.type = FRAME_JAVA, .symbol = "[managed frame]", .lacks = END_METHOD};
	uint64_t addr = raw->a & RAW_ADDR_MASK;
	struct frame frame = {.type = FRAME_JAVA};
	struct art_dex_code code;
	struct method m;
	uint32_t insn = 0;

	if (proc_read(f->a->pid, addr, m.w, sizeof(m.w)))
		return add(f, &unnamed, out);
	if (!m.w[0] && (m.w[OLD_NUMBER_AT] == NO_NUMBER || m.w[NEW_NUMBER_AT] == NO_NUMBER))
		return 0; /* of a transition from managed code to the runtime */
	if (!read_class(f, &m) || !name(f, &m, &frame))
		return add(f, &unnamed, out);
	frame.native_method = is_native(&m);
	if (!raw->b)
		return add(f, &frame, out);
	if (!find_code(f, &m, &code) || !find_insn(&code, raw->b, &insn))
		return add(f, &invalid, out);
	frame.line = frame.file ? art_dex_line(&m.dex, &code, insn) : 0;
	return add(f, &frame, out);
}
