/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/** Foreign functions without JNI, from JDK 22 on: calls down and back up, which have frames of their own. */
public class JdkForeign extends Work {
	private final Linker linker = Linker.nativeLinker();
	private final MethodHandle length = linker.downcallHandle(linker.defaultLookup().find("strlen").get(),
			FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.ADDRESS));
	private final MethodHandle sort = linker.downcallHandle(linker.defaultLookup().find("qsort").get(),
			FunctionDescriptor.ofVoid(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS));

	static int compare(MemorySegment a, MemorySegment b) {
		Class.class.getDeclaredMethods(); // crosses JNI, above a call that does not
		return Integer.compare(a.get(ValueLayout.JAVA_INT, 0), b.get(ValueLayout.JAVA_INT, 0));
	}

	void step(int n) throws Throwable {
		try (Arena arena = Arena.ofConfined()) {
			check((long) length.invokeExact(arena.allocateFrom("four")) == 4, "length");
			MethodHandle compare = MethodHandles.lookup().findStatic(JdkForeign.class, "compare",
					MethodType.methodType(int.class, MemorySegment.class, MemorySegment.class));
			var pointer = ValueLayout.ADDRESS.withTargetLayout(ValueLayout.JAVA_INT);
			MemorySegment stub = linker.upcallStub(compare, FunctionDescriptor.of(ValueLayout.JAVA_INT, pointer, pointer), arena);
			MemorySegment numbers = arena.allocateFrom(ValueLayout.JAVA_INT, 5, 3, n, 1);
			sort.invokeExact(numbers, 4L, 4L, stub);
		}
		Thread.ofVirtual().start(() -> Class.class.getDeclaredFields()).join();
		new java.util.zip.CRC32().update(new byte[100]);
	}
}
