import assert from "node:assert/strict";
import { test } from "node:test";

import { ALL, GridPlaces, PointPlaces, crossings, fitted, inPolygon, pointPlaces } from "../../nrm_plugin/viewer/page/places.js";

/** A grid of rows x columns whose curves are numbered from `first` on, row by row. */
function grid(rows, columns, size = null, first = 0, skipped = []) {
  const kept = Array.from({ length: rows * columns }, (_, k) => k).filter((k) => !skipped.includes(k));
  return [
    { rows, columns, size, kind: "grid" },
    {
      curve: Int32Array.from(kept, (k) => first + k),
      row: Int32Array.from(kept, (k) => Math.floor(k / columns)),
      column: Int32Array.from(kept, (k) => k % columns),
    },
  ];
}
const BOX = { x: 10, y: 20, width: 400, height: 400 };

test("a click gives the curve of the cell: row 0 is the lowest", () => {
  const places = new GridPlaces(...grid(4, 4, null, 100), BOX);
  assert.equal(places.curveAt(10, 419.9), 100);
  assert.equal(places.curveAt(409.9, 419.9), 103);
  assert.equal(places.curveAt(10, 20), 112);
  assert.equal(places.curveAt(109.99, 320.01), 100);
  assert.equal(places.curveAt(110.01, 319.99), 105);
  for (const outside of [[9.9, 100], [410, 100], [100, 19.9], [100, 420]]) assert.equal(places.curveAt(...outside), -1);
});

test("each of 65 536 curves is found again at its centre, at every zoom", () => {
  for (const window of [ALL, { zoom: 4, x: 0.3, y: 0.6 }, { zoom: 32, x: 0.9, y: 0.1 }]) {
    const places = new GridPlaces(...grid(256, 256), BOX, window);
    let seen = 0;
    for (let curve = 0; curve < 65536; curve++) {
      const [x, y] = places.centreOf(curve);
      if (x < 10 || x >= 410 || y < 20 || y >= 420) continue;
      seen++;
      assert.equal(places.curveAt(x, y), curve);
    }
    const expected = 65536 / window.zoom ** 2;
    assert.ok(Math.abs(seen - expected) <= 0.2 * expected, `${seen} of ${expected}`);
  }
});

test("the size in metres sets the shape, cells need not be square", () => {
  const places = new GridPlaces(...grid(2, 8, [4e-6, 2e-6]), BOX);
  assert.deepEqual(places.box, { x: 10, y: 120, width: 400, height: 200 });
  assert.deepEqual([places.cellWidth, places.cellHeight], [50, 100]);
  assert.equal(places.metres, 1e-8);
  assert.equal(places.curveAt(10, 319), 0);
  assert.equal(places.curveAt(10, 121), 8);
  assert.equal(places.curveAt(10, 119), -1);
});

test("cells without a curve: no click, and the arrows go over them", () => {
  const places = new GridPlaces(...grid(3, 3, null, 0, [4]), BOX);
  assert.equal(places.curveAt(210, 220), -1);
  assert.equal(places.neighbour(3, 1, 0), 5);
  assert.equal(places.neighbour(1, 0, 1), 7);
  assert.equal(places.neighbour(8, 1, 0), 8);
  assert.equal(places.neighbour(0, 0, -1), 0);
  assert.equal(places.neighbour(77, 1, 0), 0);
});

test("a rectangle between two curves, whichever corners they are", () => {
  const places = new GridPlaces(...grid(4, 5), BOX);
  assert.deepEqual(places.between(6, 12), [6, 7, 11, 12]);
  assert.deepEqual(places.between(12, 6), [6, 7, 11, 12]);
  assert.deepEqual(places.between(7, 11), [6, 7, 11, 12]);
});

test("one curve alone fills the box and is found", () => {
  const places = new GridPlaces(...grid(1, 1), BOX);
  assert.equal(places.curveAt(200, 200), 0);
  assert.equal(places.neighbour(0, 1, 0), 0);
});

test("a lasso takes the curves whose centres it holds", () => {
  const places = new GridPlaces(...grid(4, 4), BOX);
  const [x, y] = places.centreOf(5);
  assert.deepEqual(inPolygon(places, [[x - 60, y - 60], [x + 160, y - 60], [x + 160, y + 60], [x - 60, y + 60]]), [5, 6]);
  const concave = [[0, 0], [10, 0], [10, 10], [5, 2], [0, 10]];
  assert.deepEqual(crossings(5, concave), [0, 3.125, 6.875, 10]); // outside between the middle ones
  assert.deepEqual(crossings(11, concave), []);
  assert.deepEqual(inPolygon(places, []), []);
});

test("points: the nearest within reach; the arrows go to the nearest that way", () => {
  const places = pointPlaces(
    { curve: Int32Array.of(0, 1, 2), x: Float64Array.of(0, 1e-6, 1e-6), y: Float64Array.of(0, 0, 1e-6) },
    BOX,
  );
  const [left, right, upper] = [0, 1, 2].map((curve) => places.centreOf(curve));
  assert.ok(left[0] < right[0] && upper[1] < right[1]);
  assert.equal(Math.round(right[0] - left[0]), 344);
  assert.equal(places.curveAt(right[0] + 3, right[1] - 3), 1);
  assert.equal(places.curveAt((left[0] + right[0]) / 2, left[1]), -1);
  assert.equal(places.neighbour(0, 1, 0), 1);
  assert.equal(places.neighbour(1, 0, 1), 2);
  assert.equal(places.neighbour(2, 0, 1), 2);
  assert.ok(Math.abs(places.metres * 344 - 1e-6) < 1e-15);
});

test("points on one line or on one place still have a place", () => {
  for (const x of [[0, 1e-6, 2e-6], [5e-6, 5e-6, 5e-6]]) {
    const places = pointPlaces({ curve: Int32Array.of(7, 8, 9), x: Float64Array.from(x), y: Float64Array.of(1, 1, 1) }, BOX);
    for (const curve of [7, 8, 9]) {
      const [px, py] = places.centreOf(curve);
      assert.ok(px >= 10 && px <= 410 && py >= 20 && py <= 420, `${px} ${py}`);
    }
  }
});

test("a strip: the curve of the nearest number, also where it has no value", () => {
  const places = new PointPlaces("strip", Int32Array.of(3, 4, 5), [100, 200, 300], [50, NaN, 90], BOX);
  assert.equal(places.curveAt(120, 400), 3);
  assert.equal(places.curveAt(190, 30), 4);
  assert.equal(places.curveAt(9999, 0), 5);
  assert.deepEqual(places.centreOf(4), [200, 420]);
  assert.equal(places.neighbour(3, 1, 0), 4);
  assert.equal(places.neighbour(5, 1, 0), 5);
  assert.deepEqual(places.between(5, 4), [4, 5]);
});

test("the largest box of an aspect lies in the middle", () => {
  assert.deepEqual(fitted({ x: 0, y: 0, width: 100, height: 50 }, 1), { x: 25, y: 0, width: 50, height: 50 });
});
