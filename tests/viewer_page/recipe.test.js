import assert from "node:assert/strict";
import { test } from "node:test";

import { parsed, patched, placeOf, windowRecipe, written, wrongFields } from "../../nrm_plugin/viewer/page/recipe-values.js";

const STOP = { name: "depth.stop", label: "", unit: "nm", factor: 1e9, value: 6e-8, kind: "number", choices: null, help: "" };

test("a value is written and read in its unit, and what was written stays exact", () => {
  assert.equal(written(STOP, 6e-8), "60");
  assert.equal(written(STOP, 0.3e-9), "0.3");
  assert.deepEqual(parsed(STOP, " 60 "), { value: 6e-8 });
  assert.deepEqual(parsed(STOP, "0,5"), { value: 5e-10 });
  assert.deepEqual(parsed(STOP, "1e2"), { value: 1e-7 });
  assert.deepEqual(parsed({ ...STOP, kind: "boolean" }, "true"), { value: true });
  assert.deepEqual(parsed({ ...STOP, kind: "choice" }, "two-line"), { value: "two-line" });
});

test("what is no number is said, with its unit", () => {
  for (const text of ["", "sixty", "6 nm", "NaN", "Infinity"]) {
    assert.equal(parsed(STOP, text).wrong, "A number in nm is needed, such as 60.");
  }
});

test("a value that is put back is no change", () => {
  const once = patched({}, STOP, 5e-8);
  assert.deepEqual(once, { "depth.stop": 5e-8 });
  assert.deepEqual(patched({ ...once, other: 1 }, STOP, 6e-8), { other: 1 });
});

test("sections and methods of names", () => {
  assert.deepEqual(placeOf("direction"), { section: "", method: "" });
  assert.deepEqual(placeOf("contact.slope"), { section: "contact", method: "" });
  assert.deepEqual(placeOf("contact.two-line.wall"), { section: "contact", method: "two-line" });
});

/** A curve of 101 samples from 100 nm down to 0; rigid contact at 40 nm. */
function curve() {
  const height = Float64Array.from({ length: 101 }, (_, i) => (100 - i) * 1e-9);
  const deflection = height.map((h) => Math.max(0, 40e-9 - h) + 2e-9);
  return {
    header: {
      windows: { baseline: [100e-9, 60.5e-9], wall: [30e-9, 0] },
      lines: { baseline: [[40e-9, 2e-9], [100e-9, 2e-9]], wall: [[40e-9, 2e-9], [0, 42e-9]] },
    },
    arrays: { height, deflection },
  };
}

test("a moved end of the baseline is a part of the samples, and the wall stays", () => {
  assert.deepEqual(windowRecipe(curve(), "baseline", 80.5e-9), {
    "contact.method": "two-line", "contact.two-line.baseline": Number((20 / 101).toFixed(4)), "contact.two-line.wall": 0.25,
  });
});

test("a moved end of the wall is a part of the largest force above the baseline", () => {
  const recipe = windowRecipe(curve(), "wall", 20e-9);
  assert.equal(recipe["contact.two-line.wall"], 0.5);
  assert.equal(recipe["contact.two-line.baseline"], Number((40 / 101).toFixed(4)));
});

test("windows cannot be dragged beyond what there is", () => {
  assert.equal(windowRecipe(curve(), "wall", 99e-9)["contact.two-line.wall"], 0.01);
  assert.equal(windowRecipe(curve(), "wall", -5e-9)["contact.two-line.wall"], 0.99);
  assert.equal(windowRecipe(curve(), "baseline", 200e-9)["contact.two-line.baseline"], 0.01);
});

test("a curve without windows keeps the method's parts", () => {
  const bare = curve();
  bare.header.windows = { baseline: [null, null], wall: [null, null] };
  assert.deepEqual(windowRecipe(bare, "baseline", 50.5e-9), { "contact.method": "two-line", "contact.two-line.baseline": Number((50 / 101).toFixed(4)) });
});

test("the server's sentence about a recipe stands beside its fields", () => {
  assert.deepEqual(
    wrongFields("depth.stop: -1 m cannot be meant; write a length; contact.two-line.wall: it is between 0 and 1, not 3", ["depth.stop", "contact.two-line.wall", "depth"]),
    { "depth.stop": "-1 m cannot be meant; write a length", "contact.two-line.wall": "it is between 0 and 1, not 3" },
  );
  assert.deepEqual(wrongFields("step is larger than stop", ["depth.stop"]), {});
});
