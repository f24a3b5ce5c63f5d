/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import com.sun.jna.Callback;
import com.sun.jna.Library;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.Structure;

/** Calls by interface and by direct mapping, structures, strings, memory, and callbacks from C. */
public class Jna extends Work {
	public interface C extends Library {
		C LIBC = Native.load("c", C.class);

		interface Compare extends Callback {
			int compare(Pointer a, Pointer b);
		}

		int strlen(String text);

		void qsort(Pointer base, long n, long bytes, Compare compare);

		String getenv(String name);

		Div div(int a, int b);

		int snprintf(byte[] out, long bytes, String format, Object... args);
	}

	@Structure.FieldOrder({ "quot", "rem" })
	public static class Div extends Structure implements Structure.ByValue {
		public int quot, rem;
	}

	private static class Direct {
		static {
			Native.register("c");
		}

		static native int abs(int n);

		static native long strtol(String text, Pointer end, int base);
	}

	private final C.Compare compare = (a, b) -> Integer.compare(a.getInt(0), b.getInt(0));

	void step(int n) {
		check(C.LIBC.strlen("four") == 4 && Direct.abs(-n) == n && Direct.strtol("" + n, null, 10) == n, n);
		Memory memory = new Memory(16);
		for (int i = 0; i < 4; i++)
			memory.setInt(4L * i, n % (i + 7));
		C.LIBC.qsort(memory, 4, 4, compare);
		check(memory.getInt(0) <= memory.getInt(12), n);
		check(C.LIBC.getenv("PATH") != null && C.LIBC.div(n, 7).rem == n % 7, n);
		byte[] out = new byte[32];
		C.LIBC.snprintf(out, 32, "%d %s", n, "text");
		check(Native.toString(out).equals(n + " text"), n);
	}
}
