# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# JRuby: its own calls of libc through jffi, and FFI with a callback.
require "ffi"

module C
  extend FFI::Library
  ffi_lib FFI::Library::LIBC
  callback :compare, [:pointer, :pointer], :int
  attach_function :strlen, [:string], :size_t
  attach_function :getenv, [:string], :string
  attach_function :qsort, [:pointer, :size_t, :size_t, :compare], :void
end

COMPARE = proc { |a, b| a.read_int <=> b.read_int }

def step(n)
  raise "strlen" unless C.strlen("four") == 4
  raise "getenv" unless C.getenv("PATH")
  numbers = FFI::MemoryPointer.new(:int, 4)
  numbers.write_array_of_int([5, n % 7, 3, 1])
  C.qsort(numbers, 4, 4, COMPARE)
  raise "qsort" unless numbers.read_array_of_int(4).each_cons(2).all? { |a, b| a <= b }
  raise "stat" unless File.stat("/").directory? && Process.pid > 1
  sleep 0.02
end

n = 0
step(n += 1) while n < 20
puts "ready"
$stdout.flush
step(n += 1) until IO.select([$stdin], nil, nil, 0)
