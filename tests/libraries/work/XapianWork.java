/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import org.xapian.Document;
import org.xapian.Enquire;
import org.xapian.MatchDecider;
import org.xapian.Query;
import org.xapian.Stem;
import org.xapian.TermGenerator;
import org.xapian.WritableDatabase;

/** SWIG in C++: an index in memory, searched with a decider that calls back. */
public class XapianWork extends Work {
	private final WritableDatabase db = new WritableDatabase("", org.xapian.XapianConstants.DB_BACKEND_INMEMORY);

	void step(int n) {
		Document document = new Document();
		TermGenerator terms = new TermGenerator();
		terms.setStemmer(new Stem("english"));
		terms.setDocument(document);
		terms.indexText("some words about number " + n);
		document.setData("document " + n);
		db.replaceDocument("Q" + n % 100, document);
		Enquire enquire = new Enquire(db);
		enquire.setQuery(new Query("about"));
		var found = enquire.getMSet(0, 3, null, new MatchDecider() {
			public boolean accept(Document d) {
				return !d.getData().isEmpty();
			}
		});
		check(found.size() > 0, n);
		try {
			db.getDocument(1000000);
		} catch (Exception expected) {
			check(expected.getMessage() != null, expected);
		}
	}
}
