/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import ch.systemsx.cisd.hdf5.HDF5Factory;
import ch.systemsx.cisd.hdf5.IHDF5Reader;
import ch.systemsx.cisd.hdf5.IHDF5Writer;
import java.io.File;

/** The binding of ETH: arrays, strings and attributes, written and read. */
public class SisHdf5 extends Work {
	void step(int n) {
		File file = new File("sis.h5");
		try (IHDF5Writer writer = HDF5Factory.configure(file).overwrite().writer()) {
			writer.float64().writeArray("numbers", new double[] { n, 2, 3 });
			writer.string().write("text", "text " + n);
			writer.int32().setAttr("numbers", "n", n);
		}
		try (IHDF5Reader reader = HDF5Factory.openForReading(file)) {
			check(reader.float64().readArray("numbers")[0] == n && reader.string().read("text").equals("text " + n), n);
			check(reader.int32().getAttr("numbers", "n") == n, n);
		}
	}
}
