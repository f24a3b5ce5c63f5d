// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Bundles the page and writes it as a C header of two parts: what stands before the data, and what stands behind.
// Usage: node build.mjs OUT.h
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const MOST_BYTES = 160 * 1024; // of the whole page without data: it is in every file that is written
const DATA = "<!-- data -->";

const [out] = process.argv.slice(2);
const bundle = async (entry) => {
	const result = await build({
		entryPoints: [entry], bundle: true, minify: true, write: false, target: "es2020", format: "iife", outdir: "out",
		jsx: "automatic", jsxImportSource: "preact", charset: "utf8", legalComments: "none", logLevel: "warning",
	});
	return result.outputFiles[0].text.trim();
};
const script = await bundle("src/main.jsx");
const style = await bundle("src/style.css");
// No script but this one runs, and nothing is loaded from anywhere.
const hash = createHash("sha256").update(script).digest("base64");
const page = readFileSync("src/page.html", "utf8")
	.replace("{{policy}}", `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'; img-src data:`)
	.replace("{{style}}", () => style)
	.replace("{{script}}", () => script);
const parts = page.split(DATA);
if (parts.length !== 2 || page.includes("{{"))
	throw new Error("src/page.html: marks are missing");
if (Buffer.byteLength(page) > MOST_BYTES)
	throw new Error(`the page has ${Buffer.byteLength(page)} bytes, more than ${MOST_BYTES}`);
const array = (name, text) => {
	const bytes = [...Buffer.from(text)];
	let lines = "";
	for (let i = 0; i < bytes.length; i += 24)
		lines += "\t" + bytes.slice(i, i + 24).join(",") + ",\n";
	return `static const unsigned char ${name}[] = {\n${lines}};\n`;
};
writeFileSync(out, `/* Made by user/export/page/build.mjs. */\n${array("page_head", parts[0])}${array("page_tail", parts[1])}`);
console.log(`  PAGE     ${Buffer.byteLength(page)} bytes`);
