/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The terminal, by way of curses. See terminal.h. */
#include "screen/terminal.h"

/* Before curses, which defines words of its own. */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define NCURSES_NOMACROS
#include <curses.h>
#include <term.h>
#undef columns /* of term.h */

#define LEAVE_MS     100 /* for curses to end what it writes, and for a terminal that takes nothing */
#define LENT_MS      20  /* between two looks at keys of others */
#define ESCAPE_MS    25  /* after which ESC is a key, and not the begin of another one's bytes */
#define MOST_ROWS    500
#define MOST_COLUMNS 1000

/* Bytes that are ready to be written, also by a process that crashes. */
struct bytes {
	char v[256];
	size_t n;
};
struct terminal {
	FILE *out;
	int fd; /* of it */
	bool keys;
	bool ascii, colors, many_colors, mouse;
	bool entered; /* changed by several threads */
	bool renew;
	struct termios before, drawing;
	struct bytes enter, leave;

	pthread_mutex_t lock; /* of curses, and of what it writes */
	SCREEN *screen;       /* NULL: nothing was shown yet */
	WINDOW *pad;          /* to read keys without drawing */
	struct canvas shown;  /* what curses was told */
};

/* --- a crash ------------------------------------------------------------------------------------- */

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
/* Signal handlers have no argument: the terminal that is to be given back, and what was to be done before. */
static struct {
	struct terminal *terminal;
	struct sigaction before[ARRAY_LEN(crashes)];
} crash;

/* Async-signal-safe. */
static void give_back(struct terminal *t)
{
	struct pollfd p = {.fd = t->fd, .events = POLLOUT};

	/* What fails cannot be helped. */
	if (poll(&p, 1, LEAVE_MS) > 0 && write(t->fd, t->leave.v, t->leave.n) < 0)
		return;
	if (tcgetpgrp(t->fd) == getpgrp())
		tcsetattr(t->fd, TCSANOW, &t->before);
}

static void on_crash(int sig, siginfo_t *info, void *context)
{
	struct terminal *t = __atomic_load_n(&crash.terminal, __ATOMIC_ACQUIRE);

	(void)context;
	if (t && __atomic_exchange_n(&t->entered, false, __ATOMIC_ACQ_REL))
		give_back(t);
	for (size_t i = 0; i < ARRAY_LEN(crashes); i++)
		if (crashes[i] == sig)
			sigaction(sig, &crash.before[i], NULL);
	if (info->si_code <= 0) /* sent; what faulted does so again */
		raise(sig);
}

static void expect_crashes(struct terminal *t)
{
	struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	if (__atomic_exchange_n(&crash.terminal, t, __ATOMIC_ACQ_REL))
		return;
	sigfillset(&action.sa_mask);
	for (size_t i = 0; i < ARRAY_LEN(crashes); i++)
		sigaction(crashes[i], &action, &crash.before[i]);
}

static void expect_no_crashes(const struct terminal *t)
{
	if (__atomic_load_n(&crash.terminal, __ATOMIC_ACQUIRE) != t)
		return;
	for (size_t i = 0; i < ARRAY_LEN(crashes); i++)
		sigaction(crashes[i], &crash.before[i], NULL);
	__atomic_store_n(&crash.terminal, NULL, __ATOMIC_RELEASE);
}

/* --- what it can ----------------------------------------------------------------------------------- */

/* A string of the terminal's description, without what tells slow ones to wait: $<5/>. */
static void add_string(struct bytes *b, const char *name)
{
	const char *s = tigetstr(name);

	for (; s && s != (const char *)-1 && *s; s++) {
		const char *end = s[0] == '$' && s[1] == '<' ? strchr(s, '>') : NULL;

		if (end)
			s = end;
		else if (b->n < sizeof(b->v))
			b->v[b->n++] = *s;
	}
}

static void add_bytes(struct bytes *b, const char *s)
{
	for (; *s && b->n < sizeof(b->v); s++)
		b->v[b->n++] = *s;
}

static bool has_string(const char *name)
{
	const char *s = tigetstr(name);

	return s && s != (const char *)-1 && *s;
}

/* By https://no-color.org: set and not empty. */
static bool colors_wanted(void)
{
	const char *no_color = getenv("NO_COLOR");

	return !(no_color && *no_color);
}

/* GNU screen 4.9 keeps an Esc back until the next key, as long as the mouse is on. tmux may have its TERM. */
static bool holds_escape(const char *term)
{
	return getenv("STY") || (strncmp(term, "screen", 6) == 0 && !getenv("TMUX"));
}

static int describe(struct terminal *t, char why[128])
{
	const char *name = getenv("TERM");
	int rc;

	if (!name || !*name) {
		snprintf(why, 128, "TERM is not set");
		return -ENOTSUP;
	}
	if (setupterm(name, t->fd, &rc) != OK) {
		snprintf(why, 128, "TERM is %.60s, which this system does not know", name);
		return -ENOTSUP;
	}
	if (!has_string("cup") || !has_string("clear")) {
		snprintf(why, 128, "TERM is %.60s, which cannot place text", name);
		rc = -ENOTSUP;
	} else {
		rc = 0;
		t->mouse = has_string("kmous") && !holds_escape(name);
		t->colors = colors_wanted() && tigetnum("colors") >= 8;
		t->many_colors = t->colors && tigetnum("colors") >= 256;
		add_string(&t->enter, "smcup");
		add_string(&t->enter, "smkx");
		add_string(&t->enter, "civis");
		if (t->mouse)
			add_bytes(&t->leave, "\033[?1006l\033[?1000l"); /* xterm's, as curses sets them */
		add_string(&t->leave, "sgr0");
		add_string(&t->leave, "op");
		add_string(&t->leave, "rmkx");
		add_string(&t->leave, "cnorm");
		add_string(&t->leave, "rmcup");
	}
	del_curterm(cur_term);
	return rc;
}

int terminal_open(FILE *out, bool keys, struct terminal **result, char why[128])
{
	struct terminal *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return -ENOMEM;
	t->out = out;
	t->fd = fileno(out);
	t->keys = keys && isatty(STDIN_FILENO);
	setlocale(LC_CTYPE, "");
	t->ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	rc = describe(t, why);
	if (!rc && tcgetattr(t->fd, &t->before))
		rc = -errno;
	if (rc) {
		free(t);
		return rc;
	}
	pthread_mutex_init(&t->lock, NULL);
	*result = t;
	return 0;
}

void terminal_close(struct terminal *t)
{
	if (!t)
		return;
	terminal_leave(t);
	expect_no_crashes(t);
	if (t->pad)
		delwin(t->pad);
	if (t->screen)
		delscreen(t->screen);
	canvas_free(&t->shown);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

bool terminal_has_keys(const struct terminal *t)
{
	return t->keys;
}

bool terminal_is_on(const struct terminal *t)
{
	return __atomic_load_n(&t->entered, __ATOMIC_ACQUIRE);
}

bool terminal_is_ascii(const struct terminal *t)
{
	return t->ascii;
}

void terminal_size(const struct terminal *t, int *rows, int *columns)
{
	struct winsize w = {0};

	ioctl(t->fd, TIOCGWINSZ, &w);
	*rows = w.ws_row == 0 ? 24 : w.ws_row < MOST_ROWS ? w.ws_row : MOST_ROWS;
	*columns = w.ws_col == 0 ? 80 : w.ws_col < MOST_COLUMNS ? w.ws_col : MOST_COLUMNS;
}

/* --- entering and leaving -------------------------------------------------------------------------- */

/* In the background a change of the terminal would stop the process. One that is not ours to lose may be
 * used. */
static bool in_background(const struct terminal *t)
{
	pid_t group = tcgetpgrp(t->fd);

	return group >= 0 && group != getpgrp();
}

bool terminal_is_lent(const struct terminal *t)
{
	return !terminal_is_on(t) && in_background(t);
}

enum { PAIR_GOOD = 1, PAIR_NOTE, PAIR_ALARM, PAIR_KEY, PAIR_DIM, NR_PAIRS };

/*
 * On the terminal's own background, light or dark, which nobody can ask for. Where there are many colors
 * these are in the middle: none is nearer to black or to white than a contrast of 3.9. Of few the terminal
 * says how each looks; yellow is what cannot be read on white.
 */
static void choose_colors(const struct terminal *t)
{
	static const struct {
		short few, many; /* few: -1: none */
	} colors[NR_PAIRS] = {
	    [PAIR_GOOD] = {COLOR_GREEN, 28},    /* #008700 */
	    [PAIR_NOTE] = {COLOR_MAGENTA, 130}, /* #af5f00 */
	    [PAIR_ALARM] = {COLOR_RED, 196},    /* #ff0000 */
	    [PAIR_KEY] = {COLOR_CYAN, 30},      /* #008787 */
	    [PAIR_DIM] = {-1, 243},             /* #767676 */
	};

	if (!t->colors || start_color() != OK)
		return;
	use_default_colors();
	for (short pair = 1; pair < NR_PAIRS; pair++)
		init_pair(pair, t->many_colors ? colors[pair].many : colors[pair].few, -1);
}

/* curses takes signals that nobody has taken yet; ours are waited for (run/interrupt.c). */
static SCREEN *new_screen(const struct terminal *t)
{
	static const int taken[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
	struct sigaction before[ARRAY_LEN(taken)];
	SCREEN *screen;

	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		sigaction(taken[i], NULL, &before[i]);
	screen = newterm(NULL, t->out, stdin);
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		sigaction(taken[i], &before[i], NULL);
	return screen;
}

static int start(struct terminal *t)
{
	t->screen = new_screen(t);
	if (!t->screen)
		return -ENOTSUP;
	cbreak();
	noecho();
	nonl();
	set_escdelay(ESCAPE_MS);
	choose_colors(t);
	curs_set(0);
	t->pad = newpad(1, 1);
	if (!t->pad)
		return -ENOMEM;
	keypad(t->pad, TRUE);
	nodelay(t->pad, TRUE);
	if (t->mouse) {
		mouseinterval(0);
		mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
	}
	tcgetattr(t->fd, &t->drawing);
	expect_crashes(t);
	return 0;
}

/* Once more. */
static void enter_again(struct terminal *t)
{
	tcsetattr(t->fd, TCSANOW, &t->drawing);
	if (write(t->fd, t->enter.v, t->enter.n) < 0)
		return; /* what follows fails, too */
	if (t->mouse) {
		mousemask(0, NULL);
		mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
	}
	clearok(curscr, TRUE);
}

void terminal_leave(void *terminal)
{
	struct terminal *t = terminal;
	struct timespec until;
	bool locked;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LEAVE_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	/* So that nothing is drawn behind it; but for a terminal that takes nothing nobody waits. */
	locked = pthread_mutex_clocklock(&t->lock, CLOCK_MONOTONIC, &until) == 0;
	if (__atomic_exchange_n(&t->entered, false, __ATOMIC_ACQ_REL))
		give_back(t);
	if (locked)
		pthread_mutex_unlock(&t->lock);
}

void terminal_renew(struct terminal *t)
{
	t->renew = true;
}

/* --- drawing --------------------------------------------------------------------------------------- */

static attr_t look_of(const struct terminal *t, uint8_t style, short *pair)
{
	static const struct {
		attr_t with_colors, without;
		short pair;
	} looks[] = {
	    [STYLE_PLAIN] = {A_NORMAL, A_NORMAL, 0},
	    [STYLE_DIM] = {A_NORMAL, A_NORMAL, PAIR_DIM},
	    [STYLE_BOLD] = {A_BOLD, A_BOLD, 0},
	    [STYLE_GOOD] = {A_NORMAL, A_NORMAL, PAIR_GOOD},
	    [STYLE_NOTE] = {A_NORMAL, A_BOLD, PAIR_NOTE},
	    [STYLE_ALARM] = {A_BOLD, A_BOLD, PAIR_ALARM},
	    [STYLE_KEY] = {A_NORMAL, A_BOLD, PAIR_KEY},
	    [STYLE_BAR] = {A_BOLD | A_UNDERLINE, A_BOLD | A_UNDERLINE, 0},
	    [STYLE_GRAPH] = {A_NORMAL, A_NORMAL, PAIR_KEY},
	};
	unsigned kind = style & STYLE_MASK;
	attr_t attr = kind < ARRAY_LEN(looks) ? t->colors ? looks[kind].with_colors : looks[kind].without : 0;

	*pair = kind < ARRAY_LEN(looks) && t->colors ? looks[kind].pair : 0;
	return attr | (style & STYLE_CHOSEN ? A_REVERSE : 0);
}

static void put_cell(const struct terminal *t, int row, int column, const struct cell *cell)
{
	wchar_t text[CELL_MARKS + 2] = {(wchar_t)cell->c};
	short pair;
	attr_t attr = look_of(t, cell->style, &pair);
	cchar_t cc;

	for (int i = 0; i < CELL_MARKS; i++)
		text[i + 1] = (wchar_t)cell->marks[i];
	if (setcchar(&cc, text, attr, pair, NULL) == OK)
		mvadd_wch(row, column, &cc); /* fails behind the last cell, which is there then */
}

static bool is_same(const struct cell *a, const struct cell *b)
{
	return a->c == b->c && a->style == b->style && !memcmp(a->marks, b->marks, sizeof(a->marks));
}

/* The left half of a wide character is drawn, the right one comes with it. */
static bool is_right_half(const struct cell *line, int column)
{
	return column > 0 && !line[column].c;
}

static void put_changed(struct terminal *t, const struct canvas *c)
{
	static const struct cell blank = {.c = ' '};

	for (int row = 0; row < c->rows; row++) {
		const struct cell *now = &c->v[row * c->columns];
		struct cell *was = &t->shown.v[row * c->columns];

		for (int i = 0; i < c->columns; i++) {
			bool wide = i + 1 < c->columns && !now[i + 1].c;

			if (is_same(&now[i], &was[i]) && (!wide || is_same(&now[i + 1], &was[i + 1])))
				continue;
			if (!is_right_half(now, i))
				put_cell(t, row, i, now[i].c ? &now[i] : &blank);
			was[i] = now[i];
		}
	}
}

/* Nothing is known to be there. */
static int forget_shown(struct terminal *t, const struct canvas *c)
{
	int rc = canvas_resize(&t->shown, c->rows, c->columns);

	for (int i = 0; !rc && i < c->rows * c->columns; i++)
		t->shown.v[i].style = UINT8_MAX;
	return rc;
}

static int draw(struct terminal *t, const struct canvas *c)
{
	int rc = 0;

	if (c->rows != t->shown.rows || c->columns != t->shown.columns) {
		resize_term(c->rows, c->columns);
		rc = forget_shown(t, c);
	}
	if (rc)
		return rc;
	put_changed(t, c);
	if (t->renew)
		clearok(curscr, TRUE);
	t->renew = false;
	if (c->cursor_row >= 0)
		move(c->cursor_row, c->cursor_column < c->columns ? c->cursor_column : c->columns - 1);
	curs_set(c->cursor_row >= 0);
	wnoutrefresh(stdscr);
	return doupdate() == OK ? 0 : -EIO;
}

/* One that was stopped (Ctrl-S), or whose reader is gone, takes nothing: it is shown what there is then
 * later. */
static bool takes_something(const struct terminal *t)
{
	struct pollfd p = {.fd = t->fd, .events = POLLOUT};

	return poll(&p, 1, 0) != 0;
}

int terminal_show(struct terminal *t, const struct canvas *c)
{
	struct termios now;
	int rc = 0;

	if (in_background(t) || !takes_something(t))
		return 0;
	if (tcgetattr(t->fd, &now))
		return -EIO;
	pthread_mutex_lock(&t->lock);
	if (!__atomic_exchange_n(&t->entered, true, __ATOMIC_ACQ_REL)) {
		if (t->screen)
			enter_again(t);
		else
			rc = start(t);
	}
	rc = rc ?: draw(t, c);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

/* --- keys ------------------------------------------------------------------------------------------ */

static bool mouse_key(struct key *key)
{
	MEVENT event;

	if (getmouse(&event) != OK)
		return false;
	key->row = event.y;
	key->column = event.x;
	key->code = event.bstate & BUTTON4_PRESSED   ? KEY_OF_WHEEL_UP
		    : event.bstate & BUTTON5_PRESSED ? KEY_OF_WHEEL_DOWN
						     : KEY_OF_CLICK;
	return true;
}

/* false: a key that nobody knows. */
static bool special_key(wint_t code, struct key *key)
{
	static const struct {
		wint_t theirs;
		uint32_t ours;
	} codes[] = {
	    {KEY_ENTER, KEY_OF_ENTER},     {KEY_BACKSPACE, KEY_OF_BACKSPACE},
	    {KEY_DC, KEY_OF_BACKSPACE},    {KEY_UP, KEY_OF_UP},
	    {KEY_DOWN, KEY_OF_DOWN},       {KEY_LEFT, KEY_OF_LEFT},
	    {KEY_RIGHT, KEY_OF_RIGHT},     {KEY_PPAGE, KEY_OF_PAGE_UP},
	    {KEY_NPAGE, KEY_OF_PAGE_DOWN}, {KEY_HOME, KEY_OF_HOME},
	    {KEY_END, KEY_OF_END},         {KEY_F(1), '?'},
	};

	if (code == KEY_MOUSE)
		return mouse_key(key);
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].theirs == code) {
			key->code = codes[i].ours;
			return true;
		}
	return false;
}

static uint32_t character(wint_t c)
{
	switch (c) {
	case '\r':
	case '\n':
		return KEY_OF_ENTER;
	case 27:
		return KEY_OF_ESCAPE;
	case 8:
	case 127:
		return KEY_OF_BACKSPACE;
	default:
		return (uint32_t)c;
	}
}

/* What is typed while others have the terminal is theirs: to read it would stop this process, or take it away
 * from them. 0, or -1: the terminal has gone. */
static int leave_keys(void)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	struct timespec pause = {.tv_nsec = LENT_MS * 1000000L};

	nanosleep(&pause, NULL); /* as long as it is not read, it makes the loop turn */
	return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR) ? -1 : 0;
}

int terminal_key(struct terminal *t, struct key *key)
{
	int waiting = 0, result = 0;
	wint_t code = 0;

	if (!t->keys)
		return -1;
	/* Nothing is read before something was shown: until then the terminal is as it was. */
	if (!t->screen)
		return 0;
	if (!terminal_is_on(t))
		return leave_keys();
	*key = (struct key){0};
	pthread_mutex_lock(&t->lock);
	while (!result) {
		int rc = wget_wch(t->pad, &code);

		if (rc == ERR)
			break;
		if (rc != KEY_CODE_YES)
			key->code = character(code);
		result = rc != KEY_CODE_YES || special_key(code, key);
	}
	pthread_mutex_unlock(&t->lock);
	if (!result && code == 0 && (ioctl(STDIN_FILENO, FIONREAD, &waiting) || waiting == 0)) {
		struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

		if (poll(&p, 1, 0) > 0) /* readable, and there is nothing: it has ended */
			return -1;
	}
	return result;
}
