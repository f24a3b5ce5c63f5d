/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* This process as a HotSpot VM: a hand-made libjvm is mapped into it and filled as HotSpot does. */
#ifndef JNITRACE_HOTSPOT_FIXTURE_H
#define JNITRACE_HOTSPOT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/hotspot/hotspot.h"

#define HEAD_BYTES  0x8000 /* headers, symbols, names */
#define CODE_AT     0x8000
#define CODE_BYTES  0x1000
#define DATA_AT     0x9000
#define DATA_BYTES  0x7000
#define IMAGE_BYTES 0x10000
#define GUARD_BYTES 0x1000
#define NAMES_AT    0x4000

/* Exported variables, in the order of their addresses from DATA_AT on. */
/* clang-format off */
#define VARIABLES(V) \
	V(Structs) V(StructEntryTypeNameOffset) V(StructEntryFieldNameOffset) V(StructEntryIsStaticOffset) \
	V(StructEntryOffsetOffset) V(StructEntryAddressOffset) V(StructEntryArrayStride) \
	V(Types) V(TypeEntryTypeNameOffset) V(TypeEntrySizeOffset) V(TypeEntryArrayStride) \
	V(IntConstants) V(IntConstantEntryNameOffset) V(IntConstantEntryValueOffset) \
	V(IntConstantEntryArrayStride) \
	V(LongConstants) V(LongConstantEntryNameOffset) V(LongConstantEntryValueOffset) \
	V(LongConstantEntryArrayStride)
/* clang-format on */
#define V(name) VAR_##name,
enum { VARIABLES(V) NR_VARS };
#undef V
#define V(name) "gHotSpotVM" #name,
static const char *const var_names[NR_VARS] = {VARIABLES(V)};
#undef V

struct vm_struct {
	const char *type, *field, *type_string;
	int32_t is_static, pad;
	uint64_t offset;
	void *address;
};
struct vm_type {
	const char *type, *superclass;
	int32_t flags[3], pad;
	uint64_t size;
};
struct vm_int {
	const char *name;
	int32_t value, pad;
};
struct vm_long {
	const char *name;
	uint64_t value;
};
/* What the library has in its data. */
struct data {
	uint64_t var[NR_VARS];
	struct vm_struct structs[64];
	struct vm_type types[32];
	struct vm_int ints[4];
	struct vm_long longs[4];
	/* statics of the VM */
	void *global_handles, *weak_handles, *deleted_handle, *thread_list, *threads_list_head, *flags;
	uint64_t num_flags;
	const char *info_string;
	void *perf_start;
	uint8_t check_jni;
	uint64_t env[2][240] __attribute__((aligned(64)));
	uint64_t vm_table[16];
	void *main_vm;
	uint64_t other_words[4];
};
_Static_assert(sizeof(struct data) <= DATA_BYTES, "grow DATA_BYTES");

struct fake {
	uint8_t file[IMAGE_BYTES];
	size_t names_n;
	size_t nr_structs, nr_types;
	int fd;
	uint8_t *base;
	struct data *d;
	struct elf_image *elf;
	struct proc_maps maps;
	struct hotspot *h;
	struct error err;
	/* objects of the VM */
	struct {
		uint32_t length, pad;
		void **threads;
	} list;
	void *thread_array[8];
	uint64_t thread[4][32]; /* JavaThreads of 256 bytes */
	struct {
		const char *name;
		void *addr;
	} flag[4];
	uint64_t storage[2][16]; /* OopStorages of 128 bytes */
	uint64_t array[2][16];   /* their ActiveArrays */
	uint64_t block[2][4][72];
	uint64_t handles[2][4][40]; /* JDK 8: JNIHandleBlocks */
};
#define JNI_ENV_WORD 20 /* of a JavaThread */
#define COUNT_WORD   8  /* of an OopStorage */
#define ARRAY_WORD   1

/* --- building it --- */

/* A string of the file, at its address in memory. NULL stays NULL. */
static inline const char *name(struct fake *f, const char *s)
{
	size_t at = NAMES_AT + f->names_n;

	if (!s)
		return NULL;
	memcpy(f->file + at, s, strlen(s) + 1);
	f->names_n += strlen(s) + 1;
	assert_true(at + strlen(s) < HEAD_BYTES);
	return (const char *)f->base + at;
}

static inline void add_field(struct fake *f, const char *type, const char *field, uint64_t offset)
{
	f->d->structs[f->nr_structs++] =
	    (struct vm_struct){.type = name(f, type), .field = name(f, field), .offset = offset};
}

static inline void add_static(struct fake *f, const char *type, const char *field, void *address)
{
	f->d->structs[f->nr_structs++] = (struct vm_struct){
	    .type = name(f, type), .field = name(f, field), .is_static = 1, .address = address};
}

static inline void add_type(struct fake *f, const char *type, uint64_t size)
{
	f->d->types[f->nr_types++] = (struct vm_type){.type = name(f, type), .size = size};
}

static inline void make_headers(struct fake *f, const char *without_symbol)
{
	Elf64_Ehdr *eh = (Elf64_Ehdr *)f->file;
	Elf64_Phdr *ph = (Elf64_Phdr *)(f->file + sizeof(*eh));
	Elf64_Shdr *sh = (Elf64_Shdr *)(f->file + 0x400);
	Elf64_Sym *sym = (Elf64_Sym *)(f->file + 0x800) + 1;
	char *names = (char *)f->file + 0x1000;
	size_t names_n = 1, n = 1;

	*eh = (Elf64_Ehdr){.e_ident = ELFMAG,
			   .e_type = ET_DYN,
			   .e_machine = EM_X86_64,
			   .e_version = EV_CURRENT,
			   .e_ehsize = sizeof(*eh),
			   .e_phoff = sizeof(*eh),
			   .e_phentsize = sizeof(*ph),
			   .e_phnum = 3,
			   .e_shoff = 0x400,
			   .e_shentsize = sizeof(*sh),
			   .e_shnum = 3,
			   .e_shstrndx = 2};
	eh->e_ident[EI_CLASS] = ELFCLASS64;
	eh->e_ident[EI_DATA] = ELFDATA2LSB;
	eh->e_ident[EI_VERSION] = EV_CURRENT;
	ph[0] = (Elf64_Phdr){PT_LOAD, PF_R, 0, 0, 0, HEAD_BYTES, HEAD_BYTES, 4096};
	ph[1] = (Elf64_Phdr){PT_LOAD, PF_R | PF_X, CODE_AT, CODE_AT, CODE_AT, CODE_BYTES, CODE_BYTES, 4096};
	ph[2] = (Elf64_Phdr){PT_LOAD, PF_R | PF_W, DATA_AT, DATA_AT, DATA_AT, DATA_BYTES, DATA_BYTES, 4096};
	for (int i = 0; i < NR_VARS; i++) {
		if (without_symbol && strcmp(var_names[i], without_symbol) == 0)
			continue;
		*sym++ = (Elf64_Sym){.st_name = names_n,
				     .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT),
				     .st_shndx = 1,
				     .st_value = DATA_AT + 8 * (uint64_t)i};
		names_n += (size_t)sprintf(names + names_n, "%s", var_names[i]) + 1;
		n++;
	}
	sh[1] = (Elf64_Shdr){.sh_type = SHT_DYNSYM,
			     .sh_flags = SHF_ALLOC,
			     .sh_offset = 0x800,
			     .sh_addr = 0x800,
			     .sh_size = n * sizeof(*sym),
			     .sh_link = 2,
			     .sh_entsize = sizeof(*sym)};
	sh[2] =
	    (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = 0x1000, .sh_addr = 0x1000, .sh_size = names_n};
}

static inline void make_layout(struct fake *f)
{
	struct data *d = f->d;

	d->var[VAR_Structs] = (uint64_t)d->structs;
	d->var[VAR_StructEntryTypeNameOffset] = offsetof(struct vm_struct, type);
	d->var[VAR_StructEntryFieldNameOffset] = offsetof(struct vm_struct, field);
	d->var[VAR_StructEntryIsStaticOffset] = offsetof(struct vm_struct, is_static);
	d->var[VAR_StructEntryOffsetOffset] = offsetof(struct vm_struct, offset);
	d->var[VAR_StructEntryAddressOffset] = offsetof(struct vm_struct, address);
	d->var[VAR_StructEntryArrayStride] = sizeof(struct vm_struct);
	d->var[VAR_Types] = (uint64_t)d->types;
	d->var[VAR_TypeEntryTypeNameOffset] = offsetof(struct vm_type, type);
	d->var[VAR_TypeEntrySizeOffset] = offsetof(struct vm_type, size);
	d->var[VAR_TypeEntryArrayStride] = sizeof(struct vm_type);
	d->var[VAR_IntConstants] = (uint64_t)d->ints;
	d->var[VAR_IntConstantEntryNameOffset] = offsetof(struct vm_int, name);
	d->var[VAR_IntConstantEntryValueOffset] = offsetof(struct vm_int, value);
	d->var[VAR_IntConstantEntryArrayStride] = sizeof(struct vm_int);
	d->var[VAR_LongConstants] = (uint64_t)d->longs;
	d->var[VAR_LongConstantEntryNameOffset] = offsetof(struct vm_long, name);
	d->var[VAR_LongConstantEntryValueOffset] = offsetof(struct vm_long, value);
	d->var[VAR_LongConstantEntryArrayStride] = sizeof(struct vm_long);
	d->ints[0] = (struct vm_int){.name = name(f, "minus"), .value = -7};
	d->longs[0] = (struct vm_long){.name = name(f, "large"), .value = 1ULL << 63};
}

/* Tables as of JDK 11 and later, or as of JDK 8. */
static inline void make_tables(struct fake *f, bool jdk8)
{
	const char *flag = jdk8 ? "Flag" : "JVMFlag";
	struct data *d = f->d;

	add_static(f, "Abstract_VM_Version", "_s_internal_vm_info_string", &d->info_string);
	d->info_string =
	    name(f, jdk8 ? "VM (25.1-b2) JRE (1.8.0_7-b2), built" : "VM (17.0.1+2) JRE (17.0.1+2), built");
	add_static(f, "PerfMemory", "_start", &d->perf_start);
	add_static(f, "JNIHandles", "_global_handles", &d->global_handles);
	add_static(f, "JNIHandles", "_weak_global_handles", &d->weak_handles);
	add_type(f, "JavaThread", sizeof(f->thread[0]));
	add_type(f, flag, sizeof(f->flag[0]));
	add_static(f, flag, "flags", &d->flags);
	add_static(f, flag, "numFlags", &d->num_flags);
	add_field(f, flag, "_name", 0);
	add_field(f, flag, "_addr", 8);
	d->flags = f->flag;
	d->num_flags = 3;
	f->flag[0].name = name(f, "CheckJNI");
	f->flag[1].name = NULL;
	f->flag[2].name = name(f, "CheckJNICalls");
	f->flag[2].addr = &d->check_jni;
	if (jdk8) {
		add_static(f, "Threads", "_thread_list", &d->thread_list);
		add_field(f, "JavaThread", "_next", 0);
		add_static(f, "JNIHandles", "_deleted_handle", &d->deleted_handle);
		add_type(f, "JNIHandleBlock", 312);
		add_field(f, "JNIHandleBlock", "_handles", 0);
		add_field(f, "JNIHandleBlock", "_top", 256);
		add_field(f, "JNIHandleBlock", "_next", 264);
		d->deleted_handle = (void *)0x1000;
		d->global_handles = f->handles[0][0];
		d->weak_handles = f->handles[1][0];
		return;
	}
	add_static(f, "ThreadsSMRSupport", "_java_thread_list", &d->threads_list_head);
	add_field(f, "ThreadsList", "_length", 0);
	add_field(f, "ThreadsList", "_threads", 8);
	d->threads_list_head = &f->list;
	add_type(f, "OopStorage", sizeof(f->storage[0]));
	d->global_handles = f->storage[0];
	d->weak_handles = f->storage[1];
}

static inline uint64_t code(const struct fake *f, int slot)
{
	return (uint64_t)f->base + CODE_AT + 16 + (uint64_t)slot;
}

/* Two function tables, the threads use the first; and two OopStorages, of 70 and 3 entries. */
static inline void make_objects(struct fake *f)
{
	static const int in_use[2][2] = {{64, 6}, {3, 0}};

	for (int slot = 4; slot < 233; slot++) {
		f->d->env[0][slot] = code(f, slot);
		f->d->env[1][slot] = code(f, 1000 + slot);
	}
	for (int i = 3; i < 8; i++)
		f->d->vm_table[i] = code(f, 2000 + i);
	f->d->main_vm = f->d->vm_table;
	f->list.length = 2;
	f->list.threads = f->thread_array;
	f->d->thread_list = f->thread[0];
	f->thread[0][0] = (uint64_t)f->thread[1];
	for (int i = 0; i < 2; i++) {
		f->thread_array[i] = f->thread[i];
		f->thread[i][JNI_ENV_WORD] = (uint64_t)f->d->env[0];
	}
	for (int k = 0; k < 2; k++) {
		f->storage[k][ARRAY_WORD] = (uint64_t)f->array[k];
		f->storage[k][COUNT_WORD] = (uint64_t)(in_use[k][0] + in_use[k][1]);
		f->array[k][0] = 8;
		f->array[k][1] = 2;
		for (int i = 0; i < 2; i++) {
			f->array[k][3 + i] = (uint64_t)f->block[k][i];
			f->block[k][i][64] = in_use[k][i] == 64 ? ~0ULL : (1ULL << in_use[k][i]) - 1;
			f->block[k][i][65] = (uint64_t)f->storage[k];
		}
	}
}

/* The file is written when all names are in it: call after the last name(). */
static inline void publish(struct fake *f)
{
	assert_int_equal(pwrite(f->fd, f->file, DATA_AT, 0), DATA_AT);
}

static inline void map_part(struct fake *f, size_t at, size_t bytes, int prot)
{
	void *p = mmap(f->base + at, bytes, prot, MAP_PRIVATE | MAP_FIXED, f->fd, (off_t)at);

	assert_ptr_equal(p, f->base + at);
}

static inline struct fake *fake_new(bool jdk8, const char *without_symbol)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->fd = memfd_create("libjvm.so", MFD_CLOEXEC);
	assert_int_equal(ftruncate(f->fd, IMAGE_BYTES), 0);
	/* nothing may follow the image: it would be taken for its .bss */
	f->base = mmap(NULL, IMAGE_BYTES + GUARD_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(f->base, MAP_FAILED);
	map_part(f, 0, HEAD_BYTES, PROT_READ);
	map_part(f, CODE_AT, CODE_BYTES, PROT_READ | PROT_EXEC);
	map_part(f, DATA_AT, DATA_BYTES, PROT_READ | PROT_WRITE);
	f->d = (struct data *)(f->base + DATA_AT);
	make_headers(f, without_symbol);
	make_layout(f);
	make_tables(f, jdk8);
	make_objects(f);
	publish(f);
	assert_int_equal(elf_open(dup(f->fd), &f->elf), 0);
	assert_int_equal(proc_maps_read(getpid(), &f->maps), 0);
	return f;
}

static inline void fake_free(struct fake *f)
{
	hotspot_close(f->h);
	elf_close(f->elf);
	proc_maps_free(&f->maps);
	munmap(f->base, IMAGE_BYTES + GUARD_BYTES);
	close(f->fd);
	free(f);
}

static inline int open_fake(struct fake *f)
{
	hotspot_close(f->h);
	f->h = NULL;
	f->err = (struct error){0};
	return hotspot_open(getpid(), f->elf, (uint64_t)f->base, &f->maps, false, &f->h, &f->err);
}

#endif
