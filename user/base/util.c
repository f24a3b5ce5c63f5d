/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Errors that reach the user, growing arrays, clocks, hashes, foreign text. */
#include "base/util.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define TAKES_MS 300 /* for a terminal to take a line */

#define VEC_FIRST_CAP  8
#define BUF_FIRST_CAP  256
#define LINE_MAX_BYTES 1024
#define WORD_SHOWN     120 /* bytes; paths of files that are named for other reasons are shorter */

/* There is one stderr. */
static struct {
	pthread_mutex_t lock;
	const struct line_taker *taker;
} lines = {.lock = PTHREAD_MUTEX_INITIALIZER};

void lines_go_to(const struct line_taker *taker)
{
	pthread_mutex_lock(&lines.lock);
	lines.taker = taker;
	pthread_mutex_unlock(&lines.lock);
}

/* Where stderr goes to the journal, a line begins with how grave it is (sd-daemon(3)). */
static const char *level_prefix(int level)
{
	static const char *const prefixes[] = {[LOG_ERR] = "<3>", [LOG_WARNING] = "<4>", [LOG_INFO] = "<6>"};
	const char *journal = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (!journal || sscanf(journal, "%llu:%llu", &device, &inode) != 2 || fstat(STDERR_FILENO, &st) ||
	    st.st_dev != device || st.st_ino != inode)
		return "";
	return prefixes[level];
}

/* A terminal that was stopped (Ctrl-S), or whose other end is gone, takes nothing for ever. */
static bool takes_lines(void)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	return !isatty(STDERR_FILENO) || poll(&p, 1, TAKES_MS) > 0;
}

/* One line on stderr, written at once, with nothing in it that moves a cursor. */
static void print_line(int level, const char *text)
{
	char line[LINE_MAX_BYTES];

	text_clean(line, sizeof(line), text, strlen(text));
	pthread_mutex_lock(&lines.lock);
	if ((!lines.taker || !lines.taker->take(lines.taker->of, line)) && takes_lines())
		fprintf(stderr, "%sjnitrace: %s\n", level_prefix(level), line);
	pthread_mutex_unlock(&lines.lock);
}

/* What a user typed may be of any length: its words are shown up to here. Shortens in place. */
static void shorten_words(char *text)
{
	size_t word = 0, out = 0;

	for (size_t i = 0; text[i]; i++) {
		word = text[i] == ' ' ? 0 : word + 1;
		if (word <= WORD_SHOWN || (text[i] & 0xc0) == 0x80)
			text[out++] = text[i];
		else if (word <= WORD_SHOWN + 3)
			text[out++] = '.';
	}
	text[out] = '\0';
}

int error_set(struct error *e, int rc, enum exit_code code, const char *what, const char *advice,
	      const char *why_fmt, ...)
{
	va_list ap;

	if (!e || e->what[0])
		return rc;
	e->exit_code = code;
	snprintf(e->what, sizeof(e->what), "%s", what);
	snprintf(e->advice, sizeof(e->advice), "%s", advice ? advice : "");
	va_start(ap, why_fmt);
	vsnprintf(e->why, sizeof(e->why), why_fmt, ap);
	va_end(ap);
	shorten_words(e->why);
	if (rc == -EMFILE)
		snprintf(e->advice, sizeof(e->advice), "raise ulimit -n");
	return rc;
}

/* What to do where the place of the error knows nothing better. */
static const char *default_advice(enum exit_code code)
{
	switch (code) {
	case EXIT_USAGE:
		return "see jnitrace --help";
	case EXIT_PERMISSION:
		return "run as root";
	case EXIT_NO_TARGET:
		return "see jps or pgrep java for what runs";
	default:
		return "-v tells more";
	}
}

int error_print(const struct error *e)
{
	char line[LINE_MAX_BYTES];

	snprintf(line, sizeof(line), "%s%s%s (%s)", e->what[0] ? e->what : "failed", e->why[0] ? ": " : "",
		 e->why, e->advice[0] ? e->advice : default_advice(e->exit_code));
	print_line(LOG_ERR, line);
	return e->exit_code;
}

void out_of_memory(const char *what)
{
	struct error err = {0};

	error_set(&err, 0, EXIT_FAILED, what, NULL, "out of memory");
	if (lines.taker)
		lines.taker->leave(lines.taker->of);
	_exit(error_print(&err));
}

void warn(const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	print_line(LOG_WARNING, line);
}

void inform(const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	print_line(LOG_INFO, line);
}

bool vec_grow(void **v, size_t *cap, size_t elem_bytes)
{
	size_t new_cap, bytes;
	char *p;

	memcpy(&p, v, sizeof(p)); /* see vec_add() */
	if (__builtin_mul_overflow(*cap ? *cap : VEC_FIRST_CAP / 2, (size_t)2, &new_cap) ||
	    __builtin_mul_overflow(new_cap, elem_bytes, &bytes))
		return false;
	p = realloc(p, bytes);
	if (!p)
		return false;
	memcpy(v, &p, sizeof(p));
	*cap = new_cap;
	return true;
}

/* Room for n more bytes and the terminator. */
static bool buf_reserve(struct buf *b, size_t n)
{
	size_t need, cap = b->cap ? b->cap : BUF_FIRST_CAP;
	char *p;

	if (b->failed)
		return false;
	if (__builtin_add_overflow(b->n, n, &need) || __builtin_add_overflow(need, (size_t)1, &need))
		goto fail;
	if (need <= b->cap)
		return true;
	while (cap < need) {
		if (__builtin_mul_overflow(cap, (size_t)2, &cap))
			goto fail;
	}
	p = realloc(b->p, cap);
	if (!p)
		goto fail;
	b->p = p;
	b->cap = cap;
	return true;
fail:
	b->failed = true;
	return false;
}

void buf_add(struct buf *b, const char *s, size_t n)
{
	if (!buf_reserve(b, n))
		return;
	if (n)
		memcpy(b->p + b->n, s, n);
	b->n += n;
	b->p[b->n] = '\0';
}

size_t decimal(uint64_t n, char out[DECIMAL_BYTES])
{
	size_t digits = 1;

	for (uint64_t rest = n / 10; rest; rest /= 10)
		digits++;
	out[digits] = '\0';
	for (size_t i = digits; i-- > 0; n /= 10)
		out[i] = (char)('0' + n % 10);
	return digits;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int len;

	va_start(ap, fmt);
	va_copy(again, ap);
	len = vsnprintf(b->p ? b->p + b->n : NULL, b->p && !b->failed ? b->cap - b->n : 0, fmt, ap);
	va_end(ap);
	if (len < 0) {
		b->failed = true;
	} else if (!b->failed && b->p && (size_t)len < b->cap - b->n) {
		b->n += len;
	} else if (buf_reserve(b, len)) {
		vsnprintf(b->p + b->n, b->cap - b->n, fmt, again);
		b->n += len;
	}
	va_end(again);
	if (b->failed && b->p)
		b->p[b->n] = '\0';
}

void buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){0};
}

uint64_t add_capped(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void fmt_count(struct buf *out, uint64_t n)
{
	char digits[32];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			buf_add(out, ",", 1);
		buf_add(out, &digits[i], 1);
	}
}

void fmt_figure(struct buf *out, double v)
{
	double size = fabs(v);

	if (!isfinite(v)) {
		buf_printf(out, "?");
		return;
	}
	buf_printf(out, "%s", v < 0 && size >= 0.05 ? "-" : "");
	if (size < 0.05)
		buf_printf(out, "0");
	else if (size < 99.95)
		buf_printf(out, "%.1f", size);
	else
		fmt_count(out, size < 1e18 ? (uint64_t)(size + 0.5) : (uint64_t)1e18);
}

uint64_t clock_ns(int clock_id)
{
	struct timespec ts = {0};

	clock_gettime(clock_id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

uint64_t fnv64(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3ULL;
	return h;
}

uint64_t mix64(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* Length of the valid UTF-8 sequence at s, its code point in *cp; 0 when it is not valid. */
static size_t utf8_decode(const uint8_t *s, size_t n, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len;

	if (s[0] < 0x80) {
		*cp = s[0];
		return 1;
	}
	len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || n < len)
		return 0;
	*cp = s[0] & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	/* no overlong forms, no surrogates, nothing beyond Unicode */
	if (*cp < least[len] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return len;
}

/*
 * Characters that show nothing and change how others are shown: directions, joiners, tags, separators of
 * lines (Unicode's categories Cf, Zl and Zp); and two that are none, which XML and YAML do not have.
 */
static bool is_format(uint32_t cp)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {{0xad, 0xad},       {0x600, 0x605},     {0x61c, 0x61c},     {0x6dd, 0x6dd},
		      {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},     {0x180e, 0x180e},
		      {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},   {0xfeff, 0xfeff},
		      {0xfff9, 0xfffb},   {0xfffe, 0xffff},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
		      {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0001, 0xe007f}};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		if (cp >= ranges[i].first && cp <= ranges[i].last)
			return true;
	return false;
}

/* How many of the n bytes are ASCII characters that show: most text is nothing else. */
static size_t plain_bytes(const uint8_t *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i] >= 0x20 && s[i] < 0x7f)
		i++;
	return i;
}

char *text_clean(char *dst, size_t cap, const char *src, size_t src_len)
{
	const uint8_t *s = (const uint8_t *)src;
	size_t out = 0;

	if (!cap)
		return dst;
	for (size_t i = 0; i < src_len;) {
		size_t left = src_len - i, room = cap - 1 - out,
		       len = plain_bytes(s + i, left < room ? left : room);
		uint32_t cp = 0;
		bool bad = false;

		if (!len) {
			len = utf8_decode(s + i, left, &cp);
			bad = !len || cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || is_format(cp);
			len = len ?: 1;
		}
		if ((bad ? 1 : len) > room)
			break; /* a character is never cut in two */
		if (bad)
			dst[out++] = '?';
		else
			memmove(dst + out, s + i, len);
		out += bad ? 0 : len;
		i += len;
	}
	dst[out] = '\0';
	return dst;
}

void hex_encode(char *dst, const uint8_t *src, size_t n)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		dst[2 * i] = digit[src[i] >> 4];
		dst[2 * i + 1] = digit[src[i] & 15];
	}
	dst[2 * n] = '\0';
}
