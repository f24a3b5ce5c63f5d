/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A line for each family: whether it is traced, since when, and what is to become of it. See families.h. */
#include "screen/families.h"

#include <string.h>
#include <time.h>

#include "model/pool.h"
#include "view/cells.h"

#define NAME_CELLS 22

/* Those that some process has, or had while it was traced. */
static uint32_t here(const struct browser *b)
{
	uint32_t families = b->families.may;

	for (size_t i = 0; i < b->reports.n; i++)
		for (int f = 0; f < NR_FAMILIES; f++)
			if (b->reports.v[i]->families[f].traced || b->reports.v[i]->families[f].off_s > 0)
				families |= 1U << f;
	return families;
}

bool families_open(struct browser *b)
{
	if (!b->families.may) {
		snprintf(b->told, sizeof(b->told), "%s",
			 !b->reports.n ? "no process is traced yet"
			 : is_recorded(b)
			     ? "a recording has the families that were traced when it was made"
			     : "families cannot be switched: nothing is paired with --count-only");
		return false;
	}
	b->families.wanted = b->families.asked; /* a switch may be under way */
	b->families.at = 0;
	panel_open(b, PANEL_FAMILIES);
	return true;
}

/* Those that are here, in their order; -1: there are no more. */
static int nth_family(const struct browser *b, int n)
{
	uint32_t families = b->reports.n ? here(b) : 0;

	for (int f = 0; f < NR_FAMILIES; f++)
		if (families >> f & 1 && n-- == 0)
			return f;
	return -1;
}

static const char *name_of(const struct browser *b, int family)
{
	return b->reports.v[0]->catalog->families[family].name;
}

/* Say which one goes with it. */
static void tell_with(struct browser *b, int family, int with, bool on)
{
	snprintf(b->told, sizeof(b->told), "%s goes %s with it: %s is not exact without %s", name_of(b, with),
		 on ? "on" : "off", name_of(b, on ? family : with), name_of(b, on ? with : family));
}

/* With those that it needs, or that need it. */
static enum wish toggle(struct browser *b, int family)
{
	uint32_t bit = 1U << family, before = b->families.wanted;
	bool on = !(before & bit);

	if (!(b->families.may & bit)) {
		snprintf(b->told, sizeof(b->told), "no process that goes on has functions of %s",
			 name_of(b, family));
		return WISH_DRAW;
	}
	for (int f = 0; f < NR_FAMILIES; f++) {
		bool goes = on ? catalog_with_needed(bit) >> f & 1 : catalog_with_needed(1U << f) & bit;

		if (!goes || !(b->families.may >> f & 1) || (b->families.wanted >> f & 1) == on)
			continue;
		b->families.wanted ^= 1U << f;
		if (f != family)
			tell_with(b, family, f, on);
	}
	return WISH_DRAW;
}

static enum wish move_to(struct browser *b, int n)
{
	if (nth_family(b, n) >= 0)
		b->families.at = n;
	return WISH_DRAW;
}

static enum wish apply(struct browser *b)
{
	panel_back(b);
	if (b->families.wanted == b->families.asked)
		return WISH_DRAW;
	if (b->families.wanted & here(b)) {
		b->families.asked = b->families.wanted;
		b->families.is_asked = true;
		return WISH_SWITCH;
	}
	snprintf(b->told, sizeof(b->told), "nothing was switched: at least one family is to be traced");
	return WISH_DRAW;
}

enum wish families_key(struct browser *b, const struct key *key)
{
	int at = nth_family(b, b->families.at);

	switch (key->code) {
	case 3: /* Ctrl-C, where the terminal makes no signal of it */
		return WISH_QUIT;
	case KEY_OF_ESCAPE:
	case KEY_OF_BACKSPACE:
	case 'e':
		panel_back(b);
		return WISH_DRAW;
	case KEY_OF_ENTER:
		return apply(b);
	case KEY_OF_UP:
		return move_to(b, b->families.at - 1);
	case KEY_OF_DOWN:
		return move_to(b, b->families.at + 1);
	case ' ':
		return at >= 0 ? toggle(b, at) : WISH_NOTHING;
	default: /* the first family that begins so */
		for (int n = 0; (at = nth_family(b, n)) >= 0; n++)
			if (key->code == (unsigned char)name_of(b, at)[0]) {
				b->families.at = n;
				return toggle(b, at);
			}
		return WISH_NOTHING;
	}
}

/* "12:01:33" of the moment so many seconds after attach. */
static void put_time(struct buf *out, const struct browser *b, double at_s)
{
	const struct report *r = b->reports.v[0];
	time_t t = (time_t)(r->time_unix_s - r->elapsed_s + at_s);
	char text[16] = "?";
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
	buf_printf(out, "%s", text);
}

static void put_let_go(struct buf *out, const struct report_family *f)
{
	if (!f->let_go)
		return;
	buf_printf(out, "; ");
	fmt_count(out, f->let_go);
	buf_printf(out, " held then %s followed no more", f->let_go == 1 ? "is" : "are");
}

static void put_state(struct buf *out, const struct browser *b, int family, const struct report_family *f)
{
	bool on = b->families.on >> family & 1, asked = b->families.asked >> family & 1;
	bool wanted = b->families.wanted >> family & 1;

	if (on && f->on_s > 0) {
		buf_printf(out, "traced since ");
		put_time(out, b, f->on_s);
		if (f->off_s > 0) {
			buf_printf(out, ", off before since ");
			put_time(out, b, f->off_s);
			put_let_go(out, f);
		}
	} else if (on) {
		buf_printf(out, "traced");
	} else if (f->off_s > 0) {
		buf_printf(out, "off since ");
		put_time(out, b, f->off_s);
		put_let_go(out, f);
	} else {
		buf_printf(out, "off");
	}
	if (on != asked)
		buf_printf(out, " -> %s in a moment", asked ? "on" : "off");
	if (asked != wanted)
		buf_printf(out, " -> %s with Enter", wanted ? "on" : "off");
}

/* What nobody has stands in one line. */
static void add_others(const struct browser *b, struct page *p)
{
	const struct catalog *c = b->reports.n ? b->reports.v[0]->catalog : NULL;
	uint32_t others = c ? catalog_families(c, ~(KIND_BIT(KIND_NONE) | KIND_BIT(KIND_USE))) & ~here(b) : 0;
	struct buf names = {0};

	for (int f = 0; f < NR_FAMILIES; f++)
		if (others >> f & 1)
			buf_printf(&names, "%s%s", names.n ? ", " : "", c->families[f].name);
	if (names.n) {
		page_add(p, STYLE_PLAIN, "%s", "");
		page_item(p, NAME_CELLS, "  not here", STYLE_DIM, "%s: no process has functions of %s",
			  names.p, others & (others - 1) ? "these" : "it");
	}
	p->failed |= names.failed;
	buf_free(&names);
}

void families_page(const struct browser *b, struct page *p)
{
	struct report pooled;
	int family;

	page_add(p, STYLE_BAR, "Families: space or a first letter switches, Enter does it, Esc leaves them");
	report_pool(b->reports.v, b->reports.n, &pooled);
	for (int n = 0; (family = nth_family(b, n)) >= 0; n++) {
		bool wanted = b->families.wanted >> family & 1;
		struct buf name = {0}, state = {0};

		buf_printf(&name, "%c [%c] %s", n == b->families.at ? '>' : ' ', wanted ? 'x' : ' ',
			   name_of(b, family));
		put_state(&state, b, family, &pooled.families[family]);
		page_item(p, NAME_CELLS, name.p ?: "",
			  wanted != (b->families.asked >> family & 1) ? STYLE_NOTE : STYLE_PLAIN, "%s",
			  state.p ?: "");
		p->failed |= name.failed || state.failed;
		buf_free(&name);
		buf_free(&state);
	}
	add_others(b, p);
}
