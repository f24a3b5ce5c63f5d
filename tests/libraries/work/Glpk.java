/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import org.gnu.glpk.GLPK;
import org.gnu.glpk.GLPKConstants;
import org.gnu.glpk.GlpkTerminal;
import org.gnu.glpk.SWIGTYPE_p_double;
import org.gnu.glpk.SWIGTYPE_p_int;
import org.gnu.glpk.glp_iocp;
import org.gnu.glpk.glp_prob;

/** SWIG in C: linear and integer programs; its terminal output calls back. */
public class Glpk extends Work {
	public Glpk() {
		GlpkTerminal.addListener(text -> false);
	}

	void step(int n) {
		glp_prob problem = GLPK.glp_create_prob();
		GLPK.glp_set_prob_name(problem, "problem " + n);
		GLPK.glp_add_cols(problem, 2);
		for (int i = 1; i <= 2; i++) {
			GLPK.glp_set_col_name(problem, i, "x" + i);
			GLPK.glp_set_col_kind(problem, i, GLPKConstants.GLP_IV);
			GLPK.glp_set_col_bnds(problem, i, GLPKConstants.GLP_DB, 0, 10);
			GLPK.glp_set_obj_coef(problem, i, i);
		}
		GLPK.glp_add_rows(problem, 1);
		GLPK.glp_set_row_bnds(problem, 1, GLPKConstants.GLP_UP, 0, 7);
		SWIGTYPE_p_int indexes = GLPK.new_intArray(3);
		SWIGTYPE_p_double values = GLPK.new_doubleArray(3);
		for (int i = 1; i <= 2; i++) {
			GLPK.intArray_setitem(indexes, i, i);
			GLPK.doubleArray_setitem(values, i, 1 + n % 3);
		}
		GLPK.glp_set_mat_row(problem, 1, 2, indexes, values);
		GLPK.delete_intArray(indexes);
		GLPK.delete_doubleArray(values);
		GLPK.glp_set_obj_dir(problem, GLPKConstants.GLP_MAX);
		glp_iocp parameters = new glp_iocp();
		GLPK.glp_init_iocp(parameters);
		parameters.setPresolve(GLPKConstants.GLP_ON);
		check(GLPK.glp_intopt(problem, parameters) == 0 && GLPK.glp_mip_obj_val(problem) > 0, n);
		check(GLPK.glp_get_col_name(problem, 1).equals("x1"), n);
		GLPK.glp_delete_prob(problem);
	}
}
