import assert from "node:assert/strict";
import { test } from "node:test";

import { acrossOf, paint, rangeOf, reading, trace, upOf } from "../../nrm_plugin/viewer/page/scene.js";

const FRAME = { left: 100, top: 20, width: 200, height: 50, x: [0, 10], y: [0, 5], scale: 1 };

function recorded() {
  const calls = [];
  return {
    calls,
    moveTo: (x, y) => calls.push(["M", x, y]),
    lineTo: (x, y) => calls.push(["L", x, y]),
    closePath: () => calls.push(["Z"]),
  };
}

function scene(items, y = {}) {
  return { name: "", x: { label: "height", unit: "nm" }, y: { label: "force", unit: "pN", ...y }, items, sentence: "" };
}

test("values become pixels, upwards and to the right", () => {
  assert.equal(acrossOf(FRAME)(5), 200);
  assert.equal(upOf(FRAME)(0), 70);
  assert.equal(upOf(FRAME)(5), 20);
  const log = upOf({ ...FRAME, y: [1, 100], log: true });
  assert.equal(log(10), 45);
  assert.ok(log(-1) > 70, "what has no logarithm lies below the plot");
});

test("a line has gaps where there is no value", () => {
  const path = recorded();
  trace(path, [0, 1, 2, 3, 4], [0, 5, NaN, 5, 0], FRAME);
  assert.deepEqual(path.calls, [["M", 100, 70], ["L", 120, 20], ["M", 160, 20], ["L", 180, 70]]);
});

test("a crowded line keeps the extremes of every pixel", () => {
  const n = 100000;
  const x = Float64Array.from({ length: n }, (_, i) => (10 * i) / n);
  const y = new Float64Array(n).fill(1);
  y[50001] = 5;
  y[50003] = 0;
  const path = recorded();
  trace(path, x, y, FRAME);
  assert.ok(path.calls.length < 5 * FRAME.width);
  const heights = path.calls.map(([, , height]) => height);
  assert.equal(Math.min(...heights), 20);
  assert.equal(Math.max(...heights), 70);
});

test("the range holds what is drawn, within what is seen, and nothing quiet", () => {
  const line = { kind: "line", name: "a", x: [0, 1, 2], y: [0, 1, 100], colour: "--ink" };
  const quiet = { ...line, y: [-999, 0, 0], quiet: true };
  assert.deepEqual(rangeOf(scene([line, quiet]), "x"), [0, 2]);
  const [low, high] = rangeOf(scene([line, quiet]), "y", [0, 1]);
  assert.ok(low < 0 && low > -0.2 && high > 1 && high < 1.2);
});

test("a logarithmic axis leaves out what is no logarithm and what noise made tiny", () => {
  const line = { kind: "line", name: "a", x: [0, 1, 2, 3], y: [-5, 1e-9, 10, 1000], colour: "--ink" };
  const [low, high] = rangeOf(scene([line], { log: true }), "y");
  assert.ok(low > 0.05 && low < 0.1);
  assert.ok(high > 1000 && high < 2000);
});

test("an empty plot has axes", () => {
  assert.deepEqual(rangeOf(scene([]), "x"), [0, 1]);
  assert.deepEqual(rangeOf(scene([]), "y"), [0, 1]);
});

test("what is shaded lies below lines, and marks lie above", () => {
  const order = [];
  const pen = {
    path: recorded,
    stroke: (path, colour) => order.push(colour),
    fill: (path, colour) => order.push(colour),
    text: () => {},
  };
  paint(scene([
    { kind: "point", name: "", x: 1, y: 1, colour: "point" },
    { kind: "line", name: "", x: [0, 1], y: [0, 1], colour: "line" },
    { kind: "span", name: "", from: 0, to: 1, colour: "span" },
  ]), FRAME, pen);
  assert.equal(order[0], "span");
  assert.equal(order[1], "line");
  assert.equal(order.at(-1), "point");
});

test("hatching stays within its span", () => {
  const path = recorded();
  const pen = { path: () => path, stroke: () => {}, fill: () => {}, text: () => {} };
  paint(scene([{ kind: "span", name: "", from: 2, to: 4, colour: "", hatched: true }]), FRAME, pen);
  assert.ok(path.calls.length > 4);
  for (const [, x, y] of path.calls) {
    assert.ok(x >= 140 - 1e-9 && x <= 180 + 1e-9);
    assert.ok(y >= 20 - 1e-9 && y <= 70 + 1e-9);
  }
});

test("the cursor reads every line at its nearest value, with its band", () => {
  const words = reading(scene([
    { kind: "line", name: "E′", x: [0, 5, 10], y: [1, 2, 3], low: [0.5, 1.5, 2.5], high: [1.5, 2.5, 3.5], colour: "" },
    { kind: "line", name: "_E′ 7", x: [0, 5, 10], y: [NaN, NaN, -4], colour: "" },
  ]), 5.2);
  assert.equal(words, "height 5.2 nm   E′ 2 pN (1.5 to 2.5)   E′ 7 −4 pN");
});
