/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Native frames by name, on libraries in this process: names, lines, inlining, and the proof of a
 * frame-pointer chain. binutils' addr2line is the oracle.
 */
#include "symbols_fixture.h"

#include "symbols/demangle.h"

/* ---- names, lines, inlining --------------------------------------------------------------------- */

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void test_inlined_lines(void **state)
{
	static const char *const libs[] = {"libg.so",     "libdwarf4.so",   "libgz.so",
					   "libclang.so", "libdead_gcc.so", "libdead_clang.so"};
	const struct fixture *fx = *state;

	for (size_t i = 0; i < ARRAY_LEN(libs); i++) {
		void *lib = open_library(fx, libs[i]);
		struct session t = session_of(getpid());
		struct stack st = {0};

		take_stack(lib, &st);
		resolve_pc(&t, pc_of(&st, 0));
		check_inlined(fx, &t);
		for (size_t k = 0; k < t.frames.n; k++) {
			assert_string_equal(t.frames.v[k].module, libs[i]);
			assert_int_equal(t.frames.v[k].type, FRAME_NATIVE);
			assert_int_equal(t.frames.v[k].offset, pc_of(&st, 0) - load_base(lib));
			assert_int_equal(strlen(t.frames.v[k].build_id), 40);
		}
		session_end(&t);
		dlclose(lib);
	}
}

static void test_same_answer_twice(void **state)
{
	void *lib = open_library(*state, "libg.so");
	struct session t = session_of(getpid());
	struct frames first = {0};
	struct stack st = {0};

	take_stack(lib, &st);
	resolve_pc(&t, pc_of(&st, 0));
	first = t.frames;
	t.frames = (struct frames){0};
	resolve_pc(&t, pc_of(&st, 0));
	assert_int_equal(t.frames.n, first.n);
	for (size_t i = 0; i < first.n; i++) {
		assert_ptr_equal(t.frames.v[i].symbol, first.v[i].symbol);
		assert_ptr_equal(t.frames.v[i].file, first.v[i].file);
		assert_int_equal(t.frames.v[i].line, first.v[i].line);
	}
	free(first.v);
	session_end(&t);
	dlclose(lib);
}

/* Without DWARF: .symtab, .gnu_debugdata, nothing; and DWARF that lies in another file, not followed. */
static void test_names_without_lines(void **state)
{
	static const struct {
		const char *lib, *name;
	} rows[] = {{"libnog.so", "hidden"},
		    {"libmini.so", "hidden"},
		    {"libstripped.so", NULL},
		    {"libdwo.so", "hidden"}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		void *lib = open_library(*state, rows[i].lib);
		struct session t = session_of(getpid());
		struct stack st = {0};

		take_stack(lib, &st);
		resolve_pc(&t, pc_of(&st, 0));
		assert_int_equal(t.frames.n, 1);
		check_frame(&t.frames.v[0], rows[i].name, NULL, 0, false);
		assert_string_equal(t.frames.v[0].module, rows[i].lib);
		assert_int_equal(t.frames.v[0].offset, pc_of(&st, 0) - load_base(lib));
		assert_int_equal(strlen(t.frames.v[0].build_id), 40);
		/* what is exported has a name in every file */
		resolve_pc(&t, (uint64_t)symbol(lib, "call_out") + 1);
		check_frame(&t.frames.v[0], "call_out", NULL, 0, false);
		session_end(&t);
		dlclose(lib);
	}
}

/* One offset in many files: none takes another's answer from the cache. */
static void test_same_offset_in_many_modules(void **state)
{
	static const char *const names[] = {"libg.so",   "libclang.so", "libnog.so",  "libmini.so",
					    "libcxx.so", "libfp_a.so",  "libfp_b.so", "libasm.so"};
	void *libs[ARRAY_LEN(names)];
	struct session t;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		libs[i] = open_library(*state, names[i]);
	t = session_of(getpid());
	for (uint64_t at = 0x1001; at < 0x1400; at++)
		for (size_t i = 0; i < ARRAY_LEN(names); i++) {
			resolve_pc(&t, load_base(libs[i]) + at);
			assert_string_equal(t.frames.v[0].module, names[i]);
			assert_int_equal(t.frames.v[0].offset, at);
		}
	session_end(&t);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		dlclose(libs[i]);
}

struct cxx_row {
	const char *call, *inlined, *name, *mark; /* inlined: the innermost; NULL: the function itself */
};

static void check_cxx(const struct fixture *fx, const char *lib_name, const struct cxx_row *row)
{
	void *lib = open_library(fx, lib_name);
	struct session t = session_of(getpid());
	struct stack st = {0};
	const struct frame *last;

	((call_out_fn)symbol(lib, row->call))(jni_function, &st);
	resolve_pc(&t, pc_of(&st, 0));
	last = &t.frames.v[t.frames.n - 1];
	assert_int_equal(t.frames.v[0].line, line_of(fx, "names.cpp", row->mark));
	check_frame(last, row->name, "names.cpp", last->line, false);
	assert_int_equal(t.frames.n, row->inlined ? 2 : 1);
	if (row->inlined)
		assert_string_equal(t.frames.v[0].symbol, row->inlined);
	session_end(&t);
	dlclose(lib);
}

static void test_cxx_names(void **state)
{
	/* the stack that is kept is that of the last call: overloaded(double), lambda(2) */
	static const struct cxx_row rows[] = {
	    {"call_template", NULL, "jt::test::Box<long>::pass", "template"},
	    {"call_unnamed", "jt::test::(anonymous namespace)::inlined",
	     "jt::test::(anonymous namespace)::unnamed", "unnamed"},
	    {"call_overloaded", NULL, "jt::test::overloaded", "overloaded_double"},
	    {"call_local_class", NULL, "call_local_class::Local::method", "local_class"},
	};
	static const struct cxx_row by_gcc[] = {
	    {"call_lambda", NULL, "call_lambda::{lambda(int)#1}::operator()", "lambda"},
	    {"call_inlined_lambda", "call_inlined_lambda::(unnamed)::operator()", "call_inlined_lambda",
	     "inlined_lambda"},
	};
	static const struct cxx_row by_clang[] = {
	    {"call_lambda", NULL, "call_lambda::$_0::operator()", "lambda"},
	    {"call_inlined_lambda", "call_inlined_lambda::$_1::operator()", "call_inlined_lambda",
	     "inlined_lambda"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		check_cxx(*state, "libcxx.so", &rows[i]);
		check_cxx(*state, "libcxxclang.so", &rows[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(by_gcc); i++) {
		check_cxx(*state, "libcxx.so", &by_gcc[i]);
		check_cxx(*state, "libcxxclang.so", &by_clang[i]);
	}
}

/* One answer of addr2line -a -i -f: names and places, innermost first. */
struct answer {
	uint64_t vaddr;
	size_t n;
	char name[8][256], file[8][128];
	int line[8];
};

static bool chomp(char *line, size_t cap, FILE *f)
{
	if (!fgets(line, cap, f))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

/* *ahead: the line that was read last, "0xADDRESS" or empty at the end. */
static bool next_answer(FILE *f, char *ahead, size_t cap, struct answer *a)
{
	memset(a, 0, sizeof(*a));
	if (strncmp(ahead, "0x", 2))
		return false;
	a->vaddr = strtoull(ahead, NULL, 16);
	ahead[0] = '\0';
	while (chomp(ahead, cap, f) && strncmp(ahead, "0x", 2)) {
		char place[1024], *colon;

		assert_true(a->n < ARRAY_LEN(a->name));
		demangle(a->name[a->n], sizeof(a->name[0]), ahead);
		assert_true(chomp(place, sizeof(place), f));
		colon = strrchr(place, ':');
		assert_non_null(colon);
		*colon = '\0';
		snprintf(a->file[a->n], sizeof(a->file[0]), "%.100s", base_of(place));
		a->line[a->n++] = atoi(colon + 1);
		ahead[0] = '\0';
	}
	return true;
}

/* Is vaddr in a function, by nm? */
struct nm_ranges {
	size_t n;
	uint64_t start[64], bytes[64];
};

static void read_nm(const char *path, struct nm_ranges *r)
{
	char cmd[PATH_MAX + 128];
	FILE *f;

	snprintf(cmd, sizeof(cmd),
		 "nm -S --defined-only %s | sed -n 's/^\\([0-9a-f]* [0-9a-f]*\\) [tTwW] .*/\\1/p'", path);
	f = popen(cmd, "r");
	assert_non_null(f);
	for (r->n = 0; r->n < 64; r->n++)
		if (fscanf(f, "%" SCNx64 " %" SCNx64, &r->start[r->n], &r->bytes[r->n]) != 2)
			break;
	assert_int_equal(pclose(f), 0);
}

static bool in_function(const struct nm_ranges *r, uint64_t vaddr)
{
	for (size_t i = 0; i < r->n; i++)
		if (vaddr - r->start[i] < r->bytes[i])
			return true;
	return false;
}

/* What has no linkage name addr2line calls by its last part, or like what it is inlined in. */
static bool same_name(const char *symbol, const struct answer *a, size_t i)
{
	size_t len = symbol ? strlen(symbol) : 0, part = strlen(a->name[i]);

	if (!symbol || !strcmp(symbol, a->name[i]))
		return symbol;
	if (i + 1 == a->n)
		return false;
	return !strcmp(a->name[i], a->name[a->n - 1]) ||
	       (len > part + 2 && !memcmp(symbol + len - part - 2, "::", 2) &&
		!strcmp(symbol + len - part, a->name[i]));
}

/* Every byte of .text for which addr2line knows a line; behind a function it still names that. */
static size_t compare_with_addr2line(const struct fixture *fx, const char *name)
{
	char path[PATH_MAX], cmd[3 * PATH_MAX], ahead[1024] = "";
	uint64_t start, bytes;
	void *lib = open_library(fx, name);
	struct session t = session_of(getpid());
	size_t compared = 0;
	struct nm_ranges ranges;
	struct answer a;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", fx->dir, name);
	section_of(path, "[.]text", &start, &bytes);
	read_nm(path, &ranges);
	snprintf(cmd, sizeof(cmd),
		 "seq -f %%.0f %" PRIu64 " %" PRIu64 " | xargs printf '%%x\\n' | addr2line -a -i -f -e %s",
		 start, start + bytes - 1, path);
	f = popen(cmd, "r");
	assert_non_null(f);
	assert_true(chomp(ahead, sizeof(ahead), f));
	while (next_answer(f, ahead, sizeof(ahead), &a)) {
		if (!a.line[0])
			continue;
		resolve_pc(&t, load_base(lib) + a.vaddr + 1);
		if (!in_function(&ranges, a.vaddr)) {
			/* padding, or start files: addr2line says the function before, or what was dropped */
			assert_int_equal(t.frames.n, 1);
			assert_true(!t.frames.v[0].symbol || strcmp(t.frames.v[0].symbol, a.name[0]));
			continue;
		}
		compared++;
		if (t.frames.n != a.n)
			fail_msg("%s 0x%" PRIx64 ": %zu frames, not %zu", name, a.vaddr, t.frames.n, a.n);
		for (size_t i = 0; i < a.n; i++) {
			const struct frame *g = &t.frames.v[i];

			if (!same_name(g->symbol, &a, i) || strcmp(g->file, a.file[i]) ||
			    g->line != a.line[i] || g->inlined != (i + 1 < a.n))
				fail_msg("%s 0x%" PRIx64 " frame %zu: %s %s:%d, not %s %s:%d", name, a.vaddr,
					 i, g->symbol, g->file, g->line, a.name[i], a.file[i], a.line[i]);
		}
	}
	assert_int_equal(pclose(f), 0);
	session_end(&t);
	dlclose(lib);
	return compared;
}

static void test_equals_addr2line(void **state)
{
	static const char *const libs[] = {"libg.so",     "libdwarf4.so", "libgz.so",
					   "libclang.so", "libcxx.so",    "libcxxclang.so"};

	for (size_t i = 0; i < ARRAY_LEN(libs); i++)
		assert_true(compare_with_addr2line(*state, libs[i]) > 50);
}

/* ---- what is no function ------------------------------------------------------------------------ */

static void check_name_at(struct session *t, uint64_t base, uint64_t vaddr, const char *name)
{
	/* the return address behind a call at vaddr */
	resolve_pc(t, base + vaddr + 1);
	assert_int_equal(t->frames.n, 1);
	check_frame(&t->frames.v[0], name, NULL, 0, false);
	assert_int_equal(t->frames.v[0].offset, vaddr + 1);
}

static void test_ranges_of_symbols(void **state)
{
	const struct fixture *fx = *state;
	void *lib = open_library(fx, "libasm.so");
	char path[PATH_MAX];
	struct session t = session_of(getpid());
	uint64_t base = load_base(lib);
	uint64_t at = (uint64_t)symbol(lib, "sized") - base;
	static const struct {
		uint64_t first, last;
		const char *name;
	} rows[] = {
	    {0, 63, "sized"},    /* also behind the label in it */
	    {64, 95, "unsized"}, /* to the next symbol */
	    {96, 111, "before_gap"}, {112, 159, NULL}, {160, 191, "untyped"}, {192, 223, "last_unsized"},
	};
	uint64_t other, bytes;

	snprintf(path, sizeof(path), "%s/libasm.so", fx->dir);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		check_name_at(&t, base, at + rows[i].first, rows[i].name);
		check_name_at(&t, base, at + rows[i].last, rows[i].name);
	}
	/* a section without symbols: the last function of another one does not reach into it */
	section_of(path, "other_text", &other, &bytes);
	assert_int_equal(bytes, 32);
	assert_true(other > at);
	for (uint64_t i = 0; i < bytes; i++)
		check_name_at(&t, base, other + i, NULL);
	session_end(&t);
	dlclose(lib);
}

static void test_plt_has_no_name(void **state)
{
	const struct fixture *fx = *state;
	void *lib = open_library(fx, "libg.so");
	struct session t = session_of(getpid());
	uint64_t start, bytes;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/libg.so", fx->dir);
	section_of(path, "[.]plt", &start, &bytes);
	for (uint64_t at = start; at < start + bytes; at++)
		check_name_at(&t, load_base(lib), at, NULL);
	session_end(&t);
	dlclose(lib);
}

/* What the linker dropped still has DWARF, for addresses from 0: it is not what lies there. */
static void test_dropped_function(void **state)
{
	static const char *const libs[] = {"libdead_gcc.so", "libdead_clang.so"};
	const struct fixture *fx = *state;

	for (size_t i = 0; i < ARRAY_LEN(libs); i++) {
		char path[PATH_MAX];
		struct placed p;
		struct session t;

		snprintf(path, sizeof(path), "%s/%s", fx->dir, libs[i]);
		place(&p, NULL, path);
		t = session_of(getpid());
		resolve_pc(&t, (uint64_t)p.at + address_of(path, "frame_dummy") + 1);
		assert_int_equal(t.frames.n, 1);
		check_frame(&t.frames.v[0], "frame_dummy", NULL, 0, false);
		munmap(p.at, p.bytes);
		session_end(&t);
	}
}

/* Assembler with DWARF: lines and no functions, these come from the symbol table. */
static void test_lines_of_assembler(void **state)
{
	void *lib = open_library(*state, "libasmg.so");
	struct session t = session_of(getpid());
	const struct fixture *fx = *state;

	resolve_pc(&t, (uint64_t)symbol(lib, "inside") + 1);
	assert_int_equal(t.frames.n, 1);
	check_frame(&t.frames.v[0], "sized", "asm.S", line_of(fx, "asm.S", "inside"), false);
	session_end(&t);
	dlclose(lib);
}

static void test_outside_of_files(void **state)
{
	struct session t = session_of(getpid());
	struct stack st = {.n = 2, .end = END_NOT_CODE};

	(void)state;
	set_pc(&st, 0, (uint64_t)&t);
	set_pc(&st, 1, 0);
	resolve(&t, &st);
	assert_int_equal(t.frames.n, 1);
	check_frame(&t.frames.v[0], NULL, NULL, 0, false);
	assert_null(t.frames.v[0].module);
	assert_null(t.frames.v[0].build_id);
	assert_int_equal(t.frames.v[0].offset, (uint64_t)&t);
	assert_string_equal(t.truncated, "return address in no known file");
	session_end(&t);
}

/* ---- frame-pointer proof ------------------------------------------------------------------------ */

struct chain {
	int (*call)(struct chain *next);
};

/* As jni_function(), for chains: the stack starts at the caller of this one. */
static __attribute__((noinline)) int chain_jni(struct chain *c)
{
	walk((struct stack *)c[1].call, __builtin_frame_address(0));
	return 0;
}

/* Call the chain_NAME of each library, the outermost first, then take the stack. */
static void take_chain(void *const *libs, const char *const *names, size_t n, struct stack *st)
{
	struct chain chain[8] = {0};
	char name[32];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "chain_%s", names[i]);
		chain[i].call = (int (*)(struct chain *))symbol(libs[i], name);
	}
	chain[n].call = chain_jni;
	chain[n + 1].call = (int (*)(struct chain *))st;
	chain[0].call(chain);
}

static void check_chain(const struct fixture *fx, const char *const *names, size_t n, size_t kept,
			const char *why)
{
	struct stack st = {0};
	struct session t;
	void *libs[8];

	for (size_t i = 0; i < n; i++) {
		char file[64];

		snprintf(file, sizeof(file), "lib%s%s.so", strlen(names[i]) == 1 ? "fp_" : "", names[i]);
		libs[i] = open_library(fx, file);
	}
	t = session_of(getpid());
	take_chain(libs, names, n, &st);
	assert_true(st.n >= kept);
	resolve(&t, &st);
	assert_int_equal(t.frames.n, kept);
	for (size_t i = 0; i < kept; i++) {
		char name[32];

		snprintf(name, sizeof(name), "chain_%s", names[n - 1 - i]);
		check_frame(&t.frames.v[i], name, "chain.c", line_of(fx, "chain.c", "chain"), false);
	}
	assert_string_equal(t.truncated, why);
	session_end(&t);
	for (size_t i = 0; i < n; i++)
		dlclose(libs[i]);
}

static void test_frame_pointer_proof(void **state)
{
	/* complete up to the one without a frame pointer, which is itself known */
	check_chain(*state, (const char *const[]){"nofp", "a", "b", "c"}, 4, 4,
		    "no frame pointer in libnofp.so");
	/* b's record leads to nofp, nofp's would be a's: a is skipped in the chain, so it is cut before */
	check_chain(*state, (const char *const[]){"a", "nofp", "b"}, 3, 2, "no frame pointer in libnofp.so");
	check_chain(*state, (const char *const[]){"a", "b", "nofp"}, 3, 1, "no frame pointer in libnofp.so");
	check_chain(*state, (const char *const[]){"a", "notable", "b"}, 3, 2,
		    "no unwind table in libnotable.so");
}

/* The chain above skips a function: the proof is needed, the addresses alone look fine. */
static void test_chain_alone_would_lie(void **state)
{
	void *libs[] = {open_library(*state, "libfp_a.so"), open_library(*state, "libnofp.so"),
			open_library(*state, "libfp_b.so")};
	struct session t = session_of(getpid());
	struct stack st = {0};

	take_chain(libs, (const char *const[]){"a", "nofp", "b"}, 3, &st);
	assert_true(st.n >= 3);
	resolve_pc(&t, pc_of(&st, 2));
	assert_true(!t.frames.v[0].symbol || strcmp(t.frames.v[0].symbol, "chain_a"));
	session_end(&t);
	for (size_t i = 0; i < 3; i++)
		dlclose(libs[i]);
}

struct proof_row {
	const char *name, *why;
};

/* Where the call in a function ends at +16, has the link to its caller this proof? */
static void check_proofs(const struct fixture *fx, const char *lib, const struct proof_row *rows, size_t n)
{
	char path[PATH_MAX];
	struct placed p;
	struct session t;

	snprintf(path, sizeof(path), "%s/%s", fx->dir, lib);
	place(&p, NULL, path);
	t = session_of(getpid());
	for (size_t i = 0; i < n; i++) {
		struct stack st = {.n = 1, .end = END_NOT_CODE};

		set_pc(&st, 0, (uint64_t)p.at + address_of(path, rows[i].name) + 16);
		resolve(&t, &st);
		check_frame(&t.frames.v[0], rows[i].name, NULL, 0, false);
		assert_string_equal(t.truncated, rows[i].why);
	}
	munmap(p.at, p.bytes);
	session_end(&t);
}

static void test_proof_by_rules(void **state)
{
	static const struct proof_row rows[] = {
	    {"frame", "Java or generated code follows"},  {"by_sp", "no frame pointer in libcfi.so"},
	    {"shifted", "no frame pointer in libcfi.so"}, {"apart", "no frame pointer in libcfi.so"},
	    {"far", "no frame pointer in libcfi.so"},     {"bare", "no unwind table in libcfi.so"},
	};

	check_proofs(*state, "libcfi.so", rows, ARRAY_LEN(rows));
}

static void test_proof_on_arm64(void **state)
{
	static const struct proof_row rows[] = {
	    {"gcc_frame", "Java or generated code follows"},
	    {"gcc_saved", "no frame pointer in libarm64.so"},
	    {"gcc_other", "no frame pointer in libarm64.so"},
	    {"gcc_above", "Java or generated code follows"},
	    {"clang_frame", "Java or generated code follows"},
	};

	check_proofs(*state, "libarm64.so", rows, ARRAY_LEN(rows));
}

static void test_ends(void **state)
{
	static const struct {
		enum stack_end end;
		const char *proven, *unproven;
	} rows[] = {
	    {END_NONE, "the stack was not walked", "the stack was not walked"},
	    {END_DEPTH, "depth limit (--depth)", "depth limit (--depth)"},
	    {END_NO_FP, "frame pointer chain ends", "no frame pointer in libnofp.so"},
	    {END_UNREAD, "stack memory not readable", "no frame pointer in libnofp.so"},
	    {END_NOT_CODE, "Java or generated code follows", "no frame pointer in libnofp.so"},
	};
	void *fp = open_library(*state, "libfp_a.so"), *nofp = open_library(*state, "libnofp.so");
	struct session t = session_of(getpid());
	struct stack with = {0}, without = {0};

	take_chain(&fp, (const char *const[]){"a"}, 1, &with);
	take_chain(&nofp, (const char *const[]){"nofp"}, 1, &without);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		with.n = without.n = 1;
		with.end = without.end = rows[i].end;
		resolve(&t, &with);
		assert_int_equal(t.frames.n, 1);
		assert_string_equal(t.truncated, rows[i].proven);
		resolve(&t, &without);
		assert_int_equal(t.frames.n, 1);
		assert_string_equal(t.truncated, rows[i].unproven);
	}
	with.n = 0;
	with.end = 77; /* not one we know */
	resolve(&t, &with);
	assert_int_equal(t.frames.n, 0);
	assert_string_equal(t.truncated, "the stack was not walked");
	with.n = UINT32_MAX; /* more than there is room for */
	for (size_t i = 1; i < JT_MAX_FRAMES; i++)
		set_pc(&with, i, pc_of(&with, 0));
	resolve(&t, &with);
	assert_int_equal(t.frames.n, JT_MAX_FRAMES);
	session_end(&t);
	dlclose(fp);
	dlclose(nofp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_inlined_lines),
	    cmocka_unit_test(test_same_answer_twice),
	    cmocka_unit_test(test_names_without_lines),
	    cmocka_unit_test(test_cxx_names),
	    cmocka_unit_test(test_equals_addr2line),
	    cmocka_unit_test(test_ranges_of_symbols),
	    cmocka_unit_test(test_plt_has_no_name),
	    cmocka_unit_test(test_dropped_function),
	    cmocka_unit_test(test_lines_of_assembler),
	    cmocka_unit_test(test_outside_of_files),
	    cmocka_unit_test(test_frame_pointer_proof),
	    cmocka_unit_test(test_chain_alone_would_lie),
	    cmocka_unit_test(test_proof_by_rules),
	    cmocka_unit_test(test_proof_on_arm64),
	    cmocka_unit_test(test_same_offset_in_many_modules),
	    cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
