// What the map shows: the values of the chosen layer or image with their range, unit and names.

import { robustRange } from "./colour.js";
import { count } from "./numbers.js";
import { get, quantityOf, set } from "./state.js";

/** @typedef {import("./types").Quantity} Quantity */
/** @typedef {import("./types").State} State */
/** @typedef {{data: Float32Array, rows: number, columns: number, robust: [number, number]}} ImageData */

/** Images that were fetched, by number.
 * @type {Map<number, ImageData>} */
export const images = new Map();

/** With a capital letter at its beginning.
 * @param {string} text */
export function capital(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Whether the quantity may not be seen now, while blind.
 * @param {Quantity} quantity */
function isHidden(quantity) {
  return get().blind && (quantity.moduli || ["potential", "region", "time"].includes(quantity.name));
}

/** Quantities that may be chosen now. */
export function quantities() {
  return (get().session?.quantities ?? []).filter((quantity) => !isHidden(quantity));
}

/** Name of a layer; while blind it tells nothing of potential and visit.
 * @param {number} number */
export function layerName(number) {
  const { session, blind } = get();
  const layer = session?.layers[number];
  if (!layer) return "";
  return blind ? `Layer ${number + 1}` : layer.name;
}

/** For each layer the index of every curve in it, -1 outside.
 * @type {{layout: State["layout"], found: Int32Array[]}} */
let indices = { layout: [], found: [] };

/** Index of a curve within a layer (the shown one by default), -1 where it is not in it.
 * @param {number} curve @param {number} layer */
export function indexOf(curve, layer = get().layer) {
  const { layout, session } = get();
  if (indices.layout !== layout) indices = { layout, found: [] };
  let found = indices.found[layer];
  if (!found) {
    found = indices.found[layer] = new Int32Array(session?.n_curves ?? 0).fill(-1);
    layout[layer]?.curve.forEach((one, k) => (found[one] = k));
  }
  return found[curve] ?? -1;
}

/** The layer that holds a curve: the shown one if it does, else the first that mixes nothing.
 * @param {number} curve */
export function layerOf(curve) {
  const { layout, layer, session } = get();
  if (indexOf(curve) >= 0) return layer;
  const holding = layout.map((_, k) => k).filter((k) => indexOf(curve, k) >= 0);
  return holding.find((k) => !session?.layers[k].mixed) ?? holding[0] ?? layer;
}

/** "curve 12, row 1, column 4", with the layer where it is not the shown one.
 * @param {number} curve */
export function placeText(curve) {
  const { session, layout, layer } = get();
  const at = layerOf(curve);
  const k = indexOf(curve, at);
  const cell = session?.layers[at]?.kind === "grid" && k >= 0 ? `, row ${layout[at].row[k]}, column ${layout[at].column[k]}` : "";
  return `curve ${curve}${cell}${at === layer ? "" : `, ${layerName(at)}`}`;
}

/** What is drawn (bits: the flags that the classes stand for; a curve has the colour of its first):
 * one value per curve of the layer, or an image.
 * @returns {{
 *   values: ArrayLike<number>, belowNoise: Uint8Array | null, bound: Uint8Array | null, image: ImageData | null,
 *   range: [number, number], robust: [number, number], log: boolean, classes: string[] | null, bits: number[] | null,
 *   unit: string, factor: number, label: string } | null} */
export function shown() {
  const { values, image, range, session, layout, layer } = get();
  const chosen = image === null ? null : images.get(image);
  if (image !== null) {
    const entry = session?.images[image];
    if (!chosen || !entry) return null;
    const { robust } = chosen;
    return {
      values: chosen.data, belowNoise: null, bound: null, image: chosen, range: range ?? robust, robust, log: false,
      classes: null, bits: null, ...prefixed(entry.unit, robust), label: entry.name,
    };
  }
  const curves = layout[layer]?.curve;
  if (!values || !curves || values.quantity.name !== get().quantity) return null;
  const { quantity } = values;
  const data = new Float32Array(curves.length);
  const below = new Uint8Array(curves.length);
  const bound = values.censored ? new Uint8Array(curves.length) : null;
  for (let k = 0; k < curves.length; k++) {
    data[k] = values.values[curves[k]];
    below[k] = values.belowNoise[curves[k]];
    if (bound) bound[k] = values.censored?.[curves[k]] === 1 ? 1 : 0;
  }
  const bits = quantity.kind === "flags" ? (session?.flags ?? []).filter(({ count }) => count).map(({ bit }) => bit) : null;
  if (bits) data.forEach((mask, k) => (data[k] = bits.findIndex((bit) => (mask & bit) !== 0)));
  const named = bits ? session?.flags.filter(({ count }) => count).map(({ name }) => name.replace(/_/g, " ")) : quantity.classes;
  const classes = quantity.kind === "number" ? null : named ?? [];
  const [lo, hi] = values.range ?? [NaN, NaN];
  const robust = lo < hi ? values.range : robustRange(data);
  return {
    values: data, belowNoise: below, bound, image: null, range: range ?? robust, robust, log: quantity.log && robust[0] > 0,
    classes, bits, unit: quantity.unit, factor: quantity.factor, label: quantity.label,
  };
}

/** A prefix that gives an image readable numbers, for units that take one.
 * @param {string} unit @param {[number, number]} range */
function prefixed(unit, range) {
  const size = Math.max(Math.abs(range[0]), Math.abs(range[1]), range[1] - range[0]);
  if (!/^(m|V|N|A|Pa|s|Hz)$/.test(unit) || !(size > 0)) return { unit, factor: 1 };
  const power = Math.min(3, Math.max(-5, Math.floor(Math.log10(size) / 3)));
  const prefix = ["f", "p", "n", "µ", "m", "", "k", "M", "G"][power + 5];
  return { unit: prefix + unit, factor: 10 ** (-3 * power) };
}

/** "E′ at 5.0 nm (approach)", as titles and announcements say it. */
export function title() {
  const { values, depth, direction, image, session, blind } = get();
  if (image !== null) return blind ? `Image ${image + 1}` : session?.images[image]?.name ?? "";
  const quantity = values?.quantity ?? quantityOf();
  if (!quantity) return "";
  const at = quantity.of_depth ? ` at ${(depth * 1e9).toFixed(1)} nm` : "";
  return quantity.label + at + ((session?.directions.length ?? 0) > 1 ? `, ${direction}` : "");
}

/** Select curves, and say how many.
 * @param {number[]} curves
 * @param {Partial<State>} patch */
export function select(curves, patch = {}) {
  const { current } = get();
  set({
    selected: curves,
    current: curves.length && current < 0 ? curves[0] : current,
    filter: null,
    message: { text: `${count(curves.length, "curve")} selected.`, kind: "info" },
    ...patch,
  });
}
