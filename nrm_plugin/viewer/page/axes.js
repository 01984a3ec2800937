// Ticks at round numbers, and scales. No drawing.

import { number } from "./numbers.js";

/** @param {number} lo @param {number} hi @param {number} most about as many ticks
 * @returns {number} the step: 1, 2 or 5 times a power of ten */
export function niceStep(lo, hi, most) {
  const rough = Math.abs(hi - lo) / Math.max(1, most);
  if (!(rough > 0) || !Number.isFinite(rough)) return 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const ratio = rough / power;
  const factor = ratio <= 1.0001 ? 1 : ratio <= 2.0001 ? 2 : ratio <= 5.0001 ? 5 : 10;
  return factor * power;
}

/** Round numbers from lo to hi, both inclusive.
 * @param {number} lo @param {number} hi @param {number} most
 * @returns {number[]} */
export function ticks(lo, hi, most = 5) {
  if (!Number.isFinite(lo) || !Number.isFinite(hi)) return [];
  if (lo === hi) return [lo];
  if (lo > hi) [lo, hi] = [hi, lo];
  const step = niceStep(lo, hi, most);
  const first = Math.ceil(lo / step - 1e-6);
  const last = Math.floor(hi / step + 1e-6);
  const decimals = Math.max(0, Math.min(20, -Math.floor(Math.log10(step))));
  const found = [];
  for (let k = first; k <= last; k++) found.push(step < 1 ? Number((k * step).toFixed(decimals)) : k * step);
  return found;
}

/** Ticks of a logarithmic axis: 1, 2 and 5 times powers of ten, thinned to about `most`; round
 * numbers where less than a decade is seen.
 * @param {number} lo @param {number} hi @param {number} most
 * @returns {number[]} */
export function logTicks(lo, hi, most = 5) {
  if (!(lo > 0) || !(hi > lo) || !Number.isFinite(hi)) return lo > 0 ? [lo] : [];
  const decades = Math.log10(hi / lo);
  if (decades < 0.7) return ticks(lo, hi, most);
  for (const factors of [[1, 2, 5], [1, 3], [1]]) {
    const found = [];
    for (let power = Math.floor(Math.log10(lo)); power <= Math.ceil(Math.log10(hi)); power++) {
      for (const factor of factors) {
        const value = Number(`${factor}e${power}`);
        if (value >= lo * (1 - 1e-9) && value <= hi * (1 + 1e-9)) found.push(value);
      }
    }
    const every = factors.length === 1 ? Math.ceil(found.length / (most + 1)) : 1;
    if (found.length <= most + 1 || every > 1 || factors.length === 1) {
      return found.filter((_, k) => k % every === 0);
    }
  }
  return [];
}

/** Labels of ticks: all with as many decimals as their step needs.
 * @param {number[]} values */
export function tickLabels(values) {
  const size = Math.max(...values.map(Math.abs), 0);
  if (size >= 1e6 || (size > 0 && size < 1e-4)) return values.map((value) => number(value, 2));
  let decimals = 0;
  while (decimals < 6 && values.some((v) => Math.abs(v - Number(v.toFixed(decimals))) > 1e-9 * size)) decimals++;
  return values.map((value) => value.toFixed(decimals).replace(/-/g, "−"));
}

/** A length as text: "500 nm", "1 µm".
 * @param {number} metres */
export function length(metres) {
  for (const [unit, factor] of /** @type {[string, number][]} */ ([["mm", 1e3], ["µm", 1e6], ["nm", 1e9]])) {
    if (metres * factor >= 1 - 1e-9) return `${Number((metres * factor).toPrecision(3))} ${unit}`;
  }
  return `${number(metres * 1e9, 2)} nm`;
}

/** The scale bar: the largest round length up to a third of the extent, in metres.
 * @param {number} extent */
export function scaleBar(extent) {
  if (!(extent > 0) || !Number.isFinite(extent)) return 0;
  const third = extent / 3;
  const power = 10 ** Math.floor(Math.log10(third));
  const factor = [5, 2, 1].find((f) => f * power <= third * 1.0001) ?? 1;
  return factor * power;
}

/** Value <-> share of a range (0 to 1), on a line or logarithmic. */
export class Scale {
  /** @param {number} lo @param {number} hi @param {boolean} log */
  constructor(lo, hi, log = false) {
    this.log = log && lo > 0 && hi > 0;
    this.lo = lo;
    this.hi = hi;
    this.a = this.log ? Math.log(lo) : lo;
    const b = this.log ? Math.log(hi) : hi;
    this.extent = b === this.a ? 1 : b - this.a;
  }

  /** @param {number} value @returns {number} */
  share(value) {
    return ((this.log ? Math.log(value) : value) - this.a) / this.extent;
  }

  /** @param {number} share @returns {number} */
  value(share) {
    const at = this.a + share * this.extent;
    return this.log ? Math.exp(at) : at;
  }

  /** @param {number} factor from SI to what is shown @param {number} most
   * @returns {{share: number, label: string}[]} */
  ticks(factor = 1, most = 5) {
    const values = (this.log ? logTicks : ticks)(this.lo * factor, this.hi * factor, most);
    const labels = this.log ? values.map((value) => String(Number(value.toPrecision(3)))) : tickLabels(values);
    return values.map((value, k) => ({ share: this.share(value / factor), label: labels[k] }));
  }
}
