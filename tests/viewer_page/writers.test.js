import assert from "node:assert/strict";
import { test } from "node:test";

import { csv, oneLine, provenanceOf, quoted } from "../../nrm_plugin/viewer/page/csv.js";
import { escaped, svg } from "../../nrm_plugin/viewer/page/svg.js";

const HOSTILE = "</text><script>alert(1)</script>\n=cmd|' /C calc'!A0, \"x\" & \u0000\u2028";
const PANEL = {
  scene: {
    name: "Deflection", x: { label: "height", unit: "nm" }, y: { label: "deflection", unit: "nm" }, sentence: `A & B ${HOSTILE}`,
    items: [
      { kind: "span", name: "wall window", from: 0, to: 2, colour: "--wall" },
      { kind: "line", name: "curve 3, approach", x: [0, 1, 2, 3], y: [0.1, 0.2, NaN, 0.123456789123], colour: "--a" },
      { kind: "line", name: "same x", x: [0, 1, 2, 3], y: [1, 2, 3, 4], low: [0, 1, 2, 3], high: [2, 3, 4, 5], colour: "--b" },
      { kind: "line", name: "_short", x: [1, 2], y: [5, 6], colour: "--b" },
      { kind: "point", name: "contact ± 95 %", x: 1.5, y: 0, error: 0.2, colour: "--c" },
    ],
  },
};

function rows(text) {
  return text.trimEnd().split("\n").filter((line) => !line.startsWith("#"));
}

test("CSV: comments, one heading with units, a column per line, x once", () => {
  const text = csv([PANEL], ["nrm view 1.0", HOSTILE]);
  const [heading, ...values] = rows(text);
  assert.equal(heading, [
    '"height of curve 3, approach (nm)"', '"deflection of curve 3, approach (nm)"', "deflection of same x (nm)",
    '"deflection of same x, 95 % low (nm)"', '"deflection of same x, 95 % high (nm)"', "height of short (nm)", "deflection of short (nm)",
  ].join(","));
  assert.deepEqual(values, ["0,0.1,1,0,2,1,5", "1,0.2,2,1,3,2,6", "2,,3,2,4,,", "3,0.123456789,4,3,5,,"]);
  assert.match(text, /^# nrm view 1\.0$/m);
  assert.match(text, /^# wall window: height 0 to 2 nm$/m);
  assert.match(text, /^# contact ± 95 %: height 1\.5 nm, 95 % ± 0\.2, deflection 0 nm$/m);
});

test("CSV: only what is seen", () => {
  const values = rows(csv([{ ...PANEL, x: [1, 2] }], [])).slice(1);
  assert.deepEqual(values, ["1,0.2,2,1,3,1,5", "2,,3,2,4,2,6"]);
});

test("CSV: hostile words stay within their comment and begin no formula", () => {
  const text = csv([PANEL], [HOSTILE]);
  assert.equal(text.split("\n").filter((line) => line.includes("script")).length, 1);
  assert.equal(oneLine("a\r\n# b\u2028c\u0000"), "a # b c");
  assert.equal(quoted("=1+1"), "'=1+1");
  assert.equal(quoted('a "b"'), '"a ""b"""');
});

const colour = (name) => ({ colour: name === "--wall" ? "#ff0000" : "#000000", alpha: name === "--wall" ? 0.2 : 1 });
const drawn = (panels, notes = []) => svg(panels, { width: 400, height: 200, title: `T ${HOSTILE}`, notes, colour });

test("SVG: text is text, lines are paths, nothing else gets in", () => {
  const text = drawn([PANEL], [HOSTILE]);
  assert.ok(!text.includes("<script"));
  assert.ok(!/[\u0000-\u0008]/.test(text));
  assert.match(text, /<text [^>]*>height \(nm\)<\/text>/);
  assert.match(text, /<text [^>]*transform="rotate\(-90 [^>]*>deflection \(nm\)<\/text>/);
  assert.match(text, />curve 3, approach<\/text>/);
  assert.match(text, /<path d="M[\d.]+ [\d.]+L/);
  assert.ok(!text.includes("NaN"));
  assert.ok(!text.includes("_short"), "lines without a name of their own are not in the legend");
  assert.equal(text.match(/<g /g).length, text.match(/<\/g>/g).length);
});

test("SVG: colours with their opacity apart, as drawing programs read them", () => {
  assert.match(drawn([PANEL]), /fill="#ff0000" opacity="0.2"/);
});

test("SVG: an empty panel is its sentence, and a half of a pair is no character", () => {
  assert.match(drawn([{ scene: { ...PANEL.scene, items: [], empty: "no <lateral>" } }]), />no &lt;lateral&gt;<\/text>/);
  assert.equal(escaped("a\ud800b\udc00c\u0001"), "a\ufffdb\ufffdc\ufffd");
  assert.equal(escaped("\u{1f600}"), "\u{1f600}");
});

const SESSION = { version: "1.2", files: [{ name: "a.h5", importer: "nrm" }], simulated: true };
const DRAWN = { main: { header: { number: 4, direction: "approach", source: { name: "v.spm", number: 9 }, row: 1, column: 2, potential: 0.5,
  flags: [{ name: "short_wall" }], by_hand: { excluded: true } } }, contactByHand: null };

test("where it comes from: file, number in it, place, flags, what is only tried", () => {
  const lines = provenanceOf({ session: SESSION, blind: false, recipe: { "depth.stop": 5e-8 } }, DRAWN);
  assert.deepEqual(lines, ["nrm view 1.2", "files: a.h5", "simulated data", "curve 4, number 9 in v.spm, approach", "row 1, column 2",
    "potential 0.5 V", "flags: short_wall", "excluded by hand", "tried, not in the results: depth.stop = 5e-8 (SI)"]);
});

test("blind mode keeps potential and names of files out of exports", () => {
  const lines = provenanceOf({ session: SESSION, blind: true, recipe: {} }, DRAWN);
  assert.deepEqual(lines, ["nrm view 1.2", "simulated data", "curve 4, approach", "row 1, column 2", "flags: short_wall", "excluded by hand"]);
});
