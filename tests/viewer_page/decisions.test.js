import assert from "node:assert/strict";
import { test } from "node:test";

import { compared, firstError, firstHeight, ranges, seen, sentence, visibleIn } from "../../nrm_plugin/viewer/page/decision-words.js";
import { latestWins } from "../../nrm_plugin/viewer/page/details.js";
import { figure, readable, withError } from "../../nrm_plugin/viewer/page/numbers.js";

test("numbers of curves as people write them", () => {
  assert.equal(ranges([12]), "12");
  assert.equal(ranges([3, 1, 2, 9, 8, 3]), "1–3, 8, 9");
  assert.equal(ranges([0, 2, 4, 6, 8, 10, 12], 3), "0, 2, 4 … (7 curves)");
});

test("what could be seen is what the file has, and nothing where blind", () => {
  const session = { potential: true, condition: "", quantities: [{ moduli: false }, { moduli: true }] };
  assert.deepEqual(visibleIn({ blind: false, session }), ["potential", "moduli"]);
  assert.deepEqual(visibleIn({ blind: true, session }), []);
  assert.equal(seen([]), "blind");
  assert.equal(seen(null), "not known what was visible");
  assert.equal(seen(["moduli", "condition"]), "visible: moduli, condition");
});

test("each kind of decision as a sentence", () => {
  assert.equal(sentence({ decision: "exclude", curves: [4, 5, 6], reason: "" }), "curves 4–6 excluded");
  assert.equal(sentence({ decision: "accept", curves: [4], reason: "" }), "curve 4 accepted");
  assert.equal(
    sentence({ decision: "contact", curves: [4], reason: "", direction: "retract", height: 123.45e-9, stderr: 1e-9, old_height: 120e-9, old_stderr: 0.25e-9 }),
    "curve 4, retract: contact by hand at 123.5 ± 1.0 nm, was 120.00 ± 0.25 nm",
  );
});

const CURVE = { header: { contact: 50e-9, stderr: 0.1e-9 }, arrays: { height: Float64Array.from([100, 99, 98.1, 97, 96], (v) => v * 1e-9) } };

test("a contact by hand begins where it was, with an error no smaller than a sample", () => {
  assert.equal(firstHeight(CURVE), 50e-9);
  assert.ok(Math.abs(firstError(CURVE) - 1e-9) < 0.2e-9);
  assert.equal(firstError({ ...CURVE, header: { stderr: 3e-9 } }), 3e-9);
  assert.ok(Math.abs(firstHeight({ ...CURVE, header: { contact: null } }) - 98e-9) < 1e-15);
});

test("old against new", () => {
  assert.equal(compared(CURVE, 50e-9), "was 50.00 ± 0.10 nm; not moved yet");
  assert.equal(compared(CURVE, 51.2e-9), "was 50.00 ± 0.10 nm; moved 1.2 nm up, 12 standard errors");
  assert.equal(compared({ header: { contact: null } }, 1e-9), "There was no contact.");
});

test("while one is worked on, only the latest of what follows is kept", async () => {
  const done = [];
  const gates = [];
  const run = latestWins((value) => new Promise((finish) => gates.push(() => {
    done.push(value);
    finish();
  })));
  const all = [run(1), run(2), run(3)];
  gates[0]();
  await new Promise(setImmediate);
  assert.equal(gates.length, 2);
  gates[1]();
  await Promise.all(all);
  assert.deepEqual(done, [1, 3]);
  const failing = latestWins(async () => {
    throw new Error("no");
  });
  await assert.rejects(failing(1));
  await assert.rejects(failing(2), "a failure leaves it able to run again");
});

test("numbers with the digits that people read", () => {
  assert.equal(figure(-0.00012345, 3), "−0.000123");
  assert.equal(figure(1234567, 3), "1.23e6");
  assert.equal(figure(5), "5");
  assert.equal(figure(-0.00000001, 3), "−1e−8");
  assert.equal(figure(null), "–");
  assert.equal(withError(123.456, 0.234), "123.46 ± 0.23");
  assert.equal(withError(-1.5, null), "−1.5");
  assert.deepEqual(readable("Pa", 2.5e6), { unit: "MPa", factor: 1e-6 });
  assert.deepEqual(readable("N", 3e-11), { unit: "pN", factor: 1e12 });
  assert.deepEqual(readable("V", 0.02), { unit: "mV", factor: 1e3 });
  assert.deepEqual(readable("rad", 2), { unit: "rad", factor: 1 });
});
