/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.util.ArrayList;
import org.opencv.core.Core;
import org.opencv.core.CvType;
import org.opencv.core.Mat;
import org.opencv.core.MatOfByte;
import org.opencv.core.MatOfPoint;
import org.opencv.core.Point;
import org.opencv.core.Scalar;
import org.opencv.core.Size;
import org.opencv.imgcodecs.Imgcodecs;
import org.opencv.imgproc.Imgproc;

/** Matrices, filters, contours, images coded in memory, and errors thrown as exceptions. */
public class OpenCv extends Work {
	static {
		System.loadLibrary(Core.NATIVE_LIBRARY_NAME);
		Core.setNumThreads(1);
	}

	void step(int n) {
		Mat image = Mat.zeros(64, 64, CvType.CV_8UC1);
		Imgproc.circle(image, new Point(30, 30), 5 + n % 20, new Scalar(255), -1);
		image.put(1, 1, new byte[] { 1, 2, 3 });
		byte[] row = new byte[64];
		image.get(30, 0, row);
		Mat blurred = new Mat();
		Imgproc.blur(image, blurred, new Size(3, 3));
		ArrayList<MatOfPoint> contours = new ArrayList<>();
		Imgproc.findContours(image, contours, new Mat(), Imgproc.RETR_EXTERNAL, Imgproc.CHAIN_APPROX_SIMPLE);
		check(!contours.isEmpty() && contours.get(0).toList().size() > 3, n);
		MatOfByte png = new MatOfByte();
		check(Imgcodecs.imencode(".png", image, png) && Imgcodecs.imdecode(png, Imgcodecs.IMREAD_GRAYSCALE).rows() == 64, n);
		try {
			Core.add(image, new Mat(3, 3, CvType.CV_8UC1), new Mat());
		} catch (org.opencv.core.CvException expected) {
			check(expected.getMessage() != null, expected);
		}
		image.release();
		blurred.release();
	}
}
