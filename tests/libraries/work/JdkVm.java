/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.ref.Cleaner;
import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ServiceLoader;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.locks.LockSupport;

/** Native methods whose functions are in the VM itself: reflection, threads, references, loading, walking of stacks. */
public class JdkVm extends Work {
	private static final Cleaner CLEANER = Cleaner.create();
	private final Object lock = new Object();

	private static class Loader extends ClassLoader {
		Class<?> define(String name, byte[] code) {
			return defineClass(name, code, 0, code.length);
		}
	}

	void step(int n) throws Throwable {
		for (Method method : String.class.getDeclaredMethods())
			method.getGenericReturnType();
		Runnable proxy = (Runnable) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] { Runnable.class }, (p, m, a) -> null);
		proxy.run();
		check(Class.forName("java.util.Properties").getSuperclass() != null && int[].class.getComponentType() == int.class, "class");
		check((int) MethodHandles.lookup().findVirtual(String.class, "length", MethodType.methodType(int.class)).invoke("abc") == 3, "handle");
		Thread thread = new Thread(() -> {
			LockSupport.parkNanos(1000);
			synchronized (lock) {
				lock.notifyAll();
			}
		});
		synchronized (lock) {
			thread.start();
			lock.wait(1000);
		}
		thread.join();
		check(StackWalker.getInstance().walk(frames -> frames.count()) > 1, "walk");
		check(new Throwable().getStackTrace().length > 1 && thread.getStackTrace().length == 0, "trace");
		CLEANER.register(new Object(), () -> check(true, null));
		new PhantomReference<>(new Object(), new ReferenceQueue<>()).refersTo(null);
		("unique " + n).intern();
		ForkJoinPool.commonPool().submit(() -> System.nanoTime()).get();
		if (n % 16 == 0)
			try (var in = getClass().getResourceAsStream("JdkVm.class")) {
				new Loader().define("JdkVm", in.readAllBytes()).getDeclaredConstructor().newInstance();
			}
		if (n % 256 == 0)
			System.gc();
		Thread.getAllStackTraces();
		ServiceLoader.load(java.nio.file.spi.FileSystemProvider.class).forEach(one -> one.getScheme());
	}
}
