/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The VM's performance counters, and what happens when they lie. */
#include "hotspot_fixture.h"

#include "runtime/hotspot/events.h"
#include "runtime/hotspot/perf.h"

struct perf {
	uint32_t magic;
	uint8_t byte_order, major, minor, accessible;
	uint32_t used, overflow;
	uint64_t modified;
	uint32_t entry_offset, nr_entries;
	struct perf_counter {
		uint32_t bytes, name, vector_length;
		uint8_t type, flags, units, variability;
		uint32_t data;
		char text[36];
		uint64_t value;
	} counter[3];
	uint32_t rest[8];
};

static void make_perf(struct perf *p)
{
	static const char *const names[] = {"java.cls.loadedClasses", "java.cls.unloadedClasses2",
					    "java.cls.unloadedClasses"};

	*p = (struct perf){.magic = 0xc0c0feca,
			   .byte_order = 1,
			   .major = 2,
			   .used = sizeof(*p),
			   .entry_offset = offsetof(struct perf, counter),
			   .nr_entries = 3};
	for (int i = 0; i < 3; i++) {
		struct perf_counter *c = &p->counter[i];

		*c = (struct perf_counter){.bytes = sizeof(*c),
					   .name = offsetof(struct perf_counter, text),
					   .type = 'J',
					   .data = offsetof(struct perf_counter, value)};
		snprintf(c->text, sizeof(c->text), "%s", names[i]);
	}
}

/* Set *word to v, expect that no counter is found, and set it back. */
static void check_no_counter(struct fake *f, uint32_t *word, uint32_t v)
{
	uint32_t old = *word;

	*word = v;
	assert_int_equal(hotspot_unloads_counter(f->h), 0);
	*word = old;
	assert_int_not_equal(hotspot_unloads_counter(f->h), 0);
}

static void unloads_counter(void **state)
{
	struct fake *f = fake_new(false, NULL);
	struct perf *p = calloc(1, sizeof(*p));

	(void)state;
	assert_non_null(p);
	make_perf(p);
	assert_int_equal(open_fake(f), 0);
	assert_int_equal(hotspot_unloads_counter(f->h), 0); /* -XX:-UsePerfData */
	f->d->perf_start = (void *)12345;
	assert_int_equal(hotspot_unloads_counter(f->h), 0);
	f->d->perf_start = p;
	assert_int_equal(hotspot_unloads_counter(f->h), &p->counter[2].value);
	check_no_counter(f, &p->magic, 0xcafec0c0);
	check_no_counter(f, &p->used, 31);
	check_no_counter(f, &p->used, UINT32_MAX);
	check_no_counter(f, &p->used, sizeof(*p) - sizeof(p->rest) - 1); /* the last entry is cut off */
	check_no_counter(f, &p->entry_offset, 8);
	check_no_counter(f, &p->entry_offset, UINT32_MAX);
	check_no_counter(f, &p->entry_offset, p->entry_offset + 4);
	check_no_counter(f, &p->nr_entries, 2);
	check_no_counter(f, &p->counter[0].bytes, 0);
	check_no_counter(f, &p->counter[1].bytes, UINT32_MAX);
	check_no_counter(f, &p->counter[2].bytes, 40);
	check_no_counter(f, &p->counter[2].name, p->counter[2].bytes - 4);
	check_no_counter(f, &p->counter[2].name, UINT32_MAX);
	check_no_counter(f, &p->counter[2].data, p->counter[2].bytes - 7);
	check_no_counter(f, &p->counter[2].data, p->counter[2].data - 4); /* not aligned */
	check_no_counter(f, &p->counter[2].data, UINT32_MAX);
	check_no_counter(f, &p->counter[2].vector_length, 1);
	p->nr_entries = UINT32_MAX; /* it ends all the same */
	p->counter[2].text[0] = 'x';
	assert_int_equal(hotspot_unloads_counter(f->h), 0);
	free(p);
	fake_free(f);
}

static void name_counter(struct perf *p, int i, int collector)
{
	snprintf(p->counter[i].text, sizeof(p->counter[i].text), "sun.gc.collector.%d.invocations",
		 collector);
}

/* Of the whole heap: all but the first collector, or the only one. */
static void collectors(void **state)
{
	struct fake *f = fake_new(false, NULL);
	struct perf *p = calloc(1, sizeof(*p));
	uint64_t at[HOTSPOT_COLLECTORS];

	(void)state;
	assert_non_null(p);
	make_perf(p);
	assert_int_equal(open_fake(f), 0);
	hotspot_collectors(f->h, at); /* -XX:-UsePerfData */
	assert_int_equal(at[0], 0);
	f->d->perf_start = p;
	hotspot_collectors(f->h, at); /* Epsilon */
	assert_int_equal(at[0], 0);
	for (int i = 0; i < 3; i++)
		name_counter(p, i, i);
	hotspot_collectors(f->h, at); /* G1 */
	assert_int_equal(at[0], &p->counter[1].value);
	assert_int_equal(at[1], &p->counter[2].value);
	assert_int_equal(at[2], 0);
	name_counter(p, 1, 17);
	hotspot_collectors(f->h, at); /* generational ZGC has no 1 */
	assert_int_equal(at[0], &p->counter[2].value);
	assert_int_equal(at[1], 0);
	name_counter(p, 2, 18);
	hotspot_collectors(f->h, at);
	assert_int_equal(at[0], &p->counter[0].value);
	assert_int_equal(at[1], 0);
	free(p);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(unloads_counter),
	    cmocka_unit_test(collectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
