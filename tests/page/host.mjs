// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Uses the agent's page in a browser as a person would who has no mouse, and writes what it saw as JSON.
// Usage: node host.mjs URL FOLDER PID TOKEN: opens that JVM, and the flame graph of its first call site; searches
// JNITRACE_SEARCH, which is of that JVM alone: no argument, as command lines are searched. Screenshots go into FOLDER.
import puppeteer from "puppeteer-core";

const [url, folder, pid, token] = process.argv.slice(2);
const wanted = process.env.JNITRACE_SEARCH;
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
	await page.setExtraHTTPHeaders({ Authorization: `Bearer ${token}` });
	const answer = await page.goto(url);
	seen.headers = answer.headers();
	await page.waitForSelector("#jvms-table");

	const text = (selector) => page.$$eval(selector, (all) => all.map((e) => e.textContent.trim()));
	const wait = (what, ...args) => page.waitForFunction(what, { timeout: 20000 }, ...args);
	const shot = (name) => page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
	const cells = () => page.$$eval("#jvms-table > tbody > tr.opens", (all) => all.map((tr) => [...tr.children].map((td) => td.textContent.trim())));
	const focused = () => page.evaluate(() => document.activeElement.closest("tr")?.textContent ?? "");

	seen.title = await page.title();
	seen.numbers = await text(".number b");
	seen.rows = await cells();
	seen.curves = await page.$$eval(".spark", (all) => all.map((e) => e.getAttribute("aria-label")));
	seen.findings = await text(".finding");
	await shot("host-light");

	// to the JVM by keys, and into it
	for (let i = 0; i < seen.rows.length && !(await focused()).includes(`PID ${pid}`); i++) await page.keyboard.press("j");
	await page.keyboard.press("Enter");
	await page.waitForSelector(".opened");
	seen.opened = await text(".opened .jvm > p");
	seen.sites = await page.$$eval(`#sites-${pid} tbody tr`, (all) => all.map((tr) => [...tr.children].map((td) => td.textContent.trim())));
	seen.hacked = await page.evaluate(() => globalThis.hacked ?? null);
	seen.scripts = await page.$$eval("script", (all) => all.length);
	seen.images = await page.$$eval("img, iframe, link", (all) => all.length);
	await page.keyboard.press("d");
	await wait(() => document.documentElement.dataset.theme === "dark");
	await shot("host-dark");
	await page.keyboard.press("/");
	await page.keyboard.type(wanted);
	await wait(() => document.querySelector("#jvms .note").textContent.startsWith("1 of "));
	seen.searched = await cells();
	await page.keyboard.press("Escape");
	await page.setViewport({ width: 420, height: 900 });
	seen.too_wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
	await shot("host-narrow");
	await page.setViewport({ width: 1360, height: 900 });

	// to the flame graph of its first call site, and back
	await page.focus(`#sites-${pid} tbody a`);
	await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
	await page.waitForSelector("#one-site");
	seen.report = { at: page.url(), title: await page.title(), one: await text("#one-site code"), frames: await text("#flame .frame") };
	await shot("host-site");
	await page.focus("#host");
	await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
	await page.waitForSelector("#jvms-table");
	seen.back = page.url();
} finally {
	await browser.close();
}
console.log(JSON.stringify(seen));
