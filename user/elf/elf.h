/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading ELF files that may lie: build-id, symbols, USDT notes, segments. */
#ifndef JNITRACE_ELF_H
#define JNITRACE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUILD_ID_MAX 64 /* bytes; GNU ld writes 20, lld 8 or 20, Go up to 64 */

struct elf_image; /* opaque; owns its fd and mapping */

/* Takes ownership of fd on success and on failure. -ENOEXEC: not a 64-bit ELF of a known machine. */
int elf_open(int fd, struct elf_image **out);
/* The same; what is read of it is paid from the budget. -EDQUOT: its headers take too much. */
struct budget;
int elf_open_within(struct budget *b, int fd, struct elf_image **out);
struct budget *elf_budget(const struct elf_image *e);
void elf_close(struct elf_image *e);
/*
 * Headers are copied by elf_open(); the descriptor is only needed to read more. elf_rest(): the caller keeps
 * his reference and reads nothing until elf_wake(), and a descriptor that nobody needs is closed. A reference
 * that rests ends with elf_put(). elf_wake() takes ownership of fd; -ESTALE: it is not the same file, or it
 * was written to.
 */
void elf_rest(struct elf_image *e);
int elf_wake(struct elf_image *e, int fd);
void elf_put(struct elf_image *e);
uint16_t elf_machine(const struct elf_image *e); /* EM_X86_64, EM_AARCH64 */
/* Build-id as lower-case hex, "" when the file has none. Lives as long as e. */
const char *elf_build_id(const struct elf_image *e);
/* Build-id of raw SHT_NOTE/PT_NOTE contents: length in bytes (<= BUILD_ID_MAX) or 0. */
size_t elf_note_build_id(const void *notes, size_t n, uint8_t *out);

/* Link-time address <-> offset in the file, through PT_LOAD. false: no such byte in the file. */
bool elf_vaddr_to_offset(const struct elf_image *e, uint64_t vaddr, uint64_t *offset);
bool elf_offset_to_vaddr(const struct elf_image *e, uint64_t offset, uint64_t *vaddr);
/* Is this link-time address in an executable segment? */
bool elf_is_code(const struct elf_image *e, uint64_t vaddr);
/* Copy up to n bytes at a link-time address from the file; returns how many there are. */
size_t elf_read(const struct elf_image *e, uint64_t vaddr, void *dst, size_t n);

/*
 * Look up many names in one pass over .symtab (or .dynsym). For each found name vaddr[i] and size[i]
 * are set, others stay as they were. Functions and objects only, value != 0.
 * Returns the number found or -errno; -EDQUOT: it takes too much, -EINTR: see budget_check().
 */
enum elf_symtab { ELF_SYMTAB, ELF_DYNSYM, NR_ELF_SYMTABS };
struct elf_wanted {
	const char *name;
	bool is_prefix; /* a C++ function's mangled name up to its parameters, which are not looked at */
	uint64_t vaddr, size_bytes; /* 0: not found */
};
int elf_find_symbols(const struct elf_image *e, enum elf_symtab which, struct elf_wanted *wanted, size_t n);

/*
 * The separate debug file of e, opened: by build-id (/usr/lib/debug/.build-id) then by .gnu_debuglink
 * (CRC checked), inside the target's root first, then the host's own when the build-id is equal; else
 * the symbols in .gnu_debugdata (xz). -ENOENT when there is none, -EDQUOT: it takes too much to tell, -EINTR.
 */
int elf_open_debug(const struct elf_image *e, int pid, const char *library_path, struct elf_image **out);

/* One USDT probe (stapsdt note), location already adjusted for prelink by .stapsdt.base. */
struct elf_usdt {
	char provider[32], name[64];
	char args[128];     /* as written: "8@%rax 8@-24(%rbp)" */
	uint64_t vaddr;     /* link-time address of the nop */
	uint64_t semaphore; /* 0: none */
};
struct elf_usdts {
	struct elf_usdt *v;
	size_t n, cap;
};
/* All notes of one provider. Truncated or lying notes end the list, never the process. 0 or -errno. */
int elf_usdt_read(const struct elf_image *e, const char *provider, struct elf_usdts *out);

#endif
