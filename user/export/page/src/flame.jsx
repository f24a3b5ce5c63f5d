// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A flame graph: each frame is as wide as what was acquired below it. Frames too narrow to be seen are not drawn.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { count, tree_of } from "./data.js";

const ROW = 20, LEAST = 0.0008; // pixels; part of the width

// Wide enough ones below node, of which the ancestors are drawn at full width.
function visible(node) {
	const out = [];
	const path = [];
	for (let n = node; n; n = n.parent) path.unshift(n);
	for (const n of path) out.push({ node: n, x: 0, w: 1, above: n !== node });
	const walk = (n, x, w) => {
		for (const child of n.children) {
			const cw = (w * child.value) / n.value;
			if (cw >= LEAST) {
				out.push({ node: child, x, w: cw, above: false });
				walk(child, x, cw);
			}
			x += cw;
		}
	};
	walk(node, 0, 1);
	return out;
}

const hue = (text) => {
	let h = 0;
	for (let i = 0; i < text.length; i++) h = (h * 31 + text.charCodeAt(i)) | 0;
	return Math.abs(h) % 30;
};

// What is found: outermost ones count, or a recursive function would count twice.
function found_in(root, wanted) {
	let value = 0;
	const hits = new Set();
	const walk = (node, inside) => {
		const hit = wanted(node);
		if (hit) hits.add(node);
		if (hit && !inside) value += node.value;
		node.children.forEach((child) => walk(child, inside || hit));
	};
	root.children.forEach((child) => walk(child, false));
	return { hits, value };
}

export function matcher(text) {
	if (!text) return null;
	let test;
	try {
		const re = new RegExp(text, "i");
		test = (s) => re.test(s);
	} catch {
		const low = text.toLowerCase();
		test = (s) => s.toLowerCase().includes(low);
	}
	return (node) => test(node.name) || (node.detail && test(node.detail)) || (node.module && test(node.module));
}

export function Flame({ sites, how, value, search, unit }) {
	const root = useMemo(() => tree_of(sites, how, value), [sites, how, value]);
	const [zoom, set_zoom] = useState(root);
	const [tip, set_tip] = useState(null);
	const box = useRef(null);
	useEffect(() => {
		set_zoom(root);
		const out = (event) => event.key === "Escape" && set_zoom(root);
		addEventListener("keydown", out);
		return () => removeEventListener("keydown", out);
	}, [root]);
	const at = zoom && (() => { let n = zoom; while (n.parent) n = n.parent; return n; })() === root ? zoom : root;
	const wanted = useMemo(() => matcher(search), [search]);
	const found = useMemo(() => wanted && found_in(root, wanted), [root, wanted]);
	const frames = useMemo(() => visible(at), [at]);
	const rows = Math.max(...frames.map((f) => f.node.depth)) + 1;

	const focus_of = (node) => box.current?.querySelector(`[data-frame="${frames.findIndex((f) => f.node === node)}"]`)?.focus();
	const keys = (event, node) => {
		const among = node.parent?.children ?? [];
		const steps = {
			ArrowUp: node.parent, ArrowDown: node.children[0],
			ArrowLeft: among[among.indexOf(node) - 1], ArrowRight: among[among.indexOf(node) + 1],
		};
		if (event.key === "Enter" || event.key === " ") {
			set_zoom(node);
			event.preventDefault();
		} else if (event.key in steps) {
			event.preventDefault();
			if (steps[event.key]) focus_of(steps[event.key]);
		}
	};
	const share = (n) => `${((100 * n) / root.value).toFixed(1)} %`;
	const label = (node) => `${node.name}${node.detail ? ` ${node.detail}` : ""}: ${count(node.value)} ${unit} (${share(node.value)})`;

	if (!root.value) return <p class="empty">There is nothing to draw: no site has any {unit}.</p>;
	return (
		<div class="flame-box">
			<div class="flame-bar">
				<span class="crumbs">
					{at === root ? "Click a frame to zoom in" : (
						<>
							<button type="button" class="link" onClick={() => set_zoom(root)}>all</button> › {at.name}
							<span class="dim"> {count(at.value)} {unit}, {share(at.value)}</span>
						</>
					)}
				</span>
				{found && <span class="found" data-found={found.value}>found: {count(found.value)} {unit}, {share(found.value)}</span>}
			</div>
			<div class={`flame ${found ? "searched" : ""}`} ref={box} style={{ height: `${rows * ROW}px` }} role="tree" aria-label="Flame graph"
				onMouseLeave={() => set_tip(null)}>
				{frames.map(({ node, x, w, above }, i) => (
					<div key={i} data-frame={i} role="treeitem" tabIndex={node === at ? 0 : -1} aria-label={label(node)}
						class={`frame ${node.type} ${above ? "above" : ""} ${found?.hits.has(node) ? "hit" : ""}`}
						style={{ left: `${100 * x}%`, width: `${100 * w}%`, top: `${node.depth * ROW}px`, "--h": hue(node.module || node.name) }}
						onClick={() => set_zoom(node)} onKeyDown={(e) => keys(e, node)}
						onFocus={() => set_tip(node)} onMouseEnter={() => set_tip(node)}>
						<span>{node === root ? `all ${unit}: ${count(root.value)}` : node.name}</span>
					</div>
				))}
			</div>
			<div class="tip" aria-live="polite">
				{tip ? (
					<>
						<b>{tip.name}</b> {tip.detail && <span class="dim">{tip.detail}</span>} {tip.module && <span class="dim">{tip.module}</span>}{" "}
						{tip.inlined && <span class="dim">inlined</span>} <span class="num">{count(tip.value)} {unit}, {share(tip.value)}</span>
					</>
				) : <span class="dim">Point at a frame, or walk with the arrow keys; Enter zooms in, Esc out.</span>}
			</div>
			<div class="legend">
				<span class="key java">Java</span><span class="key native">native</span><span class="key vm">VM</span>
				<span class="key call">JNI function</span>{how === "classes" && <span class="key class">class</span>}
			</div>
		</div>
	);
}
