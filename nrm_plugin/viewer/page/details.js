// What the server says of single curves, kept while nothing changes it.

import { getArrays } from "./api.js";

/** @typedef {import("./types").Container} Container */
/** @typedef {import("./scenes.js").Drawn} Drawn */

/** Curves that are kept, and their bytes; the last ones used stay. */
const KEPT = 256, BYTES = 64e6;

/** Most curves overlaid on the current one: more are a grey mass. */
export const MOST_OVERLAID = 24;

/** @type {Map<string, {answer: Promise<Container>, bytes: number}>} */
const kept = new Map();

/** Something changed on the server: nothing that is kept holds. */
export function forget() {
  kept.clear();
}

/**
 * One curve, as processed or tried with other values of the recipe or another contact.
 * @param {number} number @param {string} direction
 * @param {{recipe?: {[name: string]: any}, contact?: number | null, latest?: string}} trial
 * @returns {Promise<Container>}
 */
export function load(number, direction, { recipe = {}, contact = null, latest } = {}) {
  const tried = contact !== null || Object.keys(recipe).length > 0;
  if (tried) {
    return getArrays("api/curve", null, { latest, body: { number, direction, recipe, contact } });
  }
  const key = `curve ${number} ${direction}`;
  return keep(key, () => getArrays("api/curve", { number, direction }));
}

/** Mean profile of the curve's region.
 * @param {number} number @param {string} direction */
export function loadRegion(number, direction) {
  return keep(`region ${number} ${direction}`, () => getArrays("api/region", { number, direction }, { latest: "region", quiet: true }));
}

/** @param {string} key @param {() => Promise<Container>} make */
function keep(key, make) {
  let found = kept.get(key);
  if (!found) {
    const made = { answer: make(), bytes: 0 };
    found = made;
    made.answer.then(({ arrays }) => {
      for (const array of Object.values(arrays)) made.bytes += array.byteLength;
      discard();
    }, () => {
      if (kept.get(key) === made) kept.delete(key);
    });
  }
  kept.delete(key);
  kept.set(key, found);
  discard();
  return found.answer;
}

/** Let go of what was used longest ago. */
function discard() {
  let bytes = 0;
  for (const { bytes: some } of kept.values()) bytes += some;
  for (const [old, { bytes: some }] of kept) {
    if (kept.size <= KEPT && (bytes <= BYTES || kept.size === 1)) break;
    kept.delete(old);
    bytes -= some;
  }
}

/**
 * Run work for the latest value only: while it runs, later values replace each other.
 * @template T
 * @param {(value: T) => Promise<void>} work
 * @returns {(value: T) => Promise<void>}
 */
export function latestWins(work) {
  let running = false;
  /** @type {{value: T} | null} */
  let next = null;
  return async (value) => {
    next = { value };
    if (running) return;
    running = true;
    try {
      while (next) {
        const { value: now } = next;
        next = null;
        await work(now);
      }
    } finally {
      running = false;
    }
  };
}

/** What is drawn now.
 * @type {{drawn: Drawn | null, region: Container | null}} */
export const shown = { drawn: null, region: null };
