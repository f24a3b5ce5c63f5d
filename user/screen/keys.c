/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of keys, and what each does. See keys.h. */
#include "screen/keys.h"

#include <stdio.h>
#include <string.h>

#include "screen/draw.h"
#include "screen/families.h"
#include "screen/typing.h"
#include "view/cells.h"

#define GAP    2
#define NAMES  12 /* cells of a key's name */
#define WHEELS 3  /* rows of a turn */

typedef enum wish act_fn(struct browser *b, const struct key *key);

/* Rows anew. Out of memory shows in the next drawing. */
static enum wish remade(struct browser *b)
{
	table_make(b);
	return WISH_DRAW;
}

/* --- moving ----------------------------------------------------------------------------------------- */

static void move_to(struct browser *b, size_t at)
{
	b->table.moved = true;
	table_choose(&b->table, at);
}

static int page_end(const struct browser *b)
{
	int end = (int)b->page.lines.n - b->page_rows;

	return end > 0 ? end : 0;
}

static enum wish move_by(struct browser *b, int lines)
{
	size_t at = b->table.at;

	if (panel_of(b) != PANEL_TABLE) {
		b->page_top += lines;
		b->page_top = b->page_top < 0 ? 0 : b->page_top > page_end(b) ? page_end(b) : b->page_top;
		return WISH_DRAW;
	}
	if (lines < 0)
		move_to(b, at > (size_t)-lines ? at - (size_t)-lines : 0);
	else
		move_to(b, at + (size_t)lines);
	return WISH_DRAW;
}

static int lines_of_page(const struct browser *b)
{
	int lines = panel_of(b) == PANEL_TABLE ? b->table.shown : b->page_rows;

	return lines > 2 ? lines - 1 : 1;
}

#define ACT(name) static enum wish name(struct browser *b, const struct key *key)
#define ACT_AS(name, result)                                                                                 \
	ACT(name)                                                                                            \
	{                                                                                                    \
		(void)key;                                                                                   \
		return result;                                                                               \
	}
ACT_AS(up, move_by(b, -1))
ACT_AS(down, move_by(b, 1))
ACT_AS(page_up, move_by(b, -lines_of_page(b)))
ACT_AS(page_down, move_by(b, lines_of_page(b)))

static enum wish go_to(struct browser *b, size_t moment)
{
	b->time.wanted = moment < 1 ? 1 : moment > b->time.n ? b->time.n : moment;
	return WISH_DRAW;
}

/* Of a recording the begin and the end of time; else of the rows. */
ACT(home)
{
	(void)key;
	if (is_recorded(b) && panel_of(b) == PANEL_TABLE) {
		b->time.playing = false;
		return go_to(b, 1);
	}
	move_by(b, -(1 << 30));
	b->table.moved = false; /* whatever comes first */
	return WISH_DRAW;
}

ACT(end)
{
	(void)key;
	if (is_recorded(b) && panel_of(b) == PANEL_TABLE)
		return go_to(b, b->time.n);
	return move_by(b, 1 << 30);
}

ACT(left)
{
	(void)key;
	if (!is_recorded(b))
		return WISH_NOTHING;
	b->time.playing = false;
	return go_to(b, b->time.wanted > 1 ? b->time.wanted - 1 : 1);
}

ACT(right)
{
	(void)key;
	if (!is_recorded(b))
		return WISH_NOTHING;
	b->time.playing = false;
	return go_to(b, b->time.wanted + 1);
}

/* A tenth of a recording, one moment at least. */
static enum wish leap(struct browser *b, bool back)
{
	size_t step = b->time.n / 10 ? b->time.n / 10 : 1, at = b->time.wanted;

	if (!is_recorded(b))
		return WISH_NOTHING;
	b->time.playing = false;
	return go_to(b, back ? (at > step ? at - step : 1) : at + step);
}

ACT(leap_to)
{
	return leap(b, key->code == '[');
}

/* --- opening ---------------------------------------------------------------------------------------- */

/* What a row that stands for several sites is called. */
static void put_name(struct buf *out, const struct row *r, enum group_by group)
{
	switch (group) {
	case GROUP_FUNCTION:
		buf_printf(out, "%s", r->func_name ?: "?");
		break;
	case GROUP_CLASS:
		buf_printf(out, "%s%s%s", r->class ?: "no class", r->of.name ? " of " : "", r->of.name ?: "");
		break;
	case GROUP_THREAD:
		buf_printf(out, "%s", r->thread ? r->thread : r->tid ? "a thread" : "threads not told apart");
		break;
	default:
		buf_printf(out, "%s", r->module ?: r->caller ?: "no owner");
	}
}

/* Its sites, by a filter that can be seen. */
static enum wish open_group(struct browser *b, const struct row *r)
{
	struct buf name = {0};

	if (r->before) {
		snprintf(b->told, sizeof(b->told), "acquired before attach: by whom is not known");
		return WISH_DRAW;
	}
	put_name(&name, r, b->table.group);
	filter_set_row(&b->filter, name.p ?: "?");
	buf_free(&name);
	b->within = b->table.keys[b->table.at];
	b->within_group = b->table.group;
	b->table.group = GROUP_SITE;
	b->table.moved = false;
	return remade(b);
}

ACT(open_row)
{
	const struct row *r = table_chosen(&b->table);

	(void)key;
	if (panel_of(b) != PANEL_TABLE || !r)
		return WISH_NOTHING;
	if (b->table.group == GROUP_PID && r->target) {
		target_open(b, r->target);
		return remade(b);
	}
	if (!r->site)
		return open_group(b, r);
	b->opened = b->table.keys[b->table.at];
	panel_open(b, PANEL_SITE);
	return WISH_DRAW;
}

ACT(back)
{
	(void)key;
	if (panel_back(b))
		return WISH_DRAW;
	if (b->filter.on) {
		filter_clear(&b->filter);
		return remade(b);
	}
	if (b->target.a && b->overview) {
		b->table.chosen = b->target;
		b->table.moved = true;
		b->target = (struct row_key){0};
		b->table.group = GROUP_PID;
		return remade(b);
	}
	return WISH_NOTHING;
}

static enum wish toggle_panel(struct browser *b, enum panel_id panel)
{
	if (panel_of(b) == panel)
		panel_back(b);
	else
		panel_open(b, panel);
	return WISH_DRAW;
}

ACT_AS(findings, toggle_panel(b, PANEL_FINDINGS))
ACT_AS(help, toggle_panel(b, PANEL_HELP))

ACT(families)
{
	(void)key;
	families_open(b);
	return WISH_DRAW;
}

ACT(pane)
{
	(void)key;
	b->no_pane = !b->no_pane;
	return WISH_DRAW;
}

/* --- what the table shows --------------------------------------------------------------------------- */

static bool has_threads(const struct browser *b)
{
	bool known = b->request->group_by == GROUP_THREAD;

	for (size_t i = 0; i < b->reports.n && !known; i++)
		for (size_t k = 0; k < b->reports.v[i]->sites.n && !known; k++)
			known = b->reports.v[i]->sites.v[k].threads.known;
	return known;
}

/* NULL: there are such rows; else why not. */
static const char *lacks_group(const struct browser *b, enum group_by group)
{
	if (group == GROUP_THREAD && !has_threads(b))
		return is_recorded(b) ? "at this moment of the recording threads were not told apart"
				      : "threads are told apart from when their key is pressed on";
	if (group == GROUP_PID && b->reports.n < 2)
		return "there is one process alone";
	if (group == GROUP_CLASS && b->request->count_only)
		return "classes are read of what is paired: not with --count-only";
	if (group == GROUP_CLASS && !has_classes(b))
		return "nothing of a JVM is traced: there are no classes";
	if (group == GROUP_CALLER && !has_callers(b))
		return "no runtime here has methods that call libraries";
	return NULL;
}

static enum wish group_by(struct browser *b, enum group_by group)
{
	b->table.group = group;
	b->table.moved = false;
	b->table.top = 0;
	if (b->filter.of_row)
		filter_clear(&b->filter);
	if (group == GROUP_PID)
		b->target = (struct row_key){0};
	return remade(b);
}

ACT(next_group)
{
	enum group_by group = b->table.group;

	(void)key;
	do
		group = (group + 1) % NR_GROUPS;
	while (lacks_group(b, group));
	return group_by(b, group);
}

ACT(choose_group)
{
	enum group_by group = key->code - '1';
	const char *why = group < NR_GROUPS ? lacks_group(b, group) : "";

	if (group == GROUP_THREAD && why && !is_recorded(b)) {
		group_by(b, group);
		return WISH_THREADS;
	}
	if (!why)
		return group_by(b, group);
	snprintf(b->told, sizeof(b->told), "%s", why);
	return WISH_DRAW;
}

static bool can_sort_by(const struct browser *b, const struct column *c)
{
	return table_has(&b->table, c) && !(b->request->count_only && c->groups & COLUMN_PAIRED);
}

static enum wish sort_beside(struct browser *b, int step)
{
	b->table.sort = list_sort_beside(b, step);
	return remade(b);
}

ACT_AS(sort_right, sort_beside(b, 1))
ACT_AS(sort_left, sort_beside(b, -1))

ACT(sort_by_name)
{
	(void)key;
	b->by.typing = true;
	b->by.name[0] = '\0';
	return WISH_DRAW;
}

ACT(reverse)
{
	(void)key;
	b->table.reverse = !b->table.reverse;
	return remade(b);
}

ACT(filter)
{
	(void)key;
	if (!b->filter.of_row) {
		b->filter.typing = true;
		return WISH_DRAW;
	}
	filter_clear(&b->filter);
	b->filter.typing = true;
	return remade(b);
}

ACT(next_row)
{
	struct table *t = &b->table;

	(void)key;
	if (t->rows.n)
		move_to(b, (t->at + 1) % t->rows.n);
	return WISH_DRAW;
}

/* What two rows that look alike have in common; NULL: it has no name. */
static const char *name_of(const struct row *r)
{
	const struct frame *f = r->site ? site_frame(r->site) : NULL;

	return f           ? f->symbol
	       : r->thread ? r->thread
	       : r->caller ? r->caller
	       : r->module ? r->module
	       : r->class  ? r->class
	       : r->target ? target_name_of(r->target)
			   : NULL;
}

ACT(next_twin)
{
	struct table *t = &b->table;
	const struct row *chosen = table_chosen(t);
	const char *name = chosen ? name_of(chosen) : NULL;

	(void)key;
	for (size_t i = 1; name && i < t->rows.n; i++) {
		size_t at = (t->at + i) % t->rows.n;
		const char *other = name_of(&t->rows.v[at]);

		if (other && !strcmp(other, name)) {
			move_to(b, at);
			return WISH_DRAW;
		}
	}
	snprintf(b->told, sizeof(b->told), "no other row has this name");
	return WISH_DRAW;
}

ACT(pause)
{
	(void)key;
	if (is_recorded(b)) {
		b->time.playing = !b->time.playing;
		if (b->time.playing && b->time.at == b->time.n)
			return go_to(b, 1);
	} else {
		b->paused = !b->paused;
	}
	return WISH_DRAW;
}

ACT(baseline)
{
	(void)key;
	baseline_toggle(b);
	return WISH_DRAW;
}

ACT(write_file)
{
	(void)key;
	b->file.typing = true;
	b->file.name[0] = '\0';
	return WISH_DRAW;
}

/* --- the mouse -------------------------------------------------------------------------------------- */

static enum wish click_head(struct browser *b, int column)
{
	struct table *t = &b->table;

	for (size_t i = t->nr_columns; i-- > 0;) {
		if (column < t->column_at[i])
			continue;
		if (!t->column[i] || !can_sort_by(b, t->column[i]))
			return WISH_NOTHING;
		t->reverse = t->column[i] == table_sort(t) && !t->reverse;
		t->sort = t->column[i];
		return remade(b);
	}
	return WISH_NOTHING;
}

ACT(click)
{
	struct table *t = &b->table;
	int row = key->row - t->head_row - 1;

	if (panel_of(b) != PANEL_TABLE)
		return WISH_NOTHING;
	if (row == -1)
		return click_head(b, key->column);
	if (row < 0 || row >= t->shown || t->top + (size_t)row >= t->rows.n)
		return WISH_NOTHING;
	if (t->top + (size_t)row == t->at && t->moved)
		return open_row(b, key);
	move_to(b, t->top + (size_t)row);
	return WISH_DRAW;
}

ACT_AS(wheel_up, move_by(b, -WHEELS))
ACT_AS(wheel_down, move_by(b, WHEELS))

ACT(quit)
{
	(void)b;
	(void)key;
	return WISH_QUIT;
}

/* --- the table -------------------------------------------------------------------------------------- */

#define TABLE PANEL_BIT(PANEL_TABLE)
#define PAGES PANELS_OF_PAGES
/* clang-format off */
static const struct browser_key {
	uint32_t codes[3];
	const char *name;  /* as people call it */
	const char *label; /* in the footer; NULL: not there */
	unsigned panels;   /* where it does something */
	bool recorded;     /* of a recording only */
	act_fn *act;
	const char *help;
} keys[] = {
	{{KEY_OF_ENTER}, "Enter", "open", TABLE, false, open_row,
	 "open the row: a site with its stack, history, classes and findings; a process, library, class, function or caller with its sites"},
	{{KEY_OF_ESCAPE, KEY_OF_BACKSPACE}, "Esc", "back", PAGES | TABLE, false, back,
	 "back; in the table: without the filter, or to all processes"},
	{{'/'}, "/", "filter", TABLE, false, filter,
	 "show the rows that a regular expression matches: names in the stack, libraries, files, classes, threads, verdicts"},
	{{'n'}, "n", NULL, TABLE, false, next_row, "the next row, behind the last one the first"},
	{{'='}, "=", NULL, TABLE, false, next_twin, "the next row of the same name: what differs stands behind it"},
	{{'g'}, "g", "group", TABLE, false, next_group,
	 "rows are sites, functions, processes, classes, threads (where they are told apart), libraries or callers: methods of Java, functions of a script"},
	{{'1', '2', '3'}, "1-7", NULL, TABLE, false, choose_group,
	 "rows are sites (1), functions (2), processes (3), classes (4), threads (5: told apart from then on), libraries (6), callers (7)"},
	{{'f'}, "f", "findings", PANELS_ALL, false, findings, "what was used wrongly, with stacks, or back"},
	{{'e'}, "e", NULL, TABLE, false, families,
	 "switch families on and off while the process runs; what was held when one is switched off is followed no more"},
	{{'<', ','}, "<", NULL, TABLE, false, sort_left, "sort by the column to the left"},
	{{'>', '.', 's'}, ">", "sort", TABLE, false, sort_right, "sort by the column to the right; s does so, too"},
	{{'S', 'o'}, "S", NULL, TABLE, false, sort_by_name, "sort by a column, by its name or how that begins"},
	{{'r'}, "r", "reverse", TABLE, false, reverse, "reverse the order"},
	{{'b'}, "b", "baseline", TABLE, false, baseline, "a column of what has changed from now on, or none"},
	{{' ', 'p'}, "space", "pause", PANELS_ALL, false, pause,
	 "pause the display, or go on; counting continues. Of a recording: play it, or stop"},
	{{KEY_OF_LEFT}, "Left", "back in time", PANELS_ALL, true, left, "of a recording: the moment before"},
	{{KEY_OF_RIGHT}, "Right", NULL, PANELS_ALL, true, right, "of a recording: the next moment"},
	{{'[', ']'}, "[ ]", NULL, PANELS_ALL, true, leap_to, "of a recording: a tenth of it back, and on"},
	{{KEY_OF_HOME}, "Home", NULL, PANELS_ALL, false, home, "the first row; of a recording its first moment"},
	{{KEY_OF_END}, "End", NULL, PANELS_ALL, false, end, "the last row; of a recording its last moment"},
	{{KEY_OF_UP, 'k'}, "Up", NULL, PANELS_ALL, false, up, "a row up; the chosen row stays chosen while rows move"},
	{{KEY_OF_DOWN, 'j'}, "Down", NULL, PANELS_ALL, false, down, "a row down"},
	{{KEY_OF_PAGE_UP}, "PgUp", NULL, PANELS_ALL, false, page_up, "a screen up"},
	{{KEY_OF_PAGE_DOWN}, "PgDn", NULL, PANELS_ALL, false, page_down, "a screen down"},
	{{'t'}, "t", NULL, TABLE, false, pane, "show what is known of the chosen row below the table, or do not"},
	{{'q', 3}, "q", "quit", PANELS_ALL, false, quit,
	 "quit; the final report is printed below what was on the terminal before"},
	{{'w'}, "w", "write", PANELS_ALL, false, write_file,
	 "write what is shown into a new file, as its name ends: .html, .pb.gz (pprof), .folded, .json, .csv; .jtr begins a recording, or ends it"},
	{{'?', 'h'}, "?", "help", PANELS_ALL, false, help, "this list, or back"},
	{{KEY_OF_CLICK}, "click", NULL, TABLE, false, click, "choose a row, or open the chosen one; in the head of the table: sort"},
	{{KEY_OF_WHEEL_UP}, "wheel", NULL, PANELS_ALL, false, wheel_up, "rows up, and down"},
	{{KEY_OF_WHEEL_DOWN}, NULL, NULL, PANELS_ALL, false, wheel_down, NULL},
	{{'4', '5'}, NULL, NULL, TABLE, false, choose_group, NULL},
	{{'6', '7'}, NULL, NULL, TABLE, false, choose_group, NULL},
};
/* clang-format on */

/* Keys that are named; others stand beside them. */
static const struct browser_key *named(size_t i)
{
	for (size_t k = 0; k < ARRAY_LEN(keys); k++)
		if (keys[k].name && i-- == 0)
			return &keys[k];
	return NULL;
}

const char *keys_name(size_t i)
{
	const struct browser_key *k = named(i);

	return k ? k->name : NULL;
}

const char *keys_help(size_t i)
{
	const struct browser_key *k = named(i);

	return k ? k->help : NULL;
}

static enum wish type_filter(struct browser *b, const struct key *key)
{
	switch (key->code) {
	case 3: /* Ctrl-C, where the terminal makes no signal of it */
		return WISH_QUIT;
	case KEY_OF_ENTER:
		b->filter.typing = b->filter.bad; /* which filters nothing: it is to be mended, or left */
		return WISH_DRAW;
	case KEY_OF_ESCAPE:
		b->filter.typing = false;
		filter_clear(&b->filter);
		return remade(b);
	case KEY_OF_BACKSPACE:
		filter_erase(&b->filter);
		return remade(b);
	case 21: /* Ctrl-U */
		filter_clear(&b->filter);
		return remade(b);
	default:
		filter_type(&b->filter, key->code);
		return remade(b);
	}
}

static enum wish type_name(struct browser *b, const struct key *key)
{
	switch (key->code) {
	case 3: /* as above */
		return WISH_QUIT;
	case KEY_OF_ENTER:
		b->file.typing = false;
		return b->file.name[0] ? WISH_WRITE : WISH_DRAW;
	case KEY_OF_ESCAPE:
		b->file.typing = false;
		break;
	case KEY_OF_BACKSPACE:
		typing_erase(b->file.name);
		break;
	case 21: /* Ctrl-U */
		b->file.name[0] = '\0';
		break;
	default:
		typing_add(b->file.name, sizeof(b->file.name), key->code);
	}
	return WISH_DRAW;
}

static enum wish type_column(struct browser *b, const struct key *key)
{
	const struct column *c;
	struct buf names = {0};

	switch (key->code) {
	case 3: /* as above */
		return WISH_QUIT;
	case KEY_OF_ENTER:
		c = list_sort_named(b, b->by.name, &names);
		buf_free(&names);
		b->by.typing = false;
		if (!c && b->by.name[0])
			snprintf(b->told, sizeof(b->told), "no column here is called %s", b->by.name);
		b->table.sort = c ? c : b->table.sort;
		return remade(b);
	case KEY_OF_ESCAPE:
		b->by.typing = false;
		break;
	case KEY_OF_BACKSPACE:
		typing_erase(b->by.name);
		break;
	case 21: /* Ctrl-U */
		b->by.name[0] = '\0';
		break;
	default:
		typing_add(b->by.name, sizeof(b->by.name), key->code);
	}
	return WISH_DRAW;
}

static bool serves(const struct browser *b, const struct browser_key *k)
{
	return k->panels & PANEL_BIT(panel_of(b)) && (!k->recorded || is_recorded(b));
}

static enum wish press(struct browser *b, const struct key *key)
{
	if (b->file.typing)
		return type_name(b, key);
	if (b->filter.typing)
		return type_filter(b, key);
	if (b->by.typing)
		return type_column(b, key);
	if (panel_of(b) == PANEL_FAMILIES)
		return families_key(b, key);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		for (size_t k = 0; k < ARRAY_LEN(keys[i].codes); k++)
			if (key->code && keys[i].codes[k] == key->code && serves(b, &keys[i]))
				return keys[i].act(b, key);
	return WISH_NOTHING;
}

enum wish keys_press(struct browser *b, const struct key *key)
{
	bool told = b->told[0];
	enum wish wish;

	b->told[0] = '\0';
	wish = press(b, key);
	return told && wish == WISH_NOTHING ? WISH_DRAW : wish;
}

static const char *label_of(const struct browser *b, const struct browser_key *k)
{
	if (k->act == back && panel_of(b) == PANEL_TABLE)
		return b->filter.on ? "no filter" : b->target.a && b->overview ? "all" : NULL;
	if (k->act == pause)
		return is_recorded(b) ? b->time.playing ? "stop" : "play" : b->paused ? "go on" : k->label;
	return k->label;
}

/* "2 of 40 rows" */
static void put_matching(struct buf *out, const struct table *t)
{
	fmt_count(out, t->rows.n);
	buf_printf(out, " of ");
	fmt_count(out, t->all);
	buf_printf(out, " rows");
}

/* "/text": what is typed, with the cursor behind it. */
static void draw_typing(const struct browser *b, struct canvas *c, int row)
{
	int used = canvas_puts(c, row, 0, c->columns, "/", STYLE_KEY);
	struct buf text = {0};

	used += canvas_puts(c, row, used, c->columns - used - 1, b->filter.text,
			    b->filter.bad ? STYLE_ALARM : STYLE_BOLD);
	c->cursor_row = row;
	c->cursor_column = used;
	used += GAP;
	if (b->filter.bad)
		buf_printf(&text, "is no regular expression yet");
	else
		put_matching(&text, &b->table);
	canvas_put_buf(c, row, used, c->columns - used, &text, STYLE_DIM);
}

/* "write to NAME": what is typed, with the cursor behind it, and what there is to choose from. */
static void draw_naming(struct canvas *c, int row, const char *what, const char *name, const char *choice)
{
	int used = canvas_puts(c, row, 0, c->columns, what, STYLE_KEY);

	used += canvas_puts(c, row, used, c->columns - used - 1, name, STYLE_BOLD);
	c->cursor_row = row;
	c->cursor_column = used;
	canvas_puts(c, row, used + GAP, c->columns - used - GAP, choice, STYLE_DIM);
}

/* The columns that it may be. */
static void draw_sorting(const struct browser *b, struct canvas *c, int row)
{
	struct buf names = {0};

	list_sort_named(b, b->by.name, &names);
	draw_naming(c, row, "sort by ", b->by.name, names.p ? names.p : "no such column");
	buf_free(&names);
}

/* Where one is: "/text 2 of 40 rows" */
static int draw_place(const struct browser *b, struct canvas *c, int row)
{
	const struct table *t = &b->table;
	struct buf text = {0};
	int width;

	if (panel_of(b) != PANEL_TABLE) {
		buf_printf(&text, "line %d of %zu", b->page_top + 1, b->page.lines.n);
	} else if (b->filter.on) {
		buf_printf(&text, b->filter.of_row ? "of %s  " : "/%s  ", b->filter.text);
		put_matching(&text, t);
	} else if (t->rows.n) {
		fmt_count(&text, t->at + 1);
		buf_printf(&text, " of ");
		fmt_count(&text, t->rows.n);
		buf_printf(&text, " by %s", group_names[t->group]);
	}
	width = text.p ? canvas_width(c, text.p, text.n) : 0;
	if (width > c->columns / 2) {
		buf_free(&text);
		return 0;
	}
	canvas_put_buf(c, row, c->columns - width, width, &text, b->filter.on ? STYLE_NOTE : STYLE_DIM);
	return width;
}

/* A key and what it does, when there is room. */
static bool draw_key(struct canvas *c, int row, int *column, int end, const char *name, const char *label)
{
	if (*column + (int)(strlen(name) + strlen(label)) + 1 > end)
		return false;
	*column += canvas_puts(c, row, *column, end - *column, name, STYLE_KEY) + 1;
	*column += canvas_puts(c, row, *column, end - *column, label, STYLE_PLAIN) + GAP;
	return true;
}

/* That panel has all keys for itself. */
static void draw_families_keys(struct canvas *c, int row, int end)
{
	static const char *const own[][2] = {{"space", "switch"}, {"Enter", "do it"}, {"Esc", "leave them"}};
	int column = 0;

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		draw_key(c, row, &column, end, own[i][0], own[i][1]);
}

void keys_footer(const struct browser *b, struct canvas *c, int row)
{
	int column = 0, end;

	if (b->told[0]) {
		canvas_puts(c, row, 0, c->columns, b->told, STYLE_NOTE);
		return;
	}
	if (b->file.typing) {
		draw_naming(c, row, "write to ", b->file.name, ".html .pb.gz .folded .json .csv .jtr");
		return;
	}
	if (b->by.typing) {
		draw_sorting(b, c, row);
		return;
	}
	if (b->filter.typing) {
		draw_typing(b, c, row);
		return;
	}
	end = c->columns - draw_place(b, c, row) - GAP;
	if (panel_of(b) == PANEL_FAMILIES) {
		draw_families_keys(c, row, end);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].label && serves(b, &keys[i]) && label_of(b, &keys[i]) &&
		    !draw_key(c, row, &column, end, keys[i].name, label_of(b, &keys[i])))
			break;
}

void keys_page(const struct browser *b, struct page *p)
{
	(void)b;
	page_add(p, STYLE_BAR, "Keys");
	for (size_t i = 0; named(i); i++)
		page_item(p, NAMES, named(i)->name, STYLE_PLAIN, "%s", named(i)->help);
	page_add(p, STYLE_PLAIN, " ");
	page_add(p, STYLE_BAR, "Columns");
	for (size_t i = 0; i < nr_columns; i++)
		page_item(p, NAMES, columns[i].header, STYLE_PLAIN, "%s", columns[i].help);
}
