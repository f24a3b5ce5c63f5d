# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Does known things in known numbers, told line by line: "COMMAND N"."""

import ctypes
import os
import sys
import threading

lib = ctypes.CDLL(os.environ["JNITRACE_TEXTURES"])
lib.texture_new.restype = ctypes.c_void_p
lib.texture_free.argtypes = [ctypes.c_void_p]


def leak(n):
    for _ in range(n):
        lib.texture_new()


def come_and_go(n):
    for _ in range(n):
        lib.texture_free(
            lib.texture_new())


class Texture:
    def __init__(self):
        self.handle = lib.texture_new()

    def __del__(self):
        lib.texture_free(self.handle)


def close_twice(n):
    for _ in range(n):
        texture = Texture()
        lib.texture_free(texture.handle)


def sort(n):
    sorted(range(n), key=lambda i: lib.texture_new())


def generate(n):
    def handles():
        for _ in range(n):
            yield lib.texture_new()

    list(handles())


def descend(n, depth=30):
    if depth:
        return descend(n, depth - 1)
    leak(n)


def in_a_thread(n):
    thread = threading.Thread(target=leak, args=(n,))
    thread.start()
    thread.join()


def main():
    print("ready", flush=True)
    for line in sys.stdin:
        command, n = line.split()
        globals()[command](int(n))
        print("done", flush=True)


main()
