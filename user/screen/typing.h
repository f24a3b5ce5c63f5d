/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A line of text that a person types, in UTF-8. */
#ifndef JNITRACE_TYPING_H
#define JNITRACE_TYPING_H

#include <stddef.h>
#include <stdint.h>

/* One character more, unless it is none, or there is no room in so many bytes. */
void typing_add(char *text, size_t bytes, uint32_t c);
/* One less. */
void typing_erase(char *text);

#endif
