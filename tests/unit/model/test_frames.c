/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which frame a call site is named after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/report.h"

static const char *caller(const struct frame *v, size_t n)
{
	const struct frames frames = {(struct frame *)v, n, n};
	const struct frame *f = frames_caller(&frames);

	return f ? f->symbol : NULL;
}
#define CALLER(...)                                                                                          \
	caller((const struct frame[]){__VA_ARGS__},                                                          \
	       sizeof((const struct frame[]){__VA_ARGS__}) / sizeof(struct frame))
#define VM(s)                                                                                                \
	{                                                                                                    \
		.type = FRAME_VM, .symbol = (s)                                                              \
	}
#define JAVA(s)                                                                                              \
	{                                                                                                    \
		.type = FRAME_JAVA, .symbol = (s)                                                            \
	}
#define NATIVE(s)                                                                                            \
	{                                                                                                    \
		.type = FRAME_NATIVE, .symbol = (s)                                                          \
	}
#define FROM(s, where)                                                                                       \
	{                                                                                                    \
		.type = FRAME_NATIVE, .symbol = (s), .file = (where)                                         \
	}
#define INLINED(s)                                                                                           \
	{                                                                                                    \
		.type = FRAME_NATIVE, .symbol = (s), .inlined = true                                         \
	}
#define GAP                                                                                                  \
	{                                                                                                    \
		.type = FRAME_NATIVE, .symbol = "[native frames missing]", .lacks = END_NO_CFI               \
	}

static void test_wrappers_are_skipped(void **state)
{
	static const char *const wrappers[] = {
	    "JNIEnv_::NewGlobalRef",
	    "_JNIEnv::NewGlobalRef",
	    "JavaVM_::AttachCurrentThread",
	    "_JavaVM::AttachCurrentThread",
	    "jni::wrapper::jnienv::JNIEnv::new_global_ref",
	    "<jni::wrapper::objects::global_ref::GlobalRefGuard as core::ops::drop::Drop>::drop",
	    "JavaCPP_createPointer",
	};
	(void)state;

	for (size_t i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++) {
		assert_string_equal(CALLER(NATIVE(wrappers[i]), NATIVE("leak"), JAVA("A.leak")), "leak");
		assert_string_equal(
		    CALLER(VM("checked_jni_NewGlobalRef"), INLINED(wrappers[i]), NATIVE("leak")), "leak");
	}
	assert_string_equal(
	    CALLER(INLINED("JNIEnv_::NewObject"), NATIVE("JNIEnv_::NewObjectV"), NATIVE("leak")), "leak");
	assert_string_equal(CALLER(FROM("jni::env::Env::new_global_ref", "env.rs"), NATIVE("leak")), "leak");
}

static void test_what_others_may_be_called_is_not(void **state)
{
	static const char *const own[] = {"jni::make_global", "MyJNIEnv_::NewGlobalRef",
					  "JNIEnv_NewGlobalRef", "facebook::jni::make_global", "Java_A_leak"};
	(void)state;

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		assert_string_equal(CALLER(NATIVE(own[i]), NATIVE("leak")), own[i]);
	assert_string_equal(CALLER(FROM("jni::make_global", "jni.cpp"), NATIVE("leak")), "jni::make_global");
	/* a method of Java's may have any name */
	assert_string_equal(CALLER(JAVA("JavaCPP_A.leak"), NATIVE("leak")), "JavaCPP_A.leak");
}

static void test_a_wrapper_stands_for_a_caller_that_is_not_known(void **state)
{
	(void)state;
	assert_string_equal(CALLER(NATIVE("JNIEnv_::NewGlobalRef")), "JNIEnv_::NewGlobalRef");
	assert_string_equal(CALLER(NATIVE("JNIEnv_::NewGlobalRef"), GAP, JAVA("A.leak")),
			    "JNIEnv_::NewGlobalRef");
	assert_string_equal(CALLER(NATIVE("JNIEnv_::NewGlobalRef"), JAVA("A.leak")), "JNIEnv_::NewGlobalRef");
	assert_string_equal(CALLER(VM("jni_NewGlobalRef"), VM("start")), "jni_NewGlobalRef");
	assert_null(caller(NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wrappers_are_skipped),
	    cmocka_unit_test(test_what_others_may_be_called_is_not),
	    cmocka_unit_test(test_a_wrapper_stands_for_a_caller_that_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
