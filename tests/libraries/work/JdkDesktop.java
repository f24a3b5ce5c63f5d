/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.awt.Color;
import java.awt.Font;
import java.awt.GraphicsEnvironment;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.color.ColorSpace;
import java.awt.geom.AffineTransform;
import java.awt.geom.Ellipse2D;
import java.awt.image.AffineTransformOp;
import java.awt.image.BufferedImage;
import java.awt.image.ColorConvertOp;
import java.awt.image.ConvolveOp;
import java.awt.image.Kernel;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import javax.imageio.ImageIO;

/** libawt, libfontmanager, libjavajpeg, liblcms and libmlib_image of the JDK, without a screen. */
public class JdkDesktop extends Work {
	void step(int n) throws Exception {
		BufferedImage image = new BufferedImage(64, 64, n % 2 == 0 ? BufferedImage.TYPE_INT_RGB : BufferedImage.TYPE_3BYTE_BGR);
		Graphics2D g = image.createGraphics();
		g.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
		g.setColor(new Color(n & 0xffffff));
		g.fill(new Ellipse2D.Double(3, 3, 50, 40));
		g.setFont(new Font(n % 3 == 0 ? "Serif" : "SansSerif", Font.BOLD, 8 + n % 40));
		g.drawString("text " + n, 4, 40);
		g.copyArea(0, 0, 10, 10, 5, 5);
		g.drawImage(image, 10, 10, 20, 20, null);
		g.dispose();
		new AffineTransformOp(AffineTransform.getRotateInstance(0.1), AffineTransformOp.TYPE_BILINEAR).filter(image, null);
		new ConvolveOp(new Kernel(3, 3, new float[] { 0, 0, 0, 0, 1, 0, 0, 0, 0 })).filter(image, null);
		if (n % 4 == 0)
			new ColorConvertOp(ColorSpace.getInstance(ColorSpace.CS_LINEAR_RGB), null).filter(image, null);
		ByteArrayOutputStream out = new ByteArrayOutputStream();
		check(ImageIO.write(image, n % 2 == 0 ? "jpg" : "png", out), "written");
		check(ImageIO.read(new ByteArrayInputStream(out.toByteArray())).getWidth() == 64, "read");
		if (n % 200 == 0)
			check(GraphicsEnvironment.getLocalGraphicsEnvironment().getAvailableFontFamilyNames().length > 0, "fonts");
	}
}
