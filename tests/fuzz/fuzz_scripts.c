/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of script functions, of V8, Ruby and Python, in the memory of a process that lies. The input: which
 * engine and version, where the function is and the place in it, and the memory. What the walker has read of
 * the function is as it stands there.
 */
#include "fake.h"

#include "bpf/border/scripts.h"
#include "runtime/node/v8.h"
#include "runtime/python/code.h"
#include "runtime/ruby/code.h"

#define START     0x10000
#define CODE_TYPE 0x7008 /* of Python: the address of PyCode_Type */
#define INSNS     0x8000 /* of Ruby: where its instructions are carried out */
#define INSNS_END 0x9000

/* As Node.js 20 and 24 say. */
static const struct v8 v8_known[] = {
    {true, {[V8_FP_FUNCTION] = -16,      [V8_FP_CONTEXT] = -8,       [V8_FUNCTION_SHARED] = 24,
	    [V8_SHARED_NAME] = 16,       [V8_SHARED_SCRIPT] = 32,    [V8_SCRIPT_NAME] = 16,
	    [V8_SCRIPT_SOURCE] = 8,      [V8_STRING_LENGTH] = 12,    [V8_ONE_BYTE_CHARS] = 16,
	    [V8_TWO_BYTE_CHARS] = 16,    [V8_CONS_FIRST] = 16,       [V8_CONS_SECOND] = 24,
	    [V8_THIN_ACTUAL] = 16,       [V8_SLICED_PARENT] = 16,    [V8_SLICED_OFFSET] = 24,
	    [V8_EXTERNAL_RESOURCE] = 16, [V8_INSTANCE_TYPE] = 12,    [V8_TYPE_SHARED] = 262,
	    [V8_TYPE_SCRIPT] = 167,      [V8_TYPE_SCOPE_INFO] = 261, [V8_NOT_STRING_MASK] = -128,
	    [V8_SHAPE_MASK] = 7,         [V8_SHAPE_CONS] = 1,        [V8_SHAPE_EXTERNAL] = 2,
	    [V8_SHAPE_SLICED] = 3,       [V8_SHAPE_THIN] = 5,        [V8_ENCODING_MASK] = 8,
	    [V8_ONE_BYTE] = 8,           [V8_SMI_SHIFT_BYTES] = 31,  [V8_SCOPE_LOCALS] = 2,
	    [V8_SCOPE_REST] = 3}},
    {true, {[V8_FP_FUNCTION] = -16,      [V8_FP_CONTEXT] = -8,       [V8_FUNCTION_SHARED] = 32,
	    [V8_SHARED_NAME] = 24,       [V8_SHARED_SCRIPT] = 40,    [V8_SCRIPT_NAME] = 16,
	    [V8_SCRIPT_SOURCE] = 8,      [V8_STRING_LENGTH] = 12,    [V8_ONE_BYTE_CHARS] = 16,
	    [V8_TWO_BYTE_CHARS] = 16,    [V8_CONS_FIRST] = 16,       [V8_CONS_SECOND] = 24,
	    [V8_THIN_ACTUAL] = 16,       [V8_SLICED_PARENT] = 16,    [V8_SLICED_OFFSET] = 24,
	    [V8_EXTERNAL_RESOURCE] = 16, [V8_INSTANCE_TYPE] = 12,    [V8_TYPE_SHARED] = 282,
	    [V8_TYPE_SCRIPT] = 167,      [V8_TYPE_SCOPE_INFO] = 280, [V8_NOT_STRING_MASK] = -128,
	    [V8_SHAPE_MASK] = 7,         [V8_SHAPE_CONS] = 1,        [V8_SHAPE_EXTERNAL] = 2,
	    [V8_SHAPE_SLICED] = 3,       [V8_SHAPE_THIN] = 5,        [V8_ENCODING_MASK] = 8,
	    [V8_ONE_BYTE] = 8,           [V8_SMI_SHIFT_BYTES] = 31,  [V8_SCOPE_LOCALS] = 2,
	    [V8_SCOPE_REST] = 5}},
};

/* What the walker reads of a function at these places. */
static uint32_t check_of(uint64_t addr, uint32_t a, uint32_t b)
{
	uint32_t word[2] = {0, 0};
	const uint64_t at[2] = {addr - START + a, addr - START + b};

	for (int i = 0; i < 2; i++)
		if (at[i] < fake.memory_bytes && fake.memory_bytes - at[i] >= sizeof(word[i]))
			memcpy(&word[i], fake.memory + at[i], sizeof(word[i]));
	return (uint32_t)script_check(word[0], word[1]);
}

static void check_name(const char *symbol, size_t symbol_bytes, const char *file, size_t file_bytes, int line)
{
	fake_check_clean(symbol, symbol_bytes);
	fake_check_clean(file, file_bytes);
	if (line < 0)
		abort();
}

static void ask_v8(const struct v8 *v, uint64_t addr)
{
	struct v8_name name;

	v8_function_name(v, FAKE_PID, addr, &name);
	check_name(name.symbol, sizeof(name.symbol), name.file, sizeof(name.file), name.line);
}

static void ask_ruby(const char *version, uint64_t addr, uint64_t pc)
{
	const struct ruby_reader r = {
	    FAKE_PID, ruby_layout_of(version), {.insns_start = INSNS, .insns_end = INSNS_END}};
	struct ruby_name name;

	ruby_code_name(&r, addr, pc, check_of(addr, RUBY_BODY_SIZE, RUBY_BODY_LINE), &name);
	check_name(name.symbol, sizeof(name.symbol), name.file, sizeof(name.file), name.line);
}

static void ask_python(unsigned minor, uint64_t addr, uint64_t place)
{
	const struct python_layout *l = python_layout_of(3, minor);
	const struct python_reader r = {FAKE_PID, l, CODE_TYPE};
	struct python_name name;

	python_code_name(&r, addr, place, check_of(addr, l->first_line, l->stack_size), &name);
	check_name(name.symbol, sizeof(name.symbol), name.file, sizeof(name.file), name.line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint64_t which = fuzz_number(&data, &n, 1), addr = START + fuzz_number(&data, &n, 2) * 8,
		 place = START + fuzz_number(&data, &n, 4);
	uint8_t *memory = malloc(n + 1);

	if (!memory)
		abort();
	memcpy(memory, data, n);
	fake.nr_files = 0;
	fake.memory = memory;
	fake.memory_bytes = n;
	fake.start = START;
	switch (which % 6) {
	case 0:
	case 1:
		ask_v8(&v8_known[which % 6], addr);
		break;
	case 2:
	case 3:
		ask_ruby(which % 6 == 2 ? "3.1" : "3.3", addr, place);
		break;
	default:
		ask_python(which % 6 == 4 ? 11 : 13, addr, place);
		break;
	}
	fake.memory = NULL;
	fake.memory_bytes = 0;
	free(memory);
	return 0;
}
