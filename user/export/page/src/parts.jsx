// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What both pages are made of.
import { useEffect, useRef, useState } from "preact/hooks";

export const verdicts = { growing: "bad", bounded: "ok", "cached-once": "ok", burst: "ok", clean: "ok" };
export function Verdict({ kind }) {
	return kind ? <span class={`pill ${verdicts[kind] ?? ""}`}>{kind}</span> : <span class="dim">–</span>;
}

export function use_theme() {
	const system = matchMedia("(prefers-color-scheme: dark)");
	const [dark, set_dark] = useState(system.matches);
	useEffect(() => {
		const follow = (e) => set_dark(e.matches);
		system.addEventListener("change", follow);
		return () => system.removeEventListener("change", follow);
	}, []);
	document.documentElement.dataset.theme = dark ? "dark" : "light";
	return [dark, set_dark];
}

export function Choice({ name, value, options, onChange }) {
	return (
		<div class="choice" role="group" aria-label={name}>
			{options.map(([key, text]) => (
				<button type="button" key={key} data-choice={key} aria-pressed={value === key} onClick={() => onChange(key)}>{text}</button>
			))}
		</div>
	);
}

export function Card({ id, title, note, children, tools }) {
	return (
		<section id={id} class="card">
			<header><h2>{title}{note != null && <span class="note">{note}</span>}</h2>{tools}</header>
			{children}
		</section>
	);
}

// The keys of a page: { search, set_search, help, set_help, dark, set_dark, box }. more: what other keys do.
export function use_keys(more) {
	const [dark, set_dark] = use_theme();
	const [search, set_search] = useState("");
	const [help, set_help] = useState(false);
	const box = useRef(null);
	useEffect(() => {
		const on_key = (event) => {
			const typing = event.target.matches?.("input, textarea");
			if (event.key === "Escape") {
				set_help(false);
				set_search("");
				box.current?.blur();
			} else if (typing || event.ctrlKey || event.metaKey || event.altKey) {
				return;
			} else if (event.key === "/") {
				event.preventDefault();
				box.current?.focus();
			} else if (event.key === "d") {
				set_dark((d) => !d);
			} else if (event.key === "?") {
				set_help((h) => !h);
			} else {
				more[event.key]?.(event);
			}
		};
		addEventListener("keydown", on_key);
		return () => removeEventListener("keydown", on_key);
	}, []);
	return { dark, set_dark, search, set_search, help, set_help, box };
}

// The upper right corner, and below it what the keys do.
export function Actions({ keys, what, children }) {
	return (
		<div class="actions">
			{children}
			<input ref={keys.box} id="search" type="search" placeholder="Search  ( / )" aria-label={what} value={keys.search} spellcheck={false}
				onInput={(e) => keys.set_search(e.target.value)} />
			<button type="button" id="theme" aria-label={keys.dark ? "light" : "dark"} title="light or dark (d)" onClick={() => keys.set_dark(!keys.dark)}>{keys.dark ? "☀" : "☾"}</button>
			<button type="button" id="help" aria-label="keys" title="keys (?)" aria-expanded={keys.help} onClick={() => keys.set_help(!keys.help)}>?</button>
		</div>
	);
}

export function Keys({ keys, rows }) {
	return keys.help && <dl class="keys" id="keys">{rows.map(([key, does]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{does}</dd></div>)}</dl>;
}

export const moment = (time) => time?.replace("T", " ").replace(/\.\d+Z/, " UTC");
