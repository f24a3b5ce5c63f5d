/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Native frames by name, when files and processes move: libraries unloaded, overwritten, removed, in another
 * root, of a process that is gone; and files that are damaged or attack.
 */
#include "symbols_fixture.h"

#include "runtime/runtime.h"

#include <sys/wait.h>

static void check_name(struct session *t, const struct placed *p, uint64_t vaddr, const char *name)
{
	resolve_pc(t, (uint64_t)p->at + vaddr + 1);
	check_frame(&t->frames.v[t->frames.n - 1], name, t->frames.v[0].file, t->frames.v[0].line, false);
}

/* Another library where one was: neither takes the other's names; one that is gone keeps its own. */
static void test_unload_and_reuse_of_addresses(void **state)
{
	const struct fixture *fx = *state;
	char a[PATH_MAX], b[PATH_MAX];
	struct placed p;
	struct session t;
	uint64_t va, vb;
	void *at;

	snprintf(a, sizeof(a), "%s/libfp_a.so", fx->dir);
	snprintf(b, sizeof(b), "%s/libfp_b.so", fx->dir);
	va = address_of(a, "chain_a");
	vb = address_of(b, "chain_b");
	assert_int_equal(va, vb);
	place(&p, NULL, a);
	at = p.at;
	t = session_of(getpid());
	check_name(&t, &p, va, "chain_a");
	munmap(p.at, p.bytes);
	refresh(&t, getpid());
	check_name(&t, &p, va, "chain_a"); /* gone, still known */
	place(&p, at, b);
	refresh(&t, getpid());
	check_name(&t, &p, vb, "chain_b");
	assert_string_equal(t.frames.v[0].module, "libfp_b.so");
	munmap(p.at, p.bytes);
	refresh(&t, getpid());
	check_name(&t, &p, vb, "chain_b"); /* the last one there */
	place(&p, at, a);
	refresh(&t, getpid());
	check_name(&t, &p, va, "chain_a");
	munmap(p.at, p.bytes);
	session_end(&t);
}

/* A file overwritten while it was not mapped: same path, same inode, other contents. */
static void test_overwritten_file(void **state)
{
	const struct fixture *fx = *state;
	char path[PATH_MAX];
	struct placed p;
	struct session t;
	uint64_t vaddr;

	snprintf(path, sizeof(path), "%s/libchange.so", fx->dir);
	run("cp %s/libfp_a.so %s", fx->dir, path);
	vaddr = address_of(path, "chain_a");
	place(&p, NULL, path);
	t = session_of(getpid());
	check_name(&t, &p, vaddr, "chain_a");
	munmap(p.at, p.bytes);
	refresh(&t, getpid());
	run("cat %s/libfp_b.so > %s", fx->dir, path);
	place(&p, p.at, path);
	refresh(&t, getpid());
	check_name(&t, &p, vaddr, "chain_b");
	munmap(p.at, p.bytes);
	session_end(&t);
}

/* ---- children ----------------------------------------------------------------------------------- */

/* What a child tells: the base of its library, and where it was called from there. */
struct told {
	uint64_t base, pc;
};
struct child {
	pid_t pid;
	int stop; /* closed: the child ends */
	struct told *told;
};

static __attribute__((noinline)) int tell_caller(void *arg)
{
	*(uint64_t *)arg = (uint64_t)__builtin_return_address(0);
	return 0;
}

/* Never returns. In the root, unless NULL: load library, remove its file if told, call out of it, wait. */
static void be_child(const char *root, const char *library, bool remove_file, struct told *told, int ready,
		     int stop)
{
	char byte;
	void *lib;

	if (root && (chroot(root) || chdir("/")))
		_exit(1);
	lib = dlopen(library, RTLD_NOW);
	if (!lib || (remove_file && unlink(library)))
		_exit(2);
	told->base = load_base(lib);
	((call_out_fn)symbol(lib, "call_out"))(tell_caller, &told->pc);
	if (write(ready, "x", 1) != 1)
		_exit(3);
	_exit(read(stop, &byte, 1) ? 4 : 0);
}

static struct child start_child(const char *root, const char *library, bool remove_file)
{
	int stop[2], ready[2];
	struct child c;
	char byte;

	c.told = mmap(NULL, sizeof(*c.told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(c.told != MAP_FAILED);
	assert_int_equal(pipe(stop), 0);
	assert_int_equal(pipe(ready), 0);
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (!c.pid) {
		close(stop[1]);
		close(ready[0]);
		be_child(root, library, remove_file, c.told, ready[1], stop[0]);
	}
	close(stop[0]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		fail_msg("the child failed");
	close(ready[0]);
	c.stop = stop[1];
	return c;
}

static void stop_child(struct child *c)
{
	int status;

	close(c->stop);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_int_equal(status, 0);
}

static void test_deleted_library(void **state)
{
	const struct fixture *fx = *state;
	char path[PATH_MAX];
	struct child c;
	struct session t;

	snprintf(path, sizeof(path), "%s/libdeleted.so", fx->dir);
	run("cp %s/libg.so %s", fx->dir, path);
	c = start_child(NULL, path, true);
	run("cp %s/libnog.so %s", fx->dir, path); /* replaced: not what is mapped */
	t = session_of(c.pid);
	resolve_pc(&t, c.told->pc);
	check_inlined(fx, &t);
	assert_string_equal(t.frames.v[0].module, "libdeleted.so");
	assert_int_equal(t.frames.v[0].offset, c.told->pc - c.told->base);
	stop_child(&c);
	resolve_pc(&t, c.told->pc); /* from the cache */
	check_inlined(fx, &t);
	resolve_pc(&t, c.told->pc - 2); /* a new address, in a file that is open */
	assert_string_equal(t.frames.v[t.frames.n - 1].symbol, "hidden");
	session_end(&t);
	munmap(c.told, sizeof(*c.told));
}

/* The process is gone before the first address is looked up. */
static void test_exited(void **state)
{
	const struct fixture *fx = *state;
	char path[PATH_MAX];
	struct session t;
	struct child c;

	snprintf(path, sizeof(path), "%s/libg.so", fx->dir);
	c = start_child(NULL, path, false);
	t = session_of(c.pid);
	stop_child(&c);
	take_maps(&t, &(struct proc_maps){0});
	resolve_pc(&t, c.told->pc);
	check_inlined(fx, &t);
	session_end(&t);
	munmap(c.told, sizeof(*c.told));
}

/* It is gone and so is its file: what was mapped says the rest. */
static void test_exited_and_deleted(void **state)
{
	const struct fixture *fx = *state;
	struct stack st = {.n = 1, .end = END_NOT_CODE};
	char path[PATH_MAX];
	struct session t;
	struct child c;

	snprintf(path, sizeof(path), "%s/libgone.so", fx->dir);
	run("cp %s/libg.so %s", fx->dir, path);
	c = start_child(NULL, path, true);
	run("cp %s/libnog.so %s", fx->dir, path);
	t = session_of(c.pid);
	stop_child(&c);
	set_pc(&st, 0, c.told->pc);
	resolve(&t, &st);
	assert_int_equal(t.frames.n, 1);
	check_frame(&t.frames.v[0], NULL, NULL, 0, false);
	assert_string_equal(t.frames.v[0].module, "libgone.so");
	assert_int_equal(t.frames.v[0].offset, c.told->pc - c.told->base);
	assert_null(t.frames.v[0].build_id);
	assert_string_equal(t.truncated, "cannot read libgone.so");
	session_end(&t);
	munmap(c.told, sizeof(*c.told));
}

/* Separate debug files of a target in another root: found in it, never outside it. */
static void test_debug_files_in_root(void **state)
{
	static const struct {
		const char *lib;
		bool has_lines;
	} rows[] = {
	    {"/lib/libid.so", true},      /* by build-id */
	    {"/lib/liblink.so", true},    /* by .gnu_debuglink, in .debug */
	    {"/lib/libbadcrc.so", false}, /* .gnu_debuglink, but another file */
	    {"/lib/libescape.so", false}, /* a symbolic link that leads out of the root */
	};
	const struct fixture *fx = *state;
	char root[PATH_MAX];

	snprintf(root, sizeof(root), "%s/root", fx->dir);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct child c = start_child(root, rows[i].lib, false);
		struct session t = session_of(c.pid);

		resolve_pc(&t, c.told->pc);
		if (rows[i].has_lines) {
			check_inlined(fx, &t);
		} else {
			assert_int_equal(t.frames.n, 1);
			check_frame(&t.frames.v[0], NULL, NULL, 0, false);
		}
		assert_string_equal(t.frames.v[0].module, rows[i].lib + strlen("/lib/"));
		stop_child(&c);
		session_end(&t);
		munmap(c.told, sizeof(*c.told));
	}
}

/* The same library without that root: its debug file is not looked for there. */
static void test_debug_files_not_of_root(void **state)
{
	void *lib = open_library(*state, "root/lib/libid.so");
	struct session t = session_of(getpid());
	struct stack st = {0};

	take_stack(lib, &st);
	resolve_pc(&t, pc_of(&st, 0));
	assert_int_equal(t.frames.n, 1);
	check_frame(&t.frames.v[0], NULL, NULL, 0, false);
	session_end(&t);
	dlclose(lib);
}

/* ---- foreign text and bytes --------------------------------------------------------------------- */

static void test_names_are_cleaned(void **state)
{
	const struct fixture *fx = *state;
	uint64_t vaddr;
	char path[PATH_MAX];
	struct placed p;
	struct session t;

	snprintf(path, sizeof(path), "%s/libg.so", fx->dir);
	vaddr = address_of(path, "hidden");
	snprintf(path, sizeof(path), "%s/lib\033[2J\nevil.so", fx->dir);
	run("cp %s/libevil.so \"$(printf '%s/lib\\033[2J\\nevil.so')\"", fx->dir, fx->dir);
	place(&p, NULL, path);
	t = session_of(getpid());
	resolve_pc(&t, (uint64_t)p.at + vaddr + 1);
	assert_string_equal(t.frames.v[t.frames.n - 1].symbol, "hid?[31mden");
	assert_string_equal(t.frames.v[0].module, "lib?[2J?evil.so");
	munmap(p.at, p.bytes);
	session_end(&t);
}

static void test_vm_frames(void **state)
{
	const struct fixture *fx = *state;

	const char *const *names = runtime_by_name("hotspot")->libraries;

	for (size_t i = 0; names[i]; i++) {
		char path[PATH_MAX];
		struct placed p;
		struct session t;

		snprintf(path, sizeof(path), "%s/%s", fx->dir, names[i]);
		run("cp %s/libfp_a.so %s", fx->dir, path);
		place(&p, NULL, path);
		t = session_of(getpid());
		check_name(&t, &p, address_of(path, "chain_a"), "chain_a");
		assert_int_equal(t.frames.v[0].type, FRAME_VM);
		munmap(p.at, p.bytes);
		session_end(&t);
	}
}

/* A stack of a VM's frames, walked to its end, where Java frames cannot be found: not complete. */
static void test_no_java(void **state)
{
	const struct fixture *fx = *state;
	struct stack st = {.n = 1, .end = END_BOTTOM};
	struct placed vm, other;
	char path[PATH_MAX];
	struct session t;

	snprintf(path, sizeof(path), "%s/%s", fx->dir, runtime_by_name("hotspot")->libraries[0]);
	run("cp %s/libfp_a.so %s", fx->dir, path);
	place(&vm, NULL, path);
	snprintf(path, sizeof(path), "%s/libfp_a.so", fx->dir);
	place(&other, NULL, path);
	t = session_of(getpid());
	set_pc(&st, 0, (uint64_t)vm.at + address_of(path, "chain_a") + 1);
	resolve(&t, &st);
	assert_null(t.truncated);
	assert_int_equal(t.lacks, 0);
	symbols_set_refused(t.s, END_JAVA_OFF);
	resolve(&t, &st);
	assert_string_equal(t.truncated, stack_end_rows[END_JAVA_OFF].meaning);
	assert_int_equal(t.lacks, 1U << END_JAVA_OFF);
	set_pc(&st, 0, (uint64_t)other.at + address_of(path, "chain_a") + 1);
	resolve(&t, &st);
	assert_null(t.truncated); /* of a thread that runs no Java */
	assert_int_equal(t.lacks, 0);
	munmap(vm.at, vm.bytes);
	munmap(other.at, other.bytes);
	session_end(&t);
}

/* DWARF that was closed because nobody asked is read again. */
static void test_idle_lines(void **state)
{
	void *lib = open_library(*state, "libg.so");
	struct session t = session_of(getpid());
	struct stack st = {0};

	take_stack(lib, &st);
	resolve_pc(&t, pc_of(&st, 0));
	for (int i = 0; i < 100; i++)
		refresh(&t, getpid());
	resolve_pc(&t, (uint64_t)symbol(lib, "call_out") + 1);
	assert_string_equal(t.frames.v[0].file, "inlined.c");
	assert_true(t.frames.v[0].line > 0);
	session_end(&t);
	dlclose(lib);
}

/* Flip bytes, cut the end: any answer will do, as long as there is one. */
static void test_damaged_files(void **state)
{
	static const char *const libs[] = {"libg.so", "libgz.so", "libclang.so", "libmini.so", "libcxx.so"};
	const struct fixture *fx = *state;
	uint64_t seed = 1;

	for (int round = 0; round < 200; round++) {
		char path[PATH_MAX], from[PATH_MAX];
		uint8_t bytes[65536];
		struct placed p;
		struct session t;
		ssize_t n;
		int fd;

		snprintf(from, sizeof(from), "%s/%s", fx->dir, libs[round % ARRAY_LEN(libs)]);
		snprintf(path, sizeof(path), "%s/libdamaged.so", fx->dir);
		fd = open(from, O_RDONLY);
		n = read(fd, bytes, sizeof(bytes));
		assert_true(n > 4096);
		close(fd);
		for (int i = 0; i < 1 << round % 8; i++) {
			seed = mix64(seed + 1);
			bytes[seed % n] = (uint8_t)(seed >> 32);
		}
		if (round % 3 == 2)
			n -= seed % (n - 8192);
		unlink(path);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0755);
		assert_int_equal(write(fd, bytes, n), n);
		close(fd);
		place(&p, NULL, path);
		t = session_of(getpid());
		for (uint64_t at = 0x1000; at < 0x1400; at += 13)
			resolve_pc(&t, (uint64_t)p.at + at);
		session_end(&t);
		munmap(p.at, p.bytes);
	}
}

/* A string table without an end: libdw would read on behind it. Nothing is said of lines then. */
static void test_strings_without_an_end(void **state)
{
	static const char *const tables[] = {".debug_str", ".debug_line_str"};
	const struct fixture *fx = *state;

	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		char path[PATH_MAX], command[3 * PATH_MAX];
		struct placed p;
		struct session t;

		snprintf(path, sizeof(path), "%s/libendless.so", fx->dir);
		snprintf(command, sizeof(command),
			 "cd %s && objcopy -O binary --only-section=%s --set-section-flags %s=alloc libg.so "
			 "table && "
			 "tr '\\0' x <table >endless && cp libg.so libendless.so && "
			 "objcopy --update-section %s=endless libendless.so",
			 fx->dir, tables[i], tables[i], tables[i]);
		assert_int_equal(system(command), 0);
		place(&p, NULL, path);
		t = session_of(getpid());
		for (uint64_t at = 0x1000; at < 0x1400; at += 13) {
			resolve_pc(&t, (uint64_t)p.at + at);
			for (size_t k = 0; k < t.frames.n; k++)
				assert_null(t.frames.v[k].file);
		}
		session_end(&t);
		munmap(p.at, p.bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_unload_and_reuse_of_addresses),
	    cmocka_unit_test(test_overwritten_file),
	    cmocka_unit_test(test_deleted_library),
	    cmocka_unit_test(test_exited),
	    cmocka_unit_test(test_exited_and_deleted),
	    cmocka_unit_test(test_debug_files_in_root),
	    cmocka_unit_test(test_debug_files_not_of_root),
	    cmocka_unit_test(test_names_are_cleaned),
	    cmocka_unit_test(test_vm_frames),
	    cmocka_unit_test(test_no_java),
	    cmocka_unit_test(test_no_java),
	    cmocka_unit_test(test_idle_lines),
	    cmocka_unit_test(test_damaged_files),
	    cmocka_unit_test(test_strings_without_an_end),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
