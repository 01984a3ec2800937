// Colours of values: tables that all kinds of eyes can read, and pictures made with them.

import { Scale } from "./axes.js";

/** Seventeen equidistant colours of each table (matplotlib's, CC0), between which is interpolated. */
const STOPS = {
  viridis: "44015448186a472d7b4240863b528b33638d2c728e26828e21918c1fa08828ae803fbc735ec96284d44baddc30d8e219fde725",
  cividis: "00224e002e6a1a386f32436d434e6c535a6d61656f6f70737d7c788c88789b9476aba072bcae6ccdbb63dec958f0d846fee838",
  grey: "0d0d0d1b1b1b2a2a2a3939394848485757576666667575758484849393939e9e9eabababb8b8b8c6c6c6d4d4d4e2e2e2f2f2f2",
};

/** Colours of classes (Okabe and Ito). */
export const CLASSES = ["#0072b2", "#e69f00", "#cc79a7", "#009e73", "#56b4e9", "#d55e00", "#f0e442", "#999999"];

/** @param {string} hex rrggbb or #rrggbb @returns {[number, number, number]} */
export function rgb(hex) {
  const value = parseInt(hex.replace("#", ""), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** @type {Map<string, Uint8ClampedArray>} */
const tables = new Map();

/** The 256 colours of a table, as r, g, b.
 * @param {string} name @returns {Uint8ClampedArray} */
export function table(name) {
  const made = tables.get(name);
  if (made) return made;
  const stops = STOPS[/** @type {keyof typeof STOPS} */ (name)];
  const colours = new Uint8ClampedArray(768);
  for (let k = 0; k < 256; k++) {
    const at = (k / 255) * 16;
    const i = Math.min(15, Math.floor(at));
    const a = rgb(stops.slice(6 * i, 6 * i + 6));
    const b = rgb(stops.slice(6 * i + 6, 6 * i + 12));
    for (let c = 0; c < 3; c++) colours[3 * k + c] = a[c] + (b[c] - a[c]) * (at - i);
  }
  tables.set(name, colours);
  return colours;
}

/**
 * Colour of each value as r, g, b, a in one Uint8ClampedArray; nan is transparent.
 * @param {ArrayLike<number>} values
 * @param {{range: [number, number], log?: boolean, name?: string, classes?: number}} options
 *   classes: the values are numbers of classes, -1 for none
 */
export function colours(values, { range, log = false, name = "viridis", classes = 0 }) {
  const pixels = new Uint8ClampedArray(4 * values.length);
  const lut = table(name);
  const palette = classes ? CLASSES.map(rgb) : [];
  const scale = new Scale(range[0], range[1], log);
  for (let k = 0; k < values.length; k++) {
    const value = values[k];
    if (Number.isNaN(value) || (classes && value < 0)) continue;
    if (classes) {
      pixels.set(palette[Math.round(value) % palette.length], 4 * k);
    } else {
      let share = scale.share(value);
      if (!(share > 0)) share = 0; // also what a logarithm cannot show
      const at = 3 * Math.round(Math.min(1, share) * 255);
      pixels[4 * k] = lut[at];
      pixels[4 * k + 1] = lut[at + 1];
      pixels[4 * k + 2] = lut[at + 2];
    }
    pixels[4 * k + 3] = 255;
  }
  return pixels;
}

/** Middle part of the values (2 to 98 %), nan left out; [0, 1] where there are none.
 * @param {ArrayLike<number>} values @returns {[number, number]} */
export function robustRange(values) {
  const finite = Float64Array.from(values).filter(Number.isFinite).sort();
  if (!finite.length) return [0, 1];
  const at = (/** @type {number} */ share) => finite[Math.round(share * (finite.length - 1))];
  const [lo, hi] = [at(0.02), at(0.98)];
  return lo < hi ? [lo, hi] : widened(lo);
}

/** A range around a single value.
 * @param {number} value @returns {[number, number]} */
function widened(value) {
  const half = value === 0 ? 1 : Math.abs(value) / 20;
  return [value - half, value + half];
}
