/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.util.prefs.Preferences;

/** Child processes and process handles, system properties, environment, preferences. */
public class JdkProcess extends Work {
	void step(int n) throws Exception {
		check(ProcessHandle.current().info().totalCpuDuration().isPresent(), "cpu");
		check(ProcessHandle.current().parent().isPresent(), "parent");
		if (n % 16 == 0) {
			Process child = new ProcessBuilder("/bin/sh", "-c", "echo $N").redirectErrorStream(true).start();
			child.getInputStream().readAllBytes();
			check(child.waitFor() == 0, "code");
		}
		if (n % 64 == 0) {
			ProcessHandle.allProcesses().forEach(one -> one.info().command());
			Preferences node = Preferences.userRoot().node("jnitrace-test-" + ProcessHandle.current().pid());
			node.putInt("n", n);
			node.flush();
			node.removeNode();
			Preferences.userRoot().flush();
		}
		Runtime.getRuntime().availableProcessors();
		Runtime.getRuntime().totalMemory();
		System.getenv("PATH");
	}
}
