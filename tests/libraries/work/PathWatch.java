/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.io.File;
import name.pachler.nio.file.FileSystems;
import name.pachler.nio.file.Paths;
import name.pachler.nio.file.StandardWatchEventKind;
import name.pachler.nio.file.WatchKey;
import name.pachler.nio.file.WatchService;

/** Watches of folders by inotify. */
public class PathWatch extends Work {
	private final WatchService watch = FileSystems.getDefault().newWatchService();

	public PathWatch() throws Exception {
		Paths.get(".").register(watch, StandardWatchEventKind.ENTRY_CREATE, StandardWatchEventKind.ENTRY_DELETE);
	}

	void step(int n) throws Exception {
		File file = new File("f" + n);
		check(file.createNewFile() && file.delete(), file);
		for (WatchKey key = watch.poll(); key != null; key = watch.poll()) {
			key.pollEvents();
			key.reset();
		}
		if (n % 8 == 0) {
			File folder = new File("d" + n);
			check(folder.mkdir(), folder);
			WatchKey key = Paths.get(folder.getPath()).register(watch, StandardWatchEventKind.ENTRY_CREATE);
			key.cancel();
			check(folder.delete(), folder);
		}
	}

	void close() throws Exception {
		watch.close();
	}
}
