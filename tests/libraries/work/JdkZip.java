/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32;
import java.util.zip.Adler32;
import java.util.zip.Deflater;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import java.util.zip.Inflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/** libzip of the JDK: compression of arrays and of buffers, check sums, archives. */
public class JdkZip extends Work {
	private final byte[] text = "a text that is to be compressed, once and again; ".repeat(40).getBytes();
	private final Path archive;

	public JdkZip() throws Exception {
		archive = Files.createTempFile("jnitrace", ".zip");
		try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(archive))) {
			out.putNextEntry(new ZipEntry("one"));
			out.write(text);
		}
	}

	void step(int n) throws Exception {
		Deflater deflater = new Deflater(n % 9 + 1);
		Inflater inflater = new Inflater();
		byte[] small = new byte[text.length], back = new byte[text.length];
		deflater.setInput(text);
		deflater.finish();
		int bytes = deflater.deflate(small);
		inflater.setInput(small, 0, bytes);
		check(inflater.inflate(back) == text.length, "inflated");
		deflater.reset();
		ByteBuffer direct = ByteBuffer.allocateDirect(text.length), out = ByteBuffer.allocateDirect(text.length);
		direct.put(text).flip();
		deflater.setInput(direct);
		deflater.finish();
		deflater.deflate(out);
		deflater.end();
		inflater.end();
		CRC32 crc = new CRC32();
		crc.update(text);
		Adler32 adler = new Adler32();
		adler.update(text);
		ByteArrayOutputStream bytesOut = new ByteArrayOutputStream();
		try (GZIPOutputStream gzip = new GZIPOutputStream(bytesOut)) {
			gzip.write(text);
		}
		check(new GZIPInputStream(new ByteArrayInputStream(bytesOut.toByteArray())).readAllBytes().length == text.length, "gzip");
		if (n % 16 == 0)
			try (ZipFile zip = new ZipFile(archive.toFile())) {
				check(zip.getInputStream(zip.getEntry("one")).readAllBytes().length == text.length, "zip");
			}
	}

	void close() throws Exception {
		Files.delete(archive);
	}
}
