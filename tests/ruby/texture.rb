# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The library's functions, and a texture that the collector frees.
require 'ffi'

module Lib
  extend FFI::Library
  ffi_lib ENV.fetch('JNITRACE_TEXTURES')
  attach_function :texture_new, [], :pointer
  attach_function :texture_free, [:pointer], :void
  attach_function :texture_live, [:pointer], :int
  attach_function :texture_frees, [], :uint
end

class Texture < FFI::AutoPointer
  def self.release(pointer)
    Lib.texture_free(pointer)
  end

  # The fault: it is freed here, and its finalizer does not know. What is right is `free`.
  def close
    Lib.texture_free(self)
  end
end
