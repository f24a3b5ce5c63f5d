/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Families and functions that are added when the tool runs are as good as JNI's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/catalog.h"

static int setup(void **state)
{
	struct catalog *c;

	if (catalog_new(&c))
		return -1;
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	catalog_free(*state);
	return 0;
}

static void begins_with_jni(void **state)
{
	struct catalog *c = *state;

	assert_int_equal(c->nr_funcs, NR_JNI_FUNCS);
	assert_int_equal(c->nr_families, NR_JNI_FAMILIES);
	assert_string_equal(func_name(c, FUNC_NewGlobalRef), "NewGlobalRef");
	assert_null(func_name(c, FUNC_NONE));
	assert_int_equal(func_family(c, FUNC_NONE), FAMILY_NONE);
	assert_int_equal(catalog_defaults(c), 1U << FAMILY_GLOBAL | 1U << FAMILY_WEAK);
	for (uint32_t f = 1; f < c->nr_funcs; f++)
		assert_string_equal(c->funcs[f].api, "jni");
}

/* No number that is not in use belongs to a family, so no sum over a family counts it. */
static void what_is_not_in_use_has_no_family(void **state)
{
	struct catalog *c = *state;

	for (uint32_t f = c->nr_funcs; f < NR_FUNCS; f++) {
		assert_null(func_name(c, f));
		assert_int_equal(func_family(c, f), FAMILY_NONE);
		assert_int_equal(func_kind(c, f), KIND_NONE);
	}
	for (uint32_t f = c->nr_families; f < NR_FAMILIES; f++)
		assert_null(family_name(c, f));
	assert_int_equal(catalog_families(c, ~KIND_BIT(KIND_NONE)),
			 ((1U << NR_JNI_FAMILIES) - 1) | 1U << FAMILY_CHECK);
}

static void rows_can_be_added(void **state)
{
	struct catalog *c = *state;
	char name[] = "thing";
	int family = catalog_add_family(c, &(struct family_row){name, KIND_REFERENCE, true});
	struct func_row row = {.name = name, .api = "test", .operation = OP_ACQUIRE, .handle = HANDLE_RETURN};
	int func;

	assert_int_equal(family, NR_JNI_FAMILIES);
	row.family = (enum family_id)family;
	func = catalog_add_func(c, &row);
	name[0] = 'x'; /* the catalog has its own */
	assert_int_equal(func, NR_JNI_FUNCS);
	assert_string_equal(func_name(c, func), "thing");
	assert_string_equal(family_name(c, family), "thing");
	assert_int_equal(func_family(c, func), family);
	assert_int_equal(func_kind(c, func), KIND_REFERENCE);
	assert_int_equal(catalog_find_family(c, "thing"), family);
	assert_true(catalog_defaults(c) >> family & 1);
	assert_false(func_at_both_ends(c, func));
	assert_int_equal(catalog_families(c, KIND_BIT(KIND_REFERENCE)),
			 1U << FAMILY_GLOBAL | 1U << FAMILY_WEAK | 1U << family);
}

static void what_cannot_be_added_is_refused(void **state)
{
	struct catalog *c = *state;
	struct func_row row = {.name = "NewGlobalRef", .api = "test", .family = FAMILY_GLOBAL};
	char name[16];

	assert_int_equal(catalog_add_family(c, &(struct family_row){"weak", KIND_REFERENCE, false}), -EEXIST);
	assert_int_equal(catalog_add_func(c, &row), -EEXIST);
	row.family = FAMILY_WEAK; /* the same name in another family */
	assert_int_equal(catalog_add_func(c, &row), NR_JNI_FUNCS);
	row.family = (enum family_id)c->nr_families;
	assert_int_equal(catalog_add_func(c, &row), -EINVAL);
	for (int i = 0; i < JT_ADDED_FAMILIES; i++) {
		snprintf(name, sizeof(name), "family%d", i);
		assert_true(catalog_add_family(c, &(struct family_row){name, KIND_REFERENCE, false}) > 0);
	}
	assert_int_equal(catalog_add_family(c, &(struct family_row){"more", KIND_REFERENCE, false}), -ENOSPC);
	for (int i = 1; i < JT_ADDED_FUNCS; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		row = (struct func_row){.name = name,
					.family = (enum family_id)(NR_JNI_FAMILIES + i % JT_ADDED_FAMILIES)};
		assert_true(catalog_add_func(c, &row) > 0);
	}
	row.name = "more";
	assert_int_equal(catalog_add_func(c, &row), -ENOSPC);
	assert_int_equal(c->nr_funcs, NR_FUNCS);
	assert_string_equal(func_name(c, FUNC_USE_GetModule), "GetModule"); /* behind the last one */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(begins_with_jni, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_not_in_use_has_no_family, setup, teardown),
	    cmocka_unit_test_setup_teardown(rows_can_be_added, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_cannot_be_added_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
