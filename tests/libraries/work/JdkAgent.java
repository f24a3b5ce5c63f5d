/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.lang.instrument.ClassDefinition;
import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.security.ProtectionDomain;

/** libinstrument of the JDK: an agent that looks at, redefines and transforms classes. */
public class JdkAgent extends Work {
	private static Instrumentation vm;
	private final byte[] code;

	public static void premain(String args, Instrumentation given) {
		vm = given;
	}

	private static class Changed {
		int number() {
			return 1;
		}
	}

	public JdkAgent() throws Exception {
		vm.addTransformer(new ClassFileTransformer() {
			public byte[] transform(ClassLoader loader, String name, Class<?> of, ProtectionDomain domain, byte[] bytes) {
				return bytes.clone();
			}
		}, true);
		try (var in = getClass().getResourceAsStream("JdkAgent$Changed.class")) {
			code = in.readAllBytes();
		}
	}

	void step(int n) throws Exception {
		check(vm.getObjectSize(this) > 0, "size");
		check(new Changed().number() == 1, "number");
		if (n % 8 == 0)
			check(vm.getAllLoadedClasses().length > 100 && vm.getInitiatedClasses(getClass().getClassLoader()).length > 0, "classes");
		if (n % 16 == 1)
			vm.retransformClasses(Changed.class, Thread.class);
		if (n % 16 == 9)
			vm.redefineClasses(new ClassDefinition(Changed.class, code));
	}
}
