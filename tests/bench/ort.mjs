// ONNX Runtime as a contender: node ort.mjs FOLDER BASE THREADS SECONDS, or node ort.mjs FOLDER --output BASE
// FOLDER holds node_modules/onnxruntime-node. Prints the line of timing.h for BASE.onnx on BASE.in.f32; --output writes
// BASE.out.f32, the answer without graph optimisations.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const RUNS_BEFORE = 2, RUNS_LEAST = 5;
const [folder, ...rest] = process.argv.slice(2);
const writing = rest[0] === '--output';
const base = writing ? rest[1] : rest[0];
const threads = writing ? 1 : Number(rest[1]), seconds = writing ? 0 : Number(rest[2]);
if (!base || !(threads >= 1) || !(seconds >= 0)) {
    console.error('usage: node ort.mjs FOLDER BASE THREADS SECONDS | FOLDER --output BASE');
    process.exit(2);
}
const require = createRequire(path.resolve(folder, 'node_modules', 'x.js'));
const ort = require('onnxruntime-node');

function version() {
    const file = path.resolve(folder, 'node_modules/onnxruntime-node/package.json');
    return JSON.parse(fs.readFileSync(file, 'utf8')).version;
}

function floats(file) {
    const bytes = fs.readFileSync(file);
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

function error(y, ref) {
    if (y.length !== ref.length) return NaN;
    let off = 0, most = 0;
    for (let i = 0; i < ref.length; i++) {
        off = Math.max(off, Math.abs(y[i] - ref[i]));
        most = Math.max(most, Math.abs(ref[i]));
    }
    return most > 0 ? off / most : off;
}

async function measure(run) {
    const ms = [];
    for (let i = 0; i < RUNS_BEFORE; i++) await run();
    const end = performance.now() + 1e3 * seconds;
    while (ms.length < RUNS_LEAST || performance.now() < end) {
        const begin = performance.now();
        await run();
        ms.push(performance.now() - begin);
    }
    return ms.sort((a, b) => a - b);
}

const session = await ort.InferenceSession.create(base + '.onnx', {
    executionProviders: ['cpu'],
    executionMode: 'sequential',
    graphOptimizationLevel: writing ? 'disabled' : 'all',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
});
const input = session.inputMetadata[0];
const feeds = { [input.name]: new ort.Tensor('float32', floats(base + '.in.f32'), input.shape) };
const run = () => session.run(feeds);
const y = (await run())[session.outputNames[0]].data;
if (writing) {
    fs.writeFileSync(base + '.out.f32', new Uint8Array(y.buffer, y.byteOffset, y.byteLength));
} else {
    const maxerr = error(y, floats(base + '.out.f32')), ms = await measure(run);
    const number = (x) => Number(x.toPrecision(5)).toString();
    console.log([`onnxruntime ${version()}`, path.basename(base), threads, number(ms[ms.length >> 1]), number(ms[0]),
        number(ms[Math.floor(ms.length * 0.9)]), ms.length, maxerr.toExponential(1)].join('\t'));
}
process.exit(0);
