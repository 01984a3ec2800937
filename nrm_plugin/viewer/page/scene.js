// What a plot shows, as data: drawn on a canvas by plot.js and as vectors by svg.js, from one list.

import { figure } from "./numbers.js";

/**
 * @typedef {{kind: "line", name: string, x: ArrayLike<number>, y: ArrayLike<number>, colour: string,
 *   dash?: number[], width?: number, alpha?: number, dots?: boolean, low?: ArrayLike<number>,
 *   high?: ArrayLike<number>, quiet?: boolean, band?: boolean}} Line  low and high: a 95 % band
 * @typedef {{kind: "span", name: string, from: number, to: number, colour: string,
 *   hatched?: boolean}} Span  a part of the x axis
 * @typedef {{kind: "point", name: string, x: number, y: number, error?: number, colour: string}} Point
 * @typedef {{kind: "rule", name: string, at: number, colour: string, dash?: number[],
 *   upright?: boolean, label?: string}} Rule  a straight line through the whole plot
 * @typedef {Line | Span | Point | Rule} Item
 * @typedef {{label: string, short?: string, unit: string, factor?: number, log?: boolean, range?: [number, number]}} Axis
 * @typedef {{name: string, x: Axis, y: Axis, items: Item[], sentence: string, empty?: string}} Scene
 * @typedef {{left: number, top: number, width: number, height: number, x: [number, number],
 *   y: [number, number], log?: boolean, scale: number}} Frame  pixels, and the values at the ends
 * @typedef {{moveTo(x: number, y: number): void, lineTo(x: number, y: number): void,
 *   closePath(): void}} Path
 * @typedef {{path(): any, stroke(path: any, colour: string, width: number, dash: number[],
 *   alpha: number): void, fill(path: any, colour: string, alpha: number): void,
 *   text(words: string, x: number, y: number, colour: string): void}} Pen
 */

/** Lines with more samples than pixels keep each pixel's first, lowest, highest and last. */
const CROWDED = 3;

/** @param {Frame} frame @returns {(value: number) => number} pixel of a value on the x axis */
export function acrossOf(frame) {
  const [low, high] = frame.x;
  return (value) => frame.left + ((value - low) / (high - low)) * frame.width;
}

/** @param {Frame} frame @returns {(value: number) => number} pixel of a value on the y axis */
export function upOf(frame) {
  const read = frame.log ? Math.log10 : (/** @type {number} */ v) => v;
  const low = read(frame.y[0]), high = read(frame.y[1]);
  return (value) => {
    const up = !frame.log || value > 0 ? (read(value) - low) / (high - low) : -1;
    // Far outside a canvas loses its precision: one height is enough.
    return frame.top + frame.height * (1 - Math.min(Math.max(up, -1), 2));
  };
}

/**
 * Draw one line into a path, with gaps where a value is not finite.
 * @param {Path} path @param {ArrayLike<number>} x @param {ArrayLike<number>} y @param {Frame} frame
 */
export function trace(path, x, y, frame) {
  const across = acrossOf(frame), up = upOf(frame);
  const crowded = x.length > CROWDED * (frame.width / frame.scale);
  let down = false, column = NaN, lowest = 0, highest = 0, last = 0, held = 0;
  const flush = () => {
    if (held > 1) {
      path.lineTo(column, lowest);
      path.lineTo(column, highest);
      path.lineTo(column, last);
    }
    held = 0;
  };
  for (let i = 0; i < x.length; i++) {
    if (!Number.isFinite(x[i]) || !Number.isFinite(y[i]) || (frame.log && y[i] <= 0)) {
      flush();
      down = false;
      continue;
    }
    const right = crowded ? Math.round(across(x[i])) : across(x[i]);
    const height = up(y[i]);
    if (crowded && down && right === column) {
      lowest = Math.max(lowest, height);
      highest = Math.min(highest, height);
      last = height;
      held++;
      continue;
    }
    flush();
    if (down) path.lineTo(right, height);
    else path.moveTo(right, height);
    down = true;
    column = right;
    lowest = highest = last = height;
    held = 1;
  }
  flush();
}

/** @param {Pen} pen @param {Line} line @param {Frame} frame */
function band(pen, line, frame) {
  const across = acrossOf(frame), up = upOf(frame);
  const low = line.low ?? [], high = line.high ?? [];
  const least = frame.log ? frame.y[0] : -Infinity;
  const path = pen.path();
  for (let i = 0; i < line.x.length; ) {
    if (!Number.isFinite(low[i]) || !Number.isFinite(high[i])) {
      i++;
      continue;
    }
    let end = i;
    while (end < line.x.length && Number.isFinite(low[end]) && Number.isFinite(high[end])) end++;
    path.moveTo(across(line.x[i]), up(high[i]));
    for (let k = i; k < end; k++) path.lineTo(across(line.x[k]), up(high[k]));
    for (let k = end - 1; k >= i; k--) path.lineTo(across(line.x[k]), up(Math.max(low[k], least)));
    path.closePath();
    i = end;
  }
  pen.fill(path, line.colour, line.alpha === undefined ? 0.22 : line.alpha * 0.22);
}

/** @param {Pen} pen @param {Span} item @param {Frame} frame */
function span(pen, item, frame) {
  const across = acrossOf(frame);
  const ends = [across(item.from), across(item.to)].sort((a, b) => a - b);
  const left = Math.max(ends[0], frame.left), right = Math.min(ends[1], frame.left + frame.width);
  if (!(right > left)) return;
  const path = pen.path(), bottom = frame.top + frame.height;
  if (!item.hatched) {
    path.moveTo(left, frame.top);
    path.lineTo(right, frame.top);
    path.lineTo(right, bottom);
    path.lineTo(left, bottom);
    path.closePath();
    pen.fill(path, item.colour, 1);
    return;
  }
  const step = 9 * frame.scale;
  for (let c = left - frame.height; c < right; c += step) {
    // A line that rises by 45 degrees from (c, bottom), cut at the span's sides.
    const from = Math.max(c, left), to = Math.min(c + frame.height, right);
    if (to <= from) continue;
    path.moveTo(from, bottom - (from - c));
    path.lineTo(to, bottom - (to - c));
  }
  pen.stroke(path, item.colour, 1, [], 0.75);
}

/** @param {Pen} pen @param {Point} item @param {Frame} frame */
function point(pen, item, frame) {
  const x = acrossOf(frame)(item.x), y = upOf(frame)(item.y);
  const inside = x >= frame.left - 1 && x <= frame.left + frame.width + 1;
  if (!inside || !Number.isFinite(y)) return;
  const r = 4 * frame.scale, path = pen.path();
  if (item.error !== undefined && Number.isFinite(item.error)) {
    const reach = Math.abs(acrossOf(frame)(item.x + item.error) - x);
    for (const side of [-1, 1]) {
      path.moveTo(x, y);
      path.lineTo(x + side * reach, y);
      path.moveTo(x + side * reach, y - r);
      path.lineTo(x + side * reach, y + r);
    }
  }
  const ring = pen.path();
  for (let k = 0; k <= 24; k++) {
    const angle = (k / 12) * Math.PI;
    const at = [x + r * Math.cos(angle), y + r * Math.sin(angle)];
    if (k) ring.lineTo(at[0], at[1]);
    else ring.moveTo(at[0], at[1]);
  }
  pen.stroke(path, item.colour, 1.5, [], 1);
  pen.fill(ring, "--plot-paper", 1);
  pen.stroke(ring, item.colour, 1.5, [], 1);
}

/** @param {Pen} pen @param {Rule} item @param {Frame} frame */
function rule(pen, item, frame) {
  const at = item.upright ? acrossOf(frame)(item.at) : upOf(frame)(item.at);
  const begin = item.upright ? frame.left : frame.top;
  const end = begin + (item.upright ? frame.width : frame.height);
  if (!(at >= begin && at <= end)) return;
  const path = pen.path();
  path.moveTo(item.upright ? at : frame.left, item.upright ? frame.top : at);
  path.lineTo(
    item.upright ? at : frame.left + frame.width,
    item.upright ? frame.top + frame.height : at,
  );
  pen.stroke(path, item.colour, 1, item.dash ?? [], 1);
  if (item.label && item.upright) {
    pen.text(item.label, at + 4 * frame.scale, frame.top + 12 * frame.scale, item.colour);
  }
}

/**
 * Draw all of a scene: what is shaded first, then bands, lines and marks.
 * @param {Scene} scene @param {Frame} frame @param {Pen} pen
 */
export function paint(scene, frame, pen) {
  const of = (/** @type {string} */ kind) => scene.items.filter((item) => item.kind === kind);
  for (const item of of("span")) span(pen, /** @type {Span} */ (item), frame);
  for (const item of of("rule")) rule(pen, /** @type {Rule} */ (item), frame);
  const lines = /** @type {Line[]} */ (of("line"));
  for (const line of lines) if (line.low) band(pen, line, frame);
  for (const line of lines) {
    const path = pen.path();
    if (line.dots) dots(path, line, frame);
    else trace(path, line.x, line.y, frame);
    if (!line.band) {
      pen.stroke(path, line.colour, line.width ?? 1.5, line.dash ?? [], line.alpha ?? 1);
    }
  }
  for (const item of of("point")) point(pen, /** @type {Point} */ (item), frame);
}

/** Crosses at the values.
 * @param {Path} path @param {Line} line @param {Frame} frame */
function dots(path, line, frame) {
  const across = acrossOf(frame), up = upOf(frame), r = 2.5 * frame.scale;
  for (let i = 0; i < line.x.length; i++) {
    const x = across(line.x[i]), y = up(line.y[i]);
    if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
    path.moveTo(x - r, y);
    path.lineTo(x + r, y);
    path.moveTo(x, y - r);
    path.lineTo(x, y + r);
  }
}

/**
 * Lowest and highest of what is drawn within a part of the x axis, with a little air.
 * @param {Scene} scene @param {"x" | "y"} axis @param {[number, number]} [within] of x
 * @returns {[number, number]}
 */
export function rangeOf(scene, axis, within) {
  const given = scene[axis].range;
  if (given) return given;
  let low = Infinity, high = -Infinity, least = Infinity;
  const take = (/** @type {number} */ value) => {
    if (!Number.isFinite(value)) return;
    if (value > 0) least = Math.min(least, value);
    low = Math.min(low, value);
    high = Math.max(high, value);
  };
  for (const item of scene.items) {
    if (item.kind === "point") take(item[axis]);
    if (item.kind !== "line" || item.quiet) continue;
    for (let i = 0; i < item.x.length; i++) {
      if (axis === "x") take(item.x[i]);
      else if (!within || (item.x[i] >= within[0] && item.x[i] <= within[1])) take(item.y[i]);
    }
  }
  if (axis === "x" && scene.items.some((item) => item.kind === "line" && item.dots)) {
    const air = 0.03 * (high - low || 1);
    return low <= high ? [low - air, high + air] : [0, 1];
  }
  if (axis === "x") return low < high ? [low, high] : Number.isFinite(low) ? [low - 1, low + 1] : [0, 1];
  if (scene.y.log) {
    if (!(least < Infinity)) return [0.1, 1];
    // What noise makes tiny is left out: four decades are enough to see.
    return [Math.max(least, high * 1e-4) / 1.3, high * 1.3];
  }
  if (!(low <= high)) return [0, 1];
  const air = 0.06 * (high - low || Math.abs(high) || 1);
  return [low - air, high + air];
}

/** Label of an axis with its unit.
 * @param {import("./scene.js").Axis} axis */
export function labelOf(axis, short = false) {
  const label = (short && axis.short) || axis.label;
  return axis.unit ? `${label} (${axis.unit})` : label;
}

/**
 * Values of all named lines nearest to x, as one line of text.
 * @param {Scene} scene @param {number} x
 */
export function reading(scene, x) {
  const parts = [`${scene.x.label} ${figure(x)} ${scene.x.unit}`.trim()];
  for (const item of scene.items) {
    if (item.kind !== "line" || item.quiet || !item.x.length) continue;
    let best = -1, off = Infinity;
    for (let i = 0; i < item.x.length; i++) {
      const away = Math.abs(item.x[i] - x);
      if (away < off && Number.isFinite(item.y[i])) [best, off] = [i, away];
    }
    if (best < 0) continue;
    const unit = scene.y.unit ? ` ${scene.y.unit}` : "";
    const band = item.low && item.high && Number.isFinite(item.low[best])
      ? ` (${figure(item.low[best], 3)} to ${figure(item.high[best], 3)})` : "";
    parts.push(`${item.name.replace(/^_/, "")} ${figure(item.y[best])}${unit}${band}`);
    if (parts.length > 7) break;
  }
  return parts.join("   ");
}
