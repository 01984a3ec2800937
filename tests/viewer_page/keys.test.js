import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { KEYS, actionOf, handle, keyNames, perform } from "../../nrm_plugin/viewer/page/keys.js";

const press = (key, more = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, ...more });

test("each key has one meaning", () => {
  const keys = KEYS.flatMap(({ keys }) => keys);
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(new Set(KEYS.map(({ action }) => action)).size, KEYS.length);
});

test("keys give their actions; capitals and Ctrl are others; Alt and unknown keys are nobody's", () => {
  assert.equal(actionOf(press("n")), "next");
  assert.equal(actionOf(press("N")), "previous");
  assert.equal(actionOf(press("u")), "undo");
  assert.equal(actionOf(press("z", { ctrlKey: true })), "undo");
  assert.equal(actionOf(press("Z", { metaKey: true })), "undo");
  assert.equal(actionOf(press("y", { ctrlKey: true })), "redo");
  assert.equal(actionOf(press("r", { ctrlKey: true })), null); // the browser's own: load again
  assert.equal(actionOf(press("n", { altKey: true })), null);
  assert.equal(actionOf(press("x")), null);
  assert.equal(actionOf(press("PageDown")), "closer");
});

test("several may listen to an action; one that nobody knows is refused", () => {
  let heard = 0;
  handle("theme", () => heard++);
  handle("theme", () => heard++);
  assert.equal(perform("theme"), true);
  assert.equal(heard, 2);
  assert.equal(perform("marker"), false);
  assert.throws(() => handle("nonsense", () => {}));
});

test("docs/viewer.md lists these keys", () => {
  const page = readFileSync(new URL("../../docs/viewer.md", import.meta.url), "utf-8");
  const rows = KEYS.map((key) => `| ${keyNames(key).map((name) => `\`${name}\``).join(", ")} | ${key.text} |`);
  const written = page.split("\n").filter((line) => line.startsWith("| `"));
  assert.deepEqual(written, rows);
});
