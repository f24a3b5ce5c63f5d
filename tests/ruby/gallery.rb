# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A program that uses textures as one would: see scripts/demo-ruby.
require_relative 'texture'

# Never freed: the pointer is not the texture that the collector knows.
def preview(picture)
  Lib.texture_new
end

# Freed by hand, by what does not tell the finalizer.
def show(picture)
  texture = Texture.new(Lib.texture_new)
  texture.close
end

# This one is right.
def print(picture)
  texture = Texture.new(Lib.texture_new)
  texture.free
end

picture = 0
loop do
  picture += 1
  preview(picture)
  show(picture)
  print(picture)
  GC.start if picture % 50 == 0
  sleep 0.02
end
