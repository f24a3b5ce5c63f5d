/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which local references are alive, with this process as the VM: found where they are, and then its threads,
 * stacks and blocks lie in one word after the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hotspot_fixture.h"
#include "runtime/hotspot/locals.h"

/* Words of a JavaThread, of a JNIHandleBlock, of a JavaCallWrapper. */
enum { OSTHREAD = 1, HANDLES, ANCHOR, STACK_BASE, STACK_SIZE, STATE };
enum { TOP = 32, NEXT, LAST, POP };
enum { W_THREAD, W_HANDLES, W_ANCHOR = 4, W_WORDS = 8 };
#define OBJECT      0x7f0000000010ULL
#define IN_JAVA     8
#define IN_NATIVE   4
#define STACK_WORDS 512

struct made_vm {
	struct fake *f;
	uint64_t stack[STACK_WORDS];
};

static uint64_t *block(struct made_vm *v, int i)
{
	return v->f->handles[i / 4][i % 4];
}

static void fill(struct made_vm *v, int i, int top)
{
	memset(block(v, i), 0, sizeof(v->f->handles[0][0]));
	for (int k = 0; k < top; k++)
		block(v, i)[k] = OBJECT;
	block(v, i)[TOP] = (uint64_t)top;
	block(v, i)[LAST] = (uint64_t)block(v, i);
}

/*
 * The first thread: 32 + 5 references in blocks 0 and 1, upon 3 that PushLocalFrame has left in block 2;
 * further out, before a call into Java, 7 in block 3. The second has none.
 */
static void make_locals(struct made_vm *v)
{
	uint64_t *t = v->f->thread[0], *wrapper = &v->stack[100];

	memset(v->stack, 0, sizeof(v->stack));
	fill(v, 0, 32);
	fill(v, 1, 5);
	fill(v, 2, 3);
	fill(v, 3, 7);
	block(v, 0)[NEXT] = block(v, 0)[LAST] = (uint64_t)block(v, 1);
	block(v, 0)[POP] = (uint64_t)block(v, 2);
	t[HANDLES] = (uint64_t)block(v, 0);
	t[STACK_BASE] = (uint64_t)(v->stack + STACK_WORDS);
	t[STACK_SIZE] = sizeof(v->stack);
	t[ANCHOR] = (uint64_t)&v->stack[40];
	t[STATE] = IN_NATIVE;
	v->stack[60] = (uint64_t)wrapper; /* the stub's */
	wrapper[W_THREAD] = (uint64_t)t;
	wrapper[W_HANDLES] = (uint64_t)block(v, 3);
	wrapper[W_ANCHOR] = 0; /* the outermost */
	v->f->thread[1][STATE] = IN_NATIVE;
}

static int setup(void **state)
{
	struct made_vm *v = calloc(1, sizeof(*v));
	struct fake *f;

	assert_non_null(v);
	v->f = f = fake_new(false, NULL);
	add_field(f, "JavaThread", "_osthread", 8 * OSTHREAD);
	add_field(f, "JavaThread", "_active_handles", 8 * HANDLES);
	add_field(f, "JavaThread", "_anchor", 8 * ANCHOR);
	add_field(f, "JavaThread", "_stack_base", 8 * STACK_BASE);
	add_field(f, "JavaThread", "_stack_size", 8 * STACK_SIZE);
	add_field(f, "JavaThread", "_thread_state", 8 * STATE);
	add_field(f, "OSThread", "_thread_id", 0);
	add_field(f, "JavaFrameAnchor", "_last_Java_sp", 0);
	add_field(f, "JavaCallWrapper", "_anchor", 8 * W_ANCHOR);
	add_type(f, "JNIHandleBlock", sizeof(f->handles[0][0]));
	add_field(f, "JNIHandleBlock", "_handles", 0);
	add_field(f, "JNIHandleBlock", "_top", 8 * TOP);
	add_field(f, "JNIHandleBlock", "_next", 8 * NEXT);
	make_locals(v);
	publish(f);
	assert_int_equal(open_fake(f), 0);
	*state = v;
	return 0;
}

static int teardown(void **state)
{
	struct made_vm *v = *state;

	fake_free(v->f);
	free(v);
	return 0;
}

static enum local_state state_of(const struct vm_locals *l, struct made_vm *v, int i, int slot)
{
	return vm_locals_state(l, (uint64_t)&block(v, i)[slot]);
}

static void all_frames_are_found(void **state)
{
	static const int tops[] = {32, 5, 3, 7};
	struct made_vm *v = *state;
	struct vm_locals l;

	block(v, 1)[2] = 0;          /* deleted */
	block(v, 1)[3] = OBJECT | 1; /* on the list of free ones */
	assert_int_equal(hotspot_locals(v->f->h, &l), 0);
	assert_true(l.complete);
	assert_int_equal(l.live, 32 + 3 + 3 + 7);
	for (int i = 0; i < 4; i++)
		for (int slot = 0; slot < 32; slot++)
			assert_int_equal(state_of(&l, v, i, slot),
					 slot < tops[i] && !(i == 1 && (slot == 2 || slot == 3))
					     ? LOCAL_LIVE
					     : LOCAL_DEAD);
	assert_int_equal(vm_locals_state(&l, 0), LOCAL_DEAD);
	assert_int_equal(vm_locals_state(&l, UINT64_MAX), LOCAL_DEAD);
	vm_locals_free(&l);
}

/* A thread that runs Java has no anchor: what its stack may still name is neither alive nor dead. */
static void in_java_nothing_is_certain(void **state)
{
	struct made_vm *v = *state;
	struct vm_locals l;

	v->f->thread[0][ANCHOR] = 0;
	v->f->thread[0][STATE] = IN_JAVA;
	assert_int_equal(hotspot_locals(v->f->h, &l), 0);
	assert_int_equal(state_of(&l, v, 0, 0), LOCAL_LIVE);
	assert_int_equal(state_of(&l, v, 3, 0), LOCAL_UNKNOWN);
	vm_locals_free(&l);
}

/* Of processor time: other programs may run, too. */
static uint64_t now_ms(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1000000;
}

/* With *p a lie nothing that is not found is called dead, and it takes no longer. */
static void check_incomplete(struct made_vm *v, uint64_t *p, uint64_t lie)
{
	uint64_t was = *p, start = now_ms();
	struct vm_locals l;

	*p = lie;
	assert_int_equal(hotspot_locals(v->f->h, &l), 0);
	if (l.complete)
		fail_msg("0x%lx is believed", (unsigned long)lie);
	assert_int_equal(vm_locals_state(&l, 8), LOCAL_UNKNOWN);
	assert_true(l.n <= 1 << 19);
	vm_locals_free(&l);
	assert_true(now_ms() - start < 5000);
	*p = was;
	assert_int_equal(hotspot_locals(v->f->h, &l), 0);
	assert_true(l.complete && l.live == 32 + 5 + 3 + 7);
	vm_locals_free(&l);
}

static void lying_blocks(void **state)
{
	struct made_vm *v = *state;
	static const uint64_t lies[] = {1, 8, 1ULL << 47, UINT64_MAX - 7, UINT64_MAX};
	uint64_t *t = v->f->thread[0];

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		check_incomplete(v, &t[HANDLES], lies[i]);
		check_incomplete(v, &block(v, 0)[NEXT], lies[i]);
		check_incomplete(v, &block(v, 0)[POP], lies[i]);
		check_incomplete(v, &block(v, 0)[LAST], lies[i]);
		check_incomplete(v, &v->stack[100 + W_HANDLES], lies[i]);
	}
	check_incomplete(v, &block(v, 0)[TOP], 33);
	check_incomplete(v, &block(v, 0)[TOP], UINT32_MAX);
	check_incomplete(v, &block(v, 1)[TOP], 33);
	/* the last one in use is not where it should be */
	check_incomplete(v, &block(v, 0)[LAST], (uint64_t)block(v, 2));
	/* rings */
	check_incomplete(v, &block(v, 0)[POP], (uint64_t)block(v, 0));
	check_incomplete(v, &block(v, 2)[POP], (uint64_t)block(v, 0));
	check_incomplete(v, &block(v, 0)[NEXT], (uint64_t)block(v, 0));
}

static void lying_stacks(void **state)
{
	struct made_vm *v = *state;
	static const uint64_t lies[] = {0, 1, 8, 1ULL << 47, UINT64_MAX - 7, UINT64_MAX};
	uint64_t *t = v->f->thread[0];

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		if (lies[i])
			check_incomplete(v, &t[ANCHOR], lies[i]);
		check_incomplete(v, &t[STACK_BASE], lies[i]);
		if (lies[i] < sizeof(v->stack))
			check_incomplete(v, &t[STACK_SIZE], lies[i]);
		check_incomplete(v, &v->stack[100 + W_THREAD], lies[i]);
		if (lies[i])
			check_incomplete(v, &v->stack[100 + W_ANCHOR], lies[i]);
	}
	check_incomplete(v, &t[STACK_SIZE], UINT64_MAX);
	check_incomplete(v, &t[ANCHOR], t[STACK_BASE]);
	check_incomplete(v, &t[ANCHOR], t[ANCHOR] + 1);
	/* a wrapper that names itself, or what is further in, as further out */
	check_incomplete(v, &v->stack[100 + W_ANCHOR], (uint64_t)&v->stack[100]);
	check_incomplete(v, &v->stack[100 + W_ANCHOR], (uint64_t)&v->stack[40]);
	check_incomplete(v, &v->stack[60], 0); /* no stub names it */
}

static void lying_lists(void **state)
{
	struct made_vm *v = *state;
	struct fake *f = v->f;
	void *array = f->list.threads;
	struct vm_locals l;
	static const uint32_t lengths[] = {UINT32_MAX, 1U << 31, 65537};

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		f->list.length = lengths[i];
		assert_int_equal(hotspot_locals(f->h, &l), -EAGAIN);
		assert_null(l.v);
	}
	f->list.length = 2;
	for (int bit = 0; bit < 64; bit += 9) {
		f->list.threads = (void *)(1ULL << bit);
		assert_int_equal(hotspot_locals(f->h, &l), -EAGAIN);
	}
	f->list.threads = array;
	f->thread_array[1] = NULL;
	assert_int_equal(hotspot_locals(f->h, &l), -EAGAIN);
	f->thread_array[1] = (void *)8; /* its memory is gone */
	assert_int_equal(hotspot_locals(f->h, &l), 0);
	assert_false(l.complete);
	vm_locals_free(&l);
}

/* Any word may be anything. */
static void noise(void **state)
{
	struct made_vm *v = *state;
	uint64_t seed = 88172645463325252ULL, start = now_ms();
	uint64_t *words[] = {v->f->thread[0], v->f->handles[0][0], v->stack};
	const size_t counts[] = {7, 8 * 40, STACK_WORDS};

	for (int round = 0; round < 3000; round++) {
		struct vm_locals l;

		make_locals(v);
		for (int i = 0; i < 3; i++) {
			uint64_t *at, pick;

			seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
			pick = seed % ARRAY_LEN(words);
			at = &words[pick][(seed >> 8) % counts[pick]];
			switch (seed >> 24 & 3) {
			case 0:
				*at = seed >> 26;
				break;
			case 1:
				*at = (uint64_t)block(v, (int)(seed >> 26 & 7));
				break;
			case 2:
				*at = (uint64_t)&v->stack[(seed >> 26) % STACK_WORDS];
				break;
			default:
				*at ^= 1ULL << (seed >> 26 & 63);
			}
		}
		assert_int_equal(hotspot_locals(v->f->h, &l), 0);
		assert_true(l.n <= 1 << 19 && (l.n == 0 || l.live <= 32 * l.n));
		vm_locals_free(&l);
	}
	assert_true(now_ms() - start < 60000);
}

/* What the probes are told is left out where it cannot be relied on. */
static void what_the_probes_are_told(void **state)
{
	struct made_vm *v = *state;
	struct fake *f = v->f;
	struct thread_config c;

	assert_int_equal(hotspot_thread_config(f->h, &c), 0);
	assert_true(c.known);
	assert_int_equal(c.env, 8 * JNI_ENV_WORD);
	assert_int_equal(c.handles, 8 * HANDLES - 8 * JNI_ENV_WORD);
	assert_int_equal(c.stack_base, 8 * STACK_BASE - 8 * JNI_ENV_WORD);
	assert_int_equal(c.list, &f->d->threads_list_head);
	assert_int_equal(c.list_next, 0);
	assert_int_equal(c.storage_global, 0); /* not proven yet */
	for (size_t i = 0; i < f->nr_structs; i++) {
		struct vm_struct *s = &f->d->structs[i];
		uint64_t was = s->offset;

		if (!s->field || (strcmp(s->field, "_stack_size") && strcmp(s->field, "_next")))
			continue;
		s->offset += 8;
		assert_int_equal(open_fake(f), 0);
		if (!strcmp(s->field, "_next")) {
			assert_int_equal(hotspot_thread_config(f->h, &c), -EPROTO);
			assert_false(c.known);
		} else {
			assert_int_equal(hotspot_thread_config(f->h, &c), 0);
			assert_true(c.known && !c.list);
		}
		s->offset = was;
	}
}

#define VM_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    VM_TEST(all_frames_are_found),
	    VM_TEST(in_java_nothing_is_certain),
	    VM_TEST(lying_blocks),
	    VM_TEST(lying_stacks),
	    VM_TEST(lying_lists),
	    VM_TEST(noise),
	    VM_TEST(what_the_probes_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
