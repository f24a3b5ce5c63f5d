/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import cx.ath.matthew.unix.UnixServerSocket;
import cx.ath.matthew.unix.UnixSocket;

/** Unix sockets as old D-Bus bindings use them. */
public class MatthewUnix extends Work {
	private final UnixServerSocket server = new UnixServerSocket("matthew");

	public MatthewUnix() throws Exception {
	}

	void step(int n) throws Exception {
		UnixSocket client = new UnixSocket("matthew"), other = server.accept();
		for (int i = 0; i < 4; i++) {
			client.getOutputStream().write(new byte[100]);
			check(other.getInputStream().read(new byte[100]) == 100, n);
		}
		client.close();
		other.close();
	}

	void close() throws Exception {
		server.close();
	}
}
