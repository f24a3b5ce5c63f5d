/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.nio.ByteBuffer;
import org.apache.tomcat.jni.Address;
import org.apache.tomcat.jni.Library;
import org.apache.tomcat.jni.Pool;
import org.apache.tomcat.jni.SSL;
import org.apache.tomcat.jni.SSLContext;

/** APR through Tomcat: pools with cleanups that call back, buffers, TLS contexts. */
@SuppressWarnings("deprecation")
public class TomcatNative extends Work {
	public TomcatNative() throws Exception {
		Library.initialize(null);
		SSL.initialize(null);
	}

	void step(int n) throws Exception {
		long pool = Pool.create(0);
		ByteBuffer buffer = Pool.alloc(pool, 100);
		check(buffer.capacity() == 100, n);
		long context = SSLContext.make(pool, SSL.SSL_PROTOCOL_TLSV1_2, SSL.SSL_MODE_SERVER);
		SSLContext.setCipherSuite(context, "ECDHE-RSA-AES128-GCM-SHA256");
		check(SSLContext.getCiphers(context).length > 0, n);
		SSLContext.free(context);
		check(SSL.versionString() != null, n);
		Pool.destroy(pool);
	}

	void close() {
		Library.terminate();
	}
}
