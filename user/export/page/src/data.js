// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the page shows, made of what is in it as JSON (docs/json.md). Texts in it are foreign: they become text
// nodes, never markup.

const page = JSON.parse(document.getElementById("data").textContent);
export const version = page.jnitrace;
export const host = page.host ?? null; // of an agent: all its JVMs

// A row for each frame of a stack that a flame graph shows, outermost first.
const name_of = (frame) => frame.symbol ?? (frame.module ? `${frame.module}+${frame.offset}` : frame.offset);
export const place_of = (frame) => {
	const file = frame.file?.split("/").pop();
	return file ? (frame.line ? `${file}:${frame.line}` : file) : "";
};
export { name_of };

// The frame a site is called after: the innermost that is not the VM's. The report's own rule knows wrappers, too.
export const own_frame = (stack) => stack.find((f) => f.type !== "vm") ?? stack[0];

const as_site = (target, site) => {
	const own = own_frame(site.stack);
	return {
		...site,
		key: `${target.pid}-${site.id}-${site.function}`,
		target,
		name: own ? name_of(own) : "no stack",
		place: own ? place_of(own) : "",
		module: own?.module ?? "",
		kind: site.verdict.kind,
		growth: site.verdict.growth_per_min,
		class: site.classes?.[0]?.name ?? null,
	};
};

export const targets = page.targets.map(({ report, more }) => {
	const target = { ...report.target, report, more };
	target.name = report.target.main ?? report.target.comm ?? "?";
	target.sites = report.sites.map((site) => as_site(target, site));
	target.families = Object.entries(report.families).map(([name, f]) => ({ name, ...f }));
	return target;
});

const truncated = { type: "mark", symbol: "[truncated]" };
const no_stack = { type: "mark", symbol: "[no stack]" };
const outermost_first = (site) => {
	const frames = [...site.stack].reverse();
	if (!frames.length) return [no_stack];
	return site.truncated ? [truncated, ...frames] : frames;
};

// [how many, of which class] of a site: what has no known class is of "?".
const by_class = (site, value) => {
	if (value !== "outstanding" || !site.classes) return [[site[value] ?? 0, "?"]];
	let rest = site.outstanding ?? 0;
	const parts = site.classes.map((c) => {
		const n = Math.min(rest, c.outstanding);
		rest -= n;
		return [n, c.name];
	});
	return [...parts, [rest, "?"]];
};

// A tree of frames: { name, type, value, children, ... }. how: "stacks" has callers at the root, "classes" the
// class, the function and then the stack from its innermost frame on.
export function tree_of(sites, how, value) {
	const root = { name: "all", type: "root", value: 0, by: new Map() };
	const add = (path, n) => {
		let node = root;
		root.value += n;
		for (const part of path) {
			const key = `${part.type} ${part.name} ${part.detail}`;
			let next = node.by.get(key);
			if (!next) {
				next = { ...part, value: 0, by: new Map() };
				node.by.set(key, next);
			}
			next.value += n;
			node = next;
		}
	};
	for (const site of sites) {
		const frames = outermost_first(site).map((f) => ({
			name: name_of(f), type: f.type, detail: place_of(f), module: f.module, inlined: f.inlined,
		}));
		if (how === "classes") {
			for (const [n, name] of by_class(site, value))
				if (n > 0)
					add([{ name, type: "class", detail: "" }, { name: site.function, type: "call", detail: site.family },
						...frames.reverse().map((f) => ({ ...f }))], n);
			continue;
		}
		if ((site[value] ?? 0) > 0)
			add([...frames, { name: site.function, type: "call", detail: site.family }], site[value]);
	}
	const settle = (node, depth) => {
		node.depth = depth;
		node.children = [...node.by.values()].sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1));
		delete node.by;
		for (const child of node.children) {
			child.parent = node;
			settle(child, depth + 1);
		}
		return node;
	};
	return settle(root, 0);
}

const whole = new Intl.NumberFormat("en");
export const count = (n) => (n == null ? "?" : whole.format(n));
// what is outstanding of a site or family, with its error where that is sampled
export const estimate = (x) => count(x.outstanding) + (x.outstanding_error == null ? "" : ` ±${count(x.outstanding_error)}`);
export const figure = (n) => (n == null || !isFinite(n) ? "?" : Math.abs(n) >= 100 ? whole.format(Math.round(n)) : `${+n.toFixed(1)}`);
export const signed = (n) => (n == null ? "?" : `${n > 0 ? "+" : ""}${figure(n)}`);
export const age = (s) => {
	if (s == null) return "–";
	if (s < 60) return `${figure(s)} s`;
	const two = (large, unit, small, part) => `${Math.floor(large)} ${unit}${Math.floor(small) ? ` ${Math.floor(small)} ${part}` : ""}`;
	if (s < 3600) return two(s / 60, "min", s % 60, "s");
	if (s < 86400) return two(s / 3600, "h", (s % 3600) / 60, "min");
	return two(s / 86400, "d", (s % 86400) / 3600, "h");
};
export const bytes = (n) => {
	if (n == null) return "–";
	const units = ["B", "KB", "MB", "GB", "TB"];
	let i = 0;
	for (; n >= 1024 && i < units.length - 1; i++) n /= 1024;
	return `${i ? n.toFixed(1) : n} ${units[i]}`;
};
