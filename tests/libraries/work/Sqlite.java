/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import org.sqlite.Function;

/** Statements, blobs, transactions, and a function that SQL calls back. */
public class Sqlite extends Work {
	private final Connection db = DriverManager.getConnection("jdbc:sqlite::memory:");

	public Sqlite() throws Exception {
		db.createStatement().execute("create table t(a integer primary key, b text, c blob)");
		Function.create(db, "twice", new Function() {
			protected void xFunc() throws java.sql.SQLException {
				result(2 * value_int(0));
			}
		});
	}

	void step(int n) throws Exception {
		db.setAutoCommit(false);
		try (PreparedStatement insert = db.prepareStatement("insert or replace into t values(?, ?, ?)")) {
			insert.setInt(1, n % 100);
			insert.setString(2, "text " + n);
			insert.setBytes(3, new byte[100]);
			insert.executeUpdate();
		}
		db.commit();
		try (PreparedStatement select = db.prepareStatement("select twice(a), b, c from t where a = ?")) {
			select.setInt(1, n % 100);
			try (ResultSet row = select.executeQuery()) {
				check(row.next() && row.getInt(1) == 2 * (n % 100) && row.getString(2).equals("text " + n) && row.getBytes(3).length == 100, n);
			}
		}
		try {
			db.createStatement().execute("no such statement");
		} catch (java.sql.SQLException expected) {
			check(expected.getErrorCode() != 0, expected);
		}
	}
}
