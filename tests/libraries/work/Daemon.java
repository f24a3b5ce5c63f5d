/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import org.apache.commons.daemon.DaemonContext;

/** A daemon, in the JVM that jsvc made. */
public class Daemon implements org.apache.commons.daemon.Daemon {
	private volatile boolean ends;
	private Thread thread;

	public void init(DaemonContext context) {
		thread = new Thread(() -> {
			try {
				JdkZip work = new JdkZip();
				for (int n = 0; !ends; n++) {
					work.step(n);
					Thread.sleep(10);
					if (n == 20)
						System.out.println("ready");
				}
				work.close();
			} catch (Exception e) {
				e.printStackTrace();
			}
		});
	}

	public void start() {
		thread.start();
	}

	public void stop() throws Exception {
		ends = true;
		thread.join();
	}

	public void destroy() {
	}
}
