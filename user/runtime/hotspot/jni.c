/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The JNI function tables in the VM's memory: the way to the functions of a library without symbols.
 * A table is known by its shape (JNI specification, "Interface Function Table"), and the one in use by
 * the JavaThreads, whose JNIEnv begins with a pointer to it (JDK: runtime/javaThread.hpp).
 */
#include "runtime/hotspot/jni.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/hotspot/flags.h"
#include "runtime/hotspot/starting.h"

#define ENV_RESERVED_SLOTS 4
#define VM_RESERVED_SLOTS  3
#define MAX_FOREIGN_SLOTS  48 /* quickened Get<Type>Field live in the code cache; agents replace some */
#define MAX_ENV_TABLES     8  /* HotSpot has two: jni_* and checked_jni_* */
#define MAX_VM_TABLES      4096
#define MAX_WRITTEN_BYTES  (64u << 20)
#define MAX_THREADS        8
#define MAX_THREAD_BYTES   16384

/* Slots after those of JNI 1.6, by the JDK that added them (JNI specification, "Summary of Changes"). */
static const struct {
	int feature, slots;
} later_slots[] = {{9, 234}, {19, 235}, {24, 236}};

/* What libjvm's writable data held at one moment, and the things in it shaped like tables. */
struct scan {
	uint64_t *word;
	size_t n;
	uint64_t start; /* address of word[0] */
	uint64_t env[MAX_ENV_TABLES];
	size_t nr_env;
	uint64_t *vm; /* ascending */
	size_t nr_vm;
};

static bool is_env_table(const struct hotspot *h, const uint64_t *w, size_t n)
{
	int foreign = 0;

	/* the first function is never quickened: a cheap test for the many words that are no table */
	if (n < JNI_ENV_SLOTS || !hotspot_in_code(h, w[ENV_RESERVED_SLOTS]))
		return false;
	for (int i = 0; i < ENV_RESERVED_SLOTS; i++)
		if (w[i] != 0)
			return false;
	for (int i = ENV_RESERVED_SLOTS; i < JNI_ENV_SLOTS; i++) {
		if (w[i] == 0)
			return false;
		foreign += !hotspot_in_code(h, w[i]);
	}
	return foreign <= MAX_FOREIGN_SLOTS;
}

static bool is_vm_table(const struct hotspot *h, const uint64_t *w, size_t n)
{
	if (n < JNI_VM_SLOTS || !hotspot_in_code(h, w[VM_RESERVED_SLOTS]))
		return false;
	for (int i = 0; i < VM_RESERVED_SLOTS; i++)
		if (w[i] != 0)
			return false;
	for (int i = VM_RESERVED_SLOTS; i < JNI_VM_SLOTS; i++)
		if (!hotspot_in_code(h, w[i]))
			return false;
	return true;
}

static int scan_open(const struct hotspot *h, struct scan *s)
{
	const struct addr_range *first = &h->written[0], *last = &h->written[h->nr_written - 1];
	uint64_t bytes = last->end - first->start;

	if (bytes > MAX_WRITTEN_BYTES)
		return -EPROTO;
	s->start = first->start;
	s->n = bytes / sizeof(*s->word);
	s->word = calloc(1, bytes);
	s->vm = malloc(MAX_VM_TABLES * sizeof(*s->vm));
	if (!s->word || !s->vm)
		return -ENOMEM;
	for (size_t i = 0; i < h->nr_written; i++) {
		const struct addr_range *r = &h->written[i];
		int rc = proc_read(h->pid, r->start, (uint8_t *)s->word + (r->start - s->start),
				   r->end - r->start);

		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i < s->n; i++) {
		if (s->nr_vm < MAX_VM_TABLES && is_vm_table(h, s->word + i, s->n - i))
			s->vm[s->nr_vm++] = s->start + i * sizeof(*s->word);
		if (s->nr_env < MAX_ENV_TABLES && is_env_table(h, s->word + i, s->n - i)) {
			s->env[s->nr_env++] = s->start + i * sizeof(*s->word);
			i += JNI_ENV_SLOTS - 1;
		}
	}
	return 0;
}

static void scan_close(struct scan *s)
{
	free(s->word);
	free(s->vm);
}

/* --- which table is in use --- */

/* Some JavaThreads. JDK 10 and later keep a list in an array (ThreadsList), JDK 8 a linked one. */
size_t hotspot_java_threads(const struct hotspot *h, uint64_t *out, size_t cap)
{
	uint64_t list, at_length, at_threads, at_next, array;
	uint32_t length = 0;
	size_t n = 0;

	if (hotspot_read_static(h, "ThreadsSMRSupport", "_java_thread_list", &list) &&
	    hotspot_field_offset(h, "ThreadsList", "_length", &at_length) &&
	    hotspot_field_offset(h, "ThreadsList", "_threads", &at_threads)) {
		if (proc_read(h->pid, list + at_length, &length, sizeof(length)) < 0 ||
		    proc_read(h->pid, list + at_threads, &array, sizeof(array)) < 0)
			return 0;
		n = length < cap ? length : cap;
		return n && proc_read(h->pid, array, out, n * sizeof(*out)) == 0 ? n : 0;
	}
	if (!hotspot_read_static(h, "Threads", "_thread_list", &list) ||
	    !hotspot_field_offset(h, "JavaThread", "_next", &at_next))
		return 0;
	while (list && n < cap) {
		out[n++] = list;
		if (proc_read(h->pid, list + at_next, &list, sizeof(list)) < 0)
			break;
	}
	return n;
}

static bool is_candidate(const struct scan *s, uint64_t addr)
{
	for (size_t i = 0; i < s->nr_env; i++)
		if (s->env[i] == addr)
			return true;
	return false;
}

/*
 * The table that all JavaThreads name at one and the same place, their JNIEnv. No table exports its
 * offset, so all words of the objects are tried. 0: none; -EAGAIN in *rc when there is no thread yet.
 * *offset_bytes: where; 0 when it is at several places.
 */
static uint64_t table_of_threads(const struct hotspot *h, const struct scan *s, size_t *offset_bytes, int *rc)
{
	uint64_t thread[MAX_THREADS], size, found = 0;
	uint64_t(*object)[MAX_THREAD_BYTES / 8];
	size_t listed, n = 0;

	*rc = -ENOENT;
	if (!hotspot_type_size(h, "JavaThread", &size) || size > MAX_THREAD_BYTES)
		return 0;
	object = malloc(MAX_THREADS * sizeof(*object));
	if (!object) {
		*rc = -ENOMEM;
		return 0;
	}
	listed = hotspot_java_threads(h, thread, MAX_THREADS);
	for (size_t i = 0; i < listed; i++) /* one that has just ended may be unreadable */
		n += proc_read(h->pid, thread[i], object[n], size) == 0;
	if (n == 0)
		*rc = -EAGAIN;
	for (size_t w = 0; w < size / 8 && n > 0; w++) {
		size_t same = 0;

		if (!is_candidate(s, object[0][w]))
			continue;
		while (same < n && object[same][w] == object[0][w])
			same++;
		if (same == n) {
			if (found && found != object[0][w]) {
				found = 0; /* two tables: nothing is proven */
				break;
			}
			*offset_bytes = found ? 0 : w * 8;
			found = object[0][w];
		}
	}
	free(object);
	if (found)
		*rc = 0;
	return found;
}

bool hotspot_checks_jni(const struct hotspot *h)
{
	return hotspot_flag(h, "CheckJNICalls");
}

/*
 * The table in use. Of a VM that is held as it starts it is that of the thread that starts it. 0: as
 * table_of_threads().
 */
static uint64_t table_in_use(const struct hotspot *h, const struct scan *s, int *rc)
{
	size_t offset_bytes;
	uint64_t table = table_of_threads(h, s, &offset_bytes, rc);

	if (table || *rc != -EAGAIN || !h->early)
		return table;
	table = hotspot_starting_table(h, s->env, s->nr_env);
	*rc = table ? 0 : -EAGAIN;
	return table;
}

/* With -Xcheck:jni the threads use the table of checked_jni_*, which call the functions of the other. */
static int find_inner(const struct hotspot *h, const struct scan *s, uint64_t *inner, struct error *err)
{
	bool checked = false;
	int rc;
	uint64_t outer = table_in_use(h, s, &rc);

	if (!outer)
		return rc == -EAGAIN
			   ? rc
			   : hotspot_error(h, err, rc, "no JNI function table is in use by its threads");
	rc = hotspot_bool_flag(h, "CheckJNICalls", &checked);
	if (rc < 0)
		return hotspot_error(h, err, -ENOENT, "cannot tell whether it runs with -Xcheck:jni");
	if (checked && s->nr_env != 2)
		return hotspot_error(h, err, -ENOENT,
				     "cannot tell which JNI function table -Xcheck:jni calls");
	*inner = checked ? s->env[s->env[0] == outer] : outer;
	return 0;
}

int hotspot_jni_begins(const struct hotspot *h, struct error *err)
{
	struct scan s = {0};
	int rc = scan_open(h, &s);
	bool begins = !rc && table_in_use(h, &s, &rc);

	scan_close(&s);
	if (begins || rc == -ENOMEM)
		return begins ? 0 : rc;
	return hotspot_error(h, err, -EAGAIN, "no thread of it can make a call yet");
}

/* --- the invocation interface --- */

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * Many C++ vtables are shaped like JNIInvokeInterface_, but an object points past the two words before
 * a vtable's functions, never at the zero before those. main_vm (JDK: prims/jni.cpp) points at the
 * start. 0: no such pointer, or to several.
 */
static uint64_t find_vm_table(const struct scan *s)
{
	uint64_t found = 0;

	if (s->nr_vm == 0)
		return 0;
	for (size_t i = 0; i < s->n; i++) {
		const uint64_t *w = &s->word[i];

		if (*w < s->vm[0] || *w > s->vm[s->nr_vm - 1] ||
		    !bsearch(w, s->vm, s->nr_vm, sizeof(*w), compare_u64))
			continue;
		if (found && found != *w)
			return 0;
		found = *w;
	}
	return found;
}

static void copy_slots(const struct hotspot *h, const struct scan *s, uint64_t table, uint64_t *out, size_t n)
{
	const uint64_t *w = s->word + (table - s->start) / sizeof(*w);
	size_t room = s->n - (size_t)(w - s->word);

	for (size_t i = 0; i < n && i < room; i++)
		out[i] = hotspot_in_code(h, w[i]) ? w[i] : 0;
}

int hotspot_jni_tables(struct hotspot *h, struct jni_tables *out, struct error *err)
{
	struct scan s = {0};
	uint64_t inner = 0, vm;
	int rc = scan_open(h, &s);

	memset(out, 0, sizeof(*out));
	if (rc < 0) {
		scan_close(&s);
		return hotspot_error(h, err, rc, "cannot read the data of its library");
	}
	rc = s.nr_env ? find_inner(h, &s, &inner, err)
		      : hotspot_error(h, err, -ENOENT, "there is no JNI function table in its library");
	if (rc == 0) {
		out->nr_env = JNI_ENV_SLOTS;
		for (size_t i = 0; i < ARRAY_LEN(later_slots); i++)
			if (h->feature >= later_slots[i].feature)
				out->nr_env = later_slots[i].slots;
		copy_slots(h, &s, inner, out->env, (size_t)out->nr_env);
		vm = find_vm_table(&s);
		if (vm)
			copy_slots(h, &s, vm, out->vm, JNI_VM_SLOTS);
	}
	scan_close(&s);
	return rc;
}

int hotspot_jni_env(const struct hotspot *h, struct jni_env *out, struct error *err)
{
	struct scan s = {0};
	size_t offset_bytes = 0;
	int rc = scan_open(h, &s);
	uint64_t in_use = rc ? 0 : table_of_threads(h, &s, &offset_bytes, &rc);

	memset(out, 0, sizeof(*out));
	out->offset_bytes = offset_bytes;
	out->table[0] = in_use;
	/* -Xcheck:jni: a thread may have the other one for a while */
	for (size_t i = 0; i < s.nr_env; i++)
		if (s.nr_env == 2 && s.env[i] != in_use)
			out->table[1] = s.env[i];
	scan_close(&s);
	if (rc == -EAGAIN || rc == -ENOMEM)
		return rc;
	if (rc == 0 && offset_bytes == 0)
		rc = -ENOENT;
	return rc ? hotspot_error(h, err, rc, "its threads' JNIEnv was not found") : 0;
}
