/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "screen/screen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* ECMA-48 and xterm: the alternate screen, without a cursor and without wrapping long lines. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"
#define HOME  "\033[H"
#define EOL   "\r\n"
/* Both before what is written there: behind a full line they would erase its last character. */
#define ERASE_LINE "\033[K"
#define ERASE_REST "\033[J"

struct screen {
	FILE *out;
	bool keys;    /* of stdin are read */
	bool entered; /* changed by several threads */
	struct termios before;
};

int screen_open(FILE *out, bool keys, struct screen **result)
{
	struct screen *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->out = out;
	/* In the background a change of the terminal would stop the process. */
	s->keys = keys && isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp() &&
		  !tcgetattr(STDIN_FILENO, &s->before);
	*result = s;
	return 0;
}

void screen_close(struct screen *s)
{
	if (!s)
		return;
	screen_leave(s);
	free(s);
}

bool screen_has_keys(const struct screen *s)
{
	return s->keys;
}

bool screen_is_on(const struct screen *s)
{
	return __atomic_load_n(&s->entered, __ATOMIC_ACQUIRE);
}

static void enter(struct screen *s)
{
	struct termios keys = s->before;

	if (__atomic_exchange_n(&s->entered, true, __ATOMIC_ACQ_REL))
		return;
	keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	keys.c_cc[VMIN] = 1;
	keys.c_cc[VTIME] = 0;
	if (s->keys && tcgetpgrp(STDIN_FILENO) == getpgrp())
		tcsetattr(STDIN_FILENO, TCSADRAIN, &keys);
	fputs(ENTER, s->out);
}

void screen_leave(void *screen)
{
	struct screen *s = screen;

	if (!__atomic_exchange_n(&s->entered, false, __ATOMIC_ACQ_REL))
		return;
	/* Not through the FILE: the other thread may be in the middle of it. What fails cannot be helped. */
	if (write(fileno(s->out), LEAVE, strlen(LEAVE)) < 0)
		return;
	if (s->keys && tcgetpgrp(STDIN_FILENO) == getpgrp())
		tcsetattr(STDIN_FILENO, TCSADRAIN, &s->before);
}

int screen_draw(struct screen *s, const char *text, size_t n, int height, const char *footer)
{
	const char *end = text + n;
	int lines = 0, most = footer ? height - 1 : height;

	enter(s);
	fputs(HOME, s->out);
	while (end > text && end[-1] == '\n')
		end--;
	while (text < end && (height <= 0 || lines < most)) {
		const char *eol = memchr(text, '\n', (size_t)(end - text)) ?: end;

		if (lines++)
			fputs(EOL, s->out);
		fputs(ERASE_LINE, s->out);
		fwrite(text, (size_t)(eol - text), 1, s->out);
		text = eol + (eol < end);
	}
	if (lines < height)
		fputs(EOL ERASE_REST, s->out);
	if (footer && height > 0)
		fprintf(s->out, "\033[%d;1H" ERASE_LINE "%s\r", height, footer);
	return fflush(s->out) ? -errno : 0;
}

int screen_key(struct screen *s)
{
	unsigned char key;

	if (!s->keys || read(STDIN_FILENO, &key, 1) != 1)
		return SCREEN_CLOSED;
	return key;
}
