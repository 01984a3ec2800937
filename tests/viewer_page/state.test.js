import assert from "node:assert/strict";
import { test } from "node:test";

import { get, on, set, show, targets } from "../../nrm_plugin/viewer/page/state.js";

test("listeners hear of the keys that changed, once, with the new values", () => {
  const heard = [];
  const stop = on(["current", "selected"], (state) => heard.push([state.current, state.selected.length]));
  set({ current: 7, selected: [7, 8] });
  set({ depth: 1e-9 });
  set({ current: 7 });
  assert.deepEqual(heard, [[7, 2]]);
  stop();
  set({ current: 8 });
  assert.equal(heard.length, 1);
});

test("a change made by a listener is told in a further round, to all", () => {
  const order = [];
  const stops = [
    on(["layer"], () => set({ image: 3 })),
    on(["layer", "image"], ({ layer, image }) => order.push([layer, image])),
  ];
  set({ layer: 2 });
  assert.deepEqual(order, [[2, 3], [2, 3]]);
  for (const stop of stops) stop();
});

test("a decision applies to the selection, else to the current curve, else to none", () => {
  show(4);
  assert.deepEqual(targets(), [4]);
  set({ selected: [1, 2] });
  show(9, { keep: true });
  assert.deepEqual([get().current, targets()], [9, [1, 2]]);
  set({ selected: [] });
  assert.deepEqual(targets(), [9]);
  show(-1);
  assert.deepEqual(targets(), []);
});
