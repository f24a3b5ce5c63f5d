/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Collections;

/** libnet and libnio of the JDK: sockets, datagrams, selectors, names, interfaces. */
public class JdkNet extends Work {
	private final InetAddress here = InetAddress.getLoopbackAddress();
	private final ServerSocket server = new ServerSocket(0, 10, here);
	private final ServerSocketChannel channel = ServerSocketChannel.open();
	private final DatagramSocket datagrams = new DatagramSocket(0, here);
	private final Selector selector = Selector.open();

	public JdkNet() throws Exception {
		channel.bind(new InetSocketAddress(here, 0)).configureBlocking(false).register(selector, SelectionKey.OP_ACCEPT);
	}

	void step(int n) throws Exception {
		byte[] packet = new byte[100];
		datagrams.send(new DatagramPacket(packet, packet.length, datagrams.getLocalSocketAddress()));
		datagrams.receive(new DatagramPacket(packet, packet.length));
		InetAddress.getByName("127.0.0." + n % 200);
		if (n % 8 == 0)
			try (Socket client = new Socket(here, server.getLocalPort()); Socket other = server.accept()) {
				client.setTcpNoDelay(true);
				client.getOutputStream().write(packet);
				check(other.getInputStream().readNBytes(packet.length).length == packet.length, "read");
			}
		if (n % 8 == 4)
			try (SocketChannel client = SocketChannel.open(channel.getLocalAddress())) {
				selector.select();
				selector.selectedKeys().clear();
				try (SocketChannel other = channel.accept()) {
					client.write(ByteBuffer.wrap(packet));
					other.read(ByteBuffer.allocateDirect(packet.length));
				}
			}
		if (n % 16 == 1)
			for (NetworkInterface one : Collections.list(NetworkInterface.getNetworkInterfaces()))
				check(one.getMTU() >= 0 && one.getInterfaceAddresses() != null, one);
	}
}
