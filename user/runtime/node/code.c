/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/node/code.h"

#include <elf.h>
#include <string.h>

#include "base/util.h"
#include "proc/proc.h"

#define BLOB_MAX (64 << 20) /* the builtins have 1.6 MiB in Node.js 20 */

#define MOV_BYTES   6
#define FRAME_BYTES 4 /* push %rbp; mov %rsp, %rbp */

/*
 * The variable that a function of one load returns: mov variable(%rip), %rax or %eax; ret. Perhaps in a frame
 * of its own (Node.js 26). 0: another one.
 */
static uint64_t variable_of(const struct elf_image *e, uint64_t function)
{
	static const uint8_t frame[FRAME_BYTES] = {0x55, 0x48, 0x89, 0xe5};
	uint8_t code[FRAME_BYTES + 1 + MOV_BYTES + 2]; /* with pop %rbp; ret */
	int32_t distance;
	bool framed;
	size_t at;

	if (!function || elf_read(e, function, code, sizeof(code)) != sizeof(code))
		return 0;
	framed = !memcmp(code, frame, sizeof(frame));
	at = framed ? sizeof(frame) : 0;
	at += code[at] == 0x48;
	if (code[at] != 0x8b || code[at + 1] != 0x05)
		return 0;
	memcpy(&distance, code + at + 2, sizeof(distance));
	at += MOV_BYTES;
	if ((framed && code[at] != 0x5d) || code[at + framed] != 0xc3)
		return 0;
	return function + at + (uint64_t)(int64_t)distance;
}

void node_code(pid_t pid, const struct elf_image *e, uint64_t bias, struct vm_code *out)
{
	struct elf_wanted wanted[] = {{.name = "_ZN2v88internal7Isolate23CurrentEmbeddedBlobCodeEv"},
				      {.name = "_ZN2v88internal7Isolate27CurrentEmbeddedBlobCodeSizeEv"}};
	uint64_t start, at[ARRAY_LEN(wanted)];
	uint32_t bytes;

	if (elf_machine(e) != EM_X86_64 || elf_find_symbols(e, ELF_DYNSYM, wanted, ARRAY_LEN(wanted)) < 0)
		return;
	/* from Node.js 24 on they are not exported */
	if (!wanted[0].vaddr && elf_find_symbols(e, ELF_SYMTAB, wanted, ARRAY_LEN(wanted)) < 0)
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
