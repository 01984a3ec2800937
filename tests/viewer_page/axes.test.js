import assert from "node:assert/strict";
import { test } from "node:test";

import { Scale, length, logTicks, niceStep, scaleBar, tickLabels, ticks } from "../../nrm_plugin/viewer/page/axes.js";
import { figure, number, plain } from "../../nrm_plugin/viewer/page/numbers.js";

test("steps are 1, 2 or 5 times a power of ten", () => {
  assert.equal(niceStep(0, 10, 5), 2);
  assert.equal(niceStep(0, 1, 10), 0.1);
  assert.equal(niceStep(0, 60e-9, 6), 1e-8);
  assert.equal(niceStep(3, 3, 5), 1);
});

test("ticks are round, inside, and without rests of binary numbers", () => {
  assert.deepEqual(ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(ticks(-3.2, 4.1, 4), [-2, 0, 2, 4]);
  assert.deepEqual(ticks(0.1, 0.7, 6), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]);
  assert.deepEqual(ticks(5, 5), [5]);
  assert.deepEqual(ticks(NaN, 1), []);
  assert.deepEqual(ticks(1, 0, 5), ticks(0, 1, 5));
});

test("logarithmic ticks: 1, 2, 5, thinned over many decades, plain ones within less than one", () => {
  assert.deepEqual(logTicks(1, 10), [1, 2, 5, 10]);
  assert.deepEqual(logTicks(0.9, 1100, 5), [1, 10, 100, 1000]);
  assert.deepEqual(logTicks(1e-9, 1e3, 5).length <= 6, true);
  assert.deepEqual(logTicks(2, 3, 5), [2, 2.2, 2.4, 2.6, 2.8, 3]);
  assert.deepEqual(logTicks(-1, 3), []);
});

test("numbers have the digits asked for and true minus signs", () => {
  assert.equal(number(1.23456), "1.23");
  assert.equal(number(-0.0123), "−0.0123");
  assert.equal(number(12345.6), "12346");
  assert.equal(number(1.5e-7), "1.50e−7");
  assert.equal(number(NaN), "–");
  assert.equal(number(null), "–");
  assert.equal(number(Infinity), "∞");
  assert.equal(number(0), "0");
  assert.equal(figure(-1.5e-7), "−1.5e−7");
  assert.equal(figure(2e7), "2e7");
  assert.equal(figure(100), "100");
  assert.equal(figure(Infinity), "–");
  assert.equal(plain(-1.5e-7, 8), "-1.5e-7");
  assert.equal(plain(0.000123456789, 8), "0.00012345679");
});

test("labels of one axis have the same decimals", () => {
  assert.deepEqual(tickLabels([0, 0.5, 1]), ["0.0", "0.5", "1.0"]);
  assert.deepEqual(tickLabels([-10, 0, 10]), ["−10", "0", "10"]);
});

test("lengths and the scale bar are round", () => {
  assert.equal(length(5e-7), "500 nm");
  assert.equal(length(1e-6), "1 µm");
  assert.equal(length(2.5e-6), "2.5 µm");
  assert.equal(length(1e-7), "100 nm");
  assert.equal(length(2e-3), "2 mm");
  assert.equal(length(5e-10), "0.50 nm");
  assert.equal(scaleBar(2e-6), 5e-7);
  assert.equal(scaleBar(3e-6), 1e-6);
  assert.equal(scaleBar(0), 0);
});

test("a scale goes there and back, also logarithmic, also over one value", () => {
  for (const scale of [new Scale(-2, 6), new Scale(1e3, 1e7, true)]) {
    for (const share of [0, 0.25, 1]) assert.ok(Math.abs(scale.share(scale.value(share)) - share) < 1e-12);
  }
  assert.equal(new Scale(-1, 5, true).log, false);
  assert.ok(Number.isFinite(new Scale(3, 3).share(3)));
  const marks = new Scale(1e6, 5e6).ticks(1e-6, 4);
  assert.deepEqual(marks.map(({ label }) => label), ["1", "2", "3", "4", "5"]);
  assert.equal(marks[2].share, 0.5);
});
