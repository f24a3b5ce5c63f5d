/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.spi.ToolProvider;

/** javac, javap and jar as libraries: much is loaded and compiled anew all the time. */
public class JdkTools extends Work {
	private final Path dir = Files.createTempDirectory("jnitrace");

	public JdkTools() throws Exception {
	}

	private static void run(String tool, String... args) {
		StringWriter out = new StringWriter();
		check(ToolProvider.findFirst(tool).get().run(new PrintWriter(out), new PrintWriter(out), args) == 0, out);
	}

	void step(int n) throws Exception {
		Path source = dir.resolve("A.java");
		Files.writeString(source, "class A { int n = " + n + "; java.util.function.IntSupplier f() { return () -> n; } }");
		run("javac", "-d", dir.toString(), source.toString());
		run("javap", "-c", "-p", dir.resolve("A.class").toString());
		run("jar", "-c", "-f", dir.resolve("a.jar").toString(), "-C", dir.toString(), "A.class");
	}

	void close() throws Exception {
		for (String name : new String[] { "A.java", "A.class", "a.jar" })
			Files.delete(dir.resolve(name));
		Files.delete(dir);
	}
}
