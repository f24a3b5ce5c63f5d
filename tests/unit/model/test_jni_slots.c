/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every row of bpf/border/jni_funcs.def against jni.h: what is wrong does not compile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jni.h>

#include "model/report.h"

#define STRUCT_ENV        struct JNINativeInterface_
#define STRUCT_VM         struct JNIInvokeInterface_
#define SLOT_OF(s, field) (offsetof(s, field) / sizeof(void *))

/* The slot is where jni.h has the function of that name. */
#define JNI_FUNC(name, table, slot, family, operation, handle)                                               \
	_Static_assert(SLOT_OF(STRUCT_##table, name) == (slot), #name);
#include "bpf/border/jni_funcs.def"
#undef JNI_FUNC

#define JNI_USE(name, slot, args, when) _Static_assert(SLOT_OF(STRUCT_ENV, name) == (slot), #name);
#ifdef JNI_VERSION_24
#define JNI_USE_LATER JNI_USE
#else
#define JNI_USE_LATER(name, slot, args, when) /* this jni.h has no such function */
#endif
#define JNI_INVOKE(name, slot) _Static_assert(SLOT_OF(STRUCT_VM, name) == (slot), #name);
#include "bpf/border/jni_uses.def"
#undef JNI_USE

/* No two rows have one slot of one table: C refuses a case twice. */
static int row_of_slot(enum jni_table table, int slot)
{
	switch ((int)table << 16 | slot) {
#define JNI_FUNC(name, table, slot, family, operation, handle)                                               \
	case TABLE_##table << 16 | (slot):                                                                   \
		return FUNC_##name;
#include "bpf/border/jni_funcs.def"
#undef JNI_FUNC
	}
	return -1;
}

static void tables_agree(void **state)
{
	(void)state;
	for (int f = 1; f < NR_JNI_FUNCS; f++)
		assert_int_equal(row_of_slot(jni_catalog.funcs[f].table, jni_catalog.funcs[f].index), f);
	assert_string_equal(func_name(&jni_catalog, FUNC_NewGlobalRef), "NewGlobalRef");
	assert_null(func_name(&jni_catalog, FUNC_NONE));
}

/* What is acquired in a family can be released in it, except locals, which die with their frame. */
static void families_are_complete(void **state)
{
	int acquires[FAMILY_NONE] = {0}, releases[FAMILY_NONE] = {0};

	(void)state;
	for (int f = 1; f < NR_JNI_FUNCS; f++) {
		acquires[jni_catalog.funcs[f].family] += jni_catalog.funcs[f].operation == OP_ACQUIRE;
		releases[jni_catalog.funcs[f].family] += jni_catalog.funcs[f].operation == OP_RELEASE;
		if (jni_catalog.funcs[f].operation == OP_RELEASE) /* what is released is an argument */
			assert_int_not_equal(jni_catalog.funcs[f].handle, HANDLE_RETURN);
	}
	for (int i = 0; i < NR_JNI_FAMILIES; i++) {
		assert_non_null(family_name(&jni_catalog, i));
		assert_true(acquires[i] > 0 && releases[i] > 0);
	}
	assert_int_equal(acquires[FAMILY_GLOBAL], releases[FAMILY_GLOBAL]);
	assert_int_equal(acquires[FAMILY_WEAK], releases[FAMILY_WEAK]);
	assert_int_equal(acquires[FAMILY_ARRAY], releases[FAMILY_ARRAY]);
}

/*
 * Each function of the table is one use, in order; all but its first four, which are reserved. Then those of
 * the invocation interface, but for the one that ends the VM.
 */
static void uses_are_in_order(void **state)
{
	(void)state;
	for (int f = FUNC_USE_AttachCurrentThread; f < NR_ALL_FUNCS; f++) {
		assert_int_equal(jni_catalog.funcs[f].operation, OP_INVOKE);
		assert_int_equal(jni_catalog.funcs[f].table, TABLE_VM);
		assert_int_equal(jni_catalog.funcs[f].index, 4 + f - FUNC_USE_AttachCurrentThread);
	}
	for (int f = NR_FUNCS; f < FUNC_USE_AttachCurrentThread; f++) {
		assert_true(!(jni_catalog.funcs[f].refs & 1) && jni_catalog.funcs[f].refs < 1 << 4);
		assert_int_equal(jni_catalog.funcs[f].nulls & ~jni_catalog.funcs[f].refs, 0);
		assert_int_equal(jni_catalog.funcs[f].operation, OP_USE);
		assert_int_equal(jni_catalog.funcs[f].index, 4 + f - NR_FUNCS);
	}
}

static void drops_have_advice(void **state)
{
	(void)state;
	for (int i = 0; i < NR_DROPS; i++) {
		assert_true(strlen(drop_rows[i].name) > 0 && strlen(drop_rows[i].meaning) > 0);
		assert_true(strlen(drop_rows[i].advice) > 0);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(drop_rows[i].name, drop_rows[j].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tables_agree),
	    cmocka_unit_test(families_are_complete),
	    cmocka_unit_test(uses_are_in_order),
	    cmocka_unit_test(drops_have_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
