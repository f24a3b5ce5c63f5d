/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What libthing.so gives and takes. */
#ifndef JNITRACE_THINGS_H
#define JNITRACE_THINGS_H

void *thing_new(int fails);
void thing_free(void *thing);
int thing_use(void *thing);
void thing_odd(void *thing);

int box_make(int a, int b, int c, int d, int e, int fails, void **out);
int box_make_by(void (*hook)(void *), void *arg, void **out);
int box_make_many(int last_fails, unsigned n, void **out);
void box_free(void *box);
void box_close(void *box);
void box_ref(void *box);
void box_unref(void *box);
int box_look(void *box);
void *box_replace(void *box, unsigned size);
void *door_open(int fails);
void door_close(void *which);
int desk_take(int fails);
void desk_leave(int desk);

#endif
