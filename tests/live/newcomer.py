# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Five recordings of processes with something to find, or nothing, for a person who never saw the tool. Each is made by
hand, and has what looks alike beside what is asked for. test_newcomer.py says what is asked.
"""

from dataclasses import dataclass, field

from recorded import OUTSIDE, TARGET, Recording, java, native, verdict

SECONDS = 60
JUDGED = 45


@dataclass
class Library:
    number: int
    name: str
    package: str = None

    @property
    def path(self):
        return f"/opt/app/lib/{self.name}"


@dataclass
class Site:
    """A call site; its counts are of the second."""
    library: Library
    frames: list  # without what is outside
    held: object  # live references at second t
    kind: str = "clean"
    classes: list = field(default_factory=list)  # names and shares of the live ones
    per_min: float = None
    function: str = "NewGlobalRef"
    pace: int = 0  # that come and go each second
    judged: bool = True  # its family has verdicts
    pins: dict = None

    def acquired(self, t):
        return self.pace * t + max(self.held(s) for s in range(1, t + 1))


@dataclass
class Process:
    main: str
    sites: list
    pid: int = 4711
    finding: object = None  # of second t: what is found, by the number of its site
    family: str = "global"


def classes_of(s, t):
    """All of them the first time; then what has changed."""
    counts = [(name, int(s.held(t) * share)) for name, share in s.classes]
    if not counts:
        return {}
    if t == 1:
        return {"classes": [{"name": name, "outstanding": n, "is_class": name == "java.lang.Class"} for name, n in counts]}
    return {"classes": {str(i): {"outstanding": n} for i, (_, n) in enumerate(counts)}}


def say_process(r, number, p, stacks, t):
    final = t == SECONDS
    held = sum(s.held(t) for s in p.sites)
    kinds = {}
    for s in p.sites:
        kind = s.kind if t >= JUDGED and s.judged else "unknown"
        kinds[kind] = kinds.get(kind, 0) + 1
    findings = p.finding(t) if p.finding else []
    family = {"traced": True, "acquired": sum(s.acquired(t) for s in p.sites), "outstanding": held,
              "released": sum(s.acquired(t) - s.held(t) for s in p.sites), "probe_cost_ns_per_event": 900.0, "target_cpu_pct": 1.5}
    if p.family == "global":
        family |= {"vm_total": held + 900, "before_known": True, "before_attach": 900, "vm_own": 0, "limit": {"known": True, "slot_bytes": 8}}
    r.say("report", process=number, target={**TARGET, "pid": p.pid, "main": p.main}, time_unix_s=1769860800.0 + t, elapsed_s=float(t), final=final,
          end_reason="detached" if final else "not_ended", probed={s.function: True for s in p.sites}, families={p.family: family}, verdicts=kinds,
          stacks={"complete": 1000 * t, "complete_sites": len(p.sites)}, probes=8, events=2_000 * t, events_per_s=2_000.0,
          probe_cost_ns_per_event=900.0, target_cpu_pct=1.5, self_cpu_pct=0.4, map_bytes=52_800_000, sites=len(p.sites), findings=len(findings))
    for i, (s, stack) in enumerate(zip(p.sites, stacks)):
        v = verdict(s.kind, t, s.per_min, 0.2 if s.per_min else None) if t >= JUDGED else verdict("unknown", t)
        if not s.judged:
            v |= {"kind": "unknown", "ready_in_s": 0.0, "span_s": 0.0}
        before = s.held(t - 1) if t > 1 else 0
        r.say("site", process=number, site=i, id=f"{number:08x}{i + 1:08x}", function=s.function, acquired=s.acquired(t),
              released=s.acquired(t) - s.held(t), outstanding=s.held(t), oldest_s=float(t) if s.held(t) else None, peak_per_call=None,
              outstanding_bytes=None, stack=stack, rate_per_s=float(s.held(t) - before), acquired_per_s=float(s.acquired(t)) / t,
              recent_per_s=float(s.held(t) - before), verdict=v, classes_known=bool(s.classes),
              **({"pins": s.pins} if s.pins else {}), **classes_of(s, t))
    for i, members in enumerate(findings):
        site = members.pop("site")
        stack = {"known": True, "stack": stacks[site]}
        r.say("finding", process=number, finding=i, id=f"1ea40000{i:08x}", site_id=f"{number:08x}{site + 1:08x}",
              function=p.sites[site].function, call=stack, acquire=stack, **members)


def record(file, *processes):
    r = Recording()
    for library in (CODEC, STORE, TEXT):
        r.module(library.number, library.path, f"{library.number:02x}" * 20)
    stacks = [[r.stack(*s.frames, *OUTSIDE) for s in p.sites] for p in processes]
    for t in range(1, SECONDS + 1):
        for number, p in enumerate(processes, 1):
            say_process(r, number, p, stacks[number - 1], t)
        r.say("moment", skipped=0)
    return r.end(file)


def flat(n):
    return lambda t: n


def grows(per_s):
    return lambda t: per_s * t


# --- the five ---------------------------------------------------------------------------------------

CODEC, STORE, TEXT = Library(1, "libcodec.so"), Library(2, "libstore.so"), Library(3, "libtext.so")


def by_class(file):
    """A leak that two functions share: each is small, their class is not. As many strings are live, and stay as many."""
    entry = [("com.acme.store.Entry", 1.0)]
    return record(file, Process("com.acme.Shop", [
        Site(STORE, [native("store::Index::put", 0x1200, STORE.number), java("com.acme.store.Index.put", "Index.java", 40)],
             grows(4), "growing", entry, 240.0),
        Site(STORE, [native("store::Index::merge", 0x1900, STORE.number), java("com.acme.store.Index.merge", "Index.java", 77)],
             grows(2), "growing", entry, 120.0),
        Site(TEXT, [native("text::Table::intern", 0x2100, TEXT.number), java("com.acme.text.Table.intern", "Table.java", 12)],
             flat(360), "bounded", [("java.lang.String", 1.0)], pace=50),
    ]))


def twins(file):
    """The same function, called by the same one, from two lines: one releases what it gets, the other does not."""
    def frames(line):
        return [native("codec::Frame::hold", 0x1400, CODEC.number), native("Java_com_acme_codec_Frame_hold", 0x1800, CODEC.number),
                java("com.acme.codec.Frame.hold", "Frame.java", 9), java("com.acme.video.Player.show", "Player.java", line),
                java("com.acme.video.Player.run", "Player.java", 20)]
    frame = [("com.acme.codec.Frame", 1.0)]
    return record(file, Process("com.acme.video.Player", [
        Site(CODEC, frames(118), flat(0), "clean", pace=900),
        Site(CODEC, frames(131), grows(3), "growing", frame, 180.0),
    ]))


def cache(file):
    """It holds much, fills up, and stays as it is. Nothing leaks."""
    return record(file, Process("com.acme.Search", [
        Site(STORE, [native("store::Cache::get", 0x1300, STORE.number), java("com.acme.store.Cache.get", "Cache.java", 55)],
             lambda t: min(2_000, 200 * t), "bounded", [("com.acme.store.Page", 1.0)], pace=40),
        Site(STORE, [native("store::Cache::init", 0x1380, STORE.number), java("com.acme.store.Cache.<init>", "Cache.java", 21)],
             flat(6), "cached-once", [("java.lang.Class", 1.0)]),
        Site(TEXT, [native("text::Reader::next", 0x2300, TEXT.number), java("com.acme.text.Reader.next", "Reader.java", 30)],
             flat(0), "clean", pace=500),
    ]))


def held(file):
    """One critical section stays open while the collector waits for it; its twin is short. No reference leaks."""
    pins = {"direct": 30, "holds": 30, "hold_ns": 36_000_000_000, "max_hold_ns": 1_900_000_000, "max_own_ns": 1_800_000_000, "cpu_waits_known": True}
    brief = {"direct": 18_000, "holds": 18_000, "hold_ns": 90_000_000, "max_hold_ns": 40_000, "max_own_ns": 30_000, "cpu_waits_known": True}

    def finding(t):
        if t < 5:
            return []
        return [{"kind": "HELD_CRITICAL", "site": 0, "count": 30, "first_s": 5.0, "last_s": float(t),
                 "text": "A critical section is held for 1,900 ms, of which 1,800 ms without waiting for a CPU. "
                         "Keep it as short as possible, or use Get/Set<Type>ArrayRegion, which need no critical section.",
                 "held": {"pins": pins, "max_ms": 1900.0, "own_ms": 1800.0, "collector_waits": 1, "now": [],
                          "stalled": [{"tid": 4790, "name": "pay-worker-3", "times": 12, "ms": 9_000.0, "max_ms": 1_700.0, "own_ms": 8_900.0}]}}]
    return record(file, Process("com.acme.audio.Mixer", [
        Site(CODEC, [native("codec::Mixer::mix", 0x1500, CODEC.number), java("com.acme.audio.Mixer.mix", "Mixer.java", 88)],
             flat(0), judged=False, function="GetPrimitiveArrayCritical", pace=1, pins=pins),
        Site(CODEC, [native("codec::Mixer::peek", 0x1580, CODEC.number), java("com.acme.audio.Mixer.peek", "Mixer.java", 97)],
             flat(0), judged=False, function="GetPrimitiveArrayCritical", pace=300, pins=brief),
    ], finding=finding, family="critical"))


def sick(file):
    """Three processes of the same program; one of them leaks, and not the one that holds most."""
    def process(pid, leaks, most=25):
        path = [native("store::Session::open", 0x1700, STORE.number), java("com.acme.shop.Session.open", "Session.java", 64)]
        site = Site(STORE, path, grows(6), "growing", [("com.acme.shop.Session", 1.0)], 360.0, pace=20) if leaks else \
            Site(STORE, path, flat(most), "bounded", [("com.acme.shop.Session", 1.0)], pace=20)
        return Process("com.acme.Shop", [site], pid)
    return record(file, process(7001, False, 5_000), process(7002, True), process(7003, False))
