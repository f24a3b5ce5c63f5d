/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * libart has three or four tables of JNI functions: those of art::JNI, of which Android 11 and later have two
 * (one for method ids that are indices); the checking ones, which call the former; and one of threads that
 * outlive the runtime, in which all slots name one function that sleeps for ever. Only the functions of the
 * first are probed: with CheckJNI a call comes to both.
 */
#include "runtime/art/jni.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DATA_BYTES   (64u << 20)
#define MAX_SCAN_BYTES   (1ull << 30) /* of a process's memory, for its JNIEnvs */
#define SCAN_BYTES       (1u << 20)   /* at once */
#define MAX_ENVS         8192
#define THREAD_BYTES     0x800 /* of a Thread, in which it names its JNIEnv */
#define JAVA_VM_BYTES    0x400
#define SLOT_GET_VERSION 4
#define CODE_BYTES       24 /* of GetVersion */

/* --- tables by their shape --- */

static bool is_env_table(const struct art *a, const uint64_t *w)
{
	bool differ = false;

	for (int i = 0; i < ART_ENV_RESERVED; i++)
		if (w[i])
			return false;
	for (int i = ART_ENV_RESERVED; i < ART_ENV_SLOTS; i++) {
		if (!art_in_code(a, w[i]))
			return false;
		differ |= w[i] != w[ART_ENV_RESERVED];
	}
	return differ; /* else it is the one whose function sleeps */
}

/*
 * art::JNI's GetVersion returns the number of JNI 1.6 at once (ART: runtime/jni/jni_internal.cc); that which
 * checks calls it first. x86-64: mov $0x10006,%eax; arm64: mov w0,#6; movk w0,#1,lsl #16.
 */
static bool is_plain(const struct art *a, uint64_t get_version)
{
	static const uint8_t x86[] = {0xb8, 0x06, 0x00, 0x01, 0x00};
	static const uint8_t arm64[] = {0xc0, 0x00, 0x80, 0x52, 0x20, 0x00, 0xa0, 0x72};
	uint8_t code[CODE_BYTES];
	size_t n = elf_read(a->file->elf, get_version - a->file->bias, code, sizeof(code));

	return memmem(code, n, x86, sizeof(x86)) || memmem(code, n, arm64, sizeof(arm64));
}

static int find_in(const struct art *a, const struct mapping *m, struct art_tables *out)
{
	size_t bytes = m->end - m->start, n = bytes / sizeof(uint64_t);
	uint64_t *w = malloc(bytes);
	int rc = w ? proc_read(a->pid, m->start, w, bytes) : -ENOMEM;

	for (size_t i = 0; rc == 0 && i + ART_ENV_SLOTS <= n && out->n < ART_MAX_TABLES; i++) {
		if (!is_env_table(a, w + i))
			continue;
		out->at[out->n] = m->start + i * sizeof(*w);
		out->plain[out->n++] = is_plain(a, w[i + SLOT_GET_VERSION]);
		i += ART_ENV_SLOTS - 1;
	}
	free(w);
	return rc == -EFAULT || rc == -EIO ? 0 : rc; /* it was unmapped meanwhile */
}

int art_find_tables(const struct art *a, const struct proc_maps *maps, struct art_tables *out)
{
	uint64_t bytes = 0;
	int rc = 0;

	*out = (struct art_tables){0};
	for (size_t i = 0; i < maps->n && rc == 0; i++) {
		const struct mapping *m = &maps->v[i];

		if (!art_is_library(a, m) || m->executable || !m->readable)
			continue;
		bytes += m->end - m->start;
		if (bytes > MAX_DATA_BYTES)
			return -EPROTO;
		rc = find_in(a, m, out);
	}
	return rc ?: out->n ? 0 : -EAGAIN;
}

/* --- JNIEnvs --- */

static bool is_table(const struct art *a, uint64_t word)
{
	for (size_t i = 0; i < a->tables.n; i++)
		if (a->tables.at[i] == word)
			return true;
	return false;
}

/* Where a Thread names its JNIEnv; 0: nowhere, so it is none. */
static uint64_t env_in_thread(const struct art *a, uint64_t thread, uint64_t env)
{
	uint64_t w[THREAD_BYTES / 8];

	if (thread % 8 || proc_read(a->pid, thread, w, sizeof(w)))
		return 0;
	for (size_t i = 1; i < ARRAY_LEN(w); i++)
		if (w[i] == env)
			return i * 8;
	return 0;
}

static bool is_vm_table(const struct art *a, uint64_t table)
{
	uint64_t w[ART_VM_SLOTS];

	if (table % 8 || proc_read(a->pid, table, w, sizeof(w)))
		return false;
	for (int i = 0; i < ART_VM_SLOTS; i++)
		if (i < ART_VM_RESERVED ? w[i] != 0 : !art_in_code(a, w[i]))
			return false;
	return true;
}

/* JNIEnvExt { functions, self_, vm_, ... } (ART: runtime/jni/jni_env_ext.h), JavaVMExt { functions, ... } */
static bool is_env(const struct art *a, uint64_t env, struct art_env *out)
{
	uint64_t w[3], vm_table;

	if (proc_read(a->pid, env, w, sizeof(w)) || !is_table(a, w[0]) || w[2] % 8 ||
	    proc_read(a->pid, w[2], &vm_table, sizeof(vm_table)))
		return false;
	*out = (struct art_env){env, w[1], w[2], env_in_thread(a, w[1], env)};
	return out->jni_env_bytes && is_vm_table(a, vm_table);
}

static int scan(const struct art *a, const uint64_t *w, size_t n, uint64_t start, struct art_envs *out)
{
	for (size_t i = 0; i < n && out->n < MAX_ENVS; i++) {
		struct art_env env, *added;

		if (!is_table(a, w[i]) || !is_env(a, start + i * sizeof(*w), &env))
			continue;
		added = VEC_ADD(out);
		if (!added)
			return -ENOMEM;
		*added = env;
	}
	return 0;
}

int art_find_envs(const struct art *a, bool first_only, struct art_envs *out)
{
	struct proc_maps maps;
	uint64_t *chunk = malloc(SCAN_BYTES), read = 0;
	int rc = chunk ? proc_maps_read(a->pid, &maps) : -ENOMEM;

	*out = (struct art_envs){0};
	if (rc) {
		free(chunk);
		return rc;
	}
	for (size_t i = 0; i < maps.n && rc == 0; i++) {
		const struct mapping *m = &maps.v[i];

		for (uint64_t at = m->start; art_may_hold_env(a, m) && at < m->end && rc == 0;) {
			size_t bytes = m->end - at < SCAN_BYTES ? m->end - at : SCAN_BYTES;

			if (read > MAX_SCAN_BYTES || (first_only && out->n))
				break;
			if (proc_read(a->pid, at, chunk, bytes) == 0)
				rc = scan(a, chunk, bytes / sizeof(*chunk), at, out);
			read += bytes;
			at += bytes;
		}
	}
	proc_maps_free(&maps);
	free(chunk);
	if (rc) {
		free(out->v);
		*out = (struct art_envs){0};
	}
	return rc;
}

int art_prove_env(struct art *a)
{
	struct art_envs envs;
	struct art_env env;
	int rc;

	if (a->env && is_env(a, a->env, &env) && env.java_vm == a->java_vm)
		return 0;
	rc = art_find_envs(a, true, &envs);
	if (rc == 0 && envs.n == 0)
		rc = -EAGAIN;
	if (rc == 0) {
		a->env = envs.v[0].env;
		a->thread = envs.v[0].thread;
		a->java_vm = envs.v[0].java_vm;
		a->jni_env_bytes = envs.v[0].jni_env_bytes;
	}
	free(envs.v);
	return rc;
}

/* --- functions --- */

/*
 * The invocation interface that does the work: JavaVMExt begins with the table that is called through, and
 * has that of art::JII further in, as unchecked_functions_ (ART: runtime/jni/java_vm_ext.h). 0: not found.
 */
static uint64_t vm_table_of(struct art *a)
{
	uint64_t w[JAVA_VM_BYTES / 8];

	if (art_prove_env(a) || proc_read(a->pid, a->java_vm, w, sizeof(w)))
		return 0;
	for (size_t i = 1; i < ARRAY_LEN(w); i++)
		if (w[i] && is_vm_table(a, w[i]))
			return w[i];
	return 0;
}

int art_function_table(struct art *a, struct function_table *out, struct error *err)
{
	uint64_t env[FUNC_VARIANTS][ART_ENV_SLOTS], vm[ART_VM_SLOTS] = {0}, vm_table = vm_table_of(a);
	size_t n = 0;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < a->tables.n; i++) {
		if (!a->tables.plain[i])
			continue;
		if (n == FUNC_VARIANTS)
			return art_error(a, err, -ENOENT,
					 "it has more tables of JNI functions than are known");
		if (proc_read(a->pid, a->tables.at[i], env[n++], sizeof(env[0])))
			return art_error(a, err, -ENOENT, "its tables of JNI functions cannot be read");
	}
	if (n == 0)
		return art_error(a, err, -ENOENT,
				 "which of its tables of JNI functions does the work is not known");
	if (vm_table && proc_read(a->pid, vm_table, vm, sizeof(vm)))
		memset(vm, 0, sizeof(vm));
	for (int f = 0; f < NR_ALL_FUNCS; f++) {
		const struct func_row *row = &jni_catalog.funcs[f];

		if (!row->name)
			continue;
		out->absent[f] = row->table == TABLE_ENV && row->index >= ART_ENV_SLOTS;
		if (row->table == TABLE_VM)
			out->at[0][f] = row->index < ART_VM_SLOTS ? vm[row->index] : 0;
		for (size_t i = 0; i < n && row->table == TABLE_ENV && row->index < ART_ENV_SLOTS; i++)
			out->at[i][f] = env[i][row->index];
	}
	return 0;
}

/* art::JNI::X of Android 10, art::JNI<false>::X and art::JNI<true>::X since 11; art::JII::X of a JavaVM. */
bool art_symbol(const struct func_row *row, unsigned nth, char *name, size_t cap)
{
	static const char *const scopes[] = {"3JNI", "3JNIILb0EE", "3JNIILb1EE"};

	if (nth >= (row->table == TABLE_VM ? 1 : ARRAY_LEN(scopes)))
		return false;
	snprintf(name, cap, "_ZN3art%s%zu%sE*", row->table == TABLE_VM ? "3JII" : scopes[nth],
		 strlen(row->name), row->name);
	return true;
}
