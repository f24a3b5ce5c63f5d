// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Uses a page of --format html in a browser as a person would, and writes what it saw as JSON.
// Usage: node page.mjs PAGE.html FOLDER: screenshots and the printed page go into FOLDER.
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const [file, folder] = process.argv.slice(2);
const browser = await puppeteer.launch({
	executablePath: "/usr/bin/chromium-headless-shell", headless: "shell", args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"],
});
const seen = { requests: [], errors: [] };
try {
	const page = await browser.newPage();
	await page.setViewport({ width: 1360, height: 900 });
	await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
	page.on("request", (request) => seen.requests.push(request.url()));
	page.on("pageerror", (error) => seen.errors.push(String(error)));
	page.on("console", (message) => message.type() === "error" && seen.errors.push(message.text()));
	await page.goto(pathToFileURL(file).href);
	await page.waitForSelector("main");

	const text = (selector) => page.$$eval(selector, (all) => all.map((e) => e.textContent.trim()));
	const theme = () => page.$eval("html", (e) => e.dataset.theme);
	const wait = (what, ...args) => page.waitForFunction(what, { timeout: 20000 }, ...args);
	const shot = (name) => page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
	const rows = () => page.$$eval("#sites-table tbody tr.opens", (all) => all.map((tr) => [...tr.children].map((td) => td.textContent.trim())));
	const frames = () => page.$$eval("#flame .frame", (all) => all.map((e) => e.getAttribute("aria-label")));
	const click = async (selector) => (await page.waitForSelector(selector)).click();

	seen.title = await page.title();
	seen.scripts = await page.$$eval("script", (all) => all.length);
	seen.images = await page.$$eval("img, iframe, link", (all) => all.length);
	seen.hacked = await page.evaluate(() => globalThis.hacked ?? null);
	seen.targets = await text("select[aria-label=target] option");
	seen.numbers = await text(".number");
	seen.findings = await text(".finding");
	seen.sites = await rows();
	seen.frames = await frames();
	seen.lines = await text(".lines li");
	seen.chart = await page.$$eval("#growth canvas", (all) => all.length);
	seen.theme = await theme();
	await shot("light");

	// zoom by a click, and out by a key
	const second = await page.$$("#flame .frame");
	const deepest = second[second.length - 1];
	seen.zoom_into = await deepest.evaluate((e) => e.getAttribute("aria-label"));
	await deepest.click();
	await wait(() => document.querySelector("#flame .crumbs .link"));
	seen.zoomed = await page.$eval("#flame .crumbs", (e) => e.textContent.trim());
	await shot("zoomed");
	await page.keyboard.press("Escape");
	await wait(() => !document.querySelector("#flame .crumbs .link"));

	// walk by the arrow keys
	await page.focus("#flame .frame[data-frame='0']");
	for (const key of ["ArrowDown", "ArrowDown"]) await page.keyboard.press(key);
	seen.walked = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
	seen.tip = await page.$eval(".tip", (e) => e.textContent.trim());

	// sort by a click on a header
	await click("#sites-table [data-sort=acquired]");
	await wait(() => document.querySelector("#sites-table th[aria-sort=descending] [data-sort=acquired]"));
	seen.by_acquired = await rows();
	await click("#sites-table [data-sort=name]");
	await wait(() => document.querySelector("#sites-table th[aria-sort=ascending] [data-sort=name]"));
	seen.by_name = await rows();

	// open the stack of a row
	await click("#sites-table tbody tr.opens");
	seen.stack = await text("#sites-table .opened li");

	// search by keys
	await page.keyboard.press("/");
	seen.focused = await page.evaluate(() => document.activeElement.id);
	await page.keyboard.type(process.argv[4] ?? "nothing at all");
	await wait(() => document.querySelector("#flame .found"));
	seen.found = await page.$eval("#flame .found", (e) => e.dataset.found);
	seen.sites_found = await rows();
	await shot("search");
	await page.keyboard.press("Escape");
	await wait(() => !document.querySelector("#flame .found"));

	// by class, what was acquired, of families; the keys; dark
	await click("#flame [data-choice=classes]");
	await wait(() => document.querySelector("#flame .frame.class"));
	seen.classes = await page.$$eval("#flame .frame.class", (all) => all.map((e) => e.getAttribute("aria-label")));
	await click("#growth [data-choice=families]");
	seen.family_lines = await text(".lines li");
	await page.keyboard.press("?");
	await wait(() => document.querySelector("#keys"));
	await page.keyboard.press("d");
	await wait(() => document.documentElement.dataset.theme === "dark");
	seen.findings_open = await page.$$eval(".finding summary", (all) => all.map((e) => e.click()).length);
	await shot("dark");
	await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
	await page.reload();
	await page.waitForSelector("main");
	seen.dark_by_system = await theme();
	await click("#theme");
	await wait(() => document.documentElement.dataset.theme === "light");

	if (seen.targets.length > 1) {
		await page.keyboard.press("n");
		await wait((before) => document.title !== before, seen.title);
		seen.next = await page.title();
	}
	await page.setViewport({ width: 420, height: 900 });
	seen.too_wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
	await shot("narrow");
	await page.pdf({ path: `${folder}/page.pdf`, format: "A4", printBackground: true });
} finally {
	await browser.close();
}
console.log(JSON.stringify(seen));
