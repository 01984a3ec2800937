// Below the map: histogram with a brush, colour bar with handles; for classes a list with counts.

import { Scale } from "./axes.js";
import { CLASSES, table } from "./colour.js";
import { label, prepared } from "./drawing.js";
import { colour, make, onTheme } from "./layout.js";
import { number } from "./numbers.js";
import { select, shown, title } from "./shown.js";
import { get, on, set } from "./state.js";

const HEIGHT = { bars: 46, bar: 10 };
const canvas = make("canvas", { className: "histogram", role: "img" });
const handles = [handleOf("Lower end of the colours", 0), handleOf("Upper end of the colours", 1)];
const brushed = make("div", { className: "brushed", hidden: true });
const box = make("div", { className: "histogram-box" }, canvas, brushed, ...handles);
const classes = make("div", { className: "classes", role: "group", "aria-label": "Select a class" });
const from = make("input", { type: "text", inputMode: "decimal", placeholder: "from", "aria-label": "Select values from" });
const to = make("input", { type: "text", inputMode: "decimal", placeholder: "to", "aria-label": "Select values up to" });
const unit = make("span", { className: "quiet" });
const counted = make("span", { id: "selected-count", className: "space" });
const clear = make("button", { title: "Back to the current curve alone (Esc)", "data-action": "close" }, "Clear");
const line = make("form", { className: "row select-line" }, from,
  to, unit, make("button", { type: "submit" }, "Select"), counted, clear);

/** The axis: the colours' range and as much again around it, as far as there are values.
 * @type {Scale} */
let axis = new Scale(0, 1);
/** @type {ReturnType<typeof shown>} */
let seen = null;
let waiting = false;

/** @param {string} name @param {0 | 1} which */
function handleOf(name, which) {
  const handle = make("div", { className: "handle", role: "slider", tabIndex: 0, "aria-label": name });
  handle.addEventListener("keydown", (event) => {
    if (!seen) return;
    const step = { ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01, PageUp: 0.1, PageDown: -0.1 }[event.key];
    if (event.key === "Home") set({ range: null });
    else if (step) moveHandle(which, axis.share(seen.range[which]) + step);
    else return;
    event.preventDefault();
  });
  handle.addEventListener("dblclick", () => set({ range: null }));
  handle.addEventListener("pointerdown", (down) => {
    handle.setPointerCapture(down.pointerId);
    const left = canvas.getBoundingClientRect();
    const move = (/** @type {PointerEvent} */ event) => moveHandle(which, (event.clientX - left.x) / left.width);
    handle.addEventListener("pointermove", move);
    handle.addEventListener("lostpointercapture", () => handle.removeEventListener("pointermove", move), { once: true });
  });
  return handle;
}

/** @param {0 | 1} which @param {number} share on the axis */
function moveHandle(which, share) {
  if (!seen) return;
  const value = axis.value(Math.min(1, Math.max(0, share)));
  /** @type {[number, number]} */
  const range = [...seen.range];
  range[which] = value;
  if (range[0] < range[1]) set({ range });
}

/** Limits of the axis around the robust range, within the values.
 * @param {NonNullable<ReturnType<typeof shown>>} what */
function axisOf({ values, robust, log, range }) {
  const scale = new Scale(robust[0], robust[1], log);
  let [lo, hi] = [Infinity, -Infinity];
  for (let k = 0; k < values.length; k++) {
    const share = scale.share(values[k]);
    if (share < lo) lo = share;
    if (share > hi && share < Infinity) hi = share;
  }
  const low = Math.min(0, Math.max(-0.5, lo), scale.share(range[0]) || 0);
  const high = Math.max(1, Math.min(1.5, hi), scale.share(range[1]) || 1);
  return new Scale(scale.value(low), scale.value(high), log);
}

function drawIt() {
  waiting = false;
  seen = shown();
  const isClass = !!seen?.classes;
  classes.hidden = !isClass;
  box.hidden = isClass || !seen;
  line.hidden = isClass || !seen;
  if (!seen) return;
  if (isClass) {
    drawClasses();
    return;
  }
  axis = axisOf(seen);
  const { context, width } = prepared(canvas);
  const bins = new Float64Array(Math.max(8, Math.min(90, Math.floor(width / 4))));
  const inside = get().filter;
  const chosen = new Float64Array(bins.length);
  for (let k = 0; k < seen.values.length; k++) {
    const value = seen.values[k];
    if (Number.isNaN(value)) continue;
    const bin = Math.min(bins.length - 1, Math.max(0, Math.floor((axis.share(value) || 0) * bins.length)));
    bins[bin]++;
    if (inside && value >= inside[0] && value <= inside[1]) chosen[bin]++;
  }
  // The end bins hold all that lies beyond: they may be cut.
  const most = Math.max(1, ...bins.subarray(1, -1));
  const step = width / bins.length;
  for (const [counts, ink] of /** @type {[Float64Array, string][]} */ ([[bins, colour("bars")], [chosen, colour("select")]])) {
    context.fillStyle = ink;
    counts.forEach((count, k) => {
      const height = count ? Math.max(1, Math.min(1, count / most) * (HEIGHT.bars - 4)) : 0;
      context.fillRect(k * step, HEIGHT.bars - height, Math.max(1, step - 1), height);
    });
  }
  drawBar(context, width);
  canvas.setAttribute("aria-label", `Histogram of ${title()}: ${seen.values.length} values`);
  placeHandles(width);
}

/** @param {CanvasRenderingContext2D} context @param {number} width */
function drawBar(context, width) {
  if (!seen) return;
  const lut = table(seen.image ? "grey" : "viridis");
  const [lo, hi] = seen.range.map((value) => axis.share(value));
  for (let x = 0; x < width; x++) {
    const share = ((x + 0.5) / width - lo) / (hi - lo);
    const k = 3 * Math.round(255 * Math.min(1, Math.max(0, share)));
    context.fillStyle = `rgb(${lut[k]} ${lut[k + 1]} ${lut[k + 2]})`;
    context.fillRect(x, HEIGHT.bars, 1, HEIGHT.bar);
  }
  const look = { ink: colour("quiet"), halo: colour("panel"), baseline: /** @type {const} */ ("top") };
  context.font = "12px system-ui, sans-serif";
  const reserved = seen.unit ? context.measureText(seen.unit).width + 10 : 0;
  for (const { share, label: text } of axis.ticks(seen.factor, Math.max(2, Math.floor(width / 70)))) {
    const x = share * width;
    context.fillStyle = colour("quiet");
    context.fillRect(Math.min(width - 1, x), HEIGHT.bars + HEIGHT.bar, 1, 3);
    const half = context.measureText(text).width / 2;
    if (x + half > width - reserved) continue;
    label(context, text, Math.max(half, x), HEIGHT.bars + HEIGHT.bar + 4, { ...look, align: "center" });
  }
  label(context, seen.unit, width, HEIGHT.bars + HEIGHT.bar + 4, { ...look, align: "right" });
}

/** @param {number} width */
function placeHandles(width) {
  if (!seen) return;
  const { range, factor, unit: name } = seen;
  handles.forEach((handle, k) => {
    handle.style.left = `${(axis.share(range[k]) * width).toFixed(1)}px`;
    handle.setAttribute("aria-valuemin", String(axis.lo * factor));
    handle.setAttribute("aria-valuemax", String(axis.hi * factor));
    handle.setAttribute("aria-valuenow", String(range[k] * factor));
    handle.setAttribute("aria-valuetext", `${number(range[k] * factor)} ${name}`);
  });
  const { filter, image } = get();
  line.hidden = image !== null;
  brushed.hidden = !filter;
  if (filter) {
    const [a, b] = filter.map((value) => Math.min(1, Math.max(0, axis.share(value) || 0)) * width);
    brushed.style.left = `${a}px`;
    brushed.style.width = `${Math.max(1, b - a)}px`;
  }
  unit.textContent = name;
  if (document.activeElement !== from) from.value = filter ? plain(filter[0] * factor) : "";
  if (document.activeElement !== to) to.value = filter ? plain(filter[1] * factor) : "";
}

/** @param {number} value */
const plain = (value) => String(Number(value.toPrecision(4)));

function drawClasses() {
  if (!seen?.classes) return;
  const { values, bits } = seen;
  const { flags } = get();
  const curves = get().layout[get().layer].curve;
  classes.replaceChildren(...seen.classes.map((name, k) => {
    const members = [...curves].filter((curve, i) => (bits ? ((flags?.quality[curve] ?? 0) & bits[k]) !== 0 : values[i] === k));
    const swatch = make("span", { className: "swatch" });
    swatch.style.background = CLASSES[k % CLASSES.length];
    const button = make("button", { title: `Select these ${members.length} curves`, disabled: !members.length },
      swatch, `${name} `, make("span", { className: "quiet" }, String(members.length)));
    button.addEventListener("click", () => select(members));
    return button;
  }));
}

/** Select the curves of the layer whose values lie in a range.
 * @param {number} a @param {number} b SI */
function brush(a, b) {
  if (!seen || seen.image) return;
  const [lo, hi] = a < b ? [a, b] : [b, a];
  const curves = get().layout[get().layer].curve;
  const found = [];
  for (let k = 0; k < curves.length; k++) if (seen.values[k] >= lo && seen.values[k] <= hi) found.push(curves[k]);
  select(found, { filter: [lo, hi] });
}

function mountBrush() {
  canvas.addEventListener("pointerdown", (down) => {
    if (!seen || seen.image) return;
    canvas.setPointerCapture(down.pointerId);
    const width = canvas.clientWidth;
    const begin = down.offsetX;
    // The end bins hold what lies beyond the axis.
    const value = (/** @type {number} */ x) => (x < 3 ? -Infinity : x > width - 3 ? Infinity : axis.value(x / width));
    const move = (/** @type {PointerEvent} */ event) => {
      if (Math.abs(event.offsetX - begin) > 2) brush(value(begin), value(event.offsetX));
    };
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("lostpointercapture", () => canvas.removeEventListener("pointermove", move), { once: true });
  });
  line.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!seen) return;
    const [a, b] = [from, to].map((input, k) => {
      const value = Number(input.value.replace(",", ".").replace("−", "-"));
      return input.value.trim() && Number.isFinite(value) ? value / (seen?.factor ?? 1) : k ? Infinity : -Infinity;
    });
    brush(a, b);
  });
}

function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(drawIt);
}

function count() {
  const { selected } = get();
  counted.textContent = selected.length > 1 ? `${selected.length} selected` : "";
  clear.disabled = selected.length < 2;
}

/** @param {HTMLElement} element */
export function mount(element) {
  element.append(box, classes, line);
  mountBrush();
  new ResizeObserver(redraw).observe(box);
  on(["values", "layer", "image", "range", "filter", "layout", "blind"], redraw);
  on(["selected"], count);
  onTheme(redraw);
  count();
}
