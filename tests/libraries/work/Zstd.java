/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import com.github.luben.zstd.ZstdInputStream;
import com.github.luben.zstd.ZstdOutputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;

/** Arrays, direct buffers and streams. */
public class Zstd extends Work {
	private final byte[] text = "a text that is to be compressed; ".repeat(100).getBytes();

	void step(int n) throws Exception {
		byte[] small = com.github.luben.zstd.Zstd.compress(text, n % 10 + 1);
		check(com.github.luben.zstd.Zstd.decompress(small, text.length).length == text.length, n);
		ByteBuffer direct = ByteBuffer.allocateDirect(text.length);
		direct.put(text).flip();
		com.github.luben.zstd.Zstd.compress(direct, 3);
		ByteArrayOutputStream bytes = new ByteArrayOutputStream();
		try (ZstdOutputStream out = new ZstdOutputStream(bytes)) {
			out.write(text);
		}
		check(new ZstdInputStream(new ByteArrayInputStream(bytes.toByteArray())).readAllBytes().length == text.length, n);
	}
}
