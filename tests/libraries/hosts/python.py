# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Python with a JVM in it: objects, arrays, exceptions, and a Python object that Java calls."""

import select
import sys
import time

import jpype
import jpype.imports

jpype.startJVM(classpath=["/usr/share/java/org.jpype.jar"])
from java.util import ArrayList, Collections  # noqa: E402

Integer = jpype.JClass("java.lang.Integer")


@jpype.JImplements("java.util.Comparator")
class Order:
    @jpype.JOverride
    def compare(self, a, b):
        return (a > b) - (a < b)

    @jpype.JOverride
    def equals(self, other):
        return self is other


def step(n):
    numbers = ArrayList()
    for i in range(5):
        numbers.add(str((n + i) % 7))
    Collections.sort(numbers, Order())
    assert [str(s) for s in numbers] == sorted(str(s) for s in numbers)
    array = jpype.JArray(jpype.JInt)([3, 1, 2])
    jpype.JClass("java.util.Arrays").sort(array)
    assert list(array) == [1, 2, 3]
    try:
        Integer.parseInt("no number")
        raise AssertionError
    except jpype.JException as e:
        assert "no number" in str(e)
    time.sleep(0.2)


number = 0
while number < 20 or not select.select([sys.stdin], [], [], 0)[0]:
    step(number)
    number += 1
    if number == 20:
        print("ready", flush=True)
jpype.shutdownJVM()
sys.exit(0)
