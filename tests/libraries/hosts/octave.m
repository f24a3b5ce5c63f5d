% SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
% Octave with a JVM in it.
function step(n)
	text = javaObject("java.lang.StringBuilder", sprintf("text %d", n));
	text.append("more");
	assert(length(char(text.toString())) > 5);
	assert(javaMethod("parseInt", "java.lang.Integer", num2str(n)) == n);
	list = javaObject("java.util.ArrayList");
	for i = 1:4
		list.add(i);
	endfor
	assert(list.size() == 4);
	try
		javaMethod("parseInt", "java.lang.Integer", "no number");
	catch
	end_try_catch
	pause(0.2);
endfunction
n = 0;
while n < 20
	step(n++);
endwhile
printf("ready\n");
fflush(stdout);
% Without blocking: the end is a file that the one who runs this makes.
while !exist(fullfile(pwd, "end"), "file")
	step(n++);
endwhile
