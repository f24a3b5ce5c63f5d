/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import ssw.Aligner;

/** Alignment of sequences: arrays in, objects out. */
public class Ssw extends Work {
	static {
		System.loadLibrary("sswjni");
	}

	void step(int n) {
		int[][] scores = new int[128][128];
		for (int i = 0; i < 128; i++)
			java.util.Arrays.fill(scores[i], -2);
		for (char c : "ACGT".toCharArray())
			scores[c][c] = 2;
		byte[] reference = "ACGTACGTTGCAACGT".repeat(3).getBytes(), read = "ACGTTGCA".getBytes();
		check(Aligner.align(read, reference, scores, 3, 1, true).score1 > 0, n);
	}
}
