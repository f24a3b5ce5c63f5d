/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/node/perf_map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strset.h"
#include "base/util.h"
#include "proc/foreign.h"
#include "proc/proc.h"
#include "runtime/node/v8.h"

#define MAX_FILE_BYTES (64 << 20)  /* 400 000 names; what is beyond is not read */
#define MAX_ENTRIES    (1 << 19)   /* of functions */
#define MAX_CODE_BYTES (16u << 20) /* of one function */
#define PIECE_BYTES    (64 << 10)
#define MAX_LINE       1024 /* of a longer one the rest is skipped */
#define MAX_BACK       256  /* entries with a lower start that are looked at */

struct entry {
	uint64_t start, end;
	uint32_t number; /* in the file: the last word counts */
	int line;
	const char *symbol, *file; /* NULL: not JavaScript, or unknown */
};
struct perf_map {
	pid_t pid, own_pid; /* here; as the process knows itself */
	off_t done;         /* bytes of the file */
	bool sorted;
	struct {
		struct entry *v;
		size_t n, cap;
	} entries;
	uint32_t nr_lines;
	struct strset texts;
};

/* --- names ---------------------------------------------------------------------------------------- */

/* Where the part that says where it is begins: " /srv/app.js:3:18"; n: there is none. */
static size_t place_of(const char *text, size_t n)
{
	static const char *const begins[] = {" /", " node:", " file:", " evalmachine.", " wasm:"};

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; text[i] == ' ' && k < ARRAY_LEN(begins); k++)
			if (n - i >= strlen(begins[k]) && !memcmp(text + i, begins[k], strlen(begins[k])))
				return i;
	return n;
}

/* Take ":NUMBER" off the end. */
static bool cut_number(const char *text, size_t *n, int *out)
{
	size_t i = *n;
	long v = 0, unit = 1;

	for (; i > 0 && text[i - 1] >= '0' && text[i - 1] <= '9'; i--) {
		if (*n - i >= 9)
			return false;
		v += (text[i - 1] - '0') * unit;
		unit *= 10;
	}
	if (i == *n || i == 0 || text[i - 1] != ':')
		return false;
	*n = i - 1;
	*out = (int)v;
	return true;
}

bool perf_name_parse(const char *text, size_t n, struct perf_name *out)
{
	static const char *const kinds[] = {"JS:", "LazyCompile:", "Function:", "Script:", "Eval:"};
	size_t skip = 0, name, at, column_at;
	const char *file;
	int column;

	*out = (struct perf_name){0};
	for (size_t i = 0; !skip && i < ARRAY_LEN(kinds); i++)
		if (n > strlen(kinds[i]) && !memcmp(text, kinds[i], strlen(kinds[i])))
			skip = strlen(kinds[i]);
	if (!skip)
		return false;
	text += skip;
	n -= skip;
	/* how it was compiled: v8, src/logging/code-events.h, ComputeMarker() */
	if (n > 0 && strchr("~^+*", text[0])) {
		text++;
		n--;
	}
	name = at = place_of(text, n);
	if (name > 0)
		text_clean(out->symbol, sizeof(out->symbol), text, name);
	else
		snprintf(out->symbol, sizeof(out->symbol), "(anonymous)");
	if (at == n)
		return true;
	file = text + at + 1;
	n -= at + 1;
	column_at = n;
	if (cut_number(file, &column_at, &column) && cut_number(file, &column_at, &out->line))
		n = column_at;
	v8_file_name(file, n, out->file, sizeof(out->file));
	return true;
}

/* --- the file ------------------------------------------------------------------------------------- */

static pid_t pid_inside(pid_t pid)
{
	struct proc_threads threads = {0};
	pid_t inside = pid;

	if (!proc_threads(pid, &threads))
		for (size_t i = 0; i < threads.n; i++)
			if (threads.v[i].tid == pid)
				inside = threads.v[i].own_tid;
	free(threads.v);
	return inside;
}

int perf_map_new(pid_t pid, struct perf_map **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->pid = pid;
	(*out)->own_pid = pid_inside(pid);
	return 0;
}

void perf_map_free(struct perf_map *m)
{
	if (!m)
		return;
	free(m->entries.v);
	strset_free(&m->texts);
	free(m);
}

/* Only one that the process itself, by its user, may have written. */
static int open_map(const struct perf_map *m)
{
	char path[64], own[64];
	struct stat process, file;
	int fd;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)m->own_pid);
	snprintf(own, sizeof(own), "/proc/%d", (int)m->pid);
	fd = proc_open_in_root(m->pid, path);
	if (fd < 0)
		return fd;
	if (stat(own, &process) || foreign_stat(fd, &file) || process.st_uid != file.st_uid) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

static int add_line(struct perf_map *m, const char *line, size_t n)
{
	struct perf_name name;
	uint64_t start, bytes;
	struct entry *e;
	char head[64];
	int used = 0;

	m->nr_lines++;
	snprintf(head, sizeof(head), "%.*s", (int)(n < sizeof(head) ? n : sizeof(head) - 1), line);
	if (sscanf(head, "%" SCNx64 " %" SCNx64 " %n", &start, &bytes, &used) != 2 || !used || !bytes ||
	    bytes > MAX_CODE_BYTES || start > UINT64_MAX - bytes || m->entries.n == MAX_ENTRIES)
		return 0;
	e = VEC_ADD(&m->entries);
	if (!e)
		return -ENOMEM;
	*e = (struct entry){.start = start, .end = start + bytes, .number = m->nr_lines};
	if (!perf_name_parse(line + used, n - (size_t)used, &name))
		return 0; /* it covers what was there before all the same */
	e->line = name.line;
	e->symbol = strset_add(&m->texts, name.symbol);
	e->file = name.file[0] ? strset_add(&m->texts, name.file) : NULL;
	return e->symbol && (e->file || !name.file[0]) ? 0 : -ENOMEM;
}

/* The whole lines of a piece. Returns the bytes that were used, or -ENOMEM. */
static ssize_t add_lines(struct perf_map *m, const char *piece, size_t n)
{
	size_t used = 0;

	while (used < n) {
		const char *end = memchr(piece + used, '\n', n - used);
		size_t length = end ? (size_t)(end - piece) - used : 0;

		if (!end)
			break;
		if (add_line(m, piece + used, length < MAX_LINE ? length : MAX_LINE))
			return -ENOMEM;
		used += length + 1;
	}
	return used || n < PIECE_BYTES ? (ssize_t)used : (ssize_t)n;
}

void perf_map_refresh(struct perf_map *m)
{
	int fd = m->done < MAX_FILE_BYTES ? open_map(m) : -ENOENT;
	char *piece = fd < 0 ? NULL : malloc(PIECE_BYTES);
	ssize_t n, used = 1;

	while (piece && used > 0 && m->done < MAX_FILE_BYTES) {
		n = foreign_pread(fd, piece, PIECE_BYTES, m->done);
		used = n > 0 ? add_lines(m, piece, (size_t)n) : 0;
		if (used > 0) {
			m->done += used;
			m->sorted = false;
		}
	}
	free(piece);
	if (fd >= 0)
		close(fd);
}

static int by_start(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

int perf_map_find(struct perf_map *m, uint64_t addr, struct frame *out)
{
	const struct entry *last = NULL;
	size_t lo = 0, hi = m->entries.n;

	if (!m->sorted && m->entries.n)
		qsort(m->entries.v, m->entries.n, sizeof(*m->entries.v), by_start);
	m->sorted = true;
	while (lo < hi) { /* the first that begins above */
		size_t mid = lo + (hi - lo) / 2;

		if (m->entries.v[mid].start > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	for (size_t i = lo; i-- > 0 && lo - i <= MAX_BACK;) {
		const struct entry *e = &m->entries.v[i];

		if (addr < e->end && (!last || e->number > last->number))
			last = e;
	}
	if (!last || !last->symbol)
		return 0;
	*out = (struct frame){.type = FRAME_SCRIPT,
			      .symbol = last->symbol,
			      .file = last->file,
			      .line = last->line,
			      .offset = addr};
	return 1;
}
