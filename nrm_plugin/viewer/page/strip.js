// Curves without positions: value against number, as a strip.

import { Scale, tickLabels, ticks } from "./axes.js";
import { label } from "./drawing.js";
import { colour } from "./layout.js";
import { PointPlaces } from "./places.js";

/** @typedef {import("./places.js").Box} Box */

/** The scale of a strip's values: a little more than the colours' range; what lies outside is drawn
 * at the edge.
 * @param {[number, number]} range @param {boolean} log */
export function valueScale(range, log) {
  const scale = new Scale(range[0], range[1], log);
  return new Scale(scale.value(-0.12), scale.value(1.12), log);
}

/** @param {Int32Array} curves @param {ArrayLike<number>} values @param {Scale} scale @param {Box} box
 * @param {import("./places.js").Window} window */
export function stripPlaces(curves, values, scale, box, window) {
  const n = curves.length;
  const inner = { x: box.x + 44, y: box.y + 10, width: box.width - 54, height: box.height - 42 };
  const step = (inner.width * window.zoom) / n;
  const left = inner.x + inner.width / 2 - window.x * inner.width * window.zoom;
  const xs = Float64Array.from(curves, (_, k) => left + (k + 0.5) * step);
  const ys = Float64Array.from(curves, (_, k) => {
    const share = scale.share(values[k]);
    return Number.isNaN(values[k]) ? NaN : inner.y + inner.height * (1 - Math.min(1, Math.max(0, share || 0)));
  });
  const places = new PointPlaces("strip", curves, xs, ys, inner);
  places.radius = Math.min(places.radius, Math.max(2, step / 2));
  return places;
}

/** Axes around the strip: values at the left, numbers below.
 * @param {CanvasRenderingContext2D} context @param {PointPlaces} places @param {Scale} scale
 * @param {{factor: number, unit: string, classes: string[] | null}} shown */
export function drawAxes(context, places, scale, { factor, unit, classes }) {
  const { box, xs, curves } = places;
  const look = { ink: colour("quiet"), halo: colour("panel") };
  const marks = classes
    ? classes.map((name, k) => ({ share: scale.share(k), label: name }))
    : scale.ticks(factor, Math.max(2, Math.floor(box.height / 50)));
  for (const { share, label: text } of marks) {
    const y = Math.round(box.y + box.height * (1 - share)) + 0.5;
    context.strokeStyle = colour("grid");
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(box.x, y);
    context.lineTo(box.x + box.width, y);
    context.stroke();
    label(context, text, box.x - 5, y, { ...look, align: "right", baseline: "middle" });
  }
  if (unit) label(context, unit, box.x + 3, box.y + 4, { ...look, baseline: "top" });
  const [first, step] = [xs[0], xs.length > 1 ? xs[1] - xs[0] : box.width];
  const seen = (/** @type {number} */ x) => (x - first) / step;
  const [lo, hi] = [Math.max(0, seen(box.x)), Math.min(xs.length - 1, seen(box.x + box.width))];
  const numbers = ticks(lo, hi, Math.floor(box.width / 70)).filter(Number.isInteger);
  const names = tickLabels(numbers.map((k) => curves[k]));
  numbers.forEach((k, i) => label(context, names[i], xs[k], box.y + box.height + 6, { ...look, align: "center", baseline: "top" }));
  label(context, "number of the curve", box.x + box.width / 2, box.y + box.height + 19, { ...look, align: "center", baseline: "top" });
}
