/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/**
 * Runs a workload step by step until a line comes, then ends as any program does. Prints "ready" after the first
 * steps, which load and compile most of what is needed, and the number of steps at the end.
 *
 * Usage: java Work NAME [PAUSE_MS]
 */
public abstract class Work {
	/** Calls into the library, for a millisecond or so; n counts from 0. */
	abstract void step(int n) throws Throwable;

	/** What was opened. */
	void close() throws Throwable {
	}

	static void check(boolean holds, Object what) {
		if (!holds)
			throw new AssertionError(String.valueOf(what));
	}

	public static void main(String[] args) throws Throwable {
		Work work = (Work) Class.forName(args[0]).getDeclaredConstructor().newInstance();
		long pauseMs = args.length > 1 ? Long.parseLong(args[1]) : 10;
		int n = 0;
		while (n < 20)
			work.step(n++);
		System.out.println("ready");
		while (System.in.available() == 0) {
			work.step(n++);
			Thread.sleep(pauseMs);
		}
		work.close();
		System.out.println(n + " steps");
	}
}
