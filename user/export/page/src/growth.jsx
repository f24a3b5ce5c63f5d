// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What was outstanding over time, and where that leads if it goes on as judged.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { age, count, figure } from "./data.js";

const MOST_LINES = 6;
const AHEAD = 0.5; // of the time seen
const colors = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6"];

// The lines of a target: its families, or the sites that grow, else those that hold most.
export function lines_of(target, what) {
	const history = target.more.history;
	if (what === "families")
		return target.families.map((f) => ({ label: f.name, points: history.families[f.name] ?? [], growth: null })).slice(0, MOST_LINES);
	return target.sites
		.filter((s) => history.sites[s.id])
		.sort((a, b) => (b.kind === "growing") - (a.kind === "growing") || (b.outstanding ?? 0) - (a.outstanding ?? 0))
		.slice(0, MOST_LINES)
		.map((s) => ({
			label: `${s.name} ${s.place}`.trim(), points: history.sites[s.id],
			growth: s.kind === "growing" ? { per_min: s.growth, error: s.verdict.error_per_min ?? 0 } : null,
		}));
}

export function Growth({ target, what, dark }) {
	const box = useRef(null);
	const times = target.more.history.elapsed_s;
	const lines = lines_of(target, what);
	useEffect(() => {
		if (!box.current || times.length < 2) return undefined;
		const element = box.current;
		const css = getComputedStyle(document.documentElement);
		const color = (name) => css.getPropertyValue(name).trim();
		const last = times[times.length - 1];
		const ahead = lines.some((l) => l.growth) ? [last + (last * AHEAD) / 2, last * (1 + AHEAD)] : [];
		const data = [[...times, ...ahead]];
		const series = [{ label: "time", value: (_, v) => (v == null ? "" : age(v)) }];
		const bands = [];
		const gap = ahead.map(() => null);
		lines.forEach((line, i) => {
			const stroke = color(colors[i]);
			data.push([...line.points, ...gap]);
			series.push({ label: line.label, stroke, width: 2, spanGaps: false, points: { show: times.length < 3 }, value: (_, v) => count(v) });
			if (!line.growth) return;
			const from = line.points[line.points.length - 1];
			const at = (rate) => [...times.slice(0, -1).map(() => null), from, ...ahead.map((t) => from + (rate * (t - last)) / 60)];
			const n = series.length;
			for (const rate of [line.growth.per_min, line.growth.per_min + line.growth.error, Math.max(0, line.growth.per_min - line.growth.error)]) {
				data.push(at(rate));
				series.push({ label: "forecast", stroke: series.length === n ? stroke : "transparent", width: 1.5, dash: [6, 5], points: { show: false }, class: "hide" });
			}
			bands.push({ series: [n + 1, n + 2], fill: `${stroke}22` });
		});
		const axis = { stroke: color("--dim"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
		const width = () => Math.max(280, element.clientWidth);
		const plot = new uPlot({
			width: width(), height: 280, series, bands, legend: { show: false }, padding: [8, 28, 0, 0], cursor: { y: false },
			scales: { x: { time: false }, y: { range: (_, low, high) => [Math.min(0, low), Math.max(high * 1.08, 1)] } },
			axes: [{ ...axis, size: 34, values: (_, ticks) => ticks.map((t) => age(t)) }, { ...axis, size: 70, values: (_, ticks) => ticks.map((t) => figure(t)) }],
		}, data, element);
		const fit = new ResizeObserver(() => plot.setSize({ width: width(), height: 280 }));
		fit.observe(element);
		return () => {
			fit.disconnect();
			plot.destroy();
		};
	}, [target, what, dark]);

	if (times.length < 2)
		return <p class="empty">One report alone has no history: run longer than an interval (-i), or with a shorter one.</p>;
	return (
		<div>
			<div class="chart" ref={box} role="img" aria-label={lines.map((l) => `${l.label}: ${count(l.points[0])} to ${count(l.points[l.points.length - 1])}`).join("; ")} />
			<ul class="lines">
				{lines.map((l, i) => (
					<li key={i}>
						<i style={{ background: `var(${colors[i]})` }} /> <span class="name">{l.label}</span>{" "}
						<span class="num">{count(l.points[l.points.length - 1])}</span>
						{l.growth && (
							<span class="forecast"> +{figure(l.growth.per_min)} per minute (±{figure(l.growth.error)}): {count(Math.round(l.points[l.points.length - 1] + 60 * l.growth.per_min))} in an hour,{" "}
								{count(Math.round(l.points[l.points.length - 1] + 1440 * l.growth.per_min))} in a day</span>
						)}
					</li>
				))}
			</ul>
		</div>
	);
}
