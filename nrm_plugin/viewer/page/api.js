// Requests to the server. What is out of date is aborted; errors become sentences in the status line.

import { get, say, set } from "./state.js";

/** @typedef {import("./types").Container} Container */

const TYPES = {
  f4: Float32Array,
  f8: Float64Array,
  i4: Int32Array,
  i1: Int8Array,
  u1: Uint8Array,
};

/** The request was replaced by a later one of its kind. */
export class Outdated extends Error {}

/** The server's refusal, as a sentence. */
export class Refused extends Error {
  /** @param {string} sentence @param {number} status */
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

/** @type {Map<string, AbortController>} */
const running = new Map();

/**
 * Arrays of the server's container: uint32 length of the header, the header (JSON), padding to a
 * multiple of 8, the arrays.
 * @param {ArrayBuffer} buffer
 * @returns {Container}
 */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = Math.ceil((4 + length) / 8) * 8;
  /** @type {Container["arrays"]} */
  const arrays = {};
  for (const [name, entry] of Object.entries(header.arrays ?? {})) {
    const { type, offset, length: count } = /** @type {any} */ (entry);
    const Type = TYPES[/** @type {keyof typeof TYPES} */ (type)];
    arrays[name] = new Type(buffer, start + offset, count);
  }
  return { header, arrays };
}

/**
 * @param {string} path below the secret
 * @param {{[name: string]: any} | null} query
 * @param {{latest?: string, body?: any}} options latest: aborts what runs under this name;
 *   body: sent by POST as JSON
 * @returns {Promise<{response: Response, signal?: AbortSignal}>}
 */
async function ask(path, query, { latest, body }) {
  let signal;
  if (latest) {
    running.get(latest)?.abort();
    const controller = new AbortController();
    running.set(latest, controller);
    signal = controller.signal;
  }
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== null && value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  /** @type {RequestInit} */
  const init = { signal, cache: "no-store" };
  if (body !== undefined) {
    init.method = "POST";
    init.headers = { "Content-Type": "application/json" };
    init.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(text ? `${path}?${text}` : path, init);
  } catch (error) {
    if (signal?.aborted) throw new Outdated();
    throw new Refused("The server does not answer: is `nrm view` still running?", 0);
  }
  if (!response.ok) {
    let sentence = `The server refused ${path} (${response.status}).`;
    try {
      sentence = (await response.json()).error ?? sentence;
    } catch {
      // No JSON: the sentence above.
    }
    throw new Refused(sentence, response.status);
  }
  return { response, signal };
}

/** @param {string} path @param {{[name: string]: any} | null} query @param {{latest?: string}} options
 * @returns {Promise<any>} */
export async function getJson(path, query = null, options = {}) {
  const { response, signal } = await ask(path, query, options);
  try {
    return await response.json();
  } catch (error) {
    if (signal?.aborted) throw new Outdated();
    throw error;
  }
}

/** @param {string} path @param {any} body
 * @returns {Promise<any>} */
export async function postJson(path, body) {
  return (await ask(path, null, { body })).response.json();
}

/**
 * Arrays; where the server says that it still works on them (202), asked again until they are there.
 * @param {string} path
 * @param {{[name: string]: any} | null} query
 * @param {{latest?: string, body?: any, quiet?: boolean}} options quiet: waiting is not said
 * @returns {Promise<Container>}
 */
export async function getArrays(path, query = null, options = {}) {
  /** @type {import("./types").State["message"] | null} */
  let before = null;
  let waited = "";
  for (;;) {
    const { response, signal } = await ask(path, query, options);
    if (response.status !== 202) {
      if (before && get().message.text === waited) set({ message: before });
      try {
        return unpack(await response.arrayBuffer());
      } catch (error) {
        if (signal?.aborted) throw new Outdated();
        throw error;
      }
    }
    const { wait } = await response.json();
    if (!options.quiet) {
      before ??= get().message;
      waited = `${wait.slice(0, 1).toUpperCase()}${wait.slice(1)} …`;
      say(waited);
    }
    await new Promise((done) => setTimeout(done, 500));
    if (signal?.aborted) throw new Outdated();
  }
}

/** Run it; what fails is said in the status line, what is out of date is left.
 * @param {() => Promise<void>} work */
export async function attempt(work) {
  try {
    await work();
  } catch (error) {
    if (error instanceof Outdated) return;
    if (!(error instanceof Refused)) console.error(error);
    say(error instanceof Error ? error.message : String(error), "error");
  }
}

/** @type {EventSource | null} */
let source = null;

/** Listen to the server's events of one kind.
 * @param {string} kind
 * @param {(data: any) => void} listener */
export function onEvent(kind, listener) {
  source ??= new EventSource("api/events");
  source.addEventListener(kind, (event) => {
    const { data } = /** @type {MessageEvent} */ (event);
    listener(data ? JSON.parse(data) : null);
  });
}
