# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# R with a JVM in it, which is ended by DestroyJavaVM.
library(rJava)
.jinit()
step <- function(n) {
	text <- .jnew("java/lang/StringBuilder", paste("text", n))
	.jcall(text, "Ljava/lang/StringBuilder;", "append", "more")
	stopifnot(nchar(.jcall(text, "S", "toString")) > 5)
	.jcall("java/lang/Integer", "I", "parseInt", as.character(n))
	array <- .jarray(as.double(1:10))
	.jcall("java/util/Arrays", "V", "sort", array)
	stopifnot(length(.jevalArray(array)) == 10)
	list <- .jnew("java/util/ArrayList")
	.jcall(list, "Z", "add", .jcast(text, "java/lang/Object"))
	try(.jcall("java/lang/Integer", "I", "parseInt", "no number"), silent = TRUE)
	.jclear()
	if (n %% 50 == 0) gc()
	Sys.sleep(0.1)
}
for (n in 1:20) step(n)
cat("ready\n")
flush(stdout())
n <- 20
while (!file.exists("end")) { # which the one who runs this makes
	n <- n + 1
	step(n)
}
quit(save = "no", status = 0)
