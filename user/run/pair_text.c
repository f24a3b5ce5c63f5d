/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "run/pair_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

#define MAX_ARG 11

struct parse {
	const char *text, *at;
	struct pair_fault *fault;
};

static int fault(struct parse *p, const char *at, const char *fmt, ...) JT_PRINTF(3, 4);

static int fault(struct parse *p, const char *at, const char *fmt, ...)
{
	va_list ap;

	p->fault->column = (size_t)(at - p->text) + 1;
	va_start(ap, fmt);
	vsnprintf(p->fault->why, sizeof(p->fault->why), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* The character that is there, for an error's words. */
static const char *found(const char *at, char out[16])
{
	if (!*at)
		return "the end";
	snprintf(out, 16, isprint((unsigned char)*at) ? "'%c'" : "byte %02x", (unsigned char)*at);
	return out;
}

static int expect(struct parse *p, char c, const char *behind)
{
	char is[16];

	if (*p->at != c)
		return fault(p, p->at, "expected '%c' behind %s, found %s", c, behind, found(p->at, is));
	p->at++;
	return 0;
}

/* n characters, which must fit. */
static int copy(struct parse *p, const char *from, size_t n, char *out, size_t cap, const char *what)
{
	if (n == 0) {
		char is[16];

		return fault(p, from, "expected %s, found %s", what, found(from, is));
	}
	if (n >= cap)
		return fault(p, from, "%s is longer than %zu characters", what, cap - 1);
	memcpy(out, from, n);
	out[n] = '\0';
	return 0;
}

static bool is_symbol_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '$';
}

static size_t symbol_span(const char *s)
{
	size_t n = 0;

	while (is_symbol_char(s[n]))
		n++;
	return n;
}

static size_t hex_span(const char *s)
{
	return strspn(s, "0123456789abcdefABCDEF");
}

/* NAME[@VERSION][+0xOFFSET], with ns::Class::~Class as a NAME; see pair_symbols.h. */
static size_t name_span(const char *s)
{
	size_t n = 0;

	while (is_symbol_char(s[n]) || s[n] == '~' || (s[n] == ':' && s[n + 1] == ':' ? n++, true : false))
		n++;
	if (n && s[n] == '@') {
		n += 1 + (s[n + 1] == '@');
		n += symbol_span(s + n);
	}
	if (n && s[n] == '+' && s[n + 1] == '0' && s[n + 2] == 'x' && isxdigit((unsigned char)s[n + 3]))
		n += 3 + hex_span(s + n + 3);
	return n;
}

/* --- where a handle is: ret, argN, *argN, *argN[argM] --- */

static int parse_arg(struct parse *p, enum handle_where *out)
{
	const char *at = p->at;
	unsigned n = 0, digits = 0;

	if (strncmp(at, "arg", 3) || !isdigit((unsigned char)at[3]))
		return fault(p, at, "expected arg0 to arg%d", MAX_ARG);
	for (p->at += 3; isdigit((unsigned char)*p->at) && digits < 3; p->at++, digits++)
		n = n * 10 + (unsigned)(*p->at - '0');
	if (n > MAX_ARG || digits == 3)
		return fault(p, at, "there is arg0 to arg%d", MAX_ARG);
	*out = (enum handle_where)(HANDLE_ARG0 + n);
	return 0;
}

static int parse_where(struct parse *p, struct func_row *row)
{
	int rc;

	if (!strncmp(p->at, "ret", 3) && !is_symbol_char(p->at[3])) {
		p->at += 3;
		row->handle = HANDLE_RETURN;
		return 0;
	}
	if (*p->at == '*') {
		p->at++;
		row->form = HANDLE_POINTEE;
	} else if (strncmp(p->at, "arg", 3)) {
		return fault(p, p->at, "expected where the handle is: ret, argN, *argN or *argN[argM]");
	}
	rc = parse_arg(p, &row->handle);
	if (rc || *p->at != '[')
		return rc;
	if (row->form != HANDLE_POINTEE)
		return fault(p, p->at, "only what an argument points to can be an array, as *argN[argM]");
	p->at++;
	row->form = HANDLE_ARRAY;
	rc = parse_arg(p, &row->count);
	return rc ?: expect(p, ']', "the number of handles");
}

/* --- options --- */

/* What a function is given by an option or mark; the side of the slash says the rest. */
struct said {
	bool success;
	const char *init, *size, *finalizer; /* where the option is */
	const char *operation;               /* likewise */
};

/* size=argN[*argM] */
static int parse_size(struct parse *p, const char **where, struct func_row *row)
{
	int rc;

	*where = p->at;
	p->at += strlen("size=");
	rc = parse_arg(p, &row->size);
	if (rc || *p->at != '*')
		return rc;
	p->at++;
	return parse_arg(p, &row->times);
}

/* WORD=argN */
static int parse_number(struct parse *p, const char **where, enum handle_where *out)
{
	*where = p->at;
	p->at = strchr(p->at, '=') + 1;
	return parse_arg(p, out);
}

static int parse_option(struct parse *p, struct func_row *row, struct said *said)
{
	static const struct {
		const char *word;
		enum success success;
	} successes[] = {{"ok0", SUCCESS_ZERO},
			 {"okge0", SUCCESS_NOT_NEGATIVE},
			 {"okany", SUCCESS_ANY},
			 {"oknonnull", SUCCESS_NOT_NULL}};
	static const struct {
		const char *word;
		enum operation operation;
	} operations[] = {{"ref", OP_REF}, {"unref", OP_UNREF}, {"use", OP_USE}, {"realloc", OP_REPLACE}};
	const char *at = p->at;
	size_t n = symbol_span(at);

	if (!strncmp(at, "init=", 5) && !said->init)
		return parse_number(p, &said->init, &row->count);
	if (!strncmp(at, "size=", 5) && !said->size)
		return parse_size(p, &said->size, row);
	if (!strncmp(at, "by=", 3) && !said->finalizer)
		return parse_number(p, &said->finalizer, &row->finalizer);
	p->at += n;
	for (size_t i = 0; i < ARRAY_LEN(successes); i++)
		if (strlen(successes[i].word) == n && !strncmp(successes[i].word, at, n)) {
			if (said->success)
				return fault(p, at, "there is a condition of success already");
			row->success = successes[i].success;
			said->success = true;
			return 0;
		}
	for (size_t i = 0; i < ARRAY_LEN(operations); i++)
		if (strlen(operations[i].word) == n && !strncmp(operations[i].word, at, n)) {
			if (said->operation)
				return fault(p, at, "it is said already what this function does");
			row->operation = operations[i].operation;
			said->operation = at;
			return 0;
		}
	if (n == 7 && !strncmp(at, "counted", n)) {
		row->counted = true;
		return 0;
	}
	if (n == 4 && !strncmp(at, "owns", n)) {
		row->owns = true;
		return 0;
	}
	if (n == 6 && !strncmp(at, "others", n)) {
		row->others = true;
		return 0;
	}
	if (n == 7 && !strncmp(at, "nothrow", n)) {
		row->nothrow = true;
		return 0;
	}
	if (n == 5 && !strncmp(at, "int32", n)) {
		row->narrow = true;
		return 0;
	}
	return fault(p, at,
		     "unknown option; there are ok0, okge0, oknonnull, okany, counted, int32, nothrow, "
		     "others, owns, ref, unref, "
		     "use, realloc, init=argN, size=argN and by=argN");
}

/* --- a function --- */

static void parse_mark(struct parse *p, struct func_row *row, struct said *said)
{
	static const struct {
		const char *mark;
		enum operation operation;
	} marks[] = {{"~", OP_REPLACE}, {"^", OP_REF}, {"v:", OP_UNREF}, {"?", OP_USE}};

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (!strncmp(p->at, marks[i].mark, strlen(marks[i].mark))) {
			said->operation = p->at;
			row->operation = marks[i].operation;
			p->at += strlen(marks[i].mark);
			return;
		}
}

/* [LIB!]SYMBOL */
static int parse_symbol(struct parse *p, struct pair_func *f)
{
	const char *at = p->at, *bang = at + strcspn(at, "!(+/");
	size_t n;
	int rc = 0;

	if (*bang == '/') /* of a path */
		bang = at + strcspn(at, "!(+");
	if (*bang == '!') {
		rc = copy(p, at, (size_t)(bang - at), f->lib, sizeof(f->lib), "a library");
		p->at = at = bang + 1;
	}
	n = !rc && *at == '*' ? 1 : name_span(at);
	f->row.at_address = f->row.maybe = n && *at == '*';
	rc = rc ?: copy(p, at, n, f->symbol, sizeof(f->symbol), "a function");
	if (rc)
		return rc;
	if (at[n - 1] == '@')
		return fault(p, at + n, "expected a version behind '@'");
	if (!strncmp(at, "0x", 2) && 2 + hex_span(at + 2) != n)
		return fault(p, at, "expected an address: 0x and hexadecimal digits");
	f->column = (size_t)(at - p->text) + 1;
	p->at += n;
	return 0;
}

/* What must hold when all of a function is known. */
static int check_func(struct parse *p, const char *at, bool acquires, struct func_row *row,
		      const struct said *said)
{
	if (row->operation == OP_REPLACE && row->form != HANDLE_ITSELF)
		return fault(p, at, "realloc is given the handle that it replaces: argN");
	if (said->size && ((row->operation != OP_ACQUIRE && row->operation != OP_REPLACE) || said->init ||
			   row->counted || row->form == HANDLE_ARRAY))
		return fault(p, said->size, "size= is for functions that acquire one handle, once");
	if (said->finalizer && (row->operation != OP_ACQUIRE || row->counted || row->form == HANDLE_ARRAY))
		return fault(p, said->finalizer, "by= is for functions that acquire one handle, once");
	if (row->at_address && row->operation != OP_RELEASE)
		return fault(p, at, "'*' is what by= of a function that acquires names: it releases");
	if (row->at_address && (row->form != HANDLE_ITSELF || row->others || said->success))
		return fault(p, at, "'*' is given the handle itself, and without options: *(argN)");
	if (row->handle == HANDLE_RETURN && row->operation != OP_ACQUIRE)
		return fault(p, at, "a function that does not acquire is given the handle: argN");
	if (row->others && row->operation != OP_RELEASE && row->operation != OP_UNREF &&
	    row->operation != OP_REPLACE)
		return fault(p, at, "others is for functions that release");
	if (row->owns && row->operation != OP_ACQUIRE)
		return fault(p, at, "owns is for functions that acquire");
	if (row->counted && row->operation != OP_ACQUIRE)
		return fault(p, at, "counted is for functions that acquire");
	if (said->init && (row->operation != OP_ACQUIRE || row->form == HANDLE_ARRAY))
		return fault(p, said->init, "init= is for functions that acquire one handle");
	if (row->form == HANDLE_ARRAY && row->operation != OP_ACQUIRE)
		return fault(p, at, "only a function that acquires may have an array of handles");
	if (row->form == HANDLE_POINTEE && (row->operation == OP_REF || row->operation == OP_USE))
		return fault(p, at, "the handle of ref and use is the argument itself: argN");
	if (acquires && (row->operation == OP_UNREF || row->operation == OP_USE))
		return fault(p, at, "what releases and uses stands behind the slash");
	return 0;
}

static int parse_func(struct parse *p, bool acquires, struct pair_func *f)
{
	struct func_row *row = &f->row;
	struct said said = {0};
	const char *where;
	int rc;

	*f = (struct pair_func){.row = {.operation = acquires ? OP_ACQUIRE : OP_RELEASE}};
	parse_mark(p, row, &said);
	rc = parse_symbol(p, f);
	rc = rc ?: expect(p, '(', "the function's name");
	where = p->at;
	rc = rc ?: parse_where(p, row);
	row->success = row->handle == HANDLE_RETURN || row->operation == OP_REPLACE ? SUCCESS_NOT_NULL
		       : row->form != HANDLE_ITSELF                                 ? SUCCESS_ZERO
										    : SUCCESS_ANY;
	while (!rc && *p->at == ',') {
		p->at++;
		rc = parse_option(p, row, &said);
	}
	if (row->operation == OP_REPLACE && !said.success)
		row->success = SUCCESS_NOT_NULL;
	/* a result that may be 0 and is an int, as a file descriptor */
	row->narrow |= row->handle == HANDLE_RETURN && row->success == SUCCESS_NOT_NEGATIVE;
	rc = rc ?: expect(p, ')', "the options");
	return rc ?: check_func(p, where, acquires, row, &said);
}

static bool is_same(const struct pair_func *a, const struct pair_func *b)
{
	return !strcmp(a->symbol, b->symbol) && !strcmp(a->lib, b->lib) && a->row.handle == b->row.handle &&
	       a->row.form == b->row.form;
}

/* FUNCTION[+FUNCTION...] */
static int parse_funcs(struct parse *p, struct pair_rule *out, bool acquires)
{
	int rc = 0;

	do {
		struct pair_func *f = &out->func[out->n];
		const char *at;

		p->at += out->n > 0 && *p->at == '+';
		at = p->at;
		if (out->n == PAIR_MAX_FUNCS)
			return fault(p, at, "a rule has at most %d functions", PAIR_MAX_FUNCS);
		rc = parse_func(p, acquires, f);
		for (size_t i = 0; i < out->n && !rc; i++)
			if (is_same(f, &out->func[i]))
				return fault(p, at, "%s is there already", f->symbol);
		out->n += !rc;
	} while (!rc && *p->at == '+');
	return rc;
}

/* [NAME=]LIB: */
static int parse_library(struct parse *p, struct pair_rule *out)
{
	const char *at = p->at, *colon = at + strcspn(at, ":("),
		   *equals = memchr(at, '=', (size_t)(colon - at)), *slash;
	int rc;

	if (*colon != ':')
		return fault(p, at, "expected a library and ':' first, as libc.so.6:malloc(ret)/free(arg0)");
	if (equals) {
		rc = copy(p, at, (size_t)(equals - at), out->name, sizeof(out->name), "a name");
		for (const char *c = at; !rc && c < equals; c++)
			if (!isalnum((unsigned char)*c) && !strchr("_.-", *c))
				return fault(p, c, "a name has letters, digits, '_', '.' and '-'");
		if (rc)
			return rc;
		at = equals + 1;
	}
	rc = copy(p, at, (size_t)(colon - at), out->lib, sizeof(out->lib), "a library");
	if (rc)
		return rc;
	slash = strrchr(out->lib, '/');
	if (slash && !slash[1])
		return fault(p, colon, "expected a library, found a folder");
	if (!equals)
		snprintf(out->name, sizeof(out->name), "%.*s", PAIR_NAME_BYTES - 1,
			 slash ? slash + 1 : out->lib);
	p->at = colon + 1;
	return 0;
}

/* Of one family all handles are of one width, and some function takes what others give. */
static int check_rule(struct parse *p, struct pair_rule *out)
{
	bool narrow = false, acquires = false, releases = false, by = false, at_address = false;

	for (size_t i = 0; i < out->n; i++) {
		enum operation o = out->func[i].row.operation;

		narrow |= out->func[i].row.narrow;
		acquires |= o == OP_ACQUIRE || o == OP_REPLACE;
		releases |= o == OP_RELEASE || o == OP_UNREF;
		by |= out->func[i].row.finalizer != HANDLE_NONE;
		at_address |= out->func[i].row.at_address;
	}
	for (size_t i = 0; i < out->n; i++)
		out->func[i].row.narrow = narrow;
	if (!acquires)
		return fault(p, p->text, "no function acquires");
	if (by && !at_address)
		return fault(p, p->at, "by= needs '*(argN)' behind the slash: what that function is given");
	if (at_address && !by)
		return fault(p, p->at, "no function says by= which one releases: '*' has no address");
	return releases ? 0 : fault(p, p->at, "no function releases");
}

int pair_parse(const char *text, struct pair_rule *out, struct pair_fault *why)
{
	struct parse p = {.text = text, .at = text, .fault = why};
	char is[16];
	int rc;

	memset(out, 0, sizeof(*out));
	rc = parse_library(&p, out);
	rc = rc ?: parse_funcs(&p, out, true);
	if (!rc && *p.at != '/')
		rc = fault(&p, p.at, "expected '+' or '/' behind a function, found %s", found(p.at, is));
	if (!rc) {
		p.at++;
		rc = parse_funcs(&p, out, false);
	}
	if (!rc && *p.at)
		rc = fault(&p, p.at, "expected '+' or the end behind a function, found %s", found(p.at, is));
	return rc ?: check_rule(&p, out);
}
