/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import org.sbml.libsbml.Model;
import org.sbml.libsbml.SBMLDocument;
import org.sbml.libsbml.libsbml;

/** SWIG in C++: models built, written, read and asked. */
public class Sbml extends Work {
	static {
		System.loadLibrary("sbmlj");
	}

	void step(int n) {
		SBMLDocument document = new SBMLDocument(3, 1);
		Model model = document.createModel();
		model.setId("m" + n);
		for (int i = 0; i < 3; i++) {
			model.createSpecies().setId("s" + i);
			model.createParameter().setValue(i);
		}
		String text = libsbml.writeSBMLToString(document);
		SBMLDocument back = libsbml.readSBMLFromString(text);
		check(back.getModel().getId().equals("m" + n) && back.getModel().getNumSpecies() == 3, n);
		check(libsbml.formulaToString(libsbml.parseFormula("a + b * " + n)) != null, n);
		back.delete();
		document.delete();
	}
}
