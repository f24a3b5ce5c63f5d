// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
import java.io.BufferedReader;
import java.io.InputStreamReader;

/** Does one thing as fast as it can, on command: `pairs DEPTH N`, `keep N`, `letgo`. Prints nanoseconds a pair. */
public class Bench {
	static native long pairs(Object o, int n);
	static native void keep(Object o, int n);
	static native void letgo();

	static long atDepth(int depth, Object o, int n) {
		return depth <= 0 ? pairs(o, n) : atDepth(depth - 1, o, n) + 0;
	}

	public static void main(String[] args) throws Exception {
		System.load(args[0]);
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		Object o = new Object();
		System.out.println("ready");
		for (String line; (line = in.readLine()) != null;) {
			String[] w = line.split(" ");
			switch (w[0]) {
			case "pairs":
				int n = Integer.parseInt(w[2]);
				System.out.println((double)atDepth(Integer.parseInt(w[1]), o, n) / n);
				break;
			case "keep":
				keep(o, Integer.parseInt(w[1]));
				System.out.println("kept");
				break;
			case "letgo":
				letgo();
				System.out.println("gone");
				break;
			default:
				throw new IllegalArgumentException(line);
			}
		}
	}
}
