/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What an environment tells of a deployment, and what of it is never kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "run/deployed.h"

#define UUID "2c8ef3ad-0b1d-4f6e-9a57-8f0a1b2c3d4e"

#define OF(text) of("" text, sizeof(text) - 1)
static struct deployed of(const char *text, size_t n)
{
	struct deployed d = {0};
	char *exact = malloc(n ?: 1); /* no byte beyond is read */

	memcpy(exact, text, n);
	deployed_of_environ(exact, n, &d);
	free(exact);
	return d;
}

static void test_attributes(void **state)
{
	struct deployed d =
	    OF("A=b\0OTEL_RESOURCE_ATTRIBUTES= service.name=shop , service.version=1.2%2B3,"
	       "container.image.name=registry:5000/shop,container.image.tags=1.2,k8s.pod.name=shop-0,"
	       "k8s.namespace.name=prod,service.version=9,password=secret\0");

	(void)state;
	assert_string_equal(d.service, "shop");
	assert_string_equal(d.version, "1.2+3");
	assert_string_equal(d.image, "registry:5000/shop:1.2");
	assert_string_equal(d.pod, "shop-0");
	assert_string_equal(d.pod_namespace, "prod");
	assert_string_equal(d.pod_uid, "");
}

#define POD(file, text, d) pod(file, "" text, sizeof(text) - 1, d)
static void pod(const char *file, const char *text, size_t n, struct deployed *d)
{
	char *exact = malloc(n ?: 1); /* no byte beyond is read */

	memcpy(exact, text, n);
	deployed_of_podinfo(file, exact, n, d);
	free(exact);
}

static void test_podinfo(void **state)
{
	struct deployed d = {0}, told = OF("OTEL_SERVICE_NAME=mine\0CONTAINER_IMAGE=own\0");

	(void)state;
	POD("annotations",
	    "password=\"secret\"\nresource.opentelemetry.io/service.version=\"1.2\\\"\\\\\\x2b\\n3\"\n"
	    "resource.opentelemetry.io/container.image.name=\"registry:5000/shop\"\n"
	    "resource.opentelemetry.io/container.image.tags=\"1.2\"\napp.kubernetes.io/name=\"no label\"",
	    &d);
	assert_string_equal(d.service, "");
	assert_string_equal(d.version, "1.2\"\\+?3");
	assert_string_equal(d.image, "registry:5000/shop:1.2");
	POD("labels",
	    "app=\"x\"\napp.kubernetes.io/name=\"shop\"\napp.kubernetes.io/instance=\"shop-eu\"\n"
	    "app.kubernetes.io/version=\"9\"\nstatefulset.kubernetes.io/pod-name=\"shop-0\"\n",
	    &d);
	assert_string_equal(d.service, "shop-eu");
	assert_string_equal(d.version, "1.2\"\\+?3"); /* an annotation was first */
	assert_string_equal(d.pod, "shop-0");
	/* the process's own word is first, and its image has no other's tag */
	POD("annotations",
	    "resource.opentelemetry.io/service.name=\"a\"\nresource.opentelemetry.io/"
	    "container.image.tag=\"1\"\n",
	    &told);
	assert_string_equal(told.service, "mine");
	assert_string_equal(told.image, "own");
}

/* Of no other file is anything told, nor is a byte read that is not there. */
static void test_no_podinfo(void **state)
{
	static const char *const texts[] = {
	    "root:$y$j9T:19000:0:::",
	    "app.kubernetes.io/name=shop\n",
	    "app.kubernetes.io/name=\"",
	    "app.kubernetes.io/name=\"shop",
	    "xapp.kubernetes.io/name=\"shop\"",
	    "app.kubernetes.io/name2=\"shop\"",
	    "app.kubernetes.io/name",
	    "\n\n",
	    "",
	};
	struct deployed d = {0}, none = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		pod("labels", texts[i], strlen(texts[i]), &d);
		pod("annotations", texts[i], strlen(texts[i]), &d);
		assert_memory_equal(&d, &none, sizeof(d));
	}
	POD("labels", "app.kubernetes.io/name=\"\\\"", &d);
	assert_string_equal(d.service, "\\");
	POD("labels", "app.kubernetes.io/version=\"a\\x4\"", &d);
	assert_string_equal(d.version, "a?4");
}

static void test_order(void **state)
{
	struct deployed d = OF("DD_SERVICE=c\0OTEL_RESOURCE_ATTRIBUTES=service.name=b\0OTEL_SERVICE_NAME=a\0"
			       "DD_VERSION=2\0DD_VERSION=3\0POD_NAME=p\0OTEL_SERVICE_NAME=z");

	(void)state;
	assert_string_equal(d.service, "a");
	assert_string_equal(d.version, "2");
	assert_string_equal(d.pod, "p");
	/* empty is as good as not there */
	assert_string_equal(OF("OTEL_SERVICE_NAME=\0DD_SERVICE=c").service, "c");
	/* another name that begins alike is another */
	assert_string_equal(OF("POD_NAMES=x\0XPOD_NAME=y\0POD_NAME").pod, "");
	assert_string_equal(
	    OF("OTEL_RESOURCE_ATTRIBUTES=xservice.name=a,service.name.x=b,service.name").service, "");
	assert_string_equal(OF("").service, "");
}

static void test_tags(void **state)
{
	(void)state;
	assert_string_equal(OF("CONTAINER_IMAGE=shop:1").image, "shop:1");
	assert_string_equal(
	    OF("OTEL_RESOURCE_ATTRIBUTES=container.image.name=shop:1,container.image.tag=2").image, "shop:1");
	assert_string_equal(
	    OF("OTEL_RESOURCE_ATTRIBUTES=container.image.name=shop,container.image.tag=2").image, "shop:2");
	assert_string_equal(OF("OTEL_RESOURCE_ATTRIBUTES=container.image.tag=2").image, "");
	assert_string_equal(
	    OF("OTEL_RESOURCE_ATTRIBUTES=container.image.name=a@sha256:1,container.image.tag=2").image,
	    "a@sha256:1");
}

static void test_hostile(void **state)
{
	static char text[70000] = "OTEL_RESOURCE_ATTRIBUTES=container.image.name=";
	struct deployed d =
	    OF("POD_NAME=a\x1b[31m%41\nb\xff\0OTEL_RESOURCE_ATTRIBUTES=service.name=%1b%5B2J%,"
	       "service.version=%zz%4");

	(void)state;
	assert_string_equal(d.pod, "a?[31m%41?b?");
	assert_string_equal(d.service, "?[2J%");
	assert_string_equal(d.version, "%zz%4");
	memset(text + strlen(text), 'x', sizeof(text) - strlen(text) - 1);
	d = of(text, sizeof(text));
	assert_int_equal(strlen(d.image), sizeof(d.image) - 1);
	memset(text, '=', sizeof(text));
	d = of(text, sizeof(text));
	memset(text + strlen("OTEL_RESOURCE_ATTRIBUTES="), ',', 60000);
	memcpy(text, "OTEL_RESOURCE_ATTRIBUTES=", strlen("OTEL_RESOURCE_ATTRIBUTES="));
	d = of(text, sizeof(text));
	assert_string_equal(d.image, "");
}

static void expect_uid(const char *path, const char *uid)
{
	struct deployed d = {0};

	deployed_of_cgroup(path, &d);
	assert_string_equal(d.pod_uid, uid);
}

static void test_cgroups(void **state)
{
	(void)state;
	expect_uid("/kubepods/burstable/pod" UUID "/0123", UUID);
	expect_uid("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod2c8ef3ad_0b1d_4f6e_9a57_"
		   "8f0a1b2c3d4e.slice/cri-containerd-0.scope",
		   UUID);
	expect_uid("/kubepods/pod" UUID, UUID);
	expect_uid("/kubepods/pod" UUID "0", "");
	expect_uid("/kubepods/pod2c8ef3ad-0b1d", "");
	expect_uid("/pod", "");
	expect_uid("", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_attributes), cmocka_unit_test(test_order), cmocka_unit_test(test_podinfo),
	    cmocka_unit_test(test_no_podinfo), cmocka_unit_test(test_tags),  cmocka_unit_test(test_hostile),
	    cmocka_unit_test(test_cgroups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
