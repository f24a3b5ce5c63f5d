/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.nio.ByteBuffer;
import org.xerial.snappy.Snappy;

/** Arrays of several types, and direct buffers. */
public class SnappyJava extends Work {
	private final byte[] text = "a text that is to be compressed; ".repeat(100).getBytes();

	void step(int n) throws Exception {
		check(Snappy.uncompress(Snappy.compress(text)).length == text.length, n);
		check(Snappy.uncompressIntArray(Snappy.compress(new int[500])).length == 500, n);
		ByteBuffer from = ByteBuffer.allocateDirect(text.length), to = ByteBuffer.allocateDirect(2 * text.length);
		from.put(text).flip();
		Snappy.compress(from, to);
		check(Snappy.isValidCompressedBuffer(to), n);
	}
}
