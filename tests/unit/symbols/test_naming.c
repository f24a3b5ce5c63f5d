/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Call sites of this program, by name: which are one, which are one in another build, and which have no
 * stack. */
#include "symbols_fixture.h"

#include "model/catalog.h"
#include "model/snapshot.h"
#include "symbols/naming.h"

#define NR_INDEX 16

/* Two places in it stand for one call in two builds; nothing of it runs. */
static __attribute__((noinline)) int caller(int x)
{
	return x * x * 31 + 7;
}

static __attribute__((noinline)) int another(int x)
{
	return caller(x) + 1;
}

static struct snapshot_site *add(struct snapshot *s, uint32_t index, enum func_id func,
				 const struct stack *stack)
{
	struct snapshot_site *site = VEC_ADD(&s->sites);

	assert_non_null(site);
	*site = (struct snapshot_site){.index = index, .func = func, .has_stack = stack, .stack = stack};
	return site;
}

static struct stack stack_at(int (*func)(int), int offset)
{
	struct stack st = {.n = 1, .end = END_DEPTH};

	set_pc(&st, 0, (uint64_t)func + (uint64_t)offset);
	return st;
}

static void what_is_one_site(void **state)
{
	struct session t = session_of(getpid());
	struct stack here = stack_at(caller, 4), same = here, there = stack_at(caller, 8);
	struct stack other = stack_at(another, 4);
	struct snapshot s = {.nr_index = NR_INDEX};
	const struct named_site *named[7];
	const struct named_sites *names;
	struct naming *n;

	(void)state;
	assert_true(caller(3) != another(3));
	assert_int_equal(naming_new(&jni_catalog, t.s, &n), 0);
	names = naming_sites(n);
	assert_null(named_site_of(names, 1));
	assert_false(naming_lacks(n, &s));
	add(&s, 1, FUNC_NewGlobalRef, &here);
	add(&s, 2, FUNC_NewGlobalRef, &same);
	add(&s, 3, FUNC_NewGlobalRef, &there);
	add(&s, 4, FUNC_NewGlobalRef, &other);
	add(&s, 5, FUNC_NewWeakGlobalRef, &here);
	add(&s, 6, FUNC_NewGlobalRef, NULL);
	assert_true(naming_lacks(n, &s));
	assert_int_equal(naming_update(n, &s), 0);
	assert_false(naming_lacks(n, &s));
	for (uint32_t i = 1; i < 7; i++)
		assert_non_null(named[i] = named_site_of(names, i));
	assert_int_equal(names->n, 5);
	assert_ptr_equal(named[1], named[2]); /* of two threads, or of a method compiled twice */
	assert_string_equal(named[1]->frames.v[0].symbol, "caller");
	assert_non_null(named[1]->truncated);
	assert_false(named[1]->no_stack);
	assert_int_equal(names->by_number[1].lacks, 1U << END_DEPTH);
	/* Another place in one function has another id, and the same names; another function has none of it.
	 */
	assert_true(named[3]->id != named[1]->id && named[3]->name_key == named[1]->name_key);
	assert_true(named[4]->id != named[1]->id && named[4]->name_key != named[1]->name_key);
	assert_true(named[5]->id != named[1]->id && named[5]->name_key != named[1]->name_key);
	assert_true(named[6]->no_stack && named[6]->frames.n == 0);
	assert_int_equal(names->by_number[6].lacks, 1U << END_NOT_KEPT);
	/* Without the process: what has a name keeps it. */
	assert_int_equal(naming_update(n, &s), 0);
	assert_int_equal(names->n, 5);
	naming_free(n);
	snapshot_free(&s);
	session_end(&t);
}

/* The probe makes a site before it has written its stack. */
static void a_stack_that_is_being_written(void **state)
{
	struct session t = session_of(getpid());
	struct stack here = stack_at(caller, 4);
	struct snapshot s = {.nr_index = NR_INDEX};
	struct snapshot_site *site;
	struct naming *n;

	(void)state;
	assert_int_equal(naming_new(&jni_catalog, t.s, &n), 0);
	site = add(&s, 1, FUNC_NewGlobalRef, NULL);
	site->has_stack = true;
	assert_int_equal(naming_update(n, &s), 0);
	assert_null(named_site_of(naming_sites(n), 1));
	assert_true(naming_lacks(n, &s));
	site->stack = &here;
	assert_int_equal(naming_update(n, &s), 0);
	assert_false(named_site_of(naming_sites(n), 1)->no_stack);
	/* A number that there cannot be is nobody's. */
	assert_null(named_site_of(naming_sites(n), NR_INDEX));
	add(&s, NR_INDEX, FUNC_NewGlobalRef, &here);
	assert_int_equal(naming_update(n, &s), 0);
	naming_free(n);
	snapshot_free(&s);
	session_end(&t);
}

/* What waits for its name was looked at: nothing of the process is read anew for it. */
static void what_is_put_off(void **state)
{
	struct stack here = stack_at(caller, 4), there = stack_at(another, 4);
	struct snapshot s = {.nr_index = NR_INDEX};
	struct budget *budget;
	struct session t;
	struct naming *n;

	(void)state;
	assert_int_equal(budget_new(BUDGET_DEFAULT_BYTES, -1, &budget), 0);
	t = session_within(budget, getpid());
	assert_int_equal(naming_new(&jni_catalog, t.s, &n), 0);
	assert_false(naming_has_new(n, &s));
	add(&s, 1, FUNC_NewGlobalRef, &here);
	assert_true(naming_has_new(n, &s));
	budget_slice(budget, 0, false);
	budget_fill_slice(budget);
	assert_int_equal(naming_update(n, &s), 0);
	assert_null(named_site_of(naming_sites(n), 1));
	assert_int_equal(naming_pending(n), 1);
	assert_true(naming_lacks(n, &s));
	assert_false(naming_has_new(n, &s));
	add(&s, 2, FUNC_NewGlobalRef, &there);
	assert_true(naming_has_new(n, &s));
	budget_slice(budget, 0, false);
	assert_int_equal(naming_update(n, &s), 0);
	assert_non_null(named_site_of(naming_sites(n), 1));
	assert_non_null(named_site_of(naming_sites(n), 2));
	assert_false(naming_has_new(n, &s));
	naming_free(n);
	snapshot_free(&s);
	session_end(&t);
	budget_free(budget);
}

/* Every site keeps its name and its place, however many there are. */
static void many_sites(void **state)
{
	enum { MANY = 3000 };
	struct session t = session_of(getpid());
	struct stack *stacks = calloc(MANY, sizeof(*stacks));
	struct snapshot s = {.nr_index = MANY};
	struct naming *n;

	(void)state;
	assert_non_null(stacks);
	assert_int_equal(naming_new(&jni_catalog, t.s, &n), 0);
	for (uint32_t i = 0; i < MANY; i++) {
		stacks[i] = (struct stack){.n = 1, .end = END_DEPTH};
		set_pc(&stacks[i], 0, 0x1000 + i); /* in no file */
		add(&s, i, FUNC_NewGlobalRef, &stacks[i]);
		if (i % 100 == 0)
			assert_int_equal(naming_update(n, &s), 0);
	}
	assert_int_equal(naming_update(n, &s), 0);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(named_site_of(naming_sites(n), i)->frames.v[0].offset, 0x1000 + i);
	assert_int_equal(naming_sites(n)->n, MANY);
	naming_free(n);
	snapshot_free(&s);
	free(stacks);
	session_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_one_site),
	    cmocka_unit_test(a_stack_that_is_being_written),
	    cmocka_unit_test(what_is_put_off),
	    cmocka_unit_test(many_sites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
