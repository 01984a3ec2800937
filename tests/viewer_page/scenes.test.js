import assert from "node:assert/strict";
import { test } from "node:test";

import { curveScene, deflectionOf, forceScene, look, moduliScene, wantsLog } from "../../nrm_plugin/viewer/page/scenes.js";

const HEADER = {
  number: 7, direction: "approach", contact: 40e-9, stderr: 0.1e-9, missing: "", deflection_raw_unit: "m", lateral_raw_unit: "V",
  windows: { baseline: [100e-9, 60e-9], wall: [30e-9, 0] },
  lines: { baseline: [[40e-9, 2e-9], [100e-9, 2e-9]], wall: [[40e-9, 2e-9], [0, 42e-9]] },
  by_hand: { excluded: false, accepted: false, contact: null }, facts: { first_valid: 2e-9 },
};

function container(header = {}, arrays = {}) {
  const height = Float64Array.from({ length: 101 }, (_, i) => (100 - i) * 1e-9);
  const deflection = Float32Array.from(height, (h) => Math.max(0, 40e-9 - h) + 2e-9);
  const distance = Float64Array.from(height, (h) => Math.max(0, h - 40e-9));
  const depth = Float64Array.from({ length: 121 }, (_, i) => i * 0.5e-9);
  const modulus = Float32Array.from(depth, (z) => 5e6 * Math.exp(-z / 10e-9));
  const all = {
    height, deflection, deflection_raw: deflection.slice(), distance, depth, storage_modulus: modulus, loss_modulus: modulus,
    storage_modulus_stderr: modulus.map(() => 1e5), loss_modulus_stderr: modulus.map(() => 1e5),
    lateral_force_in_phase: modulus.map((v) => v * 1e-17), lateral_force_quadrature: modulus.map(() => 0), ...arrays,
  };
  return { header: { ...HEADER, ...header }, arrays: Object.fromEntries(Object.entries(all).filter(([, v]) => v)) };
}

const drawn = (main, more = {}) => ({ main, other: null, before: null, overlay: [], trial: false, contactByHand: null, ...more });
const named = (scene, name) => scene.items.find((item) => item.name === name);
const close = (a, b) => assert.ok(Math.abs(a - b) < 1e-4 * Math.max(1, Math.abs(b)), `${a} is not ${b}`);

test("deflection against height with windows, lines and the contact where they cross", () => {
  const scene = curveScene(drawn(container()), "raw");
  assert.equal(scene.x.unit, "nm");
  assert.equal(scene.y.label, "deflection");
  close(named(scene, "baseline window").from, 100);
  close(named(scene, "wall window").from, 30);
  const contact = named(scene, "contact ± 95 %");
  close(contact.x, 40);
  close(contact.y, 2);
  close(contact.error, 0.196);
  assert.ok(named(scene, "_line of the wall"));
  assert.equal(scene.sentence, "Curve 7, approach; 0 to 100 nm; deflection 2 to 42 nm; contact at 40.00 ± 0.10 nm; baseline from 100 to 60 nm; wall from 30 to 0 nm.");
});

test("referenced: above the baseline, against distance, the contact at 0", () => {
  const scene = curveScene(drawn(container()), "referenced");
  const line = named(scene, "curve 7, approach");
  close(line.x[0], 60);
  close(line.y[0], 0);
  close(line.y[100], 40);
  assert.equal(named(scene, "wall window"), undefined);
  assert.equal(scene.items.find((item) => item.kind === "rule").at, 0);
});

test("a deflection in volts is shown as recorded, without lines", () => {
  const volts = container({ deflection_raw_unit: "V", contact: null, windows: {}, lines: {}, missing: "no sensitivity" },
    { deflection: null, distance: null, deflection_raw: new Float32Array(101).fill(0.02) });
  const scene = curveScene(drawn(volts), "referenced");
  assert.equal(scene.y.unit, "mV");
  assert.equal(scene.y.label, "deflection as recorded");
  close(named(scene, "curve 7, approach").y[0], 20);
  assert.match(scene.sentence, /no solid contact/);
});

test("a curve that cannot be processed is shown in nm all the same", () => {
  const scene = curveScene(drawn(container({ contact: null, lines: {}, windows: {} }, { deflection: null, distance: null })), "raw");
  assert.equal(scene.y.unit, "nm");
  assert.ok(named(scene, "curve 7, approach"));
});

test("long ramps are read in µm, and results without curves say where these are missing", () => {
  const long = container({}, { height: Float64Array.from({ length: 101 }, (_, i) => (100 - i) * 1e-6) });
  const scene = curveScene(drawn(long), "raw");
  assert.equal(scene.x.unit, "µm");
  assert.equal(scene.x.factor, 1e6);
  close(named(scene, "curve 7, approach").x[0], 100);
  assert.match(curveScene(drawn(container({}, { height: null })), "raw").empty, /--curves/);
});

test("a trial shows what was before, and a contact by hand is called so", () => {
  const before = container();
  const scene = curveScene(drawn(container(), { before, trial: true, contactByHand: 45e-9 }), "raw");
  close(named(scene, "contact by hand ± 95 %").x, 45);
  close(named(scene, "contact before").x, 40);
});

test("moduli with bands over the region's mean, distances within a tip radius hatched", () => {
  const region = { header: {}, arrays: { depth: container().arrays.depth, storage: new Float32Array(121).fill(1e6), storage_low: new Float32Array(121).fill(5e5), storage_high: new Float32Array(121).fill(2e6) } };
  const scene = moduliScene(drawn(container()), { radius: 10e-9, region, log: true, blind: false, depth: 5e-9 });
  assert.deepEqual([scene.y.unit, scene.y.log], ["MPa", true]);
  const line = named(scene, "E′");
  close(line.y[0], 5);
  close(line.high[0] - line.y[0], 0.196);
  close(named(scene, "E′ of the region").low[0], 0.5);
  close(named(scene, "too near the contact").to, 2);
  const hatched = named(scene, "within a tip radius");
  assert.ok(hatched.hatched && Math.abs(hatched.to - 10) < 1e-9);
  assert.match(scene.sentence, /E′: 3\.03 MPa \(2\.84 to 3\.23\) at 5 nm/);
});

test("blind shows no modulus, and nothing says one", () => {
  const scene = moduliScene(drawn(container()), { radius: null, region: null, log: false, blind: true });
  assert.deepEqual(scene.items, []);
  assert.ok(!scene.sentence.includes("MPa"));
});

test("lateral forces in a readable unit; as recorded where they are no forces", () => {
  const scene = forceScene(drawn(container()), null);
  assert.equal(scene.y.unit, "pN");
  close(named(scene, "F*x").y[0], 50);
  const raw = { lateral_in_phase_raw: new Float32Array(101).fill(0.003), lateral_quadrature_raw: new Float32Array(101).fill(0.001) };
  const recorded = forceScene(drawn(container({}, { lateral_force_in_phase: null, ...raw })), null);
  assert.deepEqual([recorded.x.label, recorded.y.unit], ["height", "mV"]);
  assert.match(forceScene(drawn(container({ missing: "" }, { lateral_force_in_phase: null })), null).empty, /no lateral signal/);
});

test("a logarithmic axis where sure values span more than a decade and a half", () => {
  const { storage_modulus: steep, storage_modulus_stderr: errors } = container().arrays;
  assert.equal(wantsLog(steep, errors), false);
  assert.equal(wantsLog(Float64Array.from({ length: 100 }, (_, i) => 10 ** (i / 20)), undefined), true);
  assert.equal(wantsLog(undefined, undefined), false);
});

test("overlaid curves differ in colour, and after seven colours in dashes", () => {
  const looks = Array.from({ length: 24 }, (_, k) => JSON.stringify(look(k)));
  assert.equal(new Set(looks).size, 24);
});

test("deflection of a curve without lines stands as it is", () => {
  const { y } = deflectionOf(container({ lines: {} }), "referenced");
  assert.ok(Math.abs(y[0] - 2e-9) < 1e-12);
});
