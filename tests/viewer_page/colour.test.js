import assert from "node:assert/strict";
import { test } from "node:test";

import { CLASSES, colours, rgb, robustRange, table } from "../../nrm_plugin/viewer/page/colour.js";

test("the tables run from dark to light without a step back", () => {
  for (const name of ["viridis", "cividis", "grey"]) {
    const lut = table(name);
    let before = -1;
    for (let k = 0; k < 256; k++) {
      const luminance = 0.2126 * lut[3 * k] + 0.7152 * lut[3 * k + 1] + 0.0722 * lut[3 * k + 2];
      assert.ok(luminance >= before - 1, `${name} ${k}`);
      before = luminance;
    }
    assert.ok(before > 190);
  }
  assert.deepEqual([...table("viridis").slice(0, 3)], rgb("440154"));
  assert.deepEqual([...table("viridis").slice(765)], rgb("fde725"));
});

test("values get their colours; what lies outside gets the end's, nan none", () => {
  const lut = table("viridis");
  const made = colours([0, 5, 10, 99, -99, NaN], { range: [0, 10] });
  const at = (k) => [...made.slice(4 * k, 4 * k + 4)];
  assert.deepEqual(at(0), [...lut.slice(0, 3), 255]);
  assert.deepEqual(at(1), [...lut.slice(3 * 128, 3 * 128 + 3), 255]);
  assert.deepEqual(at(2), [...lut.slice(765), 255]);
  assert.deepEqual(at(3), at(2));
  assert.deepEqual(at(4), at(0));
  assert.deepEqual(at(5), [0, 0, 0, 0]);
});

test("logarithmic: a decade is a decade, and what has no logarithm is at the lower end", () => {
  const lut = table("viridis");
  const made = colours([1, 10, 100, -1, 0], { range: [1, 100], log: true });
  assert.deepEqual([...made.slice(4, 7)], [...lut.slice(3 * 128, 3 * 128 + 3)]);
  assert.deepEqual([...made.slice(12, 16)], [...made.slice(0, 4)]);
  assert.deepEqual([...made.slice(16, 20)], [...made.slice(0, 4)]);
});

test("classes have colours of their own", () => {
  const made = colours([0, 1, 2, NaN], { range: [0, 2], classes: 3 });
  for (let k = 0; k < 3; k++) assert.deepEqual([...made.slice(4 * k, 4 * k + 3)], rgb(CLASSES[k]));
  assert.equal(made[15], 0);
});

test("the robust range leaves out 2 % at each end, and nan", () => {
  const values = Array.from({ length: 101 }, (_, k) => k);
  assert.deepEqual(robustRange([...values, NaN]), [2, 98]);
  assert.deepEqual(robustRange([NaN]), [0, 1]);
  const [lo, hi] = robustRange([4, 4, 4]);
  assert.ok(lo < 4 && hi > 4);
});
