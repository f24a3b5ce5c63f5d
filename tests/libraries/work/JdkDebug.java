/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import com.sun.jdi.Bootstrap;
import com.sun.jdi.ReferenceType;
import com.sun.jdi.VirtualMachine;
import com.sun.jdi.connect.AttachingConnector;
import com.sun.jdi.connect.Connector;
import com.sun.jdi.event.Event;
import com.sun.jdi.event.EventSet;
import com.sun.jdi.event.LocatableEvent;
import com.sun.jdi.request.BreakpointRequest;
import com.sun.jdi.request.EventRequest;
import java.util.Map;

/**
 * libjdwp: a program that is being debugged. The debugger, another process, stops at each visit(), looks at the frames and
 * their variables, and goes on.
 */
public class JdkDebug extends Work {
	private final Process debugger;

	public JdkDebug() throws Exception {
		String port = com.sun.tools.attach.VirtualMachine.attach(String.valueOf(ProcessHandle.current().pid()))
				.getAgentProperties().getProperty("sun.jdwp.listenerAddress").replaceAll(".*:", "");
		debugger = new ProcessBuilder(ProcessHandle.current().info().command().get(), "-cp", System.getProperty("java.class.path"),
				"JdkDebug", port).redirectError(ProcessBuilder.Redirect.INHERIT).start();
		check(debugger.getInputStream().read() == '.', "no debugger");
	}

	private int visit(String text, int number, long[] numbers) {
		return text.length() + number + numbers.length;
	}

	void step(int n) {
		visit("text " + n, n, new long[3]);
	}

	void close() throws Exception {
		debugger.destroy();
		debugger.waitFor();
	}

	public static void main(String[] args) throws Exception {
		AttachingConnector socket = Bootstrap.virtualMachineManager().attachingConnectors().stream()
				.filter(one -> one.name().equals("com.sun.jdi.SocketAttach")).findFirst().get();
		Map<String, Connector.Argument> arguments = socket.defaultArguments();
		arguments.get("port").setValue(args[0]);
		VirtualMachine vm = socket.attach(arguments);
		ReferenceType type = vm.classesByName("JdkDebug").get(0);
		BreakpointRequest breakpoint = vm.eventRequestManager().createBreakpointRequest(type.methodsByName("visit").get(0).location());
		breakpoint.setSuspendPolicy(EventRequest.SUSPEND_EVENT_THREAD);
		breakpoint.enable();
		System.out.print('.');
		System.out.flush();
		while (true) {
			EventSet events = vm.eventQueue().remove();
			for (Event event : events)
				if (event instanceof LocatableEvent stop) {
					var frame = stop.thread().frame(0);
					frame.getValues(frame.visibleVariables());
					check(frame.getArgumentValues().size() == 3 && frame.thisObject() != null, "frame");
					stop.thread().frames().forEach(one -> one.location().method().name());
					vm.allThreads().forEach(one -> one.name());
				}
			events.resume();
		}
	}
}
