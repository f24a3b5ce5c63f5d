/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import org.linkgrammar.LGConfig;
import org.linkgrammar.LGService;

/** Sentences parsed, and the links asked for one by one. */
public class LinkGrammarWork extends Work {
	private final LGConfig config = new LGConfig();

	void step(int n) {
		check(LGService.parse(config, "The cat number " + n + " chased a mouse.").getLinkages() != null, n);
	}
}
