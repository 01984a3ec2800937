import assert from "node:assert/strict";
import { test } from "node:test";

import { unpack } from "../../nrm_plugin/viewer/page/api.js";

/** The container as the server writes it. */
function container(header, parts) {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const start = Math.ceil((4 + text.length) / 8) * 8;
  const bytes = new Uint8Array(start + parts.reduce((sum, part) => sum + Math.ceil(part.byteLength / 8) * 8, 0));
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  let at = start;
  for (const part of parts) {
    bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at);
    at += Math.ceil(part.byteLength / 8) * 8;
  }
  return bytes.buffer;
}

test("arrays of all types come out of the container, whatever the header's length", () => {
  for (const unit of ["", "k", "kP", "kPa", "µN/m", "°"]) {
    const header = {
      unit,
      arrays: {
        values: { type: "f4", offset: 0, length: 3, shape: [3] },
        below: { type: "u1", offset: 16, length: 3, shape: [3] },
        x: { type: "f8", offset: 24, length: 2, shape: [2] },
        curve: { type: "i4", offset: 40, length: 1, shape: [1] },
      },
    };
    const made = container(header, [
      Float32Array.of(1.5, NaN, -2),
      Uint8Array.of(0, 1, 1),
      Float64Array.of(1e-9, 2e-9),
      Int32Array.of(-1),
    ]);
    const { header: read, arrays } = unpack(made);
    assert.equal(read.unit, unit);
    assert.deepEqual([...arrays.values], [1.5, NaN, -2]);
    assert.deepEqual([...arrays.below], [0, 1, 1]);
    assert.deepEqual([...arrays.x], [1e-9, 2e-9]);
    assert.deepEqual([...arrays.curve], [-1]);
  }
});
