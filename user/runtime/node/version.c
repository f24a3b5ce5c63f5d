/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * napi_get_node_version() hands out the address of a constant napi_node_version (node_api_types.h): three
 * numbers and a string. Its code is so short that the address is found in it.
 */
#include "runtime/node/version.h"

#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CODE_BYTES 96
#define INSN_BYTES 7    /* of both below */
#define PLAUSIBLE  1000 /* Node.js has come to 26 in 2026; the others have no higher numbers */

/* The address that the instruction at code, which is at vaddr, loads or stores; 0: another instruction. */
static uint64_t constant_of(const uint8_t *code, uint64_t vaddr)
{
	int32_t word;

	memcpy(&word, code + 3, sizeof(word));
	if ((code[0] == 0x48 || code[0] == 0x4c) && code[1] == 0x8d && (code[2] & 0xc7) == 0x05)
		return vaddr + INSN_BYTES + (uint64_t)(int64_t)word; /* lea word(%rip), reg */
	if (code[0] == 0x48 && code[1] == 0xc7 && (code[2] & 0xf8) == 0x00)
		return (uint32_t)word; /* movq $word, (reg): not position-independent */
	return 0;
}

void node_version(const struct elf_image *e, char out[NODE_VERSION_BYTES])
{
	struct elf_wanted wanted = {.name = "napi_get_node_version"};
	uint8_t code[CODE_BYTES];
	size_t n;

	out[0] = '\0';
	if (elf_machine(e) != EM_X86_64 || elf_find_symbols(e, ELF_DYNSYM, &wanted, 1) != 1)
		return;
	n = elf_read(e, wanted.vaddr, code, sizeof(code));
	for (size_t i = 0; i + INSN_BYTES <= n; i++) {
		uint64_t at = constant_of(code + i, wanted.vaddr + i);
		uint32_t v[3];

		if (!at || elf_read(e, at, v, sizeof(v)) != sizeof(v) || !v[0] || v[0] >= PLAUSIBLE ||
		    v[1] >= PLAUSIBLE || v[2] >= PLAUSIBLE)
			continue;
		snprintf(out, NODE_VERSION_BYTES, "%u.%u.%u", v[0], v[1], v[2]);
		return;
	}
}
