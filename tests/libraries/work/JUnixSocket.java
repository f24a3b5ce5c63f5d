/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.io.File;
import java.net.Socket;
import org.newsclub.net.unix.AFUNIXServerSocket;
import org.newsclub.net.unix.AFUNIXSocket;
import org.newsclub.net.unix.AFUNIXSocketAddress;

/** Stream sockets, peers' credentials, and errors. */
public class JUnixSocket extends Work {
	private final AFUNIXSocketAddress address = AFUNIXSocketAddress.of(new File("socket").getAbsoluteFile());
	private final AFUNIXServerSocket server = AFUNIXServerSocket.bindOn(address);

	public JUnixSocket() throws Exception {
	}

	void step(int n) throws Exception {
		try (AFUNIXSocket client = AFUNIXSocket.connectTo(address); Socket other = server.accept()) {
			client.getOutputStream().write(new byte[100]);
			check(other.getInputStream().readNBytes(100).length == 100, n);
			check(client.getPeerCredentials().getPid() > 1, n);
		}
		try {
			AFUNIXSocket.connectTo(AFUNIXSocketAddress.of(new File("none").getAbsoluteFile()));
		} catch (java.io.IOException expected) {
			check(expected.getMessage() != null, expected);
		}
	}

	void close() throws Exception {
		server.close();
	}
}
