/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HotSpot seen from outside, with this process as the VM: a hand-made libjvm is mapped into it, filled
 * as HotSpot does, read back, and then made to lie in one thing after the other.
 */
#include "hotspot_fixture.h"
#include "runtime/hotspot/counts.h"
#include "runtime/hotspot/jni.h"

#include <pthread.h>

/* --- the exported tables --- */

static void tables_are_read(void **state)
{
	struct fake *f = fake_new(false, NULL);
	uint64_t v;
	int64_t c;

	(void)state;
	assert_int_equal(open_fake(f), 0);
	assert_string_equal(f->h->version, "17.0.1+2");
	assert_true(hotspot_field_offset(f->h, "ThreadsList", "_threads", &v));
	assert_int_equal(v, 8);
	assert_true(hotspot_static_addr(f->h, "JNIHandles", "_global_handles", &v));
	assert_int_equal(v, &f->d->global_handles);
	assert_true(hotspot_type_size(f->h, "OopStorage", &v));
	assert_int_equal(v, 128);
	assert_true(hotspot_constant(f->h, "minus", &c));
	assert_int_equal(c, -7);
	assert_true(hotspot_constant(f->h, "large", &c));
	assert_int_equal(c, INT64_MIN);
	/* names of one kind are no names of another */
	assert_false(hotspot_static_addr(f->h, "ThreadsList", "_threads", &v));
	assert_false(hotspot_field_offset(f->h, "JNIHandles", "_global_handles", &v));
	assert_false(hotspot_type_size(f->h, "minus", &v));
	assert_false(hotspot_field_offset(f->h, "ThreadsList", "_thread", &v));
	assert_false(hotspot_field_offset(f->h, "", "", &v));
	fake_free(f);
}

static void versions(void **state)
{
	struct fake *f = fake_new(true, NULL);

	(void)state;
	assert_int_equal(open_fake(f), 0);
	assert_string_equal(f->h->version, "1.8.0_7-b2");
	/* control characters do not reach a terminal */
	f->d->info_string = name(f, "JRE (\033[31m9)");
	publish(f);
	assert_int_equal(open_fake(f), 0);
	assert_string_equal(f->h->version, "?[31m9");
	f->d->info_string = (const char *)8;
	assert_int_equal(open_fake(f), 0);
	assert_string_equal(f->h->version, "");
	f->d->structs[0].field = name(f, "_s_vm_release");
	f->d->info_string = name(f, "25.1-b2");
	publish(f);
	assert_int_equal(open_fake(f), 0);
	assert_string_equal(f->h->version, "25.1-b2");
	fake_free(f);
}

/* Set *p to v, expect that the tables are refused, and set it back. */
static void check_refused(struct fake *f, void *p, uint64_t v)
{
	uint64_t old;

	memcpy(&old, p, sizeof(old));
	memcpy(p, &v, sizeof(v));
	if (open_fake(f) != -EAGAIN)
		fail_msg("believed with 0x%lx at data + 0x%lx", (unsigned long)v,
			 (unsigned long)((uint8_t *)p - (uint8_t *)f->d));
	assert_true(f->err.why[0]);
	memcpy(p, &old, sizeof(old));
	assert_int_equal(open_fake(f), 0);
}

static void lying_tables(void **state)
{
	struct fake *f = fake_new(false, NULL);
	struct data *d = f->d;
	char long_name[600];

	(void)state;
	assert_int_equal(open_fake(f), 0);
	for (int i = 0; i < NR_VARS; i++) {
		check_refused(f, &d->var[i], 1ULL << 40);
		check_refused(f, &d->var[i], UINT64_MAX);
	}
	check_refused(f, &d->var[VAR_StructEntryArrayStride], 0);
	check_refused(f, &d->var[VAR_StructEntryArrayStride], 7);
	check_refused(f, &d->var[VAR_StructEntryArrayStride], 264);
	check_refused(f, &d->var[VAR_StructEntryOffsetOffset], sizeof(struct vm_struct) - 7);
	check_refused(f, &d->var[VAR_Types], 0);
	check_refused(f, &d->var[VAR_Types], (uint64_t)f->base);            /* not data: no end in sight */
	check_refused(f, &d->var[VAR_IntConstants], (uint64_t)&d->ints[3]); /* empty */
	check_refused(f, &d->structs[5].type, 1);
	check_refused(f, &d->structs[5].type, UINT64_MAX - 3);
	check_refused(f, &d->structs[5].field, 0);
	check_refused(f, &d->structs[5].field, (uint64_t)f->base - (32 << 20));
	check_refused(f, &d->structs[5].field, (uint64_t)d);
	check_refused(f, &d->global_handles, 0); /* the VM does not run yet */
	memset(long_name, 'a', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	const char *lie = name(f, long_name);

	publish(f);
	check_refused(f, &d->types[0].type, (uint64_t)lie);
	fake_free(f);
	/* a file without one of the symbols will never do */
	f = fake_new(false, "gHotSpotVMTypes");
	assert_int_equal(open_fake(f), -EPROTO);
	fake_free(f);
}

static void table_without_end(void **state)
{
	struct fake *f = fake_new(false, NULL);
	const char *n = name(f, "x");

	(void)state;
	publish(f);
	/* names as far as the data goes */
	for (uint8_t *p = (uint8_t *)f->d->longs; p + 16 <= f->base + IMAGE_BYTES; p += 16)
		memcpy(p, &n, sizeof(n));
	assert_int_equal(open_fake(f), -EAGAIN);
	fake_free(f);
}

/* --- JNI function tables --- */

static int tables(struct fake *f, struct jni_tables *t)
{
	assert_int_equal(open_fake(f), 0);
	return hotspot_jni_tables(f->h, t, &f->err);
}

static void check_env(struct fake *f, int first)
{
	struct jni_tables t;

	assert_int_equal(tables(f, &t), 0);
	for (int slot = 0; slot < 4; slot++)
		assert_int_equal(t.env[slot], 0);
	for (int slot = 4; slot < 233; slot++)
		assert_int_equal(t.env[slot], code(f, first + slot));
	for (int i = 3; i < 8; i++)
		assert_int_equal(t.vm[i], code(f, 2000 + i));
}

static void inner_table(void **state)
{
	for (int jdk8 = 0; jdk8 < 2; jdk8++) {
		struct fake *f = fake_new(jdk8, NULL);

		(void)state;
		check_env(f, 0);
		/* -Xcheck:jni: the other one */
		f->d->check_jni = 1;
		check_env(f, 1000);
		for (int i = 0; i < 2; i++)
			f->thread[i][JNI_ENV_WORD] = (uint64_t)f->d->env[1];
		check_env(f, 0);
		f->d->check_jni = 0;
		check_env(f, 1000);
		fake_free(f);
	}
}

static void slots_of_a_table(void **state)
{
	struct fake *f = fake_new(false, NULL);
	struct jni_tables t;

	(void)state;
	for (int slot = 4; slot < 44; slot++)
		f->d->env[0][100 + slot] = 0x7f0000001000; /* quickened */
	f->d->env[0][233] = code(f, 233);
	f->d->env[0][234] = code(f, 234); /* looks like a slot, but 17 has none there */
	assert_int_equal(tables(f, &t), 0);
	assert_int_equal(t.nr_env, 234);
	assert_int_equal(t.env[103], code(f, 103));
	assert_int_equal(t.env[104], 0);
	assert_int_equal(t.env[143], 0);
	assert_int_equal(t.env[144], code(f, 144));
	assert_int_equal(t.env[233], code(f, 233));
	assert_int_equal(t.env[234], 0);
	fake_free(f);
	f = fake_new(true, NULL);
	f->d->env[0][233] = code(f, 233);
	assert_int_equal(tables(f, &t), 0);
	assert_int_equal(t.nr_env, 233);
	assert_int_equal(t.env[233], 0);
	fake_free(f);
}

static void no_table_is_proven(void **state)
{
	struct fake *f = fake_new(false, NULL);
	struct jni_tables t;

	(void)state;
	f->d->env[0][50] = 0; /* a table has no holes */
	assert_int_equal(tables(f, &t), -ENOENT);
	assert_true(f->err.why[0]);
	f->d->env[0][50] = code(f, 50);
	f->d->env[0][2] = 1; /* the reserved words */
	assert_int_equal(tables(f, &t), -ENOENT);
	f->d->env[0][2] = 0;
	for (int slot = 4; slot < 60; slot++)
		f->d->env[0][100 + slot] = 0x7f0000001000; /* too many elsewhere */
	assert_int_equal(tables(f, &t), -ENOENT);
	for (int slot = 4; slot < 60; slot++)
		f->d->env[0][100 + slot] = code(f, 100 + slot);
	f->thread[1][JNI_ENV_WORD] = (uint64_t)f->d->env[1]; /* the threads do not agree */
	assert_int_equal(tables(f, &t), -ENOENT);
	f->thread[1][JNI_ENV_WORD] = (uint64_t)f->d->env[0];
	for (int i = 0; i < 2; i++)
		f->thread[i][3] = (uint64_t)f->d->env[1]; /* they name both */
	assert_int_equal(tables(f, &t), -ENOENT);
	f->thread[1][3] = 0;
	check_env(f, 0);
	f->list.length = 0; /* no thread yet */
	assert_int_equal(tables(f, &t), -EAGAIN);
	assert_false(f->err.why[0]);
	f->list.length = UINT32_MAX;
	for (int i = 2; i < 8; i++)
		f->thread_array[i] = (void *)8; /* unreadable ones do not count */
	assert_int_equal(tables(f, &t), 0);
	f->list.length = 2;
	f->d->num_flags = 2; /* whether -Xcheck:jni is on is unknown */
	assert_int_equal(tables(f, &t), -ENOENT);
	f->d->num_flags = (1ULL << 60) + 1; /* times 16 is 16 */
	assert_int_equal(tables(f, &t), -ENOENT);
	f->d->num_flags = 3;
	f->flag[2].addr = (void *)8;
	assert_int_equal(tables(f, &t), -ENOENT);
	fake_free(f);
}

static void vm_table(void **state)
{
	struct fake *f = fake_new(false, NULL);
	struct jni_tables t;

	(void)state;
	/* shaped like the table, but nothing points at its start: a C++ vtable */
	for (int i = 11; i < 16; i++)
		f->d->vm_table[i] = code(f, 3000 + i);
	f->d->other_words[0] = (uint64_t)&f->d->vm_table[11];
	check_env(f, 0);
	f->d->other_words[1] = (uint64_t)&f->d->vm_table[8]; /* now there are two */
	assert_int_equal(tables(f, &t), 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(t.vm[i], 0);
	f->d->other_words[1] = 0;
	f->d->vm_table[5] = 0x7f0000001000;
	assert_int_equal(tables(f, &t), 0);
	assert_int_equal(t.vm[4], 0);
	fake_free(f);
}

/* --- counts --- */

static bool counts(struct fake *f, struct vm_counts *c)
{
	assert_int_equal(hotspot_counts(f->h, c), 0);
	return c->known;
}

static void storage_counts(void **state)
{
	struct fake *f = fake_new(false, NULL);
	struct vm_counts c;

	(void)state;
	assert_int_equal(open_fake(f), 0);
	/* two words that would do: not known until they differ */
	f->storage[0][9] = 70;
	f->storage[1][9] = 3;
	assert_true(counts(f, &c));
	assert_true(c.by_marks);
	assert_int_equal(c.n[VM_WEAK], 3);
	f->storage[1][9] = 4;
	assert_true(counts(f, &c));
	assert_false(c.by_marks);
	assert_int_equal(c.n[VM_GLOBAL], 70);
	assert_int_equal(c.n[VM_WEAK], 3);
	/* proven: the blocks are not read again */
	f->storage[0][COUNT_WORD] = 71;
	f->array[0][1] = UINT64_MAX;
	assert_true(counts(f, &c));
	assert_int_equal(c.n[VM_GLOBAL], 71);
	fake_free(f);
}

static void storage_counts_unproven(void **state)
{
	struct fake *f = fake_new(false, NULL);
	struct vm_counts c;

	(void)state;
	f->storage[1][COUNT_WORD] = 4; /* right in one, wrong in the other */
	assert_int_equal(open_fake(f), 0);
	assert_true(counts(f, &c));
	assert_true(c.by_marks);
	assert_int_equal(c.n[VM_WEAK], 3);
	f->storage[1][COUNT_WORD] = 3;
	f->block[0][1][65] = 0; /* a block of someone else */
	assert_int_equal(open_fake(f), 0);
	assert_false(counts(f, &c));
	f->block[0][1][65] = (uint64_t)f->storage[0];
	f->array[0][1] = 9; /* more blocks than there is room for */
	assert_int_equal(open_fake(f), 0);
	assert_false(counts(f, &c));
	f->array[0][0] = f->array[0][1] = 1ULL << 40;
	assert_int_equal(open_fake(f), 0);
	assert_false(counts(f, &c));
	f->array[0][0] = 8;
	f->array[0][1] = 2;
	f->array[0][4] = 8; /* an unreadable block */
	assert_int_equal(open_fake(f), 0);
	assert_false(counts(f, &c));
	f->array[0][4] = (uint64_t)f->block[0][1];
	f->d->weak_handles = NULL;
	assert_int_equal(open_fake(f), 0);
	assert_false(counts(f, &c));
	f->d->weak_handles = f->storage[1];
	assert_true(counts(f, &c));
	/* an empty store of weak references has no block */
	f->array[1][1] = f->storage[1][COUNT_WORD] = 0;
	assert_int_equal(open_fake(f), 0);
	assert_true(counts(f, &c));
	assert_int_equal(c.n[VM_WEAK], 0);
	fake_free(f);
}

/* JDK 8. The words of a block: 32 handles, top, next, last, pop frame link, free list. */
static void chain_counts(void **state)
{
	struct fake *f = fake_new(true, NULL);
	uint64_t(*g)[40] = f->handles[0];
	struct vm_counts c;

	(void)state;
	for (int i = 0; i < 32; i++)
		g[0][i] = g[1][i] = 0x700000000 + 8 * (uint64_t)i;
	g[0][32] = 32;
	g[0][33] = (uint64_t)g[1];
	g[1][32] = 10;
	g[1][33] = (uint64_t)g[2]; /* of no use: the one before it is not full */
	g[2][32] = 5;
	assert_int_equal(open_fake(f), 0);
	assert_true(counts(f, &c));
	assert_int_equal(c.n[VM_GLOBAL], 42);
	assert_int_equal(c.n[VM_WEAK], 0);
	/* two deleted; three on the free list, the last of which holds 0 */
	g[0][1] = g[1][2] = (uint64_t)f->d->deleted_handle;
	g[0][36] = (uint64_t)&g[1][9];
	g[1][9] = (uint64_t)&g[0][3];
	g[0][3] = (uint64_t)&g[1][0];
	g[1][0] = 0;
	assert_true(counts(f, &c));
	assert_int_equal(c.n[VM_GLOBAL], 37);
	/* proven: the list is not walked again */
	g[0][36] = (uint64_t)&g[0][3];
	assert_true(counts(f, &c));
	assert_int_equal(c.n[VM_GLOBAL], 37);
	/* the list's head is not where it is thought to be: of a VM not seen before */
	assert_int_equal(open_fake(f), 0);
	assert_false(counts(f, &c));
	g[0][36] = 0;
	assert_false(counts(f, &c));
	g[0][36] = 0x1234;
	assert_false(counts(f, &c));
	/* a list in a ring, a chain in a ring */
	g[0][36] = (uint64_t)&g[1][9];
	g[1][0] = (uint64_t)&g[1][9];
	assert_false(counts(f, &c));
	g[1][0] = 0;
	assert_true(counts(f, &c));
	g[1][32] = 32;
	g[1][33] = (uint64_t)g[0];
	assert_false(counts(f, &c));
	g[1][33] = 8;
	assert_false(counts(f, &c));
	fake_free(f);
}

/* Slots come and go as fast as one thread can: no reading is of one moment, yet each slot says what it is. */
struct busy {
	struct fake *f;
	_Atomic bool stop;
};

static void *take_and_free(void *arg)
{
	struct busy *b = arg;
	uint64_t(*g)[40] = b->f->handles[0];
	volatile uint64_t *head = &g[0][36];

	while (!b->stop) {
		/* as JNIHandleBlock::allocate_handle, then ::destroy_global, then ::rebuild_free_list */
		for (uint64_t *slot; (slot = (uint64_t *)*head);) {
			*head = *slot;
			*(volatile uint64_t *)slot = 0x700000000;
			*(volatile uint64_t *)slot = (uint64_t)b->f->d->deleted_handle;
		}
		for (int i = 0; i < 96; i++) {
			volatile uint64_t *slot = &g[i / 32][i % 32];

			if (*slot == (uint64_t)b->f->d->deleted_handle) {
				*slot = *head;
				*head = (uint64_t)slot;
			}
		}
	}
	return NULL;
}

#define READINGS 1000
static void chain_counts_while_it_changes(void **state)
{
	struct fake *f = fake_new(true, NULL);
	uint64_t(*g)[40] = f->handles[0];
	struct busy b = {.f = f};
	struct vm_counts c;
	uint64_t surplus = 0;
	pthread_t thread;

	(void)state;
	for (int i = 0; i < 96; i++)
		g[i / 32][i % 32] = i % 3 ? (uint64_t)f->d->deleted_handle : 0x700000000;
	for (int i = 0; i < 3; i++)
		g[i][32] = 32;
	g[0][33] = (uint64_t)g[1];
	g[1][33] = (uint64_t)g[2];
	assert_int_equal(open_fake(f), 0);
	assert_int_equal(pthread_create(&thread, NULL, take_and_free, &b), 0);
	for (int known = 0; known < READINGS;) {
		if (!counts(f, &c))
			continue; /* not proven yet */
		known++;
		assert_in_range(c.n[VM_GLOBAL], 32, 96);
		surplus += c.n[VM_GLOBAL] - 32;
	}
	b.stop = true;
	pthread_join(thread, NULL);
	assert_in_range(surplus, 0,
			2 * READINGS); /* one is in use at a time; twice it may be seen on its way */
	assert_true(counts(f, &c));
	assert_int_equal(c.n[VM_GLOBAL], 32);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tables_are_read),    cmocka_unit_test(versions),
	    cmocka_unit_test(lying_tables),       cmocka_unit_test(table_without_end),
	    cmocka_unit_test(inner_table),        cmocka_unit_test(slots_of_a_table),
	    cmocka_unit_test(no_table_is_proven), cmocka_unit_test(vm_table),
	    cmocka_unit_test(storage_counts),     cmocka_unit_test(storage_counts_unproven),
	    cmocka_unit_test(chain_counts),       cmocka_unit_test(chain_counts_while_it_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
