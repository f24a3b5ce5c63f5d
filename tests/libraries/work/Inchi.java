/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import net.sf.jniinchi.INCHI_BOND_TYPE;
import net.sf.jniinchi.JniInchiAtom;
import net.sf.jniinchi.JniInchiBond;
import net.sf.jniinchi.JniInchiInput;
import net.sf.jniinchi.JniInchiInputInchi;
import net.sf.jniinchi.JniInchiWrapper;

/** Molecules to InChI and back: whole graphs of objects read and made through JNI. */
public class Inchi extends Work {
	void step(int n) throws Exception {
		JniInchiInput input = new JniInchiInput();
		JniInchiAtom last = null;
		for (int i = 0; i < 3 + n % 5; i++) {
			JniInchiAtom atom = input.addAtom(new JniInchiAtom(i, 0, 0, i % 3 == 2 ? "O" : "C"));
			atom.setImplicitH(-1);
			if (last != null)
				input.addBond(new JniInchiBond(last, atom, INCHI_BOND_TYPE.SINGLE));
			last = atom;
		}
		String inchi = JniInchiWrapper.getInchi(input).getInchi();
		check(inchi.startsWith("InChI="), inchi);
		check(JniInchiWrapper.getStructureFromInchi(new JniInchiInputInchi(inchi)).getNumAtoms() > 2, inchi);
		check(JniInchiWrapper.getInchiKey(inchi).getKey() != null, inchi);
	}
}
