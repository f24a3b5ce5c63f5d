/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Call sites of many hosts, held against each other by version, image or the like. Plain data. */
#ifndef JNITRACE_FLEET_H
#define JNITRACE_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fleet_by { FLEET_BY_SERVICE, FLEET_BY_VERSION, FLEET_BY_IMAGE, FLEET_BY_HOST, NR_FLEET_BY };
extern const char *const fleet_by_names[NR_FLEET_BY]; /* "service", ... */

#define FLEET_GROUPS 32
#define FLEET_TEXT   256

/* JVMs of one version, one image, ... Cleaned text. */
struct fleet_group {
	char scope[FLEET_TEXT]; /* groups are compared within it: of a version its service; "": with all */
	char value[FLEET_TEXT];
	size_t jvms, traced; /* traced: a window has said which call sites it has */
};
struct fleet_count {
	size_t jvms; /* that have the site */
	size_t growing;
	uint64_t outstanding, acquired;
	double per_min;            /* of those that grow, together */
	size_t last, last_growing; /* numbers of the JVMs that were counted last, from 1 on */
};
#define FLEET_NONE (-1)
struct fleet_site {
	uint64_t id;  /* of the first that was read */
	uint64_t key; /* by names, not by places in files: equal for two builds; with the scope */
	char scope[FLEET_TEXT];
	char name[FLEET_TEXT], place[FLEET_TEXT], function[64], family[32];
	struct fleet_count of[FLEET_GROUPS];
	/* Groups by their number; FLEET_NONE: none. */
	int only_in;       /* the only one of several traced ones that holds anything here */
	int grows_only_in; /* in others it is, too, but does not grow */
};
/* What could not be read. */
struct fleet_refusal {
	char source[FLEET_TEXT], why[256];
};
struct fleet {
	enum fleet_by by;
	struct fleet_group groups[FLEET_GROUPS];
	size_t nr_groups;
	size_t order[FLEET_GROUPS]; /* numbers of groups, as they are shown: by scope and version */
	struct {
		struct fleet_site **v;
		size_t n, cap;
	} sites;
	struct {
		struct fleet_refusal *v;
		size_t n, cap;
	} refused;
	size_t sources;  /* that were asked */
	size_t unknown;  /* JVMs that do not tell what they are compared by */
	size_t left_out; /* groups, sites or JVMs for which there was no room, and lines that say nothing */
};

#endif
