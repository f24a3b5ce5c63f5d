/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import com.intel.gkl.compression.IntelDeflaterFactory;
import com.intel.gkl.smithwaterman.IntelSmithWaterman;
import org.broadinstitute.gatk.nativebindings.smithwaterman.SWOverhangStrategy;
import org.broadinstitute.gatk.nativebindings.smithwaterman.SWParameters;

/** Genomics kernels: alignment and compression. */
public class Gkl extends Work {
	private final IntelSmithWaterman aligner = new IntelSmithWaterman();
	private final IntelDeflaterFactory deflaters = new IntelDeflaterFactory();

	public Gkl() {
		check(aligner.load(null), "load");
	}

	void step(int n) {
		byte[] reference = "ACGTACGTTGCAACGT".repeat(4).getBytes(), other = "ACGTTGCA".repeat(2).getBytes();
		check(aligner.align(reference, other, new SWParameters(3, -1, -4, -3), SWOverhangStrategy.SOFTCLIP).cigar != null, n);
		var deflater = deflaters.makeDeflater(n % 9 + 1, false);
		byte[] out = new byte[1000];
		deflater.setInput(reference, 0, reference.length);
		deflater.finish();
		check(deflater.deflate(out, 0, out.length) > 0, n);
		deflater.end();
	}

	void close() {
		aligner.close();
	}
}
