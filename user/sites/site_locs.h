/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the handle and the caller are when a probe fires: by calling convention, USDT operand and CFI. */
#ifndef JNITRACE_SITE_LOCS_H
#define JNITRACE_SITE_LOCS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/border/shared.h"
#include "elf/elf_cfi.h"
#include "model/probe_site.h"

/*
 * Operand number index (0 is the first) of a USDT note's arguments, "8@%rax -4@-24(%rbp)". false: there
 * is none, or it is not a full 8-byte word in a register or in memory at register + constant.
 */
bool usdt_operand(uint16_t machine, const char *args, unsigned index, struct loc *out);

/* The same for an int, whose upper half is anything: "-4@%ecx". */
bool usdt_int_operand(uint16_t machine, const char *args, unsigned index, struct loc *out);

/* At the first instruction, and past those that leave stack pointer and arguments alone. */
void locs_at_entry(uint16_t machine, enum handle_where handle, struct probe_site *s);
/* Argument n there: in its register, or on the stack. */
struct loc loc_of_arg(uint16_t machine, enum handle_where arg);
/* The registers that arguments come in, bit per DWARF number. */
uint32_t regs_of_args(uint16_t machine);
/* In a uretprobe: the kernel has put the true return address into the program counter. */
void locs_at_uretprobe(uint16_t machine, enum handle_where handle, struct probe_site *s);
/* Inside a function: the caller by CFI. The handle is left alone. false: offsets out of all bounds. */
bool locs_by_cfi(uint16_t machine, const struct elf_cfi *cfi, struct probe_site *s);

#endif
