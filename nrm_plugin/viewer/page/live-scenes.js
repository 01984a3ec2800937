// What the plots of a running recording show: scenes of the stream, curves, regions and trends. No DOM.

import { DISTANCE, look } from "./scenes.js";
import { figure, magnitude, readable, times, withError } from "./numbers.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./scene.js").Item} Item */
/** @typedef {{name: string, label: string, unit: string, factor: number}} Channel */

const NM = 1e9;
const REACH = 1.96;

/** The last seconds of one channel, as lowest and highest value of each bin; grows, forgets. */
export class Strip {
  /** @param {number} seconds that are kept */
  constructor(seconds) {
    this.seconds = seconds;
    /** @type {number[]} */
    this.x = [];
    /** @type {number[]} */
    this.low = [];
    /** @type {number[]} */
    this.high = [];
  }

  /** @param {number} begin @param {number} bin @param {number[]} low @param {number[]} high */
  add(begin, bin, low, high) {
    const last = this.x.at(-1);
    if (last !== undefined && begin > last + 1.5 * bin) this.push(last + bin, NaN, NaN); // frames were left out
    for (let k = 0; k < low.length; k++) this.push(begin + k * bin, low[k], high[k]);
    const from = (this.x.at(-1) ?? 0) - this.seconds;
    let old = 0;
    while (old < this.x.length && this.x[old] < from) old++;
    if (old > 200 || old > this.x.length / 2) for (const list of [this.x, this.low, this.high]) list.splice(0, old);
  }

  /** @param {number} x @param {number} low @param {number} high */
  push(x, low, high) {
    this.x.push(x);
    this.low.push(low);
    this.high.push(high);
  }
}

/** @param {Channel} channel @param {Strip | undefined} strip @returns {Scene} */
export function streamScene({ label, unit, factor }, strip) {
  const end = strip?.x.at(-1) ?? 0;
  const name = `${label}, last ${strip?.seconds ?? 0} s`;
  const items = /** @type {Item[]} */ (strip ? [{ kind: "line", name: "", x: strip.x, y: times(strip.high, factor),
    low: times(strip.low, factor), high: times(strip.high, factor), colour: "--series-1", width: 1 }] : []);
  const range = /** @type {[number, number]} */ ([end - (strip?.seconds ?? 10), Math.max(end, 0.1)]);
  return { name, x: { label: "time", unit: "s", range }, y: { label, unit }, items,
    sentence: strip?.high.length ? `${label} ${figure((strip.high.at(-1) ?? NaN) * factor, 4)} ${unit}`.trim() : `${label}: nothing yet` };
}

/** The last finished curve.
 * @param {any} ramp @returns {Scene} */
export function rampScene(ramp) {
  const name = "Last curve";
  const curve = ramp?.curve;
  if (!curve?.height?.length) {
    return { name, x: { label: "", unit: "" }, y: { label: "", unit: "" }, items: [], sentence: "", empty: "No curve is finished yet." };
  }
  const calibrated = curve.units?.deflection === "m";
  const { unit, factor } = calibrated ? { unit: "nm", factor: NM } : readable("V", magnitude(curve.deflection));
  const turn = curve.turn ?? curve.height.length;
  const part = (/** @type {number} */ a, /** @type {number} */ b) => ({ x: times(curve.height.slice(a, b), NM), y: times(curve.deflection.slice(a, b), factor) });
  /** @type {Item[]} */
  const items = [];
  for (const window of /** @type {const} */ (["baseline", "wall"])) {
    const ends = ramp[window];
    if (ends?.every(Number.isFinite)) items.push({ kind: "span", name: `${window} window`, from: ends[0] * NM, to: ends[1] * NM, colour: `--window-${window}` });
  }
  if (turn < curve.height.length) items.push({ kind: "line", name: "retract", ...part(turn, curve.height.length), colour: "--retract", dash: [5, 3], width: 1.2 });
  items.push({ kind: "line", name: "approach", ...part(0, turn), colour: "--series-1" });
  if (Number.isFinite(ramp.contact ?? NaN)) {
    // On the baseline, as the lines of baseline and wall cross there.
    const [far, near] = ramp.baseline ?? [];
    const flat = curve.deflection.filter((/** @type {number} */ _, /** @type {number} */ i) =>
      i < turn && curve.height[i] >= Math.min(far, near) && curve.height[i] <= Math.max(far, near));
    const base = flat.reduce((/** @type {number} */ sum, /** @type {number} */ v) => sum + v, 0) / flat.length;
    items.push({ kind: "point", name: "contact ± 95 %", x: ramp.contact * NM, y: (base || 0) * factor,
      error: (ramp.contact_stderr ?? NaN) * NM * REACH, colour: "--contact" });
  }
  const contact = Number.isFinite(ramp.contact ?? NaN) ? `contact at ${withError(ramp.contact * NM, (ramp.contact_stderr ?? NaN) * NM)} nm` : "no solid contact";
  return { name: `Last curve, number ${ramp.number}`, x: { label: "height", unit: "nm" }, y: { label: "deflection", unit }, items,
    sentence: `Curve ${ramp.number}: ${contact}.` };
}

/** Moduli of the last curve over those of its region, or of all regions.
 * @param {any} ramp @param {number[]} depth @param {any[]} regions @returns {Scene} */
export function liveProfiles(ramp, depth, regions) {
  const name = "Moduli by potential region";
  const empty = ramp?.error || "No profile yet.";
  const shown = regions.filter((region) => region?.storage?.length);
  if (!ramp?.profile && !shown.length) {
    return { name, x: { label: "", unit: "" }, y: { label: "", unit: "" }, items: [], sentence: empty, empty };
  }
  const all = [...shown.map((region) => region.storage), ramp?.profile?.storage ?? []].flat().filter(Number.isFinite);
  const sorted = all.map(Math.abs).sort((a, b) => a - b);
  const { unit, factor } = readable("Pa", sorted[Math.floor(0.8 * sorted.length)] ?? 0);
  const x = times(depth, NM);
  const values = (/** @type {(number | null)[]} */ list) => Float64Array.from(list, (v) => (v === null ? NaN : v * factor));
  /** @type {Item[]} */
  const items = shown.map((region, k) => ({ kind: "line", name: `E′ ${region.label} (n = ${region.n})`, x, y: values(region.storage),
    low: values(region.storage_low ?? []), high: values(region.storage_high ?? []), ...look(k + 1) }));
  if (ramp?.profile) items.push({ kind: "line", name: `E′ of curve ${ramp.number}`, x, y: values(ramp.profile.storage), colour: "--ink", width: 1.2, alpha: 0.75, dash: [3, 2] });
  if (Number.isFinite(ramp?.facts?.valid_from ?? NaN)) {
    items.push({ kind: "span", name: "no estimate", from: 0, to: ramp.facts.valid_from * NM, colour: "--shade" });
  }
  // The range is that of the regions: one curve's noise beside the electrode does not flatten them.
  const range = sorted.length ? /** @type {[number, number]} */ ([Math.min(0, -0.1 * sorted[Math.floor(0.9 * sorted.length)] * factor), 1.4 * sorted[Math.min(sorted.length - 1, Math.floor(0.97 * sorted.length))] * factor]) : undefined;
  return { name, x: DISTANCE, y: { label: "modulus E′", unit, range }, items,
    sentence: shown.map((region) => `${region.label}: ${region.n} curves`).join("; ") || "No region is finished yet." };
}

/** A trend over the recording, with markers and alarms.
 * @param {string} quantity @param {any[]} trends @param {any[]} markers @param {any[]} alarms @returns {Scene} */
export function trendScene(quantity, trends, markers, alarms) {
  const words = quantity === "wall_slope" ? { label: "wall slope", unit: "", factor: 1 } : { label: "lateral signal on the wall", ...readable("m", magnitude(trends.map((t) => t[quantity] ?? NaN))) };
  const name = `Trend: ${words.label}`;
  const some = trends.filter((trend) => Number.isFinite(trend[quantity] ?? NaN));
  if (!some.length) return { name, x: { label: "", unit: "" }, y: { label: "", unit: "" }, items: [], sentence: "", empty: `No ${words.label} yet.` };
  const x = some.map((trend) => trend.seconds);
  /** @type {Item[]} */
  const items = [{ kind: "line", name: "_value", x, y: some.map((trend) => trend[quantity] * words.factor), dots: true, colour: "--series-1" }];
  for (const { seconds } of alarms.filter((alarm) => alarm.quantity === quantity)) {
    items.push({ kind: "rule", name: "", at: seconds, upright: true, colour: "--wrong", label: "alarm" });
  }
  markers.forEach(({ seconds }, k) => items.push({ kind: "rule", name: "", at: seconds, upright: true, colour: "--accent", dash: [4, 3], label: String(k + 1) }));
  const last = some.at(-1)[quantity] * words.factor;
  return { name, x: { label: "time", unit: "s" }, y: { label: words.label, unit: words.unit }, items,
    sentence: `${words.label} of ${some.length} curves, the last one ${figure(last, 3)} ${words.unit}.` };
}
