// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
import { render } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { age, bytes, count, estimate, figure, host, name_of, own_frame, place_of, signed, targets, version } from "./data.js";
import { Flame, matcher } from "./flame.jsx";
import { Growth } from "./growth.jsx";
import { Host } from "./host.jsx";
import { Actions, Card, Choice, Keys, Verdict, moment, use_keys } from "./parts.jsx";
import { Stack, Table } from "./table.jsx";

const KEYS = [
	["/", "search"], ["Esc", "end the search, zoom out"], ["arrow keys", "walk through the flame graph"], ["Enter", "zoom into the frame"],
	["d", "light or dark"], ["n", "next target"], ["?", "these keys"],
];

function Numbers({ target }) {
	const { report } = target;
	const growing = target.sites.filter((s) => s.kind === "growing");
	const pace = growing.reduce((sum, s) => sum + (s.growth ?? 0), 0);
	const errors = report.findings.filter((f) => f.severity === "error").length;
	return (
		<div class="numbers">
			{target.families.map((f) => (
				<div class="number" key={f.name}>
					<span class="what">{f.name}</span>
					<b>{estimate(f)}</b>
					<span class="dim">outstanding of {count(f.acquired)} acquired{f.vm_total != null && <>; the VM has {count(f.vm_total)}</>}{f.outstanding_error != null && <>; sampled, 1 in {count(report.sample.one_in)}</>}</span>
				</div>
			))}
			<div class={`number ${growing.length ? "bad" : ""}`}>
				<span class="what">growing</span>
				<b>{growing.length ? `${signed(pace)}/min` : "none"}</b>
				<span class="dim">{growing.length ? `${growing.length} of ${target.sites.length} call sites` : `of ${target.sites.length} call sites`}</span>
			</div>
			<div class={`number ${errors ? "bad" : ""}`}>
				<span class="what">findings</span>
				<b>{report.findings.length}</b>
				<span class="dim">{errors} {errors === 1 ? "error" : "errors"}, {report.findings.length - errors} warnings</span>
			</div>
		</div>
	);
}

const is_same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function Finding({ finding, target }) {
	const stack = finding.stack ?? finding.acquire_stack ?? finding.release_stack;
	const own = stack && own_frame(stack);
	const site = finding.kind === "leak" && target.sites.find((s) => s.kind === "growing" && is_same(s.stack, stack));
	return (
		<details class={`finding ${finding.severity}`}>
			<summary>
				<span class={`pill ${finding.severity === "error" ? "bad" : "warn"}`}>{finding.severity}</span>
				<b>{finding.kind}</b> <span class="dim">{count(finding.count)} × {finding.function ?? ""}</span>
				{own && <span> at <span class="where">{name_of(own)}</span> <span class="place">{place_of(own)} {own.module}</span></span>}
				<p>{finding.text.replaceAll("+-", "±")}</p>
				{finding.doubt && <p class="dim">In doubt: {finding.doubt}</p>}
				{site && <p class="forecast">At this pace {count(Math.round((site.outstanding ?? 0) + 1440 * site.growth))} are outstanding in a day.</p>}
			</summary>
			<div class="stacks">
				<Stack title="call" frames={finding.stack} truncated={finding.truncated} />
				<Stack title="acquired" frames={is_same(finding.acquire_stack, finding.stack) ? null : finding.acquire_stack} truncated={finding.acquire_truncated} />
				<Stack title="released" frames={finding.release_stack} truncated={finding.release_truncated} />
			</div>
		</details>
	);
}

const site_columns = [
	{ key: "name", title: "Site", value: (s) => s.name, show: (s) => <><code>{s.name}</code> <span class="place">{s.place}</span></> },
	{ key: "module", title: "Library", value: (s) => s.module },
	{ key: "function", title: "Function", value: (s) => s.function },
	{ key: "class", title: "Class", value: (s) => s.class, show: (s) => s.class ?? <span class="dim">–</span> },
	{ key: "outstanding", title: "Outstanding", num: true, value: (s) => s.outstanding, show: estimate },
	{ key: "acquired", title: "Acquired", num: true, value: (s) => s.acquired, show: (s) => count(s.acquired) },
	{ key: "growth", title: "Per minute", num: true, value: (s) => s.growth, show: (s) => (s.growth == null ? "–" : signed(s.growth)) },
	{ key: "oldest", title: "Oldest", num: true, value: (s) => s.oldest_s, show: (s) => age(s.oldest_s) },
	{ key: "verdict", title: "Verdict", value: (s) => s.kind, show: (s) => <Verdict kind={s.kind} /> },
];
const bytes_column = { key: "bytes", title: "Bytes", num: true, value: (s) => s.outstanding_bytes, show: (s) => bytes(s.outstanding_bytes) };
const class_columns = [
	{ key: "name", title: "Class", value: (c) => c.name, show: (c) => <code>{c.name}</code> },
	{ key: "outstanding", title: "Outstanding", num: true, value: (c) => c.outstanding, show: (c) => count(c.outstanding) },
	{ key: "sites", title: "Sites", num: true, value: (c) => c.sites },
	{ key: "before", title: "Before attach", num: true, value: (c) => c.before, show: (c) => (c.before == null ? "–" : count(c.before)) },
];
const library_columns = [
	{ key: "name", title: "Library", value: (l) => l.module ?? "?", show: (l) => <code>{l.module ?? "?"}</code> },
	{ key: "package", title: "Package", value: (l) => l.package, show: (l) => (l.package ? `${l.package} ${l.package_version ?? ""}` : <span class="dim">–</span>) },
	{ key: "outstanding", title: "Outstanding", num: true, value: (l) => l.outstanding, show: (l) => count(l.outstanding) },
	{ key: "sites", title: "Sites", num: true, value: (l) => l.sites },
	{ key: "growing", title: "Growing", num: true, value: (l) => l.growing },
	{ key: "verdict", title: "Verdict", value: (l) => l.verdict, show: (l) => <Verdict kind={l.verdict} /> },
	{ key: "build", title: "Build-id", value: (l) => l.build_id, show: (l) => <code class="dim" title={l.build_id}>{l.build_id?.slice(0, 8) ?? "–"}</code> },
];

function classes_of(target) {
	const by = new Map();
	const row = (name) => by.get(name) ?? by.set(name, { key: name, name, outstanding: 0, sites: 0, before: null }).get(name);
	for (const site of target.sites)
		for (const c of site.classes ?? []) {
			row(c.name).outstanding += c.outstanding;
			row(c.name).sites++;
		}
	for (const b of target.report.before_attach ?? [])
		if (b.class) row(b.class).before = (row(b.class).before ?? 0) + b.outstanding;
	return [...by.values()];
}

function Target({ target, dark, search, site, set_site }) {
	const { report, more } = target;
	const [how, set_how] = useState("stacks");
	const [value, set_value] = useState("outstanding");
	const [what, set_what] = useState("sites");
	const has_bytes = target.sites.some((s) => s.outstanding_bytes != null);
	const classes = useMemo(() => classes_of(target), [target]);
	const wanted = useMemo(() => matcher(search), [search]);
	const sites = useMemo(() => (wanted
		? target.sites.filter((s) => [s.name, s.module, s.function, s.class ?? "", ...s.stack.map((f) => f.symbol ?? "")].some((name) => wanted({ name })))
		: target.sites), [target, wanted]);
	const columns = useMemo(() => (has_bytes ? [...site_columns.slice(0, 6), bytes_column, ...site_columns.slice(6)] : site_columns), [has_bytes]);
	const one = useMemo(() => (site ? target.sites.filter((s) => s.id === site) : target.sites), [target, site]);
	const units = { outstanding: "outstanding", acquired: "acquired", outstanding_bytes: "bytes" };

	return (
		<main>
			{more.losses.length > 0 && (
				<div class="banner" role="alert">
					<b>Some data was lost.</b>
					<ul>{more.losses.map((l) => <li key={l.name}><code>{l.name}</code> {count(l.count)}: {l.meaning} ({l.advice})</li>)}</ul>
				</div>
			)}
			{more.left_out.sites > 0 && (
				<div class="banner">{count(more.left_out.sites)} more call sites, with {count(more.left_out.outstanding)} outstanding, are not in this page; the JSON output has them.</div>
			)}
			<Numbers target={target} />
			{report.findings.length > 0 && (
				<Card id="findings" title="Findings" note={report.findings.length}>
					{report.findings.map((f) => <Finding key={f.id} finding={f} target={target} />)}
				</Card>
			)}
			<Card id="growth" title="Growth" tools={
				<Choice name="lines" value={what} onChange={set_what} options={[["sites", "call sites"], ["families", "families"]]} />
			}>
				<Growth target={target} what={what} dark={dark} />
			</Card>
			<Card id="flame" title={how === "stacks" ? "Flame graph" : "By class"} tools={
				<div class="tools">
					<Choice name="kind of graph" value={how} onChange={set_how} options={[["stacks", "by stack"], ["classes", "by class"]]} />
					<Choice name="what is counted" value={value} onChange={set_value}
						options={[["outstanding", "outstanding"], ["acquired", "acquired"], ...(has_bytes ? [["outstanding_bytes", "bytes"]] : [])]} />
				</div>
			}>
				{site && <p id="one-site">Of one call site, <code>{one[0].name}</code>. <button type="button" class="link" onClick={() => set_site(null)}>all call sites</button></p>}
				<Flame sites={one} how={how} value={value} search={search} unit={units[value]} />
			</Card>
			<Card id="sites" title="Call sites" note={wanted ? `${sites.length} of ${target.sites.length}` : target.sites.length}>
				<Table id="sites-table" columns={columns} rows={sites} by="outstanding"
					open={(s) => <><Stack frames={s.stack} truncated={s.truncated} />{s.verdict.not_known && <p class="dim">Not known: {s.verdict.not_known}</p>}</>} />
			</Card>
			<div class="two">
				<Card id="classes" title="Classes" note={classes.length}><Table id="classes-table" columns={class_columns} rows={classes} by="outstanding" /></Card>
				<Card id="libraries" title="Libraries" note={report.libraries.length}>
					<Table id="libraries-table" columns={library_columns.filter((c) => c.key !== "package" || report.libraries.some((l) => l.package))} rows={report.libraries} by="outstanding" />
				</Card>
			</div>
		</main>
	);
}

// The page of an agent leads here: "#PID-TICKS" is a process of it, "#PID-TICKS-SITE" a call site.
function wanted_by(hash) {
	const [, pid, ticks, site] = /^#(\d+)-(\d+)(?:-([0-9a-f]{16}))?$/.exec(hash) ?? [];
	const at = targets.findIndex((t) => `${t.pid}` === pid && `${t.start_time_ticks}` === ticks);
	return { at: Math.max(0, at), site: at >= 0 && targets[at].sites.some((s) => s.id === site) ? site : null };
}
const of_agent = location.protocol !== "file:" && location.pathname.endsWith("/report");

function Page() {
	const [{ at, site }, set_wanted] = useState(() => wanted_by(location.hash));
	const set_at = (next) => set_wanted((w) => ({ at: next(w.at), site: null }));
	const keys = use_keys({ n: () => set_at((i) => (i + 1) % targets.length) });
	const target = targets[at];

	useEffect(() => {
		const follow = () => set_wanted(wanted_by(location.hash));
		addEventListener("hashchange", follow);
		return () => removeEventListener("hashchange", follow);
	}, []);
	useEffect(() => {
		document.title = target ? `${target.name} (${target.pid}) – jnitrace` : "jnitrace";
	}, [target]);

	if (!target) return <p class="empty">No process was traced.{of_agent && <> <a href="./">All JVMs of this host</a></>}</p>;
	const { report } = target;
	return (
		<>
			<header class="top">
				<div class="who">
					<span class="logo">jnitrace</span>{of_agent && <> <a id="host" href="./">all JVMs of this host</a></>}
					{targets.length > 1 ? (
						<select aria-label="target" value={at} onChange={(e) => set_at(() => +e.target.value)}>
							{targets.map((t, i) => <option key={i} value={i}>{t.name} · PID {t.pid}</option>)}
						</select>
					) : <h1>{target.name}</h1>}
					<p class="dim">
						PID {target.pid}{target.host && <> on {target.host}</>} · {target.vm} {target.vm_version} · {age(report.elapsed_s)} until{" "}
						<time dateTime={report.time}>{moment(report.time)}</time>{report.end_reason && ` (${report.end_reason})`}
					</p>
				</div>
				<Actions keys={keys} what="search frames and sites" />
			</header>
			<Keys keys={keys} rows={KEYS} />
			<Target key={at} target={target} dark={keys.dark} search={keys.search} site={site} set_site={(id) => set_wanted({ at, site: id })} />
			<footer>
				jnitrace {version} · {count(report.overhead.events)} events, {figure(report.overhead.events_per_s)} per second · cost to the target{" "}
				{report.overhead.target_cpu_pct == null ? "unknown" : `${figure(report.overhead.target_cpu_pct)} % of a CPU`} · drops{" "}
				{count(Object.values(report.drops).reduce((a, b) => a + b, 0))} · all data is in this file; it loads nothing
			</footer>
		</>
	);
}

render(host ? <Host /> : <Page />, document.getElementById("page"));
