/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import org.hyperic.sigar.Sigar;

/** What the system does, as objects filled through JNI. */
public class SigarWork extends Work {
	private final Sigar sigar = new Sigar();

	void step(int n) throws Exception {
		long self = sigar.getPid();
		check(sigar.getCpu().getTotal() > 0 && sigar.getMem().getTotal() > 0 && sigar.getLoadAverage().length == 3, n);
		check(sigar.getProcMem(self).getSize() > 0 && sigar.getProcState(self).getName() != null, n);
		sigar.getProcArgs(self);
		if (n % 16 == 0)
			check(sigar.getProcList().length > 1 && sigar.getNetInterfaceList().length > 0 && sigar.getFileSystemList().length > 0, n);
		try {
			sigar.getProcMem(0x3fffffff);
		} catch (org.hyperic.sigar.SigarException expected) {
			check(expected.getMessage() != null, expected);
		}
	}

	void close() {
		sigar.close();
	}
}
