/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of commands. See commands.h. */
#include "run/commands.h"

#include "run/cmd_agent.h"
#include "run/cmd_census.h"
#include "run/cmd_diff.h"
#include "run/cmd_doctor.h"
#include "run/cmd_fleet.h"
#include "run/cmd_probes.h"
#include "run/cmd_report.h"
#include "run/cmd_run.h"
#include "run/cmd_top.h"
#include "run/cmd_windows.h"

const struct command_row commands[NR_ALL_COMMANDS] = {
    [CMD_TOP] = {"top", "tables of the leaking call sites, live (the default)",
		 ", 5 losses,\n6 findings (--fail-on), 7 too short to tell leaks",
		 "  jnitrace -p $(pgrep -n java)        live, as top does\n"
		 "  jnitrace -p 1234 -d 1m -b           for a minute, in plain text\n"
		 "  jnitrace -p 1234 --json -i 10s      for scripts, every ten seconds\n"
		 "  jnitrace -p 1234 -d 1m --format folded | flamegraph.pl >leak.svg\n",
		 cmd_top},
    [CMD_CENSUS] = {"census", "what the reference tables hold; attaches nothing", "",
		    "  jnitrace census -a                  a line for each JVM\n"
		    "  jnitrace census -p 1234 --classes   what the references point to\n"
		    "  jnitrace census -p 1234 --watch     growth, every second\n",
		    cmd_census},
    [CMD_RECORD] = {"record", "as top, into a file, for jnitrace report",
		    ", 5 losses,\n6 findings (--fail-on), 7 too short to tell leaks",
		    "  jnitrace record -p 1234 -o run.jtr -d 1h   until it ends, or for an hour\n"
		    "  jnitrace record -a -o all.jtr              every JVM of this host\n"
		    "  jnitrace top -p 1234 --record run.jtr      live, and into a file\n",
		    cmd_top},
    [CMD_REPORT] = {"report", "what a recording says, without root and processes",
		    ", 5 losses,\n6 findings (--fail-on), 7 too short to tell leaks",
		    "  jnitrace report run.jtr                    as the run ended\n"
		    "  jnitrace report run.jtr --at 10m -g class  how it was then\n"
		    "  jnitrace report run.jtr --from 5m --to 6m  what happened meanwhile\n"
		    "  jnitrace report run.jtr --json             every interval\n",
		    cmd_report},
    [CMD_DIFF] = {"diff", "what grew between two recordings or moments", ", 5 losses,\n6 changes (--fail-on)",
		  "  jnitrace diff old.jtr new.jtr              new, grown, shrunk and gone sites\n"
		  "  jnitrace diff run.jtr --from 5m --to 1h    two moments of one run\n"
		  "  jnitrace diff old.jtr new.jtr --per second --fail-on growth\n",
		  cmd_diff},
    [CMD_PROBES] = {"probes", "what would be probed, and its cost; attaches nothing", "",
		    "  jnitrace probes -p 1234             the default families\n"
		    "  jnitrace probes -p 1234 -e all --check\n",
		    cmd_probes},
    [CMD_DOCTOR] = {"doctor", "what this machine allows, and what to do", "",
		    "  jnitrace doctor                     of this machine and all its JVMs\n"
		    "  jnitrace doctor -p 1234             can this one be traced?\n"
		    "  jnitrace doctor --json              for scripts\n",
		    cmd_doctor},
    [CMD_AGENT] = {"agent", "all JVMs of this host as metrics, over HTTP", "",
		   "  jnitrace agent                      for a Prometheus on this host\n"
		   "  jnitrace agent -i 60 --limit 100000\n"
		   "  jnitrace agent --every 1h --window 30s  each JVM is traced 30 s an hour, too\n"
		   "  jnitrace agent --windows 0          attach to none: their tables alone\n",
		   cmd_agent},
    [CMD_FLEET] = {"fleet", "what leaks in one version alone, by several agents",
		   ", 5 losses,\n6 changes (--fail-on)",
		   "  jnitrace fleet diff --by version http://a:9469 http://b:9469\n"
		   "  jnitrace fleet diff --by image --token-file t https://a:9469 https://b:9469\n",
		   cmd_fleet},
    [CMD_RUN] = {"run", "start a command, trace its JVMs, judge at the end",
		 ";\nelse the command's own, 6 an assertion or --baseline does not hold",
		 "  jnitrace run -- ./server             what it leaks, at its end\n"
		 "  jnitrace run --assert 'global.outstanding<=7' --junit jni.xml -- mvn test\n"
		 "  jnitrace run --baseline old.jtr -- ./test.sh   what is new since then\n"
		 "  jnitrace run --assert 'site(\"libfoo.so\").outstanding==0' -- ./test.sh\n",
		 cmd_run},
    [CMD_WINDOWS] = {"windows", "the tracer of an agent, which starts it", "", "", cmd_windows},
};
