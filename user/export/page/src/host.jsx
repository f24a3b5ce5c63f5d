// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// All JVMs of a host, as its agent sees them: how their tables grow, what was found, what holds most.
import { useEffect, useMemo, useState } from "preact/hooks";
import { age, bytes, count, figure, host, place_of, signed, version } from "./data.js";
import { Actions, Card, Keys, Verdict, moment, use_keys } from "./parts.jsx";
import { Table } from "./table.jsx";

const KEYS = [
	["/", "search"], ["Esc", "end the search"], ["j k", "next, previous JVM"], ["Enter", "open what has the focus"], ["r", "read anew"], ["d", "light or dark"],
	["?", "these keys"],
];
const QUIET_MS = 30000; // then the page is read anew, where nobody has touched it

const link_of = (jvm, site) => `report#${jvm.target.pid}-${jvm.target.start_time_ticks}${site ? `-${site}` : ""}`;
const name_of = (target) => (target.main ?? target.comm ?? "?").split("/").pop().replace(/\.jar$/, "") || "?";
const site_name = (site) => site.symbol ?? site.module ?? "no stack";

const jvms = (host?.jvms ?? []).map((jvm) => {
	const tables = Object.entries(jvm.tables).map(([name, t]) => ({ name, ...t }));
	const known = tables.filter((t) => t.per_min != null);
	return {
		...jvm, tables, key: `${jvm.target.pid}-${jvm.target.start_time_ticks}`, name: name_of(jvm.target),
		kind: tables.some((t) => t.growing) ? "growing" : "",
		per_min: known.length ? known.reduce((sum, t) => sum + t.per_min, 0) : null,
		errors: jvm.findings.filter((f) => f.severity === "error").length,
		sites: jvm.sites.map((s) => ({ ...s, key: s.id + s.function, kind: s.verdict })),
	};
});
const table_of = (jvm, name) => jvm.tables.find((t) => t.name === name) ?? {};

const WIDTH = 132, HEIGHT = 30;
function Sparkline({ table }) {
	const { elapsed_s: times, points } = table;
	if (!times || times.length < 2) return <span class="dim">–</span>;
	const most = Math.max(...points, 1), last = times[times.length - 1], span = last - times[0] || 1;
	const x = (t) => (2 + ((WIDTH - 4) * (t - times[0])) / span).toFixed(1);
	const y = (n) => (HEIGHT - 2 - ((HEIGHT - 4) * n) / most).toFixed(1);
	return (
		<svg class={`spark ${table.growing ? "bad" : ""}`} width={WIDTH} height={HEIGHT} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img"
			aria-label={`${table.name}: ${count(points[0])} to ${count(points[points.length - 1])} in ${age(span)}`}>
			<polyline points={times.map((t, i) => `${x(t)},${y(points[i])}`).join(" ")} />
			<circle cx={x(last)} cy={y(points[points.length - 1])} r="2" />
		</svg>
	);
}

function Window({ window }) {
	if (!window) return <span class="dim">never</span>;
	const kind = { open: "ok", attaches: "ok", failed: "bad" }[window.state] ?? "";
	return <><span class={`pill ${kind}`}>{window.state}</span> <span class="dim">{window.failed ?? window.end_reason ?? window.reason}</span></>;
}

const jvm_columns = [
	{ key: "name", title: "Service", value: (j) => j.name, show: (j) => <><b>{j.name}</b> <span class="place">PID {j.target.pid}{j.target.container && ` · ${j.target.container.slice(0, 12)}`}</span></> },
	{ key: "vm", title: "Runtime", value: (j) => `${j.target.vm} ${j.target.vm_version}` },
	{ key: "global", title: "Global", num: true, value: (j) => table_of(j, "global").references, show: (j) => count(table_of(j, "global").references) },
	{ key: "weak", title: "Weak", num: true, value: (j) => table_of(j, "weak").references, show: (j) => count(table_of(j, "weak").references) },
	{ key: "growth", title: "Per minute", num: true, value: (j) => j.per_min, show: (j) => (j.per_min == null ? "–" : signed(j.per_min)) },
	{ key: "curve", title: "Growth", value: (j) => (j.kind ? 1 : 0), show: (j) => <Sparkline table={j.tables.find((t) => t.growing) ?? table_of(j, "global")} /> },
	{ key: "findings", title: "Findings", num: true, value: (j) => j.findings_in_all,
		show: (j) => (j.findings_in_all ? <span class={`pill ${j.errors ? "bad" : "warn"}`}>{count(j.findings_in_all)}</span> : <span class="dim">–</span>) },
	{ key: "window", title: "Traced", value: (j) => j.window?.state ?? null, show: (j) => <Window window={j.window} /> },
];
const site_columns = (jvm) => [
	{ key: "name", title: "Site", value: site_name,
		show: (s) => <><a href={link_of(jvm, s.id)} aria-label={`flame graph of ${site_name(s)}`}><code>{site_name(s)}</code></a> <span class="place">{place_of(s)} {s.module}</span></> },
	{ key: "function", title: "Function", value: (s) => s.function },
	{ key: "class", title: "Class", value: (s) => s.class, show: (s) => s.class ?? <span class="dim">–</span> },
	{ key: "outstanding", title: "Outstanding", num: true, value: (s) => s.outstanding, show: (s) => count(s.outstanding) },
	{ key: "acquired", title: "Acquired", num: true, value: (s) => s.acquired, show: (s) => count(s.acquired) },
	{ key: "growth", title: "Per minute", num: true, value: (s) => s.per_min, show: (s) => (s.per_min == null ? "–" : signed(s.per_min)) },
	{ key: "verdict", title: "Verdict", value: (s) => s.verdict, show: (s) => <Verdict kind={s.verdict} /> },
];

function Jvm({ jvm }) {
	const limits = jvm.tables.filter((t) => t.limit_s != null);
	return (
		<div class="jvm" onClick={(e) => e.stopPropagation()}>
			{jvm.refused && <p class="dim">Not read: {jvm.refused}</p>}
			<p class="dim"><code>{jvm.target.command}</code>{jvm.target.user && <> · user {jvm.target.user}</>}{jvm.target.cgroup && <> · {jvm.target.cgroup}</>}</p>
			{limits.map((t) => <p class="forecast" key={t.name}>{t.name}: at the limit in {age(t.limit_s)}, if it goes on like this.</p>)}
			{jvm.sites_in_all ? (
				<>
					<h4>Call sites that hold most, {count(jvm.sites.length)} of {count(jvm.sites_in_all)} · <a href={link_of(jvm)}>all, with the flame graph</a></h4>
					<Table id={`sites-${jvm.target.pid}`} columns={site_columns(jvm)} rows={jvm.sites} by="outstanding" />
				</>
			) : <p class="dim">No call sites: {jvm.window ? "its window has seen none" : "it was not traced yet"}.</p>}
		</div>
	);
}

function Findings({ rows }) {
	return rows.map(({ jvm, finding }, i) => (
		<div key={i} class={`finding ${finding.severity}`}>
			<span class={`pill ${finding.severity === "error" ? "bad" : "warn"}`}>{finding.severity}</span> <b>{finding.kind}</b>{" "}
			<span class="dim">{count(finding.count)} × {finding.function ?? ""}</span> in <a href={link_of(jvm, finding.site)}>{jvm.name} ({jvm.target.pid})</a>
			<p>{finding.text.replaceAll("+-", "±")}</p>
		</div>
	));
}

// The opener of the JVM behind the one that has the focus, or before it.
function step(by) {
	const all = [...document.querySelectorAll("#jvms-table > tbody > tr.opens .opener")];
	const at = all.indexOf(document.activeElement);
	all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))]?.focus();
}

function use_reload(touched) {
	useEffect(() => {
		const every = setTimeout(() => !touched && document.visibilityState === "visible" && location.reload(), Math.max(QUIET_MS, host.every_s * 1000));
		return () => clearTimeout(every);
	}, [touched]);
}

export function Host() {
	const keys = use_keys({ r: () => location.reload(), j: () => step(1), k: () => step(-1) });
	const [touched, set_touched] = useState(false);
	const name = jvms.find((j) => j.target.host)?.target.host ?? location.host;
	const { search } = keys;
	const rows = useMemo(() => {
		const low = search.toLowerCase();
		const texts = (j) => [j.name, `${j.target.pid}`, j.target.command, j.target.container, ...j.sites.map(site_name), ...j.findings.map((f) => f.kind)];
		return low ? jvms.filter((j) => texts(j).some((t) => t?.toLowerCase().includes(low))) : jvms;
	}, [search]);
	const findings = rows.flatMap((jvm) => jvm.findings.map((finding) => ({ jvm, finding }))).sort((a, b) => (b.finding.severity === "error") - (a.finding.severity === "error"));
	const growing = jvms.filter((j) => j.kind);
	const errors = jvms.reduce((n, j) => n + j.errors, 0);
	const found = jvms.reduce((n, j) => n + j.findings_in_all, 0);
	use_reload(touched || search || keys.help);
	useEffect(() => {
		document.title = `${name} – jnitrace agent`;
		const touch = () => set_touched(true);
		addEventListener("keydown", touch);
		addEventListener("pointerdown", touch);
		return () => {
			removeEventListener("keydown", touch);
			removeEventListener("pointerdown", touch);
		};
	}, []);

	return (
		<>
			<header class="top">
				<div class="who">
					<span class="logo">jnitrace agent</span>
					<h1>{name}</h1>
					<p class="dim">as of <time dateTime={host.time}>{moment(host.time)}</time> · read every {age(host.every_s)}</p>
				</div>
				<Actions keys={keys} what="search JVMs, call sites and findings">
					<button type="button" id="reload" aria-label="read anew" title="read anew (r)" onClick={() => location.reload()}>↻</button>
				</Actions>
			</header>
			<Keys keys={keys} rows={KEYS} />
			<main>
				<div class="numbers">
					<div class="number"><span class="what">JVMs</span><b>{count(jvms.length + host.left_out)}</b><span class="dim">{count(jvms.filter((j) => j.refused).length)} could not be read</span></div>
					<div class={`number ${growing.length ? "bad" : ""}`}><span class="what">growing</span><b>{count(growing.length)}</b><span class="dim">whose tables grow by more than comes and goes</span></div>
					<div class={`number ${errors ? "bad" : ""}`}><span class="what">findings</span><b>{count(found)}</b><span class="dim">of the last window of each</span></div>
					<div class="number"><span class="what">traced now</span><b>{count(host.windows_open)}</b><span class="dim">{count(host.windows_waiting)} wait for it</span></div>
				</div>
				{host.left_out > 0 && <div class="banner">{count(host.left_out)} more JVMs, those that grow least, are not in this page; /api/v1/targets has them.</div>}
				<Card id="jvms" title="JVMs" note={search ? `${rows.length} of ${jvms.length}` : jvms.length}>
					<Table id="jvms-table" columns={jvm_columns} rows={rows} by="growth" open={(jvm) => <Jvm jvm={jvm} />} />
				</Card>
				{findings.length > 0 && <Card id="findings" title="Findings" note={findings.length}><Findings rows={findings} /></Card>}
			</main>
			<footer>
				jnitrace {version} · the agent took {figure(host.cpu_s)} s of CPU time in all and has {bytes(host.resident_bytes)} · all data is in this page; it loads nothing
			</footer>
		</>
	);
}
