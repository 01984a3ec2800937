import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { Outdated, Refused, getArrays, getJson, postJson, unpack } from "../../nrm_plugin/viewer/page/api.js";
import { get, say } from "../../nrm_plugin/viewer/page/state.js";

/** A server that answers with what a function says of the request; its address. */
async function serving(context, answer) {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    const [status, content, wait = 0] = answer(request, body);
    setTimeout(() => response.writeHead(status).end(content), wait);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}/`;
}

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

test("of requests of one kind the last one wins, others are not touched", async (context) => {
  const url = await serving(context, ({ url }) => [200, JSON.stringify(url), url.includes("slow") ? 300 : 0]);
  const slow = getJson(`${url}slow`, { a: 1, none: null, at: 5e-9 }, { latest: "values" });
  const other = getJson(`${url}slow2`, null, { latest: "image" });
  const quick = getJson(`${url}quick`, { depth: 5e-9 }, { latest: "values" });
  await assert.rejects(slow, Outdated);
  assert.equal(await quick, "/quick?depth=5e-9");
  assert.equal(await other, "/slow2");
});

test("a refusal is the server's sentence with its status", async (context) => {
  const url = await serving(context, ({ method }, body) =>
    method === "POST" ? [422, JSON.stringify({ error: `no ${JSON.parse(body).what}` })] : [500, "<html>"]);
  await assert.rejects(postJson(url, { what: "contact" }), (error) => error instanceof Refused && error.message === "no contact" && error.status === 422);
  await assert.rejects(getJson(`${url}x`), /refused .*500/);
});

test("a server that has gone is said", async () => {
  await assert.rejects(getJson("http://127.0.0.1:9/"), /does not answer/);
});

test("what is being computed is waited for, and said meanwhile", async (context) => {
  let asked = 0;
  const arrays = { arrays: { values: { type: "f4", offset: 0, length: 2, shape: [2] } } };
  const url = await serving(context, () =>
    ++asked < 3 ? [202, JSON.stringify({ wait: "the thickness is being computed" })] : [200, new Uint8Array(container(arrays, [Float32Array.of(1, 2)]))]);
  say("before");
  const waiting = getArrays(url);
  await new Promise((done) => setTimeout(done, 250));
  assert.equal(get().message.text, "The thickness is being computed …");
  assert.deepEqual([...(await waiting).arrays.values], [1, 2]);
  assert.equal(get().message.text, "before");
  asked = 0;
  await getArrays(url, null, { quiet: true });
  assert.equal(get().message.text, "before");
});

test("waiting ends when another request of its kind begins", async (context) => {
  const url = await serving(context, ({ url }) => (url === "/now" ? [200, "7"] : [202, '{"wait": "wait"}']));
  const waiting = getArrays(`${url}long`, null, { latest: "values", quiet: true });
  setTimeout(() => getJson(`${url}now`, null, { latest: "values" }), 100);
  await assert.rejects(waiting, Outdated);
});
