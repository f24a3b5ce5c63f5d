/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The JNI function tables in the VM's memory. */
#ifndef JNITRACE_HOTSPOT_JNI_H
#define JNITRACE_HOTSPOT_JNI_H

#include "runtime/hotspot/hotspot.h"

/*
 * Run-time addresses of the functions behind the JNI function tables: env[slot] of
 * JNINativeInterface_, vm[slot] of JNIInvokeInterface_; 0 where a slot is empty or points outside
 * libjvm. With -Xcheck:jni this is the table below the checking one. vm is all zero where it could
 * not be proven. -ENOENT with the reason when env cannot be proven; -EAGAIN, err untouched, while there
 * is no Java thread yet to prove it by.
 */
#define JNI_ENV_SLOTS                                                                                        \
	233 /* the JNI 1.6 table, GetObjectRefType is its last; later slots by the VM's version */
#define JNI_ENV_SLOTS_MAX 240
#define JNI_VM_SLOTS      8
struct jni_tables {
	uint64_t env[JNI_ENV_SLOTS_MAX];
	uint64_t vm[JNI_VM_SLOTS];
	int nr_env; /* slots that the table of this Java version has */
};
int hotspot_jni_tables(struct hotspot *h, struct jni_tables *out, struct error *err);

/*
 * Where a JavaThread has its JNIEnv, and the function tables a JNIEnv may name (table[1] 0: only one).
 * -EAGAIN: no thread yet; -ENOENT with the reason.
 */
struct jni_env {
	size_t offset_bytes;
	uint64_t table[2];
};
int hotspot_jni_env(const struct hotspot *h, struct jni_env *out, struct error *err);

/*
 * Of a VM that is held as it starts: has it read its options, and is there a thread that can make the first
 * call? 0; -EAGAIN with the reason: not yet.
 */
int hotspot_jni_begins(const struct hotspot *h, struct error *err);

/* Does it run with -Xcheck:jni? false also when that is not known. */
bool hotspot_checks_jni(const struct hotspot *h);
/* Up to cap addresses of JavaThreads. */
size_t hotspot_java_threads(const struct hotspot *h, uint64_t *out, size_t cap);

#endif
