/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "screen/typing.h"

#include <string.h>

static size_t encode(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

void typing_add(char *text, size_t bytes, uint32_t c)
{
	size_t n = strlen(text), k;
	char coded[4];

	if (c < 0x20 || c == 0x7f || c > 0x10ffff)
		return;
	k = encode(c, coded);
	if (n + k >= bytes)
		return;
	memcpy(text + n, coded, k);
	text[n + k] = '\0';
}

void typing_erase(char *text)
{
	size_t n = strlen(text);

	while (n > 0 && (text[n - 1] & 0xc0) == 0x80)
		n--;
	text[n > 0 ? n - 1 : 0] = '\0';
}
