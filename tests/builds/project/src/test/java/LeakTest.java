/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import org.junit.Test;

/* A test whose library keeps references: that of tests/fixtures/first, and as many more as the build asks for. */
public class LeakTest {
	@Test
	public void leaks() throws Exception {
		String[] args = {System.getProperty("library"), "leak", System.getProperty("leaks")};

		Class.forName("First").getMethod("main", String[].class).invoke(null, (Object) args);
	}
}
