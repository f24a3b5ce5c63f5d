/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What was deployed as a process: service, version, image, pod, as its environment, its cgroup and its pod's
 * files tell. All of it is the target's to choose: bounded, cleaned for a terminal, "" where it is not told.
 */
#ifndef JNITRACE_DEPLOYED_H
#define JNITRACE_DEPLOYED_H

#include <stddef.h>
#include <sys/types.h>

struct deployed {
	char service[128]; /* as it calls itself */
	char version[128]; /* of the service */
	char image[256];   /* of its container: "registry:5000/shop:1.2" */
	char pod[256];     /* of Kubernetes */
	char pod_namespace[64];
	char pod_uid[40];
};

/*
 * Of a process, from its environment as it was at its start. Only the variables and attributes of the table
 * in deployed.c are looked at, in its order: the first that is there counts. Nothing else is kept.
 */
void deployed_read(pid_t pid, struct deployed *out);
/* Of n bytes of such an environment. What is told already stays. */
void deployed_of_environ(const char *text, size_t n, struct deployed *out);
/*
 * Of n bytes of a file of Kubernetes' downward API, "annotations" or "labels" by its name: lines
 * key="value", as Go quotes. What is told already stays.
 */
#define DEPLOYED_PODINFO "/etc/podinfo" /* where its documentation mounts them */
void deployed_of_podinfo(const char *file, const char *text, size_t n, struct deployed *out);
/* The pod's uid in the path of a cgroup, where that has one. */
void deployed_of_cgroup(const char *path, struct deployed *out);

#endif
