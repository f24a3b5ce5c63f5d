/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The native part of the benchmark: tight loops, timed inside. */
#include <jni.h>
#include <stdlib.h>
#include <time.h>

static jobject *kept;
static jint nr_kept;

static jlong now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

JNIEXPORT jlong JNICALL Java_Bench_pairs(JNIEnv *env, jclass cls, jobject o, jint n)
{
	jlong start = now_ns();

	(void)cls;
	for (jint i = 0; i < n; i++) {
		jobject ref = (*env)->NewGlobalRef(env, o);

		(*env)->DeleteGlobalRef(env, ref);
	}
	return now_ns() - start;
}

JNIEXPORT void JNICALL Java_Bench_keep(JNIEnv *env, jclass cls, jobject o, jint n)
{
	(void)cls;
	kept = calloc(n, sizeof(*kept));
	if (!kept)
		abort();
	for (nr_kept = 0; nr_kept < n; nr_kept++)
		kept[nr_kept] = (*env)->NewGlobalRef(env, o);
}

JNIEXPORT void JNICALL Java_Bench_letgo(JNIEnv *env, jclass cls)
{
	(void)cls;
	while (nr_kept > 0)
		(*env)->DeleteGlobalRef(env, kept[--nr_kept]);
	free(kept);
	kept = NULL;
}
