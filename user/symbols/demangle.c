/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Symbol names as people read them, by libiberty; hostile names are cut short, not waited for. */
#include "symbols/demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

#include "base/util.h"

/* What compilers append to the name of a part or a copy of a function; more dots and digits may follow. */
static const char *const clone_words[] = {
    "constprop", "isra", "part", "cold", "lto_priv", "localalias", "clone", "llvm", "resolver",
};

/* Length of name without a symbol version and clone suffixes. */
static size_t plain_length(const char *name, size_t len)
{
	const char *at = memchr(name, '@', len);

	if (at && at > name)
		len = at - name;
	for (size_t i = 1; i < len; i++) {
		if (name[i] != '.')
			continue;
		for (size_t w = 0; w < ARRAY_LEN(clone_words); w++) {
			size_t n = strlen(clone_words[w]);

			if (len - i - 1 >= n && !memcmp(name + i + 1, clone_words[w], n) &&
			    (len - i - 1 == n || name[i + 1 + n] == '.'))
				return i;
		}
	}
	return len;
}

struct sink {
	char text[SYMBOL_NAME_BYTES];
	size_t n;
	jmp_buf full;
};

/*
 * Substitutions make a name of n bytes stand for 2^n: the only way to stop the demangler when the
 * text is long enough is not to return to it. It holds no memory while it prints C++; a Rust name
 * with punycode, cut at this very point, leaks a few bytes.
 */
static void take_text(const char *s, size_t n, void *opaque)
{
	struct sink *sink = opaque;
	size_t room = sizeof(sink->text) - sink->n;

	if (n > room)
		n = room;
	if (!n) /* then it may have no text at all */
		return;
	memcpy(sink->text + sink->n, s, n);
	sink->n += n;
	if (sink->n == sizeof(sink->text))
		longjmp(sink->full, 1);
}

/* Is it mangled, and now in sink? */
static bool demangle_into(struct sink *sink, const char *mangled)
{
	sink->n = 0;
	if (setjmp(sink->full))
		return true;
	/* Legacy Rust looks like C++ with a hash at its end, so Rust goes first. */
	if (rust_demangle_callback(mangled, DMGL_NO_OPTS, take_text, sink))
		return true;
	sink->n = 0;
	return cplus_demangle_v3_callback(mangled, DMGL_ANSI, take_text, sink) && sink->n;
}

char *demangle(char *dst, size_t cap, const char *name)
{
	size_t len = plain_length(name, strnlen(name, SYMBOL_NAME_BYTES));
	char mangled[SYMBOL_NAME_BYTES];
	struct sink sink;

	if (len < sizeof(mangled) && name[0] == '_' && (name[1] == 'Z' || name[1] == 'R')) {
		memcpy(mangled, name, len);
		mangled[len] = '\0';
		if (demangle_into(&sink, mangled))
			return text_clean(dst, cap, sink.text, sink.n);
	}
	return text_clean(dst, cap, name, len);
}
