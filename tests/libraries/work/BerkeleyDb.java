/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import com.sleepycat.db.Cursor;
import com.sleepycat.db.Database;
import com.sleepycat.db.DatabaseConfig;
import com.sleepycat.db.DatabaseEntry;
import com.sleepycat.db.DatabaseType;
import com.sleepycat.db.LockMode;
import com.sleepycat.db.OperationStatus;
import java.util.Comparator;

/** A table in memory with an order of its own, which calls back; puts, gets, cursors. */
public class BerkeleyDb extends Work {
	private final Database db;

	public static class Order implements Comparator<byte[]> {
		public int compare(byte[] a, byte[] b) {
			return java.util.Arrays.compare(a, b);
		}
	}

	public BerkeleyDb() throws Exception {
		DatabaseConfig config = new DatabaseConfig();
		config.setAllowCreate(true);
		config.setType(DatabaseType.BTREE);
		config.setBtreeComparator(new Order());
		db = new Database(null, null, config);
	}

	void step(int n) throws Exception {
		DatabaseEntry key = new DatabaseEntry(("key " + n % 200).getBytes()), value = new DatabaseEntry(new byte[50]);
		check(db.put(null, key, value) == OperationStatus.SUCCESS, n);
		check(db.get(null, key, value, LockMode.DEFAULT) == OperationStatus.SUCCESS, n);
		if (n % 16 == 0) {
			Cursor cursor = db.openCursor(null, null);
			for (int i = 0; i < 20 && cursor.getNext(key, value, LockMode.DEFAULT) == OperationStatus.SUCCESS; i++)
				check(key.getData().length > 0, n);
			cursor.close();
			db.getStats(null, null);
		}
	}

	void close() throws Exception {
		db.close();
	}
}
