// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Lets speedscope import files, and writes as JSON what it would save of each: {file: {stack: weight}}, stacks
// outermost first with ';' in between. Usage: node speedscope.mjs FOLDER FILE...   (FOLDER: for what it loads)
import { readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const [folder, ...files] = process.argv.slice(2);
const index = join(dirname(fileURLToPath(import.meta.resolve("speedscope/package.json"))), "dist/release/index.html");

// What frames open and close, as weights of stacks.
function stacks(saved) {
	const weights = {}, open = [], { frames } = saved.shared;
	for (const profile of saved.profiles) {
		const add = (names, weight) => weight && (weights[names.join(";")] = (weights[names.join(";")] ?? 0) + weight);
		let at = profile.startValue;
		for (const event of profile.events ?? []) {
			add(open, event.at - at);
			at = event.at;
			if (event.type === "O") open.push(frames[event.frame].name);
			else if (open.pop() !== frames[event.frame].name) throw new Error("frames that do not nest");
		}
		(profile.samples ?? []).forEach((sample, i) => add(sample.map((f) => frames[f].name), profile.weights[i]));
	}
	return weights;
}

const browser = await puppeteer.launch({
	executablePath: "/usr/bin/chromium-headless-shell", headless: "shell", args: ["--no-sandbox", "--enable-unsafe-swiftshader"],
});
const seen = {};
try {
	for (const file of files) {
		const page = await browser.newPage(), script = resolve(folder, "speedscope-load.js");
		const name = basename(file), errors = [];
		page.on("pageerror", (error) => errors.push(String(error)));
		// what would be a download
		await page.evaluateOnNewDocument(() => {
			URL.createObjectURL = (blob) => ((globalThis.saved = blob), "data:,");
		});
		writeFileSync(script, `speedscope.loadFileFromBase64(${JSON.stringify(name)}, "${readFileSync(file).toString("base64")}")`);
		await page.goto(`${pathToFileURL(index).href}#localProfilePath=${script.slice(1)}`);
		await page.waitForFunction((wanted) => document.title.startsWith(wanted), { timeout: 60000 }, name);
		await page.keyboard.down("Control");
		await page.keyboard.press("s");
		await page.keyboard.up("Control");
		await page.waitForFunction(() => globalThis.saved, { timeout: 60000 });
		seen[file] = stacks(JSON.parse(await page.evaluate(() => globalThis.saved.text())));
		if (errors.length) throw new Error(errors.join("; "));
		await page.close();
	}
} finally {
	await browser.close();
}
console.log(JSON.stringify(seen));
