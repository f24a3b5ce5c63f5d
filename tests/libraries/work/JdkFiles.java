/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchService;
import java.nio.file.attribute.PosixFileAttributes;

/** libjava and libnio of the JDK: files old and new, mappings, attributes, folders, watches. */
public class JdkFiles extends Work {
	private final Path dir = Files.createTempDirectory("jnitrace");
	private final WatchService watch = dir.getFileSystem().newWatchService();

	public JdkFiles() throws Exception {
		dir.register(watch, StandardWatchEventKinds.ENTRY_CREATE, StandardWatchEventKinds.ENTRY_DELETE);
	}

	void step(int n) throws Exception {
		Path file = dir.resolve("f" + n);
		try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
			channel.write(ByteBuffer.wrap(new byte[1000]));
			if (n % 32 == 0)
				channel.map(FileChannel.MapMode.READ_ONLY, 0, 1000).get(500);
			channel.lock().release();
		}
		check(Files.readAttributes(file, PosixFileAttributes.class).size() == 1000, file);
		File old = file.toFile();
		try (RandomAccessFile random = new RandomAccessFile(old, "rw")) {
			random.seek(10);
			random.writeInt(n);
		}
		try (FileInputStream in = new FileInputStream(old); FileOutputStream out = new FileOutputStream(old + "-copy")) {
			in.transferTo(out);
		}
		check(old.exists() && old.length() == 1000 && old.getCanonicalPath() != null && dir.toFile().list().length >= 2, old);
		Files.createSymbolicLink(dir.resolve("link"), file);
		check(Files.readSymbolicLink(dir.resolve("link")).equals(file), "link");
		Files.delete(dir.resolve("link"));
		Files.move(file, dir.resolve("moved"));
		Files.delete(dir.resolve("moved"));
		check(new File(old + "-copy").delete(), "delete");
		for (var key = watch.poll(); key != null; key = watch.poll()) {
			key.pollEvents();
			key.reset();
		}
	}

	void close() throws Exception {
		watch.close();
		Files.delete(dir);
	}
}
