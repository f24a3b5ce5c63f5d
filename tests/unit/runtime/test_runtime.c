/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of runtimes, and what a row that leaves things out answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "runtime/runtime.h"

static const char *const libraries[] = {"libnothing.so", NULL};
static const char *const launchers[] = {"nothing", NULL};
static const char *const bottom[] = {"libnothing.so", NULL};

static int add_rows(struct catalog *c)
{
	const struct family_row family = {.name = "nothing", .kind = KIND_REFERENCE};

	return catalog_add_family(c, &family);
}

static const struct runtime nothing = {
    .name = "nothing",
    .shown = "Nothing",
    .api = "nothing",
    .add_rows = add_rows,
    .libraries = libraries,
    .launchers = launchers,
    .bottom = bottom,
};
RUNTIME_ROW(nothing);

static void test_a_row_is_found(void **state)
{
	const struct runtime *other = runtime_by_name("hotspot");
	const char *first[RUNTIMES_BOTTOM_MAX + 1];
	struct catalog *c;
	bool found = false;
	size_t n = 0;

	(void)state;
	assert_ptr_equal(runtime_by_name("nothing"), &nothing);
	assert_non_null(other);
	assert_null(runtime_by_name("Nothing"));
	assert_null(runtime_by_name(NULL));
	for (; runtime_name(n); n++)
		assert_ptr_equal(runtime_by_name(runtime_name(n))->name, runtime_name(n));
	assert_true(n > 1);
	assert_true(runtime_has_library("libnothing.so"));
	assert_false(runtime_has_library("libnothing.so.1"));
	assert_true(runtime_has_launcher(NULL, "nothing"));
	assert_true(runtime_has_launcher(&nothing, "nothing"));
	assert_false(runtime_has_launcher(other, "nothing"));
	runtimes_bottom(first);
	for (size_t i = 0; first[i]; i++)
		found |= !strcmp(first[i], "libnothing.so");
	assert_true(found);
	assert_int_equal(catalog_new(&c), 0);
	assert_int_equal(runtimes_add_rows(c), 0);
	assert_int_not_equal(catalog_find_family(c, "nothing"), FAMILY_NONE);
	assert_true(runtimes_add_rows(c) < 0); /* twice */
	catalog_free(c);
}

/* Whatever is asked of a row without answers, and of no VM at all. */
static void check_unanswered(struct vm *vm)
{
	struct target_plan plan = {0};
	struct handle_blocks blocks;
	struct vm_threads threads;
	struct vm_locals locals;
	struct vm_counts counts;
	struct frames frames = {0};
	struct raw_frame raw = {0};
	struct error err = {0};
	uint64_t addr = 1;
	struct vm_limit limits[NR_FAMILIES] = {{.known = true}};

	vm_limits(vm, limits);
	assert_false(limits[0].known);
	assert_int_equal(vm_counts(vm, &counts), -EOPNOTSUPP);
	assert_false(counts.known);
	assert_int_equal(vm_blocks(vm, VM_WEAK, &blocks), -EOPNOTSUPP);
	assert_null(blocks.v);
	assert_int_equal(vm_threads(vm, &threads), -EOPNOTSUPP);
	assert_null(threads.v);
	assert_int_equal(vm_locals(vm, &locals), -EOPNOTSUPP);
	assert_null(locals.v);
	assert_int_equal(vm_open_objects(vm, &err), -EOPNOTSUPP);
	assert_int_equal(vm_read_refs(vm, NULL, 0), -EOPNOTSUPP);
	assert_int_equal(vm_frames_add(vm, &raw, &frames), -EOPNOTSUPP);
	assert_int_equal(vm_frames_native(vm, &raw, &addr), -EOPNOTSUPP);
	assert_int_equal(addr, 0);
	assert_int_equal(vm_frames_unnamed(vm), 0);
	assert_int_equal(vm_slot_of(vm, 0x1237), 0x1237);
	assert_string_equal(vm_version(vm), "");
	vm_plan_walk(vm, &plan);
	vm_plan_objects(vm, &plan);
	vm_plan_threads(vm, &plan);
	assert_int_equal(plan.walk.state, PLAN_NOT_YET);
	assert_int_equal(plan.objects.state, PLAN_NOT_YET);
	assert_int_equal(plan.threads.state, PLAN_NOT_YET);
	vm_plan_waits(vm, &plan);
	assert_int_equal(plan.waits.state, PLAN_NEVER);
	assert_int_equal(plan.waits.collector, -1);
	assert_non_null(plan.waits.why);
	vm_forget_classes(vm);
	vm_frames_refresh(vm);
	vm_close(vm);
}

static void test_what_a_row_leaves_out(void **state)
{
	struct vm vm = {&nothing};

	(void)state;
	check_unanswered(&vm);
	check_unanswered(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_row_is_found),
	    cmocka_unit_test(test_what_a_row_leaves_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
