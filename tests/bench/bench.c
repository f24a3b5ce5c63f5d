/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The native part of the benchmark: tight loops below 4 frames that have no frame pointer, timed inside.
 * By the thread's CPU time, which does not count what others of a busy machine take.
 */
#include <jni.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static JavaVM *vm;
static jobject object, string, array;
static jobject *kept;
static jint nr_kept;

static jlong cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* No tail calls: each shall have its frame. */
#define NOINLINE __attribute__((noinline))
#define FRAME(name, callee)                                                                                  \
	static NOINLINE void name(JNIEnv *env, jint n)                                                       \
	{                                                                                                    \
		callee(env, n);                                                                              \
		__asm__ volatile("" ::: "memory");                                                           \
	}
/* What a family does once, as a loop in the innermost of 4 functions. */
#define FAMILY(family, ...)                                                                                  \
	static NOINLINE void family##_4(JNIEnv *env, jint n)                                                 \
	{                                                                                                    \
		for (jint i = 0; i < n; i++) {                                                               \
			__VA_ARGS__                                                                          \
		}                                                                                            \
	}                                                                                                    \
	FRAME(family##_3, family##_4)                                                                        \
	FRAME(family##_2, family##_3)                                                                        \
	FRAME(family##_1, family##_2)

FAMILY(global, jobject ref = (*env)->NewGlobalRef(env, object); (*env)->DeleteGlobalRef(env, ref);)
FAMILY(weak, jobject ref = (*env)->NewWeakGlobalRef(env, object); (*env)->DeleteWeakGlobalRef(env, ref);)
FAMILY(local, jobject ref = (*env)->NewLocalRef(env, object); (*env)->DeleteLocalRef(env, ref);)
FAMILY(string, const char *s = (*env)->GetStringUTFChars(env, string, NULL);
       (*env)->ReleaseStringUTFChars(env, string, s);)
FAMILY(array, jint *a = (*env)->GetIntArrayElements(env, array, NULL);
       (*env)->ReleaseIntArrayElements(env, array, a, 0);)
FAMILY(critical, void *a = (*env)->GetPrimitiveArrayCritical(env, array, NULL);
       (*env)->ReleasePrimitiveArrayCritical(env, array, a, 0);)
FAMILY(monitor, (*env)->MonitorEnter(env, object); (*env)->MonitorExit(env, object);)
/* Called with no JNIEnv, from a thread the VM does not know. */
FAMILY(thread, (*vm)->AttachCurrentThread(vm, (void **)&env, NULL); (*vm)->DetachCurrentThread(vm);)

/* What a rule of --pair names: handles of which few are in use again and again, as an allocator's are. */
static char handles[1024];
static unsigned nr_taken;

/* Each has its frame, and so begins with a push, where a probe is cheap. */
#define HAS_FRAME __asm__ volatile("" : : "r"(__builtin_frame_address(0)))

JNIEXPORT NOINLINE void *bench_take(void)
{
	HAS_FRAME;
	return &handles[nr_taken++ % sizeof(handles)];
}

JNIEXPORT NOINLINE void bench_leave(void *handle)
{
	HAS_FRAME;
	__asm__ volatile("" : : "r"(handle) : "memory");
}

FAMILY(handle, (void)env; bench_leave(bench_take());)

typedef void family_fn(JNIEnv *env, jint n);
static family_fn *const families[] = {global_1, weak_1,     local_1,   string_1,
				      array_1,  critical_1, monitor_1, handle_1};
#define NR_FAMILIES (jint)(sizeof(families) / sizeof(families[0]))

struct attacher {
	jint n;
	jlong ns;
};

static void *attach_and_detach(void *arg)
{
	struct attacher *a = arg;
	jlong start = cpu_ns();

	thread_1(NULL, a->n);
	a->ns = cpu_ns() - start;
	return NULL;
}

/* In the order of Bench.FAMILIES; the last one needs a native thread. */
JNIEXPORT jlong JNICALL Java_Bench_loop(JNIEnv *env, jclass cls, jint family, jint n)
{
	struct attacher a = {.n = n};
	pthread_t thread;
	jlong start;

	(void)cls;
	if (family == NR_FAMILIES) {
		if (pthread_create(&thread, NULL, attach_and_detach, &a))
			abort();
		pthread_join(thread, NULL);
		return a.ns;
	}
	start = cpu_ns();
	families[family](env, n);
	return cpu_ns() - start;
}

JNIEXPORT jlong JNICALL Java_Bench_plain(JNIEnv *env, jclass cls, jint n)
{
	jlong start = cpu_ns();

	(void)cls;
	for (jint i = 0; i < n; i++) {
		jobject ref = (*env)->NewGlobalRef(env, object);

		(*env)->DeleteGlobalRef(env, ref);
	}
	return cpu_ns() - start;
}

JNIEXPORT void JNICALL Java_Bench_pair(JNIEnv *env, jclass cls)
{
	(void)cls;
	global_1(env, 1);
	__asm__ volatile("" ::: "memory");
}

JNIEXPORT jlong JNICALL Java_Bench_cpu(JNIEnv *env, jclass cls)
{
	(void)env, (void)cls;
	return cpu_ns();
}

JNIEXPORT void JNICALL Java_Bench_init(JNIEnv *env, jclass cls, jobject o, jstring s, jintArray a)
{
	(void)cls;
	(*env)->GetJavaVM(env, &vm);
	object = (*env)->NewGlobalRef(env, o);
	string = (*env)->NewGlobalRef(env, s);
	array = (*env)->NewGlobalRef(env, a);
}

JNIEXPORT void JNICALL Java_Bench_keep(JNIEnv *env, jclass cls, jint n)
{
	(void)env, (void)cls;
	kept = calloc(n, sizeof(*kept));
	if (!kept)
		abort();
}

JNIEXPORT void JNICALL Java_Bench_keepOne(JNIEnv *env, jclass cls)
{
	(void)cls;
	kept[nr_kept++] = (*env)->NewGlobalRef(env, object);
}

JNIEXPORT void JNICALL Java_Bench_letgo(JNIEnv *env, jclass cls)
{
	(void)cls;
	while (nr_kept > 0)
		(*env)->DeleteGlobalRef(env, kept[--nr_kept]);
	free(kept);
	kept = NULL;
}
