# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Does known things in known numbers, told line by line: "COMMAND N".
require_relative 'texture'

def leak(n)
  n.times do
    Lib.texture_new
  end
end

def come_and_go(n)
  n.times { Texture.new(Lib.texture_new).free }
end

def close_twice(n)
  Thread.new { n.times { Texture.new(Lib.texture_new).close } }.join
end

# The finalizer alone. In a thread of its own: nothing on a stack holds the last one.
def forget(n)
  Thread.new { n.times { Texture.new(Lib.texture_new) } }.join
end

# Until so many were freed.
def collect(frees)
  GC.start until Lib.texture_frees >= frees
end

def descend(n, depth = 40)
  return descend(n, depth - 1) if depth > 0
  n.times { Lib.texture_new }
end

self.class.send(:define_method, :by_define_method) { |n| n.times { Lib.texture_new } }

def in_a_thread(n)
  Thread.new { leak(n) }.join
end

def in_a_fiber(n)
  Fiber.new { n.times { Lib.texture_new } }.resume
end

# Places far from the beginning of a function, and a line that many of them share.
FAR_LINES = 400
eval("def far(n)\n  a = []\n" + "  a << 1 << 2\n" * FAR_LINES + "  n.times { Lib.texture_new }\nend\n", TOPLEVEL_BINDING, 'far.rb', 1)

def compact(_)
  GC.compact
end

# Code that is gone, and other code in its place.
def throw_away(n)
  n.times { |i| eval("def thrown\n" + "\n" * (i % 7) + "Lib.texture_new\nend\nthrown", TOPLEVEL_BINDING, 'thrown.rb', 1) }
  GC.start
end

$stdout.sync = true
puts 'ready'
$stdin.each_line do |line|
  command, n = line.split
  send(command, n.to_i)
  puts 'done'
end
