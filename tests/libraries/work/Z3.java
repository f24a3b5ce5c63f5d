/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import com.microsoft.z3.Context;
import com.microsoft.z3.IntExpr;
import com.microsoft.z3.Solver;
import com.microsoft.z3.Status;

/** Solvers, models, and errors that the library throws through JNI. */
public class Z3 extends Work {
	void step(int n) {
		try (Context context = new Context()) {
			Solver solver = context.mkSolver();
			IntExpr x = context.mkIntConst("x");
			solver.add(context.mkGt(x, context.mkInt(n)), context.mkLt(x, context.mkInt(n + 2)));
			check(solver.check() == Status.SATISFIABLE, n);
			check(solver.getModel().getConstInterp(x).toString().equals("" + (n + 1)), n);
			try {
				context.parseSMTLIB2String("(assert no such thing", null, null, null, null);
			} catch (com.microsoft.z3.Z3Exception expected) {
				check(expected.getMessage() != null, expected);
			}
		}
	}
}
