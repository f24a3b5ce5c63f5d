/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A key that was pressed, or a place where the mouse was. */
#ifndef JNITRACE_KEY_H
#define JNITRACE_KEY_H

#include <stdint.h>

/* Keys that are no characters; characters are themselves, by Unicode. */
enum {
	KEY_OF_ENTER = 0x110000,
	KEY_OF_ESCAPE,
	KEY_OF_BACKSPACE,
	KEY_OF_UP,
	KEY_OF_DOWN,
	KEY_OF_LEFT,
	KEY_OF_RIGHT,
	KEY_OF_PAGE_UP,
	KEY_OF_PAGE_DOWN,
	KEY_OF_HOME,
	KEY_OF_END,
	KEY_OF_CLICK,    /* the mouse, at a place; */
	KEY_OF_WHEEL_UP, /* its wheel */
	KEY_OF_WHEEL_DOWN,
};
struct key {
	uint32_t code;
	int row, column; /* of the mouse */
};

#endif
