/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import jnr.ffi.LibraryLoader;
import jnr.ffi.annotations.Delegate;
import jnr.posix.POSIX;
import jnr.posix.POSIXFactory;

/** jffi through jnr-ffi and jnr-posix: calls, structures, callbacks. */
public class JnrPosix extends Work {
	public interface C {
		interface Compare {
			@Delegate
			int compare(jnr.ffi.Pointer a, jnr.ffi.Pointer b);
		}

		void qsort(jnr.ffi.Pointer base, long n, long bytes, Compare compare);

		long strlen(String text);
	}

	private final POSIX posix = POSIXFactory.getNativePOSIX();
	private final C c = LibraryLoader.create(C.class).load("c");
	private final C.Compare compare = (a, b) -> Integer.compare(a.getInt(0), b.getInt(0));
	private final jnr.ffi.Runtime runtime = jnr.ffi.Runtime.getRuntime(c);

	void step(int n) {
		check(posix.getpid() > 1 && posix.stat("/").isDirectory(), n);
		check(c.strlen("four") == 4 && posix.getenv("PATH") != null, n);
		jnr.ffi.Pointer numbers = jnr.ffi.Memory.allocate(runtime, 16);
		for (int i = 0; i < 4; i++)
			numbers.putInt(4L * i, n % (i + 7));
		c.qsort(numbers, 4, 4, compare);
		check(numbers.getInt(0) <= numbers.getInt(12), n);
	}
}
