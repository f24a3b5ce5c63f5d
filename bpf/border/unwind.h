/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Unwind tables as the loader writes and native_step() reads them.
 *
 * A module (a file with code) has one table, shared by every process that maps it. It is an array of
 * 64-bit words: the header, the rules, then the rows sorted by address. A row holds for all addresses
 * from its own up to the next row's.
 */
#ifndef JNITRACE_UNWIND_H
#define JNITRACE_UNWIND_H

#include "border/shared.h"

#define JT_UNWIND_TABLES      4096      /* modules of all targets */
#define JT_UNWIND_RANGES      (1 << 16) /* mapped pieces of code of all targets */
#define JT_UNWIND_RANGES_MAX  4096      /* of one target; 2^JT_UNWIND_RANGE_STEPS > it */
#define JT_UNWIND_RANGE_STEPS 13
#define JT_UNWIND_WORDS_MAX   (1 << 22) /* of one table: 32 MiB; 2^JT_UNWIND_ROW_STEPS > it */
#define JT_UNWIND_ROW_STEPS   23
#define JT_UNWIND_CACHE       (1 << 14) /* return addresses whose rule is remembered */

/* How to find the canonical frame address (CFA): the stack pointer before the call. */
enum unwind_kind {
	UNWIND_NO_CFI,   /* nothing is known of this code */
	UNWIND_SP,       /* sp + cfa_offset */
	UNWIND_FP,       /* fp + cfa_offset */
	UNWIND_FP_DEREF, /* the word at fp + cfa_offset; the caller's fp at fp: a realigned stack */
	UNWIND_PLT,      /* sp + 8, and 8 more from byte cfa_offset of a 16-byte entry on */
	UNWIND_FP_CODE, /* as UNWIND_FP, at calls; by the function's first instructions, there being no CFI */
	UNWIND_SCRIPT,  /* as UNWIND_FP_CODE, of a script engine, which keeps whose frame it is in it */
	UNWIND_SPILLED, /* cfa_offset above a stack pointer that was saved, see unwind_spilled() */
	UNWIND_SIGNAL,  /* the kernel's signal frame, at sp */
	UNWIND_BOTTOM,  /* there is no caller */
	UNWIND_RICH,    /* a rule that has no place here */
	/* not in tables, said by unwind_find(): */
	UNWIND_NO_TABLE,
	UNWIND_NOT_CODE,
	UNWIND_CLOSING,
	UNWIND_KINDS
};

/* Where the return address is. */
#define UNWIND_RA_IN_REGISTER 0    /* link register, arm64 only */
#define UNWIND_RA_AFTER_FP    0xff /* the word above the saved fp: an AAPCS64 frame record */

/* One word of the table. Distances are in words of 8 bytes, downwards from the CFA. */
struct unwind_rule {
	s32 cfa_offset; /* bytes, or see enum unwind_kind */
	u16 fp_words;   /* the caller's fp is saved there; 0: it is still in its register */
	u8 ra_words;    /* x86-64: always 1 */
	u8 kind;        /* enum unwind_kind */
};
struct unwind_row {
	u32 pc;   /* offset from the table's base */
	u32 rule; /* index into the rules */
};
struct unwind_head {
	u32 nr_rules;
	u32 nr_rows;
};

/* A mapped piece of code. The ranges of a target are sorted and disjoint. */
#define UNWIND_TABLE_NONE  0      /* not loaded (yet) */
#define UNWIND_TABLE_EMPTY 0xffff /* there is no CFI in that file */
struct unwind_range {
	u64 start, end; /* addresses in the target */
	u64 base;       /* address in the target of its table's base */
	u16 table;      /* index into unwind_tables, or UNWIND_TABLE_* */
	u16 wanted;     /* set by BPF: a frame lay in it while there was no table */
	u32 code;       /* which code its addresses mean, see placement_code() */
};

/*
 * The ranges of one target, replaced by one store: first index (20 bits), count (13 bits), generation
 * (31 bits; never the same twice in a run, so that nothing remembered of another layout is believed).
 */
struct unwind_space {
	u64 layout;     /* or UNWIND_CLOSED: the target closed libraries since the loader read its mappings */
	u64 link_debug; /* address of the target's struct link_debug; 0: unknown */
	u32 closings;   /* BPF: times that code may have gone */
	u32 added;      /* BPF: times that code may have come */
	u32 added_seen; /* loader: of those, in the layout */
	u32 turn;       /* loader: how many targets have had this number before */
	u32 linker;     /* BPF: enum link_state, when it last called */
	u32 opened;     /* BPF: number of the last library in code_opened messages; 0: none yet */
	u32 openings;   /* BPF: times that a library was opened, and given a number */
	u32 function_info; /* loader: see script_function(); 0: there is no script engine */
	u32 generates;     /* loader: see unwind_generated() */
	u32 pad;
	u64 last_link; /* BPF: a struct link_map before those that the linker adds; 0: not known */
};
#define UNWIND_LAYOUT(first, n, generation) ((u64)(first) | (u64)(n) << 20 | (u64)(generation) << 33)
#define UNWIND_LAYOUT_FIRST(l)              ((u32)(l)&0xfffff)
#define UNWIND_LAYOUT_COUNT(l)              ((u32)((l) >> 20) & 0x1fff)
/* More ranges than there can be, and never the same word twice. */
#define UNWIND_CLOSED(closings) UNWIND_LAYOUT(0, 0x1fff, closings)
#define UNWIND_IS_CLOSED(l)     (UNWIND_LAYOUT_COUNT(l) == 0x1fff)

/*
 * What the dynamic linker tells debuggers (link.h, struct r_debug; musl's is the same). It says
 * LINK_CONSISTENT after each change, and where there was none. version is 2 when there are several
 * namespaces, each with a state of its own (glibc from 2.35; before it is always 1).
 */
enum link_state { LINK_CONSISTENT, LINK_ADD, LINK_DELETE };
struct link_debug {
	s32 version;
	u32 pad;
	u64 map, brk;
	u32 state;
	u32 pad2;
};

/* An entry of its list, in the order in which they were opened (link.h, struct link_map; musl's is the same).
 */
struct link_map {
	u64 addr; /* what is added to link-time addresses */
	u64 name; /* path */
	u64 dynamic, next, prev;
};

/*
 * A library that was opened, as it was mapped then: it may be closed again before the loader has read the
 * mappings, and what it called meanwhile is still to be named. The last few openings of each target.
 *
 * What is closed and opened again, the same build by the same path at the same place, is the same to stacks,
 * which are told by what: a program that does so for ever has no more of them each time. It has the number,
 * too, that it had, unless JT_OPENED_KNOWN others have had numbers since, as the loader has then forgotten
 * it.
 */
#define JT_OPENED       32
#define JT_OPENED_KNOWN 512
struct opened_code {
	u64 start, end; /* of its code */
	u64 bias;       /* as addr above */
	u32 id;         /* in its target, from 1; 0: not in use */
	u32 opening;    /* of the target's openings */
	u32 what;       /* a hash of build, path and place; of a library that has no build-id, its number's */
	u32 pad;
};

/*
 * A message of code_changes, of jnitrace run: this process, by the tracer's numbers, has stopped behind a
 * change of its list of libraries, before any code of them runs. It waits to be told to go on.
 */
struct code_held {
	u32 target_id; /* JT_MAX_TARGETS: none's */
	u32 pid;
};

/*
 * Another one: a handle is released by a function at an address (books/finalizers.bpf.h) that is not known
 * yet. closings: as in struct unwind_space, when that was.
 */
#define JT_FINALIZER_ASKED (JT_MAX_TARGETS + 1)
struct finalizer_asked {
	u32 target_id; /* JT_FINALIZER_ASKED; whose it is says the key */
	u32 closings;
	struct finalizer_key key;
};

/* Another one: that much of an opened library. Others are a target's number alone. */
#define JT_OPENED_PATH 1024 /* as the target wrote it; what is longer is cut */
#define JT_OPENED_HEAD 1024 /* first bytes in memory: ELF header, program headers, mostly the build-id */
struct code_opened {
	u32 target_id;
	u32 pad;
	struct opened_code code;
	char path[JT_OPENED_PATH]; /* terminated */
	u8 head[JT_OPENED_HEAD];
};

/* A remembered rule. Believed only when check fits rule, code, address and layout: no lock, no torn reads. */
struct unwind_cached {
	u64 rule;
	u64 check;
	u32 code; /* of the range */
	u32 pad;
};

JT_ASSERT_SIZE(struct unwind_rule, 8);
JT_ASSERT_SIZE(struct unwind_row, 8);
JT_ASSERT_SIZE(struct unwind_head, 8);
JT_ASSERT_SIZE(struct unwind_range, 32);
JT_ASSERT_SIZE(struct unwind_space, 64);
JT_ASSERT_SIZE(struct link_debug, 32);
JT_ASSERT_SIZE(struct link_map, 40);
JT_ASSERT_SIZE(struct code_held, 8);
JT_ASSERT_SIZE(struct finalizer_asked, 24);
JT_ASSERT_SIZE(struct opened_code, 40);
JT_ASSERT_SIZE(struct code_opened, 48 + JT_OPENED_PATH + JT_OPENED_HEAD);
JT_ASSERT_SIZE(struct unwind_cached, 24);

#endif
