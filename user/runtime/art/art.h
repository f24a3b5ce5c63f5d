/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ART in one process, read from outside: no symbol of libart is used, nor the size or layout of any of its
 * objects taken for granted. A table of JNI functions has a shape, a JNIEnv begins with the address of one,
 * and from there each step is proven by what stands behind it.
 *
 * Sources are ART's own files, named where a fact of theirs is used; measured on Android 10, 11 and 14.
 */
#ifndef JNITRACE_ART_H
#define JNITRACE_ART_H

#include "runtime/runtime.h"

#define ART_ENV_RESERVED 4   /* null words that a table of JNI functions begins with */
#define ART_ENV_SLOTS    233 /* with those; JNI 9 has a 234th, GetModule, and later ones more */
#define ART_VM_RESERVED  3
#define ART_VM_SLOTS     8
#define ART_MAX_TABLES   8

struct art_classes;
struct art_frames;

/* Tables of JNI functions in libart's data (ART: runtime/jni/jni_internal.cc, check_jni.cc). */
struct art_tables {
	uint64_t at[ART_MAX_TABLES];
	bool plain[ART_MAX_TABLES]; /* of art::JNI, which does the work; others check arguments and call it */
	size_t n;
};

/* A reference table (ART: runtime/indirect_reference_table.h): a field's offset in JavaVMExt. */
struct art_irt {
	bool found;
	uint16_t table, top, holes;
};
struct art_layout {
	struct art_irt of[NR_VM_TABLES];
	unsigned entry_bytes; /* 16: {serial, 3 references}, 8: {serial, reference}; 0: not proven yet */
	unsigned local_entry_bytes; /* of tables of local references: the same, or 4; 0: not known */
};

struct art {
	struct vm vm; /* the first member: see struct vm */
	pid_t pid;
	const struct vm_file *file; /* not owned */
	struct art_tables tables;
	/* Found when they are needed for the first time; 0: not yet. */
	uint64_t env, thread, java_vm;
	uint64_t jni_env_bytes; /* offset of the JNIEnv in a Thread */
	struct art_layout layout;
	char version[16];            /* of Android, as far as the layout tells; "": not proven yet */
	struct art_classes *classes; /* NULL: not needed yet */
	struct art_frames *frames;   /* likewise */
};

/* An error of this process; returns rc. */
int art_error(const struct art *a, struct error *err, int rc, const char *why);
/* Is this address in libart's code? */
bool art_in_code(const struct art *a, uint64_t addr);
/* Is this mapping one of libart's file? */
bool art_is_library(const struct art *a, const struct mapping *m);
/* May it hold a JNIEnv: memory of malloc() and the like, and no Java heap? */
bool art_may_hold_env(const struct art *a, const struct mapping *m);

#endif
