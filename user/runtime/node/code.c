/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/node/code.h"

#include <elf.h>
#include <string.h>

#include "base/util.h"
#include "proc/proc.h"

#define BLOB_MAX (64 << 20) /* the builtins have 1.6 MiB in Node.js 20 */

/* The variable that a function of one load returns: mov variable(%rip), %rax or %eax; ret. 0: another one. */
static uint64_t variable_of(const struct elf_image *e, uint64_t function)
{
	uint8_t code[8]; /* of both, with the ret */
	int32_t distance;
	size_t at;

	if (!function || elf_read(e, function, code, sizeof(code)) != sizeof(code))
		return 0;
	at = code[0] == 0x48;
	if (code[at] != 0x8b || code[at + 1] != 0x05 || code[at + 6] != 0xc3)
		return 0;
	memcpy(&distance, code + at + 2, sizeof(distance));
	return function + at + 6 + (uint64_t)(int64_t)distance;
}

void node_code(pid_t pid, const struct elf_image *e, uint64_t bias, struct vm_code *out)
{
	struct elf_wanted wanted[] = {{.name = "_ZN2v88internal7Isolate23CurrentEmbeddedBlobCodeEv"},
				      {.name = "_ZN2v88internal7Isolate27CurrentEmbeddedBlobCodeSizeEv"}};
	uint64_t start, at[ARRAY_LEN(wanted)];
	uint32_t bytes;

	if (elf_machine(e) != EM_X86_64 || elf_find_symbols(e, ELF_DYNSYM, wanted, ARRAY_LEN(wanted)) < 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		at[i] = variable_of(e, wanted[i].vaddr);
		if (!at[i])
			return;
	}
	if (proc_read(pid, at[0] + bias, &start, sizeof(start)) ||
	    proc_read(pid, at[1] + bias, &bytes, sizeof(bytes)) || bytes > BLOB_MAX)
		return;
	*out = (struct vm_code){.keeps_fp_start = start, .keeps_fp_end = start + bytes, .generates = true};
}
