/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import org.chasen.mecab.Lattice;
import org.chasen.mecab.Model;
import org.chasen.mecab.Node;
import org.chasen.mecab.Tagger;

/** SWIG in C++: Japanese text taken apart, node by node. */
public class Mecab extends Work {
	static {
		System.loadLibrary("MeCab");
	}

	private final Model model = new Model();

	void step(int n) {
		Tagger tagger = model.createTagger();
		Lattice lattice = model.createLattice();
		lattice.set_sentence("太郎は次郎が持っている本を花子に渡した。" + n);
		check(tagger.parse(lattice), n);
		int nodes = 0;
		for (Node node = lattice.bos_node(); node != null; node = node.getNext())
			nodes += node.getSurface() != null && node.getFeature() != null ? 1 : 0;
		check(nodes > 5, nodes);
		lattice.delete();
		tagger.delete();
	}
}
