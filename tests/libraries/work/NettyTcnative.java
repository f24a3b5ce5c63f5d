/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import io.netty.internal.tcnative.Library;
import io.netty.internal.tcnative.SSL;
import io.netty.internal.tcnative.SSLContext;
import java.nio.file.Files;
import java.nio.file.Path;

/** TLS contexts with their settings, and connections. */
public class NettyTcnative extends Work {
	public NettyTcnative() throws Exception {
		// Its JNI_OnLoad wants a file of this name, which Debian's package has not.
		Path named = Path.of("libnetty_tcnative.so").toAbsolutePath();
		Files.copy(Path.of("/usr/lib/x86_64-linux-gnu/jni/libnetty-tcnative.so"), named);
		System.load(named.toString());
		Library.initialize("provided", null);
		check(SSL.version() != 0 && SSL.versionString() != null, "version");
	}

	void step(int n) throws Exception {
		long context = SSLContext.make(SSL.SSL_PROTOCOL_ALL, SSL.SSL_MODE_CLIENT);
		SSLContext.setCipherSuite(context, "ECDHE-RSA-AES128-GCM-SHA256", false);
		SSLContext.setSessionIdContext(context, "jnitrace".getBytes());
		SSLContext.setNpnProtos(context, new String[] { "h2", "http/1.1" }, SSL.SSL_SELECTOR_FAILURE_NO_ADVERTISE);
		long ssl = SSL.newSSL(context, false);
		SSL.setTlsExtHostName(ssl, "localhost");
		SSL.getCiphers(ssl);
		SSL.getSessionId(ssl);
		SSL.freeSSL(ssl);
		SSLContext.free(context);
	}
}
