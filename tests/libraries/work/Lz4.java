/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.nio.ByteBuffer;
import net.jpountz.lz4.LZ4Factory;
import net.jpountz.xxhash.XXHashFactory;

/** Compression fast and high, and check sums, of arrays and direct buffers. */
public class Lz4 extends Work {
	private final LZ4Factory lz4 = LZ4Factory.nativeInstance();
	private final byte[] text = "a text that is to be compressed; ".repeat(100).getBytes();

	void step(int n) {
		byte[] small = (n % 2 == 0 ? lz4.fastCompressor() : lz4.highCompressor()).compress(text);
		check(lz4.fastDecompressor().decompress(small, text.length).length == text.length, n);
		ByteBuffer from = ByteBuffer.allocateDirect(text.length), to = ByteBuffer.allocateDirect(2 * text.length);
		from.put(text).flip();
		lz4.fastCompressor().compress(from, to);
		XXHashFactory hash = XXHashFactory.nativeInstance();
		check(hash.hash64().hash(text, 0, text.length, 1) != 0, n);
		try (var stream = hash.newStreamingHash32(1)) {
			stream.update(text, 0, text.length);
			check(stream.getValue() != 0, n);
		}
	}
}
