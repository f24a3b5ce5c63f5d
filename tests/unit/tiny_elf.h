/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A tiny ELF file made by hand, so that each test can make one part of it lie. All of it is one
 * executable segment at TINY_BASE, but for .data, which lies at TINY_DATA.
 */
#ifndef JNITRACE_TINY_ELF_H
#define JNITRACE_TINY_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TINY_BASE  0x400000ULL
#define TINY_DATA  0x800000ULL
#define TINY_BYTES 16384

enum { TINY_PH_CODE, TINY_PH_DATA, TINY_PH_NOTE, TINY_PH_EH, TINY_PHS };
struct tiny {
	uint8_t b[TINY_BYTES]; /* the file */
	size_t n;
	Elf64_Ehdr eh; /* written into b by tiny_finish() */
	Elf64_Phdr ph[TINY_PHS];
	Elf64_Shdr sh[24];
	size_t nr_sh;
	char names[512];
	size_t names_n;
	bool no_sections;
};

static inline void tiny_start(struct tiny *t, uint16_t machine)
{
	memset(t, 0, sizeof(*t));
	memcpy(t->eh.e_ident, ELFMAG, SELFMAG);
	t->eh.e_ident[EI_CLASS] = ELFCLASS64;
	t->eh.e_ident[EI_DATA] = ELFDATA2LSB;
	t->eh.e_ident[EI_VERSION] = EV_CURRENT;
	t->eh.e_type = ET_DYN;
	t->eh.e_machine = machine;
	t->eh.e_version = EV_CURRENT;
	t->eh.e_ehsize = sizeof(t->eh);
	t->eh.e_phoff = sizeof(t->eh);
	t->eh.e_phentsize = sizeof(t->ph[0]);
	t->eh.e_phnum = TINY_PHS;
	t->eh.e_shentsize = sizeof(t->sh[0]);
	t->n = sizeof(t->eh) + sizeof(t->ph);
	t->nr_sh = 1;
	t->names_n = 1;
}

/* Add a section with its bytes; returns it for the test to change. Its address is TINY_BASE + offset. */
static inline Elf64_Shdr *tiny_section(struct tiny *t, const char *name, uint32_t type, const void *p,
				       size_t n)
{
	Elf64_Shdr *sh = &t->sh[t->nr_sh++];

	t->n = (t->n + 7) & ~(size_t)7;
	memcpy(t->b + t->n, p, n);
	sh->sh_name = t->names_n;
	memcpy(t->names + t->names_n, name, strlen(name) + 1);
	t->names_n += strlen(name) + 1;
	sh->sh_type = type;
	sh->sh_flags = SHF_ALLOC;
	sh->sh_offset = t->n;
	sh->sh_addr = TINY_BASE + t->n;
	sh->sh_size = n;
	sh->sh_addralign = 8;
	t->n += n;
	return sh;
}

/* The last section is the names; then headers are written. May be called again after a change. */
static inline void tiny_finish(struct tiny *t)
{
	if (!t->eh.e_shoff) {
		tiny_section(t, ".shstrtab", SHT_STRTAB, t->names, sizeof(t->names));
		t->eh.e_shstrndx = t->nr_sh - 1;
		t->n = (t->n + 7) & ~(size_t)7;
		t->eh.e_shoff = t->n;
		t->eh.e_shnum = t->nr_sh;
		t->n += t->nr_sh * sizeof(t->sh[0]);
		t->ph[TINY_PH_CODE].p_type = PT_LOAD;
		t->ph[TINY_PH_CODE].p_flags = PF_R | PF_X;
		t->ph[TINY_PH_CODE].p_vaddr = TINY_BASE;
		t->ph[TINY_PH_CODE].p_filesz = t->eh.e_shoff;
		t->ph[TINY_PH_CODE].p_memsz = t->eh.e_shoff + 4096;
	}
	if (t->no_sections)
		t->eh.e_shoff = t->eh.e_shnum = t->eh.e_shstrndx = 0;
	memcpy(t->b, &t->eh, sizeof(t->eh));
	memcpy(t->b + sizeof(t->eh), t->ph, sizeof(t->ph));
	/* e_shoff may lie by now */
	if (!t->no_sections && t->eh.e_shoff <= TINY_BYTES - sizeof(t->sh))
		memcpy(t->b + t->eh.e_shoff, t->sh, t->nr_sh * sizeof(t->sh[0]));
	memcpy(t->b + t->sh[t->nr_sh - 1].sh_offset % (TINY_BYTES - sizeof(t->names)), t->names,
	       sizeof(t->names));
}

static inline int tiny_memfd(const void *p, size_t n)
{
	int fd = memfd_create("tiny", MFD_CLOEXEC);

	return fd >= 0 && write(fd, p, n) == (ssize_t)n ? fd : -1;
}

/* A growing piece of contents. */
struct bytes {
	uint8_t p[4096];
	size_t n;
};

static inline void put(struct bytes *b, const void *p, size_t n)
{
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static inline void put8(struct bytes *b, uint8_t v)
{
	put(b, &v, 1);
}

static inline void put32(struct bytes *b, uint32_t v)
{
	put(b, &v, 4);
}

static inline void put64(struct bytes *b, uint64_t v)
{
	put(b, &v, 8);
}

static inline void pad4(struct bytes *b)
{
	while (b->n % 4)
		put8(b, 0);
}

static inline void put_note(struct bytes *b, const char *name, uint32_t type, const void *desc, size_t n)
{
	put32(b, strlen(name) + 1);
	put32(b, n);
	put32(b, type);
	put(b, name, strlen(name) + 1);
	pad4(b);
	put(b, desc, n);
	pad4(b);
}

static inline void put_usdt(struct bytes *b, uint64_t pc, uint64_t base, uint64_t semaphore,
			    const char *provider, const char *name, const char *args)
{
	struct bytes d = {.n = 0};

	put64(&d, pc);
	put64(&d, base);
	put64(&d, semaphore);
	put(&d, provider, strlen(provider) + 1);
	put(&d, name, strlen(name) + 1);
	put(&d, args, strlen(args) + 1);
	put_note(b, "stapsdt", 3, d.p, d.n);
}

#endif
