// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Does what a line of its input says, in known numbers, and answers each with a line: "COMMAND N" calls a function of
// addon.c N times, each with an object of its own that is kept, "drop COMMAND N" with objects that nobody keeps, "collect N"
// collects until N finalizers have run in all, "worker COMMAND N" does the same in a thread of its own, which stays,
// "end" ends that thread, and so does an object of a command "..._exit" that is looked at. Started with --expose-gc.
'use strict';

const { Worker, isMainThread, parentPort } = require('node:worker_threads');
const addon = require(process.env.JNITRACE_ADDON);
const kept = [];
process.on('unhandledRejection', () => {}); // of promises that the addon rejects
const pause = () => new Promise((done) => setImmediate(done));

function repeatCommand(command, n, keep) {
	const results = [];
	for (let i = 0; i < n; i++) {
		const object = command.includes('tsfn') ? () => i : command.endsWith('_exit') ? { get then() { process.exit(0); } } : { i };
		if (keep) kept.push(object);
		results.push(addon[command](object));
	}
	return results;
}

async function collect(n) {
	while (addon.finalized() < n) {
		global.gc();
		await pause();
	}
}

let worker, answer;
async function inWorker(line) {
	worker ??= new Worker(__filename).on('message', (text) => answer(text)).once('exit', () => {
		worker = undefined;
		answer('done');
	});
	const done = new Promise((resolve) => (answer = resolve));
	worker.postMessage(line);
	return done;
}

async function run(line) {
	const [command, ...rest] = line.split(' ');
	if (command === 'worker') return inWorker(rest.join(' '));
	if (command === 'end') await worker.terminate();
	else if (command === 'collect') await collect(+rest[0]);
	else if (command === 'drop') await Promise.all(repeatCommand(rest[0], +rest[1], false));
	else await Promise.all(repeatCommand(command, +rest[0], true));
	await pause(); // work that was queued, or is done, has its turn
	return 'done';
}

if (isMainThread) {
	(async () => {
		console.log('ready');
		for await (const line of require('node:readline').createInterface({ input: process.stdin })) console.log(await run(line));
		process.exit(0); // with all that is left
	})();
} else {
	parentPort.on('message', async (line) => parentPort.postMessage(await run(line)));
}
