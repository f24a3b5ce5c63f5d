/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import jdk.jfr.Configuration;
import jdk.jfr.Event;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordingStream;

/** Flight Recorder: recordings that begin, are written and end; own events; a stream of them. */
public class JdkJfr extends Work {
	private static class Mine extends Event {
		int number;
	}

	private final RecordingStream stream = new RecordingStream();
	private Recording recording;

	public JdkJfr() {
		stream.enable("jdk.ExecutionSample").withPeriod(Duration.ofMillis(10));
		stream.enable("jdk.ObjectAllocationSample");
		stream.onEvent(event -> check(event.getStartTime() != null, event));
		stream.startAsync();
	}

	void step(int n) throws Exception {
		if (recording == null) {
			recording = new Recording(Configuration.getConfiguration("profile"));
			recording.start();
		}
		for (int i = 0; i < 20; i++) {
			Mine event = new Mine();
			event.begin();
			event.number = n;
			event.commit();
		}
		if (n % 1000 == 999) {
			Path file = Files.createTempFile("jnitrace", ".jfr");
			recording.stop();
			recording.dump(file);
			recording.close();
			recording = null;
			check(Files.size(file) > 0, "written");
			Files.delete(file);
		}
	}

	void close() {
		stream.close();
	}
}
