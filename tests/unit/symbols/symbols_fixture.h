/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For the tests of symbols.c: libraries built by tests/fixtures/symbols/build.sh, stacks taken in them, and
 * names looked up.
 *
 * JT_BUILD: directory for what is built (default /tmp). JT_FIXTURES: tests/fixtures (default: that).
 * Needs root (chroot, map_files), gcc, g++, clang, binutils, xz.
 */
#ifndef JNITRACE_SYMBOLS_FIXTURE_H
#define JNITRACE_SYMBOLS_FIXTURE_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbols/symbols.h"

struct fixture {
	char dir[PATH_MAX / 2]; /* what build.sh made */
	char src[PATH_MAX / 2]; /* tests/fixtures/symbols */
};

static inline void run(const char *fmt, ...)
{
	char cmd[4 * PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	if (system(cmd))
		fail_msg("failed: %s", cmd);
}

/* The line of a fixture's source that ends with the mark. */
static inline int line_of(const struct fixture *fx, const char *file, const char *mark)
{
	char path[PATH_MAX], line[512], want[64];
	int nr = 0, found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", fx->src, file);
	snprintf(want, sizeof(want), "/* @%s */\n", mark);
	f = fopen(path, "r");
	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f)) {
		const char *at = strstr(line, want);

		nr++;
		if (at && !at[strlen(want)])
			found = nr;
	}
	fclose(f);
	assert_true(found);
	return found;
}

struct session {
	struct elf_cache *images;
	struct modules *book;
	struct code *code;
	struct symbols *s;
	struct frames frames;
	const char *truncated;
	uint32_t lacks;
};

static inline void take_maps(struct session *t, const struct proc_maps *maps)
{
	struct layout *layout;

	assert_int_equal(code_read(t->code, maps, false, &layout), 0);
	assert_int_equal(code_take(t->code, layout), 0);
	symbols_tidy(t->s);
}

static inline void refresh(struct session *t, pid_t pid)
{
	struct proc_maps maps;

	assert_int_equal(proc_maps_read(pid, &maps), 0);
	take_maps(t, &maps);
	proc_maps_free(&maps);
}

/* b may be NULL. */
static inline struct session session_within(struct budget *b, pid_t pid)
{
	struct session t = {0};
	struct proc_id id;

	assert_int_equal(proc_id_read(pid, &id), 0);
	assert_int_equal(elf_cache_new(b, &t.images), 0);
	assert_int_equal(modules_new(t.images, &t.book), 0);
	assert_int_equal(code_new(t.book, &id, NULL, &t.code), 0);
	assert_int_equal(symbols_new(t.code, &t.s), 0);
	refresh(&t, pid);
	return t;
}

static inline struct session session_of(pid_t pid)
{
	return session_within(NULL, pid);
}

static inline void session_end(struct session *t)
{
	free(t->frames.v);
	symbols_free(t->s);
	code_free(t->code);
	modules_free(t->book);
	elf_cache_free(t->images);
}

static inline void resolve(struct session *t, const struct stack *st)
{
	assert_int_equal(symbols_stack(t->s, st, &t->frames, &t->truncated, &t->lacks), 0);
}

/* Frame i of a chain of frame pointers, whose links have to be proven. */
static inline void set_pc(struct stack *st, uint32_t i, uint64_t pc)
{
	st->frame[i].a = (uint64_t)RAW_NATIVE_FP << RAW_KIND_SHIFT | pc;
	st->frame[i].b = 0;
}

static inline uint64_t pc_of(const struct stack *st, uint32_t i)
{
	return st->frame[i].a & RAW_ADDR_MASK;
}

/* Frames of one return address. */
static inline void resolve_pc(struct session *t, uint64_t pc)
{
	struct stack st = {.n = 1, .end = END_DEPTH};

	set_pc(&st, 0, pc);
	resolve(t, &st);
	assert_true(t->frames.n >= 1);
}

static inline void *open_library(const struct fixture *fx, const char *name)
{
	char path[PATH_MAX];
	void *lib;

	snprintf(path, sizeof(path), "%s/%s", fx->dir, name);
	lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		fail_msg("%s", dlerror());
	return lib;
}

static inline uint64_t load_base(void *lib)
{
	struct link_map *map;

	assert_int_equal(dlinfo(lib, RTLD_DI_LINKMAP, &map), 0);
	return map->l_addr;
}

static inline void *symbol(void *lib, const char *name)
{
	void *p = dlsym(lib, name);

	if (!p)
		fail_msg("%s", dlerror());
	return p;
}

static inline bool is_code(const struct proc_maps *maps, uint64_t pc)
{
	const struct mapping *m = proc_maps_find(maps, pc);

	return m && m->executable && m->ino;
}

/* What the BPF program does: the caller, then the frame-pointer chain while it looks sane. */
static inline void walk(struct stack *st, uint64_t *record)
{
	uint64_t next[2], sp, fp;
	struct proc_maps maps;

	assert_int_equal(proc_maps_read(getpid(), &maps), 0);
	fp = record[0];
	sp = (uint64_t)(record + 2);
	set_pc(st, 0, record[1]);
	for (st->n = 1; st->n < JT_MAX_FRAMES; st->n++) {
		st->end = fp < sp || (fp & 7) || fp - sp > (64U << 20)  ? END_NO_FP
			  : proc_read(getpid(), fp, next, sizeof(next)) ? END_UNREAD
			  : !is_code(&maps, next[1])                    ? END_NOT_CODE
									: END_NONE;
		if (st->end != END_NONE)
			break;
		set_pc(st, st->n, next[1]);
		sp = fp + 16;
		fp = next[0];
	}
	proc_maps_free(&maps);
}

/* Stands for the JNI function: called by the library, it takes the stack. */
static __attribute__((noinline, unused)) int jni_function(void *arg)
{
	walk(arg, __builtin_frame_address(0));
	return 0;
}

static inline void check_frame(const struct frame *f, const char *name, const char *file, int line,
			       bool inlined)
{
	if (name)
		assert_string_equal(f->symbol, name);
	else
		assert_null(f->symbol);
	if (file)
		assert_string_equal(f->file, file);
	else
		assert_null(f->file);
	assert_int_equal(f->line, line);
	assert_int_equal(f->inlined, inlined);
}

typedef int (*call_out_fn)(int (*out)(void *), void *arg);

/* call_out() of a build of inlined.c, whose pc[0] is the call in inner() in middle() in hidden(). */
static inline void take_stack(void *lib, struct stack *st)
{
	((call_out_fn)symbol(lib, "call_out"))(jni_function, st);
}

static inline void check_inlined(const struct fixture *fx, const struct session *t)
{
	assert_int_equal(t->frames.n, 3);
	check_frame(&t->frames.v[0], "inner", "inlined.c", line_of(fx, "inlined.c", "inner"), true);
	check_frame(&t->frames.v[1], "middle", "inlined.c", line_of(fx, "inlined.c", "middle"), true);
	check_frame(&t->frames.v[2], "hidden", "inlined.c", line_of(fx, "inlined.c", "hidden"), false);
}

/* Link-time start and size of a section. */
static inline void section_of(const char *path, const char *section, uint64_t *start, uint64_t *bytes)
{
	char cmd[PATH_MAX + 128];
	FILE *f;

	snprintf(cmd, sizeof(cmd), "readelf -SW %s | sed -n 's/.* %s *PROGBITS//p'", path, section);
	f = popen(cmd, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%" SCNx64 " %*x %" SCNx64, start, bytes), 2);
	assert_int_equal(pclose(f), 0);
}

/* A library's file mapped as code, whole: addresses below the data are offsets in these files. */
struct placed {
	void *at;
	size_t bytes;
};

static inline void place(struct placed *p, void *at, const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	p->bytes = (st.st_size + 4095) & ~4095UL;
	p->at = mmap(at, p->bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE | (at ? MAP_FIXED : 0), fd, 0);
	assert_true(p->at != MAP_FAILED);
	close(fd);
}

/* Link-time address of a function, by nm. */
static inline uint64_t address_of(const char *path, const char *name)
{
	char cmd[PATH_MAX + 128];
	uint64_t vaddr;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "nm %s | sed -n 's/ [tT] %s$//p'", path, name);
	f = popen(cmd, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%" SCNx64, &vaddr), 1);
	pclose(f);
	return vaddr;
}

/* Group setup and teardown. */
static inline int fixture_setup(void **state)
{
	const char *build = getenv("JT_BUILD"), *fixtures = getenv("JT_FIXTURES");
	struct fixture *fx = calloc(1, sizeof(*fx));
	char src[PATH_MAX / 2];

	if (!fx)
		return -1;
	snprintf(src, sizeof(src), "%s/symbols", fixtures ? fixtures : "tests/fixtures");
	snprintf(fx->dir, sizeof(fx->dir), "%s/symbols.XXXXXX", build ? build : "/tmp");
	*state = fx;
	if (!realpath(src, fx->src) || !mkdtemp(fx->dir)) {
		free(fx);
		return -1;
	}
	run("'%s/build.sh' '%s'", fx->src, fx->dir);
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *fx = *state;

	run("rm -rf '%s'", fx->dir);
	free(fx);
	return 0;
}

#endif
