// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The target of the benchmark: does one thing as fast as it can, on command, and prints the CPU time it
 * took in nanoseconds an operation. Commands, one a line: see execute(). No method is inlined into another
 * and `interpreted` is never compiled (options of the JVM, see run.py), so a Java depth of 20 is 20 frames.
 */
public class Bench {
	static native void init(Object o, String s, int[] a);
	/** n times the two calls of a family, in a loop below 4 native frames. Nanoseconds in all. */
	static native long loop(int family, int n);
	/** The same for NewGlobalRef and DeleteGlobalRef, in the native method itself. */
	static native long plain(int n);
	/** Once NewGlobalRef and DeleteGlobalRef, below 4 native frames. */
	static native void pair();
	/** Room for n references to be kept. */
	static native void keep(int n);
	static native void keepOne();
	static native void letgo();
	/** CPU time of this thread in nanoseconds. */
	static native long cpu();

	static final String[] FAMILIES = {"global", "weak", "local", "string", "array", "critical", "monitor",
		"handle", "thread"};
	static final int FRAMES_ABOVE = 3; // main, execute and the native method itself
	static final int THREADS = 4;

	/** A generator of its own for each thread: what it costs must not depend on the tracer. */
	static final class Dice {
		long x = 88172645463325252L;

		int roll() {
			x ^= x << 13;
			x ^= x >>> 7;
			x ^= x << 17;
			return (int)(x >>> 32) & 0x7fffffff;
		}
	}

	interface Work {
		long run(int n);
	}

	static long at(int depth, Work work, int n) {
		return depth <= 0 ? work.run(n) : at(depth - 1, work, n) + 0;
	}

	static long interpreted(int depth, Work work, int n) {
		return depth <= 0 ? work.run(n) : interpreted(depth - 1, work, n) + 0;
	}

	/** 8 call sites below each of the 8 of outer(): 64 stacks that differ in two Java frames. */
	static void inner(int i) {
		switch (i) {
		case 0: pair(); break;
		case 1: pair(); break;
		case 2: pair(); break;
		case 3: pair(); break;
		case 4: pair(); break;
		case 5: pair(); break;
		case 6: pair(); break;
		default: pair(); break;
		}
	}

	static void outer(int i, int j) {
		switch (i) {
		case 0: inner(j); break;
		case 1: inner(j); break;
		case 2: inner(j); break;
		case 3: inner(j); break;
		case 4: inner(j); break;
		case 5: inner(j); break;
		case 6: inner(j); break;
		default: inner(j); break;
		}
	}

	static long sites(int n) {
		Dice dice = new Dice();
		long start = cpu();

		for (int i = 0; i < n; i++) {
			int r = dice.roll();
			outer(r & 7, r >> 3 & 7);
		}
		return cpu() - start;
	}

	static void deeper(int depth) {
		if (depth <= 1)
			pair();
		else
			deeper(depth - 1);
	}

	static long random(int n) {
		Dice dice = new Dice();
		long start = cpu();

		for (int i = 0; i < n; i++)
			deeper(1 + dice.roll() % 32);
		return cpu() - start;
	}

	/** A way of 12 turns: 4,096 stacks; of 10: 1,024. */
	static void way(int turns, int bits) {
		if (turns == 0 && keeps)
			keepOne();
		else if (turns == 0)
			pair();
		else if ((bits & 1) != 0)
			way(turns - 1, bits >> 1);
		else
			way(turns - 1, bits >> 1);
	}

	static boolean keeps;

	/** From so many stacks in turn, a power of two. */
	static void keep(int n, int stacks) {
		keep(n);
		keeps = true;
		for (int i = 0; i < n; i++)
			way(Integer.numberOfTrailingZeros(stacks), i);
		keeps = false;
	}

	/** One after the other, also where each portion of the work is small. */
	static int nextWay;

	static long ways(int turns, int n) {
		long start = cpu();

		for (int i = 0; i < n; i++)
			way(turns, nextWay++);
		return cpu() - start;
	}

	static Work work(String name) {
		for (int i = 0; i < FAMILIES.length; i++) {
			final int family = i;
			if (FAMILIES[i].equals(name))
				return n -> loop(family, n);
		}
		switch (name) {
		case "plain": return Bench::plain;
		case "sites": return Bench::sites;
		case "random": return Bench::random;
		case "ways": return n -> ways(12, n);
		case "ways1024": return n -> ways(10, n);
		default: throw new IllegalArgumentException(name);
		}
	}

	/** The work in each of 4 threads at once. */
	static long threads(int depth, Work work, int n) throws Exception {
		AtomicLong sum = new AtomicLong();
		CountDownLatch start = new CountDownLatch(THREADS);
		Thread[] threads = new Thread[THREADS];

		for (int i = 0; i < THREADS; i++) {
			threads[i] = new Thread(() -> {
				start.countDown();
				try {
					start.await();
				} catch (InterruptedException e) {
					return;
				}
				sum.addAndGet(at(depth, work, n));
			});
			threads[i].start();
		}
		for (Thread t : threads)
			t.join();
		return sum.get() / THREADS;
	}

	/** Work at a steady rate, in portions of 10 ms. */
	static void pace(Work work, int perSecond, int seconds) throws Exception {
		long next = System.nanoTime();

		for (int i = 0; i < seconds * 100; i++) {
			at(20 - FRAMES_ABOVE, work, perSecond / 100);
			next += 10_000_000;
			long left = next - System.nanoTime();
			if (left > 0)
				Thread.sleep(left / 1_000_000, (int)(left % 1_000_000));
		}
	}

	static volatile long sink;

	/** Some work without a call. */
	static void compute() {
		long x = 88172645463325252L;

		for (int i = 0; i < 80_000; i++) {
			x ^= x << 13;
			x ^= x >>> 7;
			x ^= x << 17;
		}
		sink = x;
	}

	/** A hundred units of work a second, each with a hundredth of the pairs; who is late catches up. CPU time of one, in microseconds. */
	static String units(int pairsPerSecond, int units) throws Exception {
		long next = System.nanoTime(), start = cpu();

		for (int i = 0; i < units; i++) {
			compute();
			at(20 - FRAMES_ABOVE, work("global"), pairsPerSecond / 100);
			next += 10_000_000;
			long left = next - System.nanoTime();
			if (left > 0)
				Thread.sleep(left / 1_000_000, (int)(left % 1_000_000));
		}
		return Double.toString((cpu() - start) / 1e3 / units);
	}

	/**
	 * compiled|interpreted|threads WORK DEPTH N: nanoseconds a pair; pace WORK PER_SECOND SECONDS;
	 * units PAIRS_PER_SECOND UNITS; keep N STACKS; letgo.
	 */
	static String execute(String[] w) throws Exception {
		switch (w[0]) {
		case "keep":
			keep(Integer.parseInt(w[1]), Integer.parseInt(w[2]));
			return "kept";
		case "letgo":
			letgo();
			return "gone";
		case "pace":
			pace(work(w[1]), Integer.parseInt(w[2]), Integer.parseInt(w[3]));
			return "paced";
		case "units":
			return units(Integer.parseInt(w[1]), Integer.parseInt(w[2]));
		default:
			int depth = Integer.parseInt(w[2]) - FRAMES_ABOVE, n = Integer.parseInt(w[3]);
			long ns = w[0].equals("compiled") ? at(depth, work(w[1]), n)
				: w[0].equals("interpreted") ? interpreted(depth, work(w[1]), n)
				: threads(depth, work(w[1]), n);
			return Double.toString((double)ns / n);
		}
	}

	public static void main(String[] args) throws Exception {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));

		System.load(args[0]);
		init(new Object(), "a string", new int[16]);
		for (int i = 0; i < 30000; i++)
			at(3, n -> 0, 0); // until it is compiled
		System.out.println("ready");
		for (String line; (line = in.readLine()) != null;)
			System.out.println(execute(line.split(" ")));
	}
}
