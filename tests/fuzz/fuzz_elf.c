/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An ELF file, and all that is asked of one but its lines: fuzz_lines.c. */
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include "elf/elf_cfi.h"
#include "elf/elf_functions.h"
#include "unwind/unwind_table.h"

#define ADDRESSES 16

static void ask_addresses(const struct elf_image *e, uint64_t from)
{
	struct elf_cfi_table *cfi = NULL;
	struct unwind_table table;
	struct elf_cfi rule;
	uint8_t bytes[64];
	uint64_t v;
	int rc = unwind_table_build(e, &table);

	if (elf_cfi_open(e, &cfi) != 0)
		cfi = NULL;
	for (uint64_t a = from; a < from + ADDRESSES; a++) {
		elf_vaddr_to_offset(e, a, &v);
		elf_offset_to_vaddr(e, a, &v);
		elf_is_code(e, a);
		elf_read(e, a, bytes, sizeof(bytes));
		elf_code_placement(e, a, 4096, &v);
		if (rc == 0)
			unwind_table_find(&table, a);
		if (cfi) {
			elf_cfi_at(cfi, a, &rule);
			elf_cfi_begins(cfi, a);
		}
	}
	if (rc == 0) {
		uint64_t *words = malloc(unwind_table_words(&table) * sizeof(*words));

		if (!words)
			abort();
		unwind_table_write(&table, words);
		free(words);
		unwind_table_free(&table);
	}
	elf_cfi_close(cfi);
}

static void ask_names(const struct elf_image *e)
{
	struct elf_wanted wanted[] = {{.name = "JNI_OnLoad"}, {.name = "main"}, {.name = ""}};
	struct elf_functions functions = {0};
	struct elf_usdts notes = {0};

	for (enum elf_symtab t = ELF_SYMTAB; t <= ELF_DYNSYM; t++) {
		elf_find_symbols(e, t, wanted, sizeof(wanted) / sizeof(wanted[0]));
		elf_functions_add(&functions, e, t);
	}
	elf_functions_sort(&functions, NULL);
	for (size_t i = 0; i < functions.n; i++) {
		const struct elf_function *found = elf_functions_find(&functions, functions.v[i].start);

		if (!found || !strlen(elf_function_name(&functions, found)))
			abort(); /* a name that was listed is found, and is none without a letter */
	}
	elf_functions_free(&functions);
	if (elf_usdt_read(e, "hotspot", &notes) == 0)
		free(notes.v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct elf_image *e, *debug;
	uint64_t entry = 0;

	if (n >= 32)
		memcpy(&entry, data + 24, sizeof(entry));
	if (elf_open(fuzz_file(data, n), &e) != 0)
		return 0;
	if (strlen(elf_build_id(e)) > 2 * BUILD_ID_MAX)
		abort();
	ask_names(e);
	ask_addresses(e, entry);
	if (elf_open_debug(e, getpid(), "/nowhere/libfuzz.so", &debug) == 0)
		elf_close(debug);
	elf_close(e);
	return 0;
}
