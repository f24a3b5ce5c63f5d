/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.io.File;
import net.rubygrapefruit.platform.FileSystems;
import net.rubygrapefruit.platform.Files;
import net.rubygrapefruit.platform.Native;
import net.rubygrapefruit.platform.PosixFiles;
import net.rubygrapefruit.platform.Process;
import net.rubygrapefruit.platform.SystemInfo;

/** What Gradle uses: files, file systems, environment. */
public class NativePlatform extends Work {
	public NativePlatform() {
		Native.init(new File("native"));
	}

	void step(int n) {
		Process process = Native.get(Process.class);
		process.setEnvironmentVariable("N", "" + n);
		check(process.getEnvironmentVariable("N").equals("" + n) && process.getProcessId() > 1 && process.getWorkingDirectory() != null, n);
		check(Native.get(SystemInfo.class).getKernelName().equals("Linux"), n);
		PosixFiles files = Native.get(PosixFiles.class);
		File link = new File("link");
		files.symlink(link, "target " + n);
		check(files.readLink(link).equals("target " + n) && link.delete() | true, n);
		files.stat(new File("/"));
		check(files.listDir(new File("/etc")).size() > 5, n);
		check(!Native.get(FileSystems.class).getFileSystems().isEmpty(), n);
	}
}
