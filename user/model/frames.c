/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which frame a call site is named after, and what two builds of it have in common. See report.h. */
#include <string.h>

#include "base/util.h"
#include "model/report.h"

/*
 * Functions that only hand a call on to JNI or Node-API, by the names that their authors have kept for
 * them: the classes of the JDK's and of Android's jni.h, the crate `jni` of Rust, the generator JavaCPP;
 * those of node-addon-api, the crate `napi` of Rust. Where others may have used the name, too, the file must
 * be one that fits.
 */
static const struct {
	const char *prefix; /* of the symbol */
	const char *suffix; /* of the file; NULL: any, or none known */
} wrappers[] = {
    {"JNIEnv_::", NULL},      {"JavaVM_::", NULL}, /* JDK: jni.h */
    {"_JNIEnv::", NULL},      {"_JavaVM::", NULL}, /* Android: libnativehelper, jni.h */
    {"jni::wrapper::", NULL}, {"jni::", ".rs"},    /* jni-rs; a namespace jni of C++ is somebody's own */
    {"JavaCPP_", NULL},                            /* JavaCPP: tools/Generator.java */
    {"Napi::", NULL},         {"napi::", ".rs"},   /* node-addon-api: napi-inl.h; napi-rs */
};

static bool ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);

	return n >= k && !strcmp(s + n - k, suffix);
}

bool frame_is_wrapper(const struct frame *f)
{
	/* Rust: "<jni::Type>::method", "<jni::Type as Trait>::method" */
	const char *symbol = f->symbol && f->symbol[0] == '<' ? f->symbol + 1 : f->symbol;

	if (f->type != FRAME_NATIVE || !symbol)
		return false;
	for (size_t i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++)
		if (*symbol == *wrappers[i].prefix &&
		    !strncmp(symbol, wrappers[i].prefix, strlen(wrappers[i].prefix)) &&
		    (!wrappers[i].suffix || (f->file && ends_with(f->file, wrappers[i].suffix))))
			return true;
	return false;
}

/*
 * Files whose functions call whatever function a script names, by how their names begin: libffi, and what
 * binds it to scripting languages (the gem ffi, ctypes, cffi). It is the script that calls.
 */
static const char *const go_betweens[] = {"libffi.so", "ffi_c.so", "_ctypes.", "_cffi_backend."};

static bool is_go_between(const struct frame *f)
{
	for (size_t i = 0;
	     f->type == FRAME_NATIVE && f->module && i < sizeof(go_betweens) / sizeof(go_betweens[0]); i++)
		if (!strncmp(f->module, go_betweens[i], strlen(go_betweens[i])))
			return true;
	return false;
}

const struct frame *frames_caller(const struct frames *frames)
{
	const struct frame *first = NULL, *between = NULL;

	for (size_t i = 0; i < frames->n; i++) {
		const struct frame *f = &frames->v[i];

		if (f->type == FRAME_VM)
			continue;
		if (!first && is_go_between(f)) {
			between = between ?: f;
			continue;
		}
		if (!first && between && f->lacks)
			return between;
		if (first && (f->type != FRAME_NATIVE || f->lacks)) /* the wrapper's caller is not known */
			return first;
		first = first ?: f;
		if (!frame_is_wrapper(f))
			return f;
	}
	return first ?: between ?: frames->n ? &frames->v[0] : NULL;
}

const struct frame *frames_java_caller(const struct frames *frames)
{
	const struct frame *native = NULL;

	for (size_t i = 0; i < frames->n; i++) {
		const struct frame *f = &frames->v[i];

		if (!frame_is_managed(f))
			continue;
		if (!f->native_method)
			return f;
		native = native ?: f;
	}
	return native;
}

static uint64_t hash_str(uint64_t h, const char *s)
{
	return s ? fnv64(h, s, strlen(s) + 1) : fnv64(h, "", 1);
}

/* Inlined frames count as the others do: what is inlined differs from build to build. */
uint64_t frames_name_key(const char *func, const struct frames *frames)
{
	uint64_t h = hash_str(FNV64_INIT, func);

	for (size_t i = 0; i < frames->n; i++)
		h = hash_str(h, frames->v[i].symbol ? frames->v[i].symbol : frames->v[i].module);
	return h;
}
