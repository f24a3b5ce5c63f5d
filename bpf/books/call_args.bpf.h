/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * --check: the references among the arguments of Call<Type>Method and NewObject. Which of them are references
 * the signature of the method says (JDK: oops/method.hpp, oops/constMethod.hpp; a jmethodID is where the
 * Method* is, up to JDK 25). Where they are: JNI's jvalue arrays everywhere, variable arguments and va_list
 * by the ABI of x86-64 alone (System V ABI, 3.2.3 and 3.5.7).
 */
#ifndef JNITRACE_CALL_ARGS_BPF_H
#define JNITRACE_CALL_ARGS_BPF_H

#include "books/misuse.bpf.h"
#include "border/threads.h"

#define MAX_CALL_ARGS 15  /* that are looked at */
#define MAX_SIGNATURE 255 /* bytes of it that are read */

/* What an argument is, 2 bits each in a word, the first one lowest. */
enum arg_kind { ARG_NONE, ARG_WORD, ARG_REF, ARG_FLOAT };
#define ARG_BITS 2
/* The rest of that word, while the signature is read. */
#define SIG_ARGS(state)  ((state) >> 32 & 15)
#define SIG_NEXT_ARG     (1ULL << 32)
#define SIG_IN_CLASS     (1ULL << 40)
#define SIG_IN_ARRAY     (1ULL << 41)
#define SIG_END          (1ULL << 42)
#define SIG_BAD          (1ULL << 43)
#define SIG_KINDS(state) ((state) & ((1ULL << MAX_CALL_ARGS * ARG_BITS) - 1))

struct method_kinds {
	u64 kinds;
	u64 method; /* Method*: a jmethodID may be another's one day */
};
MAP_LRU(method_kinds, u64, struct method_kinds); /* by ref_tag() of the jmethodID */

/* One byte of a signature more. A global function, here and below: the verifier need not follow each way. */
__noinline u64 signature_step(u64 state, u32 byte)
{
	u64 kind = ARG_WORD;

	if (state & SIG_IN_CLASS) {
		if (byte != ';')
			return state;
		kind = ARG_REF;
	} else if (byte == ')') {
		return state | SIG_END;
	} else if (byte == '[') {
		return state | SIG_IN_ARRAY;
	} else if (byte == 'L') {
		return state | SIG_IN_CLASS;
	} else if (state & SIG_IN_ARRAY) {
		kind = ARG_REF;
	} else if (byte == 'F' || byte == 'D') {
		kind = ARG_FLOAT;
	} else if (byte != 'Z' && byte != 'B' && byte != 'C' && byte != 'S' && byte != 'I' && byte != 'J') {
		return state | SIG_BAD;
	}
	state &= ~(SIG_IN_CLASS | SIG_IN_ARRAY);
	if (SIG_ARGS(state) == MAX_CALL_ARGS)
		return state | SIG_END;
	return (state | kind << (SIG_ARGS(state) * ARG_BITS & 63)) + SIG_NEXT_ARG;
}

/* The kinds of this method's arguments; 0: none, or not known. */
__noinline u64 signature_read(u32 target_id, u64 method)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);
	u64 cm = 0, pool = 0, symbol = 0, state = 0;
	u16 index = 0, length = 0;
	u8 byte = 0;

	if (!c || !c->symbol_body ||
	    bpf_probe_read_user(&cm, sizeof(cm), (void *)(method + c->constmethod)) ||
	    bpf_probe_read_user(&pool, sizeof(pool), (void *)(cm + c->constants)) ||
	    bpf_probe_read_user(&index, sizeof(index), (void *)(cm + c->signature_index)) ||
	    bpf_probe_read_user(&symbol, sizeof(symbol), (void *)(pool + c->pool_bytes + index * 8ULL)) ||
	    bpf_probe_read_user(&length, sizeof(length), (void *)(symbol + c->symbol_length)) ||
	    bpf_probe_read_user(&byte, 1, (void *)(symbol + c->symbol_body)) || byte != '(')
		return 0;
	for (u32 i = 1; i < MAX_SIGNATURE; i++) {
		if (i >= length || bpf_probe_read_user(&byte, 1, (void *)(symbol + c->symbol_body + i)))
			break;
		state = signature_step(state, byte);
		if (state & (SIG_END | SIG_BAD))
			break;
	}
	return state & SIG_BAD ? 0 : SIG_KINDS(state);
}

/* The same, from its jmethodID. */
__noinline u64 method_args(u32 target_id, u64 id)
{
	struct method_kinds now = {0}, *known;
	u64 key = ref_tag(target_id, id);

	if (id & 7 || id >> HANDLE_BITS || bpf_probe_read_user(&now.method, sizeof(now.method), (void *)id))
		return 0;
	known = bpf_map_lookup_elem(&method_kinds, &key);
	if (known && known->method == now.method)
		return known->kinds;
	now.kinds = signature_read(target_id, now.method);
	bpf_map_update_elem(&method_kinds, &key, &now, BPF_ANY);
	return now.kinds;
}

/* Where the next argument is: as a va_list tells it; the registers are those of the call, or saved. */
#define GP_BYTES  48  /* of a va_list: the integer registers, */
#define FP_BYTES  176 /* and, behind them, the vector registers */
#define FP_STRIDE 16
#define FIRST_GP  3 /* the first of them that may be one: JNIEnv, object and jmethodID come before */
#define NR_GP     4 /* a power of two, for 3 */
struct arg_cursor {
	u32 gp_offset, fp_offset;
	u64 overflow; /* address of the arguments on the stack, or of a jvalue array */
	u64 saved;    /* where the registers were saved; 0: gp has them */
	u64 gp[NR_GP];
};

/* The next argument, of this kind; 0 where that is no reference, or cannot be read. */
__noinline u64 arg_next(struct arg_cursor *a, u32 kind)
{
	u64 word = 0, at;
	u32 reg;

	if (!a)
		return 0;
	if (kind == ARG_FLOAT && a->fp_offset < FP_BYTES) {
		a->fp_offset += FP_STRIDE;
		return 0;
	}
	if (kind != ARG_FLOAT && a->gp_offset < GP_BYTES) {
		reg = a->gp_offset / 8;
		at = a->saved + a->gp_offset;
		a->gp_offset += 8;
		if (!a->saved)
			return a->gp[(reg - FIRST_GP) & (NR_GP - 1)];
	} else {
		at = a->overflow;
		a->overflow += 8;
	}
	if (kind == ARG_REF)
		bpf_probe_read_user(&word, sizeof(word), (void *)at);
	return word;
}

/* Registers of arguments, the JNIEnv is argument 0. By reg_read(): a choice between two is no choice of
 * offsets. */
#if defined(__TARGET_ARCH_x86)
enum { REG_ARG2 = 1, REG_ARG3 = 2, REG_ARG4 = 8, REG_ARG5 = 9 };
#else
enum { REG_ARG2 = 2, REG_ARG3 = 3, REG_ARG4 = 4 };
#endif

/* The first argument. list: what stands behind the jmethodID. */
static __always_inline int args_begin(struct pt_regs *ctx, const struct rule *r, u64 list,
				      struct arg_cursor *a)
{
	if (r->args == ARGS_ARRAY) {
		a->gp_offset = GP_BYTES;
		a->fp_offset = FP_BYTES;
		a->overflow = list;
		return 0;
	}
#if defined(__TARGET_ARCH_x86)
	if (r->args == ARGS_LIST)
		return bpf_probe_read_user(a, 8 + 2 * sizeof(u64), (void *)list);
	a->gp_offset = (r->method_arg + 1) * 8;
	a->fp_offset = GP_BYTES;
	a->overflow = reg_read(ctx, r->caller_cfa.reg) + (s64)r->caller_cfa.offset_bytes;
	a->gp[0] = reg_read(ctx, REG_ARG3);
	a->gp[1] = reg_read(ctx, REG_ARG4);
	a->gp[2] = reg_read(ctx, REG_ARG5);
	return 0;
#else
	(void)ctx;
	return -1;
#endif
}

/* Is a bad reference among the arguments? The first one into v. */
__noinline int args_judge(struct bpf_user_pt_regs_t *regs, const struct rule *r, const struct use *u,
			  struct use_verdict *v)
{
	struct pt_regs *ctx = (void *)regs;
	struct arg_cursor a = {0};
	u64 arg2 = reg_read(ctx, REG_ARG2), arg3 = reg_read(ctx, REG_ARG3), arg4 = reg_read(ctx, REG_ARG4);
	u64 kinds, id, list;

	if (!r || !u || !v)
		return 0;
	id = r->method_arg == 2 ? arg2 : arg3;
	list = r->method_arg == 2 ? arg3 : arg4;
	kinds = method_args(r->target_id, id);
	if (!kinds || args_begin(ctx, r, list, &a))
		return 0;
	for (int i = 0; i < MAX_CALL_ARGS; i++) {
		u32 kind = kinds >> i * ARG_BITS & 3;
		u64 arg;

		if (kind == ARG_NONE)
			break;
		arg = arg_next(&a, kind);
		if (kind != ARG_REF || !arg || arg >> HANDLE_BITS)
			continue;
		v->kind = misuse(r, u, arg, true);
		if (v->kind != NR_FINDINGS) {
			v->handle = arg;
			break;
		}
	}
	return 0;
}

#endif
