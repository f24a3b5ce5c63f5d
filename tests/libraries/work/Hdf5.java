/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import hdf.hdf5lib.H5;
import hdf.hdf5lib.HDF5Constants;
import java.util.ArrayList;

/** The C-like binding: files, data sets, strings, an iteration that calls back. */
public class Hdf5 extends Work {
	private static class Seen implements hdf.hdf5lib.callbacks.H5L_iterate_t {
		final ArrayList<String> names = new ArrayList<>();
	}

	void step(int n) throws Exception {
		long access = H5.H5Pcreate(HDF5Constants.H5P_FILE_ACCESS);
		H5.H5Pset_fapl_core(access, 65536, false);
		long file = H5.H5Fcreate("file", HDF5Constants.H5F_ACC_TRUNC, HDF5Constants.H5P_DEFAULT, access);
		long space = H5.H5Screate_simple(2, new long[] { 4, 5 }, null);
		long set = H5.H5Dcreate(file, "set", HDF5Constants.H5T_NATIVE_INT, space, HDF5Constants.H5P_DEFAULT, HDF5Constants.H5P_DEFAULT,
				HDF5Constants.H5P_DEFAULT);
		H5.H5Dwrite(set, HDF5Constants.H5T_NATIVE_INT, HDF5Constants.H5S_ALL, HDF5Constants.H5S_ALL, HDF5Constants.H5P_DEFAULT, new int[20]);
		int[] back = new int[20];
		H5.H5Dread(set, HDF5Constants.H5T_NATIVE_INT, HDF5Constants.H5S_ALL, HDF5Constants.H5S_ALL, HDF5Constants.H5P_DEFAULT, back);
		Seen seen = new Seen();
		H5.H5Literate(file, HDF5Constants.H5_INDEX_NAME, HDF5Constants.H5_ITER_INC, 0, (group, name, info, data) -> {
			seen.names.add(name);
			return 0;
		}, seen);
		check(seen.names.contains("set"), seen.names);
		check(H5.H5Iget_name(set).equals("/set"), n);
		try {
			H5.H5Dopen(file, "none", HDF5Constants.H5P_DEFAULT);
		} catch (hdf.hdf5lib.exceptions.HDF5LibraryException expected) {
			check(expected.getMessage() != null, expected);
		}
		H5.H5Dclose(set);
		H5.H5Sclose(space);
		H5.H5Fclose(file);
		H5.H5Pclose(access);
	}
}
