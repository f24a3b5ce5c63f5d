/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import org.libjpegturbo.turbojpeg.TJ;
import org.libjpegturbo.turbojpeg.TJCompressor;
import org.libjpegturbo.turbojpeg.TJDecompressor;

/** Images compressed and decompressed in critical sections, and errors. */
public class TurboJpeg extends Work {
	void step(int n) throws Exception {
		byte[] pixels = new byte[64 * 64 * 3];
		pixels[n % pixels.length] = (byte) n;
		try (TJCompressor compressor = new TJCompressor(pixels, 0, 0, 64, 0, 64, TJ.PF_RGB)) {
			compressor.setSubsamp(TJ.SAMP_420);
			compressor.setJPEGQuality(50 + n % 50);
			byte[] image = compressor.compress(0);
			try (TJDecompressor decompressor = new TJDecompressor(image, compressor.getCompressedSize())) {
				check(decompressor.decompress(0, 0, 0, TJ.PF_RGB, 0).length == pixels.length, n);
			}
		}
		try (TJDecompressor decompressor = new TJDecompressor(new byte[100])) {
			check(false, "no image");
		} catch (org.libjpegturbo.turbojpeg.TJException expected) {
			check(expected.getMessage() != null, expected);
		}
	}
}
