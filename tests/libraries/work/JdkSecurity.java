/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import com.sun.security.auth.module.UnixSystem;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.Provider;
import java.security.SecureRandom;
import java.security.Security;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** libj2pkcs11 of the JDK over NSS, and libjaas. */
public class JdkSecurity extends Work {
	private final Provider nss;

	public JdkSecurity() throws Exception {
		Path config = Files.createTempFile("jnitrace", ".cfg");
		Files.writeString(config, "name = NSS\nnssLibraryDirectory = /usr/lib/x86_64-linux-gnu\nnssDbMode = noDb\nattributes = compatibility\n");
		nss = Security.getProvider("SunPKCS11").configure(config.toString());
		Files.delete(config);
	}

	void step(int n) throws Exception {
		byte[] data = new byte[256];
		SecureRandom.getInstance("PKCS11", nss).nextBytes(data);
		MessageDigest.getInstance("SHA-256", nss).digest(data);
		SecretKeySpec key = new SecretKeySpec(data, 0, 16, "AES");
		Cipher cipher = Cipher.getInstance("AES/CBC/NoPadding", nss);
		cipher.init(Cipher.ENCRYPT_MODE, key, new IvParameterSpec(data, 16, 16));
		byte[] secret = cipher.doFinal(data);
		cipher.init(Cipher.DECRYPT_MODE, key, new IvParameterSpec(data, 16, 16));
		check(java.util.Arrays.equals(cipher.doFinal(secret), data), "cipher");
		Mac mac = Mac.getInstance("HmacSHA256", nss);
		mac.init(new SecretKeySpec(data, 0, 32, "HmacSHA256"));
		mac.doFinal(data);
		check(new UnixSystem().getUid() >= 0, "uid");
	}
}
