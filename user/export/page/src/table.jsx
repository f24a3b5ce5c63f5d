// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Tables that are sorted by a click on a header; rows that open to a stack.
import { useMemo, useState } from "preact/hooks";
import { name_of, place_of } from "./data.js";

const FIRST = 50;

// Unknown values come last, however it is sorted.
const compare = (a, b) => {
	if (a == null || b == null) return (a == null) - (b == null);
	return typeof a === "string" ? a.localeCompare(b) : a - b;
};

// columns: { key, title, num, value(row), show(row) }; by: what it is sorted by at first.
export function Table({ id, columns, rows, by, open }) {
	const [sort, set_sort] = useState({ key: by, down: columns.find((c) => c.key === by).num });
	const [all, set_all] = useState(false);
	const [opened, set_opened] = useState(() => new Set());
	const sorted = useMemo(() => {
		const value = columns.find((c) => c.key === sort.key).value;
		return [...rows].sort((a, b) => {
			const [x, y] = [value(a), value(b)];
			return x == null || y == null ? compare(x, y) : (sort.down ? -1 : 1) * compare(x, y);
		});
	}, [rows, sort, columns]);
	const shown = all ? sorted : sorted.slice(0, FIRST);
	const toggle = (key) => {
		const next = new Set(opened);
		if (!next.delete(key)) next.add(key);
		set_opened(next);
	};
	if (!rows.length) return <p class="empty">None.</p>;
	return (
		<div class="scroll">
			<table id={id}>
				<thead>
					<tr>
						{columns.map((c) => (
							<th key={c.key} class={c.num ? "num" : ""} aria-sort={sort.key === c.key ? (sort.down ? "descending" : "ascending") : "none"}>
								<button type="button" data-sort={c.key}
									onClick={() => set_sort({ key: c.key, down: sort.key === c.key ? !sort.down : !!c.num })}>
									{c.title}<span class="arrow">{sort.key === c.key ? (sort.down ? "↓" : "↑") : ""}</span>
								</button>
							</th>
						))}
					</tr>
				</thead>
				<tbody>
					{shown.map((row, i) => {
						const key = row.key ?? i;
						const is_open = opened.has(key);
						return [
							<tr key={key} class={`${row.kind === "growing" ? "growing" : ""} ${open ? "opens" : ""}`} onClick={open && (() => toggle(key))}>
								{columns.map((c, k) => (
									<td key={c.key} class={c.num ? "num" : "text"}>
										{open && k === 0 && (
											<button type="button" class="opener" aria-expanded={is_open} aria-label="stack"
												onClick={(e) => { e.stopPropagation(); toggle(key); }}>{is_open ? "▾" : "▸"}</button>
										)}
										{c.show ? c.show(row) : c.value(row)}
									</td>
								))}
							</tr>,
							open && is_open && <tr key={`${key}-open`} class="opened"><td colSpan={columns.length}>{open(row)}</td></tr>,
						];
					})}
				</tbody>
			</table>
			{rows.length > FIRST && (
				<button type="button" class="link more" onClick={() => set_all(!all)}>{all ? `the first ${FIRST}` : `all ${rows.length}`}</button>
			)}
		</div>
	);
}

export function Stack({ title, frames, truncated }) {
	if (!frames) return null;
	return (
		<div class="stack">
			{title && <h4>{title}</h4>}
			<ol>
				{frames.map((f, i) => (
					<li key={i} class={f.type}>
						<code>{name_of(f)}</code> <span class="place">{place_of(f)}</span>
						{f.inlined && <span class="tag">inlined</span>}{f.tail_call && <span class="tag">tail call</span>}
						{f.module && <span class="module">{f.module}<span class="offset">+{f.offset}</span></span>}
					</li>
				))}
				{!frames.length && <li class="mark">no stack</li>}
			</ol>
			{truncated && <p class="dim">ends here: {truncated}</p>}
		</div>
	);
}
