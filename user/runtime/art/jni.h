/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ART's tables of JNI functions, and the JNIEnvs that name them. */
#ifndef JNITRACE_ART_JNI_H
#define JNITRACE_ART_JNI_H

#include "runtime/art/art.h"

/* The tables in libart's data. -EAGAIN: there is none (yet); or -errno. */
int art_find_tables(const struct art *a, const struct proc_maps *maps, struct art_tables *out);

/* A thread that is attached: its JNIEnv and what that names. */
struct art_env {
	uint64_t env, thread, java_vm;
	uint64_t jni_env_bytes; /* where the Thread names the JNIEnv */
};
struct art_envs {
	struct art_env *v;
	size_t n, cap;
};
/* All that are found, or the first one. The caller frees out->v. 0 or -errno. */
int art_find_envs(const struct art *a, bool first_only, struct art_envs *out);
/* Sets a->env and what belongs to it. -EAGAIN: no thread is attached yet. */
int art_prove_env(struct art *a);

int art_function_table(struct art *a, struct function_table *out, struct error *err);
/* A row's nth symbol, as struct runtime has it. */
bool art_symbol(const struct func_row *row, unsigned nth, char *name, size_t cap);

#endif
