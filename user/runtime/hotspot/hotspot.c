/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables every HotSpot exports for the serviceability agent (JDK: runtime/vmStructs.hpp): four
 * arrays, whose strides and column offsets are exported too. They are read in a few large pieces;
 * the names are string literals and are taken from the library's file.
 */
#include "runtime/hotspot/hotspot.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_MAX_ENTRIES      65536
#define TABLE_MAX_STRIDE_BYTES 256
#define TABLE_CHUNK_BYTES      65536
#define NAME_MAX_BYTES         512
#define NAMES_WINDOW_MAX_BYTES (16u << 20) /* a whole .rodata is below 2 MB */
#define MAX_PROGRAM_HEADERS    64
#define MAX_WRITTEN_BYTES      (64u << 20)
#define VERSION_MAX_BYTES      512

enum name_kind { KIND_OFFSET, KIND_STATIC, KIND_SIZE, KIND_CONSTANT };
enum column { COL_NAME, COL_FIELD, COL_VALUE, COL_ADDRESS, COL_IS_STATIC, NR_COLS };
enum table { TABLE_STRUCTS, TABLE_TYPES, TABLE_INTS, TABLE_LONGS, NR_TABLES };

/* Symbols as exported: gHotSpotVM<array>, gHotSpotVM<entry>EntryArrayStride,
 * gHotSpotVM<entry>Entry<column>Offset. */
static const struct table_spec {
	const char *array, *stride;
	struct {
		const char *symbol; /* of the column's offset; NULL: no such column */
		size_t bytes;
	} col[NR_COLS];
} table_specs[NR_TABLES] = {
    [TABLE_STRUCTS] = {"gHotSpotVMStructs",
		       "gHotSpotVMStructEntryArrayStride",
		       {[COL_NAME] = {"gHotSpotVMStructEntryTypeNameOffset", 8},
			[COL_FIELD] = {"gHotSpotVMStructEntryFieldNameOffset", 8},
			[COL_VALUE] = {"gHotSpotVMStructEntryOffsetOffset", 8},
			[COL_ADDRESS] = {"gHotSpotVMStructEntryAddressOffset", 8},
			[COL_IS_STATIC] = {"gHotSpotVMStructEntryIsStaticOffset", 4}}},
    [TABLE_TYPES] = {"gHotSpotVMTypes",
		     "gHotSpotVMTypeEntryArrayStride",
		     {[COL_NAME] = {"gHotSpotVMTypeEntryTypeNameOffset", 8},
		      [COL_VALUE] = {"gHotSpotVMTypeEntrySizeOffset", 8}}},
    [TABLE_INTS] = {"gHotSpotVMIntConstants",
		    "gHotSpotVMIntConstantEntryArrayStride",
		    {[COL_NAME] = {"gHotSpotVMIntConstantEntryNameOffset", 8},
		     [COL_VALUE] = {"gHotSpotVMIntConstantEntryValueOffset", 4}}},
    [TABLE_LONGS] = {"gHotSpotVMLongConstants",
		     "gHotSpotVMLongConstantEntryArrayStride",
		     {[COL_NAME] = {"gHotSpotVMLongConstantEntryNameOffset", 8},
		      [COL_VALUE] = {"gHotSpotVMLongConstantEntryValueOffset", 8}}},
};

/* One table: where its exported variables are, what they say, and its entries as read. */
struct raw_table {
	uint64_t array_var, stride_var, col_var[NR_COLS]; /* link-time addresses */
	uint64_t stride_bytes, col[NR_COLS];
	uint8_t *v;
	size_t n;
};

/* The part of the library that holds all names. */
struct names_window {
	char *v;
	uint64_t start; /* address in the target */
	size_t n;
};

int hotspot_error(const struct hotspot *h, struct error *err, int rc, const char *why)
{
	char what[64];

	snprintf(what, sizeof(what), "the Java VM of process %d", (int)h->pid);
	return error_set(err, rc, rc == -ESRCH ? EXIT_NO_TARGET : EXIT_FAILED, what, NULL, "%s", why);
}

const struct addr_range *hotspot_data_range(const struct hotspot *h, uint64_t addr)
{
	for (size_t i = 0; i < h->nr_data; i++)
		if (addr - h->data[i].start < h->data[i].end - h->data[i].start)
			return &h->data[i];
	return NULL;
}

/* --- libjvm's segments and mappings --- */

static int range_add(struct addr_range *v, size_t *n, uint64_t start, uint64_t end)
{
	if (*n > 0 && v[*n - 1].end == start) { /* as one with the range before */
		v[*n - 1].end = end;
		return 0;
	}
	if (*n == HOTSPOT_MAX_RANGES)
		return -E2BIG;
	v[(*n)++] = (struct addr_range){start, end};
	return 0;
}

/* The writable segments; the program headers are part of the first one. */
static int read_segments(struct hotspot *h)
{
	Elf64_Phdr ph[MAX_PROGRAM_HEADERS];
	Elf64_Ehdr eh;
	uint64_t vaddr, lowest = 0;
	int rc = 0;

	if (!elf_offset_to_vaddr(h->libjvm, 0, &vaddr) ||
	    elf_read(h->libjvm, vaddr, &eh, sizeof(eh)) != sizeof(eh) || eh.e_phnum > MAX_PROGRAM_HEADERS ||
	    !elf_offset_to_vaddr(h->libjvm, eh.e_phoff, &vaddr) ||
	    elf_read(h->libjvm, vaddr, ph, eh.e_phnum * sizeof(*ph)) != eh.e_phnum * sizeof(*ph))
		return -EPROTO;
	for (int i = 0; i < eh.e_phnum && rc == 0; i++) {
		uint64_t start = h->bias + ph[i].p_vaddr, end;

		if (ph[i].p_type != PT_LOAD || !(ph[i].p_flags & PF_W) || ph[i].p_filesz == 0)
			continue;
		end = start + ph[i].p_filesz;
		start = (start + 7) & ~7ULL; /* words */
		if (ph[i].p_filesz > MAX_WRITTEN_BYTES || end <= start || start < lowest)
			return -EPROTO;
		rc = range_add(h->written, &h->nr_written, start, end);
		lowest = end; /* the specification wants them in order */
	}
	return rc;
}

/* Is m a mapping of this load of libjvm (the file may be mapped a second time by someone reading it)? */
static bool is_libjvm_mapping(const struct hotspot *h, const struct mapping *m, const struct mapping *known)
{
	uint64_t vaddr, last = m->end - m->start - 1;

	if (m->dev != known->dev || m->ino != known->ino || !m->readable)
		return false;
	/* the first page of a segment may begin before the segment does: try the last byte as well */
	if (elf_offset_to_vaddr(h->libjvm, m->offset, &vaddr) && vaddr + h->bias == m->start)
		return true;
	return elf_offset_to_vaddr(h->libjvm, m->offset + last, &vaddr) && vaddr + h->bias == m->start + last;
}

/* h->code and h->data: libjvm's own mappings, and the anonymous one behind the last that is its .bss. */
static int collect_ranges(struct hotspot *h, const struct proc_maps *maps, uint64_t table_addr)
{
	const struct mapping *known = proc_maps_find(maps, table_addr), *prev = NULL;
	int rc = 0;

	if (!known || known->ino == 0)
		return -EPROTO;
	for (size_t i = 0; i < maps->n && rc == 0; i++) {
		const struct mapping *m = &maps->v[i];
		bool bss = prev && prev->writable && prev->ino && m->ino == 0 && m->readable && m->writable &&
			   !m->executable && m->start == prev->end;

		if (!bss && !is_libjvm_mapping(h, m, known))
			continue;
		if (m->executable)
			rc = range_add(h->code, &h->nr_code, m->start, m->end);
		else
			rc = range_add(h->data, &h->nr_data, m->start, m->end);
		prev = m;
	}
	if (rc == 0 && (h->nr_code == 0 || h->nr_data == 0 || h->nr_written == 0))
		rc = -EPROTO;
	return rc;
}

/* --- names --- */

static uint64_t name_key(enum name_kind kind, const char *type, const char *field)
{
	uint8_t k = (uint8_t)kind;
	uint64_t h = fnv64(fnv64(FNV64_INIT, &k, 1), type, strlen(type));

	if (field)
		h = fnv64(fnv64(h, "::", 2), field, strlen(field));
	return h ? h : 1;
}

static bool names_find(const struct vm_names *t, uint64_t key, uint64_t *value)
{
	if (!t->v)
		return false;
	for (size_t i = key & t->mask; t->v[i].key; i = (i + 1) & t->mask) {
		if (t->v[i].key == key) {
			*value = t->v[i].value;
			return true;
		}
	}
	return false;
}

/* The first of two entries with one name wins. There is always room: names_reserve. */
static void names_add(struct vm_names *t, uint64_t key, uint64_t value)
{
	size_t i = key & t->mask;

	while (t->v[i].key && t->v[i].key != key)
		i = (i + 1) & t->mask;
	if (!t->v[i].key)
		t->v[i] = (struct vm_name){key, value};
}

static int names_reserve(struct vm_names *t, size_t n)
{
	size_t size = 64;

	while (size < 2 * n)
		size *= 2;
	t->v = calloc(size, sizeof(*t->v));
	t->mask = size - 1;
	return t->v ? 0 : -ENOMEM;
}

bool hotspot_field_offset(const struct hotspot *h, const char *type, const char *field,
			  uint64_t *offset_bytes)
{
	return names_find(&h->names, name_key(KIND_OFFSET, type, field), offset_bytes);
}

bool hotspot_static_addr(const struct hotspot *h, const char *type, const char *field, uint64_t *addr)
{
	return names_find(&h->names, name_key(KIND_STATIC, type, field), addr);
}

bool hotspot_type_size(const struct hotspot *h, const char *type, uint64_t *size_bytes)
{
	return names_find(&h->names, name_key(KIND_SIZE, type, NULL), size_bytes);
}

bool hotspot_constant(const struct hotspot *h, const char *name, int64_t *value)
{
	uint64_t v;

	if (!names_find(&h->names, name_key(KIND_CONSTANT, name, NULL), &v))
		return false;
	*value = (int64_t)v;
	return true;
}

bool hotspot_read_static(const struct hotspot *h, const char *type, const char *field, uint64_t *value)
{
	uint64_t addr;

	return hotspot_static_addr(h, type, field, &addr) &&
	       proc_read(h->pid, addr, value, sizeof(*value)) == 0;
}

/* --- reading the tables --- */

/* Column c of entry i; strides and offsets were checked by table_layout. */
static uint64_t column(const struct raw_table *t, const struct table_spec *s, size_t i, enum column c)
{
	const uint8_t *p = t->v + i * t->stride_bytes + t->col[c];
	uint64_t v = 0;
	int32_t v32;

	if (s->col[c].bytes == 8) {
		memcpy(&v, p, sizeof(v));
		return v;
	}
	memcpy(&v32, p, sizeof(v32));
	return (uint64_t)(int64_t)v32;
}

static int table_symbols(const struct hotspot *h, const struct table_spec *s, struct raw_table *t)
{
	struct elf_wanted w[2 + NR_COLS] = {{.name = s->array}, {.name = s->stride}};
	uint64_t *to[2 + NR_COLS] = {&t->array_var, &t->stride_var};
	size_t n = 2;
	int found;

	for (int c = 0; c < NR_COLS; c++) {
		if (!s->col[c].symbol)
			continue;
		w[n].name = s->col[c].symbol;
		to[n++] = &t->col_var[c];
	}
	found = elf_find_symbols(h->libjvm, ELF_DYNSYM, w, n);
	if (found < 0)
		return found;
	for (size_t i = 0; i < n; i++) {
		if (w[i].vaddr == 0)
			return -EPROTO;
		*to[i] = w[i].vaddr;
	}
	return 0;
}

/* Read the exported variables: stride, column offsets and the address of the array. */
static int table_layout(const struct hotspot *h, const struct table_spec *s, struct raw_table *t,
			uint64_t *array)
{
	int rc = proc_read(h->pid, h->bias + t->array_var, array, sizeof(*array));

	if (rc == 0)
		rc = proc_read(h->pid, h->bias + t->stride_var, &t->stride_bytes, sizeof(t->stride_bytes));
	if (rc < 0)
		return rc;
	if (t->stride_bytes < 8 || t->stride_bytes > TABLE_MAX_STRIDE_BYTES)
		return -EPROTO;
	for (int c = 0; c < NR_COLS; c++) {
		if (!s->col[c].symbol)
			continue;
		rc = proc_read(h->pid, h->bias + t->col_var[c], &t->col[c], sizeof(t->col[c]));
		if (rc < 0)
			return rc;
		if (t->col[c] > t->stride_bytes - s->col[c].bytes)
			return -EPROTO;
	}
	return 0;
}

/* Read entries up to the one without a name. */
static int table_read(const struct hotspot *h, const struct table_spec *s, uint64_t addr, struct raw_table *t)
{
	const struct addr_range *r = hotspot_data_range(h, addr);
	size_t chunk = TABLE_CHUNK_BYTES / t->stride_bytes, cap = 0;

	if (!r)
		return -EPROTO;
	while (t->n < TABLE_MAX_ENTRIES) {
		size_t room = (r->end - addr) / t->stride_bytes, n = room < chunk ? room : chunk;
		uint8_t *v;
		int rc;

		if (n == 0)
			return -EPROTO;
		v = realloc(t->v, (cap + n) * t->stride_bytes);
		if (!v)
			return -ENOMEM;
		t->v = v;
		cap += n;
		rc = proc_read(h->pid, addr, v + t->n * t->stride_bytes, n * t->stride_bytes);
		if (rc < 0)
			return rc;
		for (; t->n < cap; t->n++)
			if (column(t, s, t->n, COL_NAME) == 0)
				return 0;
		addr += n * t->stride_bytes;
	}
	return -EPROTO;
}

static int tables_read(const struct hotspot *h, struct raw_table tables[NR_TABLES])
{
	for (int i = 0; i < NR_TABLES; i++) {
		uint64_t array;
		int rc = table_layout(h, &table_specs[i], &tables[i], &array);

		if (rc == 0)
			rc = table_read(h, &table_specs[i], array, &tables[i]);
		if (rc < 0)
			return rc;
		if (tables[i].n == 0)
			return -EPROTO;
	}
	return 0;
}

/* All names lie near each other, in .rodata: one copy out of the file holds them. */
static int window_open(const struct hotspot *h, const struct raw_table *tables, struct names_window *w)
{
	uint64_t lo = UINT64_MAX, hi = 0;

	for (int i = 0; i < NR_TABLES; i++) {
		for (size_t j = 0; j < tables[i].n; j++) {
			for (int c = COL_NAME; c <= COL_FIELD; c++) {
				uint64_t a = table_specs[i].col[c].symbol
						 ? column(&tables[i], &table_specs[i], j, (enum column)c)
						 : 0;

				if (a == 0)
					continue;
				lo = a < lo ? a : lo;
				hi = a > hi ? a : hi;
			}
		}
	}
	if (lo < h->bias || hi - lo > NAMES_WINDOW_MAX_BYTES)
		return -EPROTO;
	w->start = lo;
	w->v = malloc(hi - lo + NAME_MAX_BYTES + 2);
	if (!w->v)
		return -ENOMEM;
	w->n = elf_read(h->libjvm, lo - h->bias, w->v, hi - lo + NAME_MAX_BYTES + 1);
	w->v[w->n] = '\0';
	return 0;
}

/* NULL: outside the library, or not terminated in time. */
static const char *window_name(const struct names_window *w, uint64_t addr)
{
	uint64_t at = addr - w->start;

	if (at >= w->n || strnlen(w->v + at, w->n - at) > NAME_MAX_BYTES)
		return NULL;
	return w->v + at;
}

static int names_build(struct hotspot *h, const struct raw_table *tables, const struct names_window *w)
{
	size_t total = 0;
	int rc;

	for (int i = 0; i < NR_TABLES; i++)
		total += tables[i].n;
	rc = names_reserve(&h->names, total);
	if (rc < 0)
		return rc;
	for (int i = 0; i < NR_TABLES; i++) {
		const struct raw_table *t = &tables[i];
		const struct table_spec *s = &table_specs[i];

		for (size_t j = 0; j < t->n; j++) {
			const char *type = window_name(w, column(t, s, j, COL_NAME)), *field = NULL;
			enum name_kind kind = i == TABLE_TYPES ? KIND_SIZE : KIND_CONSTANT;
			enum column value = COL_VALUE;

			if (i == TABLE_STRUCTS) {
				bool is_static = column(t, s, j, COL_IS_STATIC) != 0;

				field = window_name(w, column(t, s, j, COL_FIELD));
				kind = is_static ? KIND_STATIC : KIND_OFFSET;
				value = is_static ? COL_ADDRESS : COL_VALUE;
			}
			if (!type || (i == TABLE_STRUCTS && !field))
				return -EPROTO;
			names_add(&h->names, name_key(kind, type, field), column(t, s, j, value));
		}
	}
	return 0;
}

/* --- version --- */

/* A static `const char *`, from the target, where the VM may have built the text at its start. */
static bool read_text(const struct hotspot *h, const char *type, const char *field, char *dst, size_t cap)
{
	uint64_t addr;
	int n;

	if (!hotspot_read_static(h, type, field, &addr) || !hotspot_data_range(h, addr))
		return false;
	n = proc_read_str(h->pid, addr, dst, cap);
	return n > 0 || n == -ENAMETOOLONG;
}

/*
 * The Java version, from "OpenJDK 64-Bit Server VM (25.452-b09) for linux-amd64 JRE (1.8.0_452-b09), built
 * on ..." (JDK: Abstract_VM_Version::internal_vm_info_string); else the VM's own release, which equals
 * it since JDK 9.
 */
static void read_version(struct hotspot *h)
{
	static const char *const types[] = {"Abstract_VM_Version", "VM_Version"};
	char text[VERSION_MAX_BYTES], *v = text;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(types) && n == 0; i++) {
		if (read_text(h, types[i], "_s_internal_vm_info_string", text, sizeof(text))) {
			v = strstr(text, "JRE (");
			if (v) {
				v += strlen("JRE (");
				n = strcspn(v, ")");
				continue;
			}
		}
		v = text;
		if (read_text(h, types[i], "_s_vm_release", text, sizeof(text)))
			n = strlen(text);
	}
	if (n == 0)
		return;
	text_clean(h->version, sizeof(h->version), v, n);
	h->feature = atoi(strncmp(h->version, "1.", 2) == 0 ? h->version + 2 : h->version);
}

/* --- open and close --- */

static int read_names(struct hotspot *h, struct raw_table tables[NR_TABLES])
{
	struct names_window window = {0};
	int rc = tables_read(h, tables);

	if (rc == 0)
		rc = window_open(h, tables, &window);
	if (rc == 0)
		rc = names_build(h, tables, &window);
	free(window.v);
	return rc;
}

/*
 * While the library is being loaded it is mapped in part, its tables are filled entry by entry (by
 * relocations and by C++ initializers), and one cut short looks like any other. All that is over when
 * the VM has begun to run.
 */
static bool is_running(const struct hotspot *h)
{
	uint64_t handles;

	return hotspot_read_static(h, "JNIHandles", "_global_handles", &handles) && handles != 0;
}

static int open_tables(struct hotspot *h, const struct proc_maps *maps, bool early,
		       struct raw_table tables[NR_TABLES], struct error *err)
{
	const char *why;
	int rc = 0;

	for (int i = 0; i < NR_TABLES && rc == 0; i++)
		rc = table_symbols(h, &table_specs[i], &tables[i]);
	if (rc < 0)
		return hotspot_error(h, err, rc, "its library does not export the gHotSpotVM tables");
	rc = read_segments(h);
	if (rc < 0)
		return hotspot_error(h, err, rc, "the program headers of its library make no sense");
	why = "its library is not mapped as its program headers say";
	rc = collect_ranges(h, maps, h->bias + tables[TABLE_STRUCTS].array_var);
	if (rc == 0) {
		why = "its gHotSpotVM tables make no sense";
		rc = read_names(h, tables);
	}
	if (rc == 0 && !early && !is_running(h)) {
		why = "it is still starting";
		rc = -EAGAIN;
	}
	if (rc == -EPROTO || rc == -EFAULT)
		rc = -EAGAIN;
	if (rc < 0)
		return hotspot_error(h, err, rc, rc == -EAGAIN ? why : strerror(-rc));
	read_version(h);
	return 0;
}

int hotspot_open(pid_t pid, const struct elf_image *libjvm, uint64_t bias, const struct proc_maps *maps,
		 bool early, struct hotspot **out, struct error *err)
{
	struct raw_table tables[NR_TABLES] = {0};
	struct hotspot *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return -ENOMEM;
	h->pid = pid;
	h->libjvm = libjvm;
	h->bias = bias;
	h->early = early;
	rc = open_tables(h, maps, early, tables, err);
	for (int i = 0; i < NR_TABLES; i++)
		free(tables[i].v);
	if (rc < 0) {
		hotspot_close(h);
		return rc;
	}
	*out = h;
	return 0;
}

void hotspot_close(struct hotspot *h)
{
	if (!h)
		return;
	free(h->names.v);
	free(h);
}
