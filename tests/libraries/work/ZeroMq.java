/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import org.zeromq.ZMQ;

/** Sockets of one context that send to each other, with polling and time-outs. */
public class ZeroMq extends Work {
	private final ZMQ.Context context = ZMQ.context(1);
	private final ZMQ.Socket pull = context.socket(ZMQ.PULL), push = context.socket(ZMQ.PUSH);

	public ZeroMq() {
		pull.bind("inproc://here");
		push.connect("inproc://here");
	}

	void step(int n) {
		for (int i = 0; i < 5; i++) {
			push.send("part " + n, ZMQ.SNDMORE);
			push.send(new byte[100], 0);
			check(pull.recvStr().equals("part " + n) && pull.hasReceiveMore() && pull.recv(0).length == 100, n);
		}
		check(pull.recv(ZMQ.NOBLOCK) == null, n);
		if (n % 16 == 0) {
			ZMQ.Socket other = context.socket(ZMQ.SUB);
			other.subscribe("topic".getBytes());
			other.setLinger(0);
			other.close();
		}
	}

	void close() {
		push.close();
		pull.close();
		context.term();
	}
}
