# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Recordings made by hand (docs/recording.md), so that every character of a screen can be accounted for."""

import json
import subprocess

LIBTHUMB, LIBHELD = 1, 2
LISTENER = "com.acme.imaging.ThumbCache$Listener"


class Recording:
    """Lines as the tool writes them. Members that are not said are as they were."""

    def __init__(self):
        self.lines, self.frames, self.stacks = [], 0, 0
        self.say("recording", schema="jnitrace/1", jnitrace="0.1.0", version=1, options={}, families=[], functions=[])

    def say(self, record, **members):
        self.lines.append(json.dumps({"record": record, **members}))

    def module(self, number, path, build_id):
        self.say("module", number=number, module=path.rsplit("/", 1)[-1], path=path, build_id=build_id)

    def stack(self, *frames):
        """The number of a stack of these, innermost first."""
        numbers = []
        for frame in frames:
            self.frames += 1
            self.say("frame", number=self.frames, **frame)
            numbers.append(self.frames)
        self.stacks += 1
        self.say("stack", number=self.stacks, frames=numbers)
        return self.stacks

    def end(self, file):
        self.say("moment", skipped=0) if not self.lines[-1].startswith('{"record": "moment"') else None
        self.say("end", skipped=0)
        text = "".join(f"{line}\n" for line in self.lines)
        subprocess.run(["zstd", "-q", "-f", "--check", "-o", file], input=text.encode(), check=True)
        return file


def native(symbol, offset, module=LIBTHUMB, file=None, line=0):
    return {"type": "native", "symbol": symbol, "module": module, "offset": hex(offset), "file": file, "line": line}


def java(symbol, file, line):
    return {"type": "java", "symbol": symbol, "file": file, "line": line}


def native_method(symbol, file):
    return {"type": "java", "symbol": symbol, "file": file, "native_method": True}


OUTSIDE = [java("java.lang.Thread.run", "Thread.java", 840)]
TARGET = {"pid": 26708, "start_time_ticks": 456789, "comm": "java", "main": "com.acme.pay.Server", "vm": "HotSpot",
          "vm_version": "17.0.21+9", "user": "app", "host": "pay-7", "command": "java -Xmx2g com.acme.pay.Server",
          "library": "/usr/lib/jvm/java-17/lib/server/libjvm.so", "build_id": "c0ffee00" * 5}


def add_stack(r, line):
    return r.stack(native("acme::imaging::Registry::add(_jobject*)", 0x16BD), native("acme::imaging::Decoder<int>::start()", 0x18A6),
                   native("Java_com_acme_imaging_ThumbCache_open", 0x128C), native_method("com.acme.imaging.ThumbCache.open", "ThumbCache.java"),
                   java("com.acme.imaging.ThumbCache.decode", "ThumbCache.java", 8), java("com.acme.pay.Server.work", "Server.java", line),
                   *OUTSIDE)


def verdict(kind, t, per_min=None, error=None):
    unknown = kind == "unknown"
    return {"kind": kind, "confidence": "low" if unknown else "high", "growth_per_min": per_min, "error_per_min": error,
            "span_s": float(t), "ready_in_s": max(0.0, 45.0 - t) if unknown else 0.0, "survivors": 0, "same_life_s": 600.0, "slowed": False}


def leak(file, seconds=71, names=None):
    """
    A service in which one of two callers of a function leaks five references a second: 71 moments, a verdict from the
    45th on. names: of the leaking function and its class, instead.
    """
    symbol, class_name = names or ("acme::imaging::Registry::add(_jobject*)", LISTENER)
    r = Recording()
    r.module(LIBTHUMB, "/opt/app/lib/libthumb.so", "6458f4881181c96bd60819b11eea728394c8cb34")
    r.module(LIBHELD, "/opt/app/lib/libheld.so", "cdd1278bcdd1278bcdd1278bcdd1278bcdd1278b")
    if names:
        leaking = r.stack(native(symbol, 0x16BD), java("com.acme.pay.Server.work", "Server.java", 25), *OUTSIDE)
    else:
        leaking = add_stack(r, 25)
    honest = add_stack(r, 24)
    churn = r.stack(native("Java_com_acme_Held_churn", 0x1100, LIBHELD, "/src/held.c", 31), native_method("com.acme.Held.churn", "Held.java"),
                    java("com.acme.pay.Server.poll", "Server.java", 40), *OUTSIDE)
    for t in range(1, seconds + 1):
        held, judged = 5 * t, t >= 45
        total = 1_677 + held
        r.say("report", process=1, target=TARGET, time_unix_s=1769860800.0 + t, elapsed_s=float(t), final=t == seconds,
              end_reason="detached" if t == seconds else "not_ended",
              probed={"NewGlobalRef": True, "DeleteGlobalRef": True, "NewWeakGlobalRef": True, "DeleteWeakGlobalRef": True},
              families={"global": {"traced": True, "acquired": 60_000 * t + held, "released": 60_000 * t, "outstanding": held,
                                   "vm_total": total, "before_known": True, "before_attach": 1_677, "vm_own": 0,
                                   "limit": {"known": True, "slot_bytes": 8}, "probe_cost_ns_per_event": 900.0, "target_cpu_pct": 10.8},
                        "weak": {"traced": True, "acquired": 40, "released": 0, "outstanding": 40, "vm_total": 640, "before_known": True,
                                 "before_attach": 600, "vm_own": 0, "probe_cost_ns_per_event": 900.0, "target_cpu_pct": 0.0}},
              verdicts={"unknown": 0 if judged else 3, "clean": 2 if judged else 0, "growing": 1 if judged else 0},
              libraries=[{"module": "libthumb.so", "path": "/opt/app/lib/libthumb.so",
                          "build_id": "6458f4881181c96bd60819b11eea728394c8cb34", "package": "libthumb1", "package_version": "1.2-3",
                          "sites": 2, "verdicts": {"growing": 1, "clean": 1} if judged else {"unknown": 2}, "judged": True, "outstanding": held},
                         {"module": "libheld.so", "path": "/opt/app/lib/libheld.so", "build_id": "cdd1278b" * 5, "sites": 1,
                          "verdicts": {"clean": 1} if judged else {"unknown": 1}, "judged": True, "outstanding": 0}] if t in (1, 45) else {},
              stacks={"complete": 120_000 * t, "incomplete": 0, "complete_sites": 3}, probes=8, events=122_000 * t, events_per_s=122_000.0,
              probe_cost_ns_per_event=900.0, target_cpu_pct=10.8, self_cpu_pct=0.6, map_bytes=52_800_000, sites=3,
              findings=int(judged), before_attach=3)
        sites = [(leaking, "3a6483532f868887", held, 60_000 * 0 + held, 0, verdict("growing", t, 300.0, 0.1)),
                 (honest, "93154186aabbccdd", 0, 15_000 * t, 15_000 * t, verdict("clean", t)),
                 (churn, "00c0ffee00c0ffee", 0, 45_000 * t, 45_000 * t, verdict("clean", t))]
        for i, (stack, number, outstanding, acquired, released, v) in enumerate(sites):
            r.say("site", process=1, site=i, id=number, function="NewGlobalRef", acquired=acquired, released=released,
                  outstanding=outstanding, oldest_s=float(t) if outstanding else None, peak_per_call=None, outstanding_bytes=None, stack=stack,
                  rate_per_s=outstanding / t, acquired_per_s=acquired / t, recent_per_s=outstanding / t,
                  verdict=v if judged else verdict("unknown", t), classes_known=True,
                  **({"classes": [{"name": class_name, "outstanding": held, "is_class": False}] if t == 1 else
                      {"0": {"outstanding": held}}} if i == 0 else {}))
        if t == 1:
            for i, (family, name, n) in enumerate((("global", LISTENER, 1_672), ("weak", "java.lang.Class", 600), ("global", "java.lang.Thread", 5))):
                r.say("before", process=1, before=i, family=family, **{"class": name}, outstanding=n, is_class=name == "java.lang.Class")
        if judged:
            text = (f"{held} references are outstanding, 300 more per minute (+-0.1) for {t} s. "
                    "Release each with DeleteGlobalRef when it is no longer needed.")
            stack = {"known": True, "stack": leaking}
            r.say("finding", process=1, finding=0, kind="LEAK", id="1ea4000000000001", site_id="3a6483532f868887", count=held, function="NewGlobalRef",
                  first_s=1.0, last_s=float(t), call=stack, acquire=stack, text=text)
        r.say("moment", skipped=0)
    return r.end(file)



# What reads the same, and is not: the function that is called, the place in a line, the outer class, the package.
ALIKE = (("NewGlobalRef", "hold", 0x1100, 7, "com.acme.a.Cache$Entry"), ("NewWeakGlobalRef", "hold", 0x1100, 7, "com.acme.b.Cache$Entry"),
         ("NewGlobalRef", "take", 0x1200, 9, "com.acme.b.Store$Entry"), ("NewGlobalRef", "take", 0x1208, 9, "com.acme.Page"))


def alike(file):
    """Sites that look alike, of a process whose VM has a long version; and a script's that leaks."""
    r = Recording()
    r.module(LIBTHUMB, "/opt/app/lib/libthumb.so", "6458f4881181c96bd60819b11eea728394c8cb34")
    stacks = [r.stack(native(symbol, offset, file="/src/hold.c", line=line), native("Java_com_acme_Held_op", 0x1300 + offset % 16, file="/src/op.c", line=3),
                      native_method("com.acme.Held.op", "Held.java"), *OUTSIDE) for _, symbol, offset, line, _ in ALIKE]
    stacks.append(r.stack({"type": "script", "symbol": "preview", "file": "gallery.rb", "line": 7}))
    n = len(stacks)
    r.say("report", process=1, target={**TARGET, "vm_version": "17.0.21+9-Debian-1deb12u1"}, time_unix_s=1769860861.0, elapsed_s=61.0, final=True,
          end_reason="exited", probed={"NewGlobalRef": True, "NewWeakGlobalRef": True},
          families={"global": {"traced": True, "acquired": 400, "outstanding": 400, "vm_total": 400, "before_known": True}},
          verdicts={"bounded": n - 1, "growing": 1}, probes=8, events=400, events_per_s=6.6, target_cpu_pct=0.1, self_cpu_pct=0.5, sites=n, findings=1)
    for i, stack in enumerate(stacks):
        function, _, _, _, name = ALIKE[i] if i < n - 1 else ("NewGlobalRef", None, None, None, None)
        held = 100 - 10 * i
        r.say("site", process=1, site=i, id=f"{i + 1:016x}", function=function, acquired=held, outstanding=held, oldest_s=61.0, peak_per_call=None,
              outstanding_bytes=None, stack=stack, rate_per_s=held / 61, acquired_per_s=held / 61, recent_per_s=0.0,
              verdict=verdict("bounded", 61) if name else verdict("growing", 61, 60.0, 0.5), classes_known=bool(name),
              **({"classes": [{"name": name, "outstanding": held, "is_class": False}]} if name else {}))
    r.say("finding", process=1, finding=0, kind="WRONG_DEALLOCATOR", id="1ea4000000000002", count=3, function="GetStringUTFChars", first_s=1.0,
          last_s=60.0, call={"known": False}, acquire={"known": True, "stack": stacks[2]}, text="The contents were freed.")
    r.say("moment", skipped=0)
    return r.end(file)


def before_rates(file):
    """Made by a tool whose threads had no rates: one that holds 40 after 20 s, and one that gave all back."""
    r = Recording()
    r.module(LIBTHUMB, "/opt/app/lib/libthumb.so", "6458f4881181c96bd60819b11eea728394c8cb34")
    stack = add_stack(r, 25)
    r.say("report", process=1, target=TARGET, time_unix_s=1769860820.0, elapsed_s=20.0, final=True, end_reason="detached",
          probed={"NewGlobalRef": True, "DeleteGlobalRef": True}, families={"global": {"traced": True, "acquired": 70, "released": 30, "outstanding": 40}},
          verdicts={"growing": 1}, probes=8, events=100, sites=1)
    r.say("site", process=1, site=0, id="3a6483532f868887", function="NewGlobalRef", acquired=70, released=30, outstanding=40, oldest_s=20.0,
          peak_per_call=None, outstanding_bytes=None, stack=stack, verdict=verdict("growing", 20, 120.0, 0.1), threads_known=True,
          threads=[{"tid": 7, "start_ns": 1, "name": "holds", "acquired": 40, "released": 0, "outstanding": 40},
                   {"tid": 8, "start_ns": 2, "name": "gives back", "acquired": 30, "released": 30, "outstanding": 0}])
    r.say("moment", skipped=0)
    return r.end(file)


def many(file, sites=1000, moments=3):
    """As many sites, of functions that all differ."""
    r = Recording()
    r.module(LIBTHUMB, "/opt/app/lib/libthumb.so", "6458f4881181c96bd60819b11eea728394c8cb34")
    stacks = [r.stack(native(f"acme::Pool{i % 40}::take{i}", 0x1000 + 16 * i), java(f"com.acme.Pool{i % 40}.take", "Pool.java", i + 1), *OUTSIDE)
              for i in range(sites)]
    for t in range(1, moments + 1):
        r.say("report", process=1, target=TARGET, time_unix_s=1769860800.0 + t, elapsed_s=float(t), probed={"NewGlobalRef": True},
              families={"global": {"traced": True, "acquired": 100_000 * t, "outstanding": 100_000 * t, "vm_total": 100_000 * t,
                                   "before_known": True, "probe_cost_ns_per_event": 900.0, "target_cpu_pct": 5.0}},
              verdicts={"unknown": sites}, probes=8, events=100_000 * t, events_per_s=100_000.0, target_cpu_pct=5.0, self_cpu_pct=0.5, sites=sites,
              final=t == moments, end_reason="exited" if t == moments else "not_ended")
        for i, stack in enumerate(stacks):
            r.say("site", process=1, site=i, id=f"{i + 1:016x}", function="NewGlobalRef", acquired=(i + 1) * t, outstanding=(i + 1) * t,
                  oldest_s=float(t), peak_per_call=None, outstanding_bytes=None, stack=stack, verdict=verdict("unknown", t))
        r.say("moment", skipped=0)
    return r.end(file)



def two(file):
    """Two processes that do the same."""
    leak(file)
    text = subprocess.run(["zstdcat", file], capture_output=True, text=True, check=True).stdout
    lines, twins = [], []
    for line in text.splitlines():
        record = json.loads(line)
        if record["record"] == "moment":
            lines, twins = lines + twins, []
        lines.append(line)
        if "process" in record:
            if "target" in record:
                record["target"] = {**record["target"], "pid": 31000, "main": "com.acme.Other", "container": "0123456789abcdef"}
            twins.append(json.dumps({**record, "process": 2}))
    subprocess.run(["zstd", "-q", "-f", "--check", "-o", file], input="".join(f"{line}\n" for line in lines).encode(), check=True)
    return file


def cut(file, moments):
    """A recording that ends amid the moment behind so many: the run was killed."""
    text = subprocess.run(["zstdcat", leak(file)], capture_output=True, text=True, check=True).stdout
    lines = text.splitlines(keepends=True)
    ends = [i for i, line in enumerate(lines) if json.loads(line)["record"] == "moment"]
    begun = "".join(lines[:ends[moments] - 1])
    subprocess.run(["zstd", "-q", "-f", "--check", "-o", file], input=begun.encode(), check=True)
    return file


if __name__ == "__main__":
    import sys
    (many if sys.argv[2:] else leak)(sys.argv[1])
