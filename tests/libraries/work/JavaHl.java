/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.io.File;
import java.nio.file.Files;
import java.util.List;
import java.util.Set;
import org.apache.subversion.javahl.SVNClient;
import org.apache.subversion.javahl.SVNRepos;
import org.apache.subversion.javahl.types.Depth;
import org.apache.subversion.javahl.types.Revision;
import org.apache.subversion.javahl.types.RevisionRange;

/** JavaHL: a repository, a working copy, commits, status, log and listing, which all call back. */
public class JavaHl extends Work {
	private final SVNClient client = new SVNClient();
	private final String copy = new File("copy").getAbsolutePath(), url;

	public JavaHl() throws Exception {
		File repository = new File("repository").getAbsoluteFile();
		SVNRepos repos = new SVNRepos();
		repos.create(repository, false, false, null, "fsfs");
		repos.dispose();
		url = "file://" + repository;
		client.checkout(url, copy, Revision.HEAD, Revision.HEAD, Depth.infinity, false, false);
		client.notification2(info -> check(info != null, info));
	}

	void step(int n) throws Exception {
		File file = new File(copy, "file" + n % 10);
		boolean fresh = !file.exists();
		Files.writeString(file.toPath(), "content " + n);
		if (fresh)
			client.add(file.getPath(), Depth.empty, false, false, false);
		client.status(copy, Depth.infinity, false, true, false, false, null, (path, status) -> check(path != null, path));
		if (n % 8 == 0)
			client.commit(Set.of(copy), Depth.infinity, false, false, null, null, items -> "message " + n,
					info -> check(info.getRevision() > 0, info));
		client.logMessages(url, Revision.HEAD, List.of(new RevisionRange(Revision.HEAD, Revision.getInstance(0))), false, true, false, null, 3,
				(paths, revision, properties, children) -> check(revision >= 0, revision));
		client.list(url, Revision.HEAD, Revision.HEAD, Depth.infinity, -1, false, (entry, lock) -> check(entry != null, entry));
		client.propertySetLocal(Set.of(file.getPath()), "jnitrace:n", ("" + n).getBytes(), Depth.empty, null, false);
		client.properties(copy, Revision.WORKING, Revision.WORKING, Depth.infinity, null, (path, properties) -> check(path != null, path));
		client.addToChangelist(Set.of(file.getPath()), "list", Depth.empty, null);
		client.getChangelists(copy, List.of("list"), Depth.infinity, (path, name) -> check(path != null, path));
		client.diffSummarize(url, Revision.HEAD, Revision.getInstance(0), Revision.HEAD, Depth.infinity, null, false,
				difference -> check(difference != null, difference));
		client.info2(copy, Revision.WORKING, Revision.WORKING, Depth.immediates, null, info -> check(info != null, info));
	}

	void close() {
		client.dispose();
	}
}
