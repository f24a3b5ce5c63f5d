/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import com.sun.management.HotSpotDiagnosticMXBean;
import com.sun.management.ThreadMXBean;
import com.sun.tools.attach.VirtualMachine;
import java.io.InputStream;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import javax.management.ObjectName;

/** libmanagement, libmanagement_ext and libattach of the JDK, on itself. */
public class JdkManagement extends Work {
	private final String self = String.valueOf(ProcessHandle.current().pid());

	void step(int n) throws Exception {
		ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
		check(threads.dumpAllThreads(true, true).length > 0, "threads");
		threads.getThreadInfo(threads.getAllThreadIds(), 3);
		threads.getThreadAllocatedBytes(threads.getAllThreadIds());
		threads.findDeadlockedThreads();
		for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans())
			check(pool.getUsage() != null, pool.getName());
		for (GarbageCollectorMXBean gc : ManagementFactory.getGarbageCollectorMXBeans())
			((com.sun.management.GarbageCollectorMXBean) gc).getLastGcInfo();
		if (n % 100 == 0)
			System.gc();
		ManagementFactory.getRuntimeMXBean().getInputArguments();
		((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuLoad();
		ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class).getDiagnosticOptions();
		if (n % 8 == 0)
			ManagementFactory.getPlatformMBeanServer().invoke(new ObjectName("com.sun.management:type=DiagnosticCommand"),
					"gcClassHistogram", new Object[] { new String[0] }, new String[] { String[].class.getName() });
		if (n % 32 == 0) {
			VirtualMachine vm = VirtualMachine.attach(self);
			check(!vm.getSystemProperties().isEmpty() && !vm.getAgentProperties().isEmpty(), "properties");
			vm.detach();
		}
	}
}
