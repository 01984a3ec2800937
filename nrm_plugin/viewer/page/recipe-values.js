// Values of a recipe: as they are written in the form, and from windows that were moved. No DOM in here.

import { plain } from "./numbers.js";
import { straight } from "./scenes.js";

/** @typedef {import("./types").Container} Container */
/** @typedef {import("./types").RecipeField} RecipeField */

/** Least part of samples or force that a window takes or leaves. */
const LEAST = 0.01;

/** Section, and the method whose setting it is.
 * @param {string} name */
export function placeOf(name) {
  const parts = name.split(".");
  return { section: parts.length > 1 ? parts[0] : "", method: parts.length > 2 ? parts.slice(1, -1).join(".") : "" };
}

/** What a field shows for an SI value.
 * @param {RecipeField} field @param {any} value */
export function written(field, value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number") return String(value);
  return plain(value * (field.factor || 1), 8);
}

/**
 * The SI value of what was written, or what is wrong with it.
 * @param {RecipeField} field @param {string} text
 * @returns {{value?: any, wrong?: string}}
 */
export function parsed(field, text) {
  const trimmed = text.trim();
  if (field.kind === "boolean") return { value: trimmed === "true" };
  if (field.kind !== "number") return { value: trimmed };
  const number = Number(trimmed.replace(",", "."));
  if (!trimmed || !Number.isFinite(number)) {
    return { wrong: `A number${field.unit ? ` in ${field.unit}` : ""} is needed, such as ${written(field, field.value) || "1"}.` };
  }
  // Digits as they were written: 60 nm is 6e-8 m, not 6.000000000000001e-8.
  return { value: Number((number / (field.factor || 1)).toPrecision(12)) };
}

/** The patch with one value more, or without it where it is what it was.
 * @param {{[name: string]: any}} recipe @param {RecipeField} field @param {any} value */
export function patched(recipe, field, value) {
  const { [field.name]: _old, ...rest } = recipe;
  const same = value === field.value
    || (typeof value === "number" && Math.abs(value - field.value) <= 1e-9 * Math.abs(field.value));
  return same ? rest : { ...rest, [field.name]: value };
}

/**
 * Values of the recipe that put the inner end of the baseline, or the outer end of the wall, at a
 * height. Windows of given parts are the two-line method's: the baseline is a part of the samples,
 * the wall is what lies above a part of the largest force.
 * @param {Container} curve
 * @param {"baseline" | "wall"} part
 * @param {number} height (m)
 * @returns {{[name: string]: any}}
 */
export function windowRecipe({ header, arrays }, part, height) {
  const ends = { ...header.windows };
  ends[part] = part === "baseline" ? [ends.baseline?.[0], height] : [height, ends.wall?.[1]];
  const heights = arrays.height;
  const falling = heights[0] > heights[heights.length - 1];
  const far = (/** @type {number} */ h) => {
    let n = 0;
    for (const value of heights) if (value >= h) n++;
    return n;
  };
  const line = header.lines?.baseline ? straight(header.lines.baseline) : () => 0;
  /** @type {{[name: string]: any}} */
  const recipe = { "contact.method": "two-line" };
  const inner = ends.baseline?.[1];
  if (Number.isFinite(inner)) {
    recipe["contact.two-line.baseline"] = rounded(far(inner) / heights.length);
  }
  const outer = ends.wall?.[0];
  if (Number.isFinite(outer) && arrays.deflection?.length) {
    let top = 0, at = 0, nearest = Infinity;
    for (let i = 0; i < heights.length; i++) {
      const force = arrays.deflection[i] - line(heights[i]);
      top = Math.max(top, force);
      const away = Math.abs(heights[i] - outer);
      // Where several samples are as near, the one on the wall's side counts.
      if (away < nearest || (away === nearest && falling)) [nearest, at] = [away, force];
    }
    if (top > 0) recipe["contact.two-line.wall"] = rounded(at / top);
  }
  return recipe;
}

/** @param {number} part */
function rounded(part) {
  return Number(Math.min(Math.max(part, LEAST), 1 - LEAST).toFixed(4));
}

/**
 * What is wrong with which value: the server's sentence names the fields, "depth.stop: ...; ...".
 * @param {string} message @param {string[]} names of the fields
 * @returns {{[name: string]: string}}
 */
export function wrongFields(message, names) {
  /** @type {{[name: string]: string}} */
  const found = {};
  let last = "";
  for (const part of message.split("; ")) {
    const name = names.find((one) => part.startsWith(`${one}: `));
    if (name) found[name] = part.slice(name.length + 2);
    else if (last) found[last] += `; ${part}`;
    last = name ?? last;
  }
  return found;
}
