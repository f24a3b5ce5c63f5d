/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A line for each family: whether it is traced, since when, and what is to become of it. See families.h. */
#include "screen/families.h"

#include <string.h>
#include <time.h>

#include "model/pool.h"
#include "view/cells.h"

#define NAME_CELLS 22

bool families_open(struct browser *b)
{
	if (!b->families.may)
		return false;
	b->families.wanted = b->families.on;
	b->families.at = 0;
	panel_open(b, PANEL_FAMILIES);
	return true;
}

/* Those with a name, in their order; -1: there are no more. */
static int nth_family(const struct browser *b, int n)
{
	const struct catalog *c = b->reports.n ? b->reports.v[0]->catalog : NULL;

	for (int f = 0; c && f < NR_FAMILIES; f++)
		if (c->families[f].name && n-- == 0)
			return f;
	return -1;
}

static const char *name_of(const struct browser *b, int family)
{
	return b->reports.v[0]->catalog->families[family].name;
}

static enum wish toggle(struct browser *b, int family)
{
	uint32_t bit = 1U << family, after = b->families.wanted ^ bit;

	if (!(b->families.may & bit)) {
		snprintf(b->told, sizeof(b->told), "%s is traced from the start or not at all: -e %s",
			 name_of(b, family), name_of(b, family));
		return WISH_DRAW;
	}
	b->families.wanted = after;
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
	if (b->families.wanted == b->families.on)
		return WISH_DRAW;
	if (b->families.wanted)
		return WISH_SWITCH;
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
	bool on = b->families.on >> family & 1, wanted = b->families.wanted >> family & 1;

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
		buf_printf(out, "%s", b->families.may >> family & 1 ? "off" : "off, from the start only");
	}
	if (on != wanted)
		buf_printf(out, "  -> %s with Enter", wanted ? "on" : "off");
}

void families_page(const struct browser *b, struct page *p)
{
	struct report pooled;
	int family;

	page_add(p, STYLE_BAR,
		 "Families: space or the first letter switches, Enter does it, Esc leaves all as it is");
	report_pool(b->reports.v, b->reports.n, &pooled);
	for (int n = 0; (family = nth_family(b, n)) >= 0; n++) {
		bool wanted = b->families.wanted >> family & 1;
		struct buf name = {0}, state = {0};

		buf_printf(&name, "%c [%c] %s", n == b->families.at ? '>' : ' ', wanted ? 'x' : ' ',
			   name_of(b, family));
		put_state(&state, b, family, &pooled.families[family]);
		page_item(p, NAME_CELLS, name.p ?: "",
			  wanted != (b->families.on >> family & 1) ? STYLE_NOTE : STYLE_PLAIN, "%s",
			  state.p ?: "");
		p->failed |= name.failed || state.failed;
		buf_free(&name);
		buf_free(&state);
	}
}
