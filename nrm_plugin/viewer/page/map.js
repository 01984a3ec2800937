// The map: a layer of curves (or an image of the file), drawn on a canvas; above it what was picked.

import { length as lengthText, scaleBar } from "./axes.js";
import { colours } from "./colour.js";
import * as draw from "./drawing.js";
import { colour, make, onTheme } from "./layout.js";
import { number } from "./numbers.js";
import { ALL, GridPlaces, PointPlaces, pointPlaces } from "./places.js";
import { mountPicking } from "./picking.js";
import { indexOf, shown, title } from "./shown.js";
import { get, on } from "./state.js";
import { drawAxes, stripPlaces, valueScale } from "./strip.js";
import { end } from "./times.js";

/** @typedef {GridPlaces | PointPlaces} Places */

/** What the map has on the screen; picking.js reads and moves it. */
export const view = {
  /** @type {Places | null} */
  places: null,
  window: ALL,
  /** Rectangle or lasso that is being drawn.
   * @type {[number, number][]} */
  polygon: [],
};

const base = make("canvas", { className: "map-canvas", "aria-hidden": "true" });
const over = make("canvas", { className: "map-canvas", tabIndex: 0, role: "application", "aria-roledescription": "map", "aria-describedby": "map-keys" });
const scratch = document.createElement("canvas");
const legend = make("div", { className: "legend quiet" });
let first = true;
let waiting = false;

/** Places of the layer's curves for the size that the canvas has.
 * @param {ReturnType<typeof shown>} seen
 * @returns {Places | null} */
function placesOf(seen) {
  const { session, layout, layer } = get();
  const [entry, places] = [session?.layers[layer], layout[layer]];
  const box = { x: 1, y: 1, width: base.clientWidth - 2, height: base.clientHeight - 2 };
  if (!entry || !places || box.width < 10 || box.height < 10) return null;
  if (entry.kind === "grid") return new GridPlaces(entry, places, box, view.window);
  if (entry.kind === "points") {
    return pointPlaces(places, { x: box.x + 12, y: box.y + 12, width: box.width - 24, height: box.height - 24 }, view.window);
  }
  if (!seen) return null;
  const scale = valueScale(seen.classes ? [0, seen.classes.length - 1 || 1] : seen.range, seen.log);
  const values = seen.image ? new Float32Array(places.curve.length).fill(NaN) : seen.values;
  return stripPlaces(places.curve, values, scale, box, view.window);
}

/** Box of the file's image on the screen: that of the grid, or the canvas.
 * @param {NonNullable<ReturnType<typeof shown>>} seen */
function imageBox(seen) {
  const { session, image } = get();
  const size = image === null ? null : session?.images[image]?.size;
  const rows = seen.image?.rows ?? 1;
  const columns = seen.image?.columns ?? 1;
  const box = { x: 1, y: 1, width: base.clientWidth - 2, height: base.clientHeight - 2 };
  const entry = /** @type {any} */ ({ rows, columns, size: size ?? null, kind: "grid" });
  const none = /** @type {any} */ ({ curve: [], row: [], column: [] });
  return new GridPlaces(entry, none, box, view.window);
}

/** Cells that a test chooses, filled with a pattern or faded.
 * @param {CanvasRenderingContext2D} context @param {GridPlaces} places
 * @param {(index: number) => boolean} test of the index within the layer
 * @param {string | CanvasPattern} fill */
function fillCells(context, places, test, fill) {
  const mask = new Uint8ClampedArray(4 * places.cells.length);
  let any = false;
  for (let k = 0; k < places.curves.length; k++) {
    if (!test(k)) continue;
    const cell = places.cellOf(places.curves[k]);
    if (cell < 0) continue;
    mask[4 * cell + 3] = 255;
    any = true;
  }
  if (!any) return;
  scratch.width = base.width;
  scratch.height = base.height;
  const pen = /** @type {CanvasRenderingContext2D} */ (scratch.getContext("2d"));
  const ratio = base.width / base.clientWidth;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.imageSmoothingEnabled = false;
  const { left, top, columns, rows, cellWidth, cellHeight } = places;
  pen.drawImage(draw.picture(mask, columns, rows), left, top, columns * cellWidth, rows * cellHeight);
  pen.globalCompositeOperation = "source-in";
  pen.fillStyle = fill;
  pen.fillRect(0, 0, base.clientWidth, base.clientHeight);
  context.drawImage(scratch, 0, 0, base.clientWidth, base.clientHeight);
}

/** State of the curve at an index of the layer, for patterns and marks. */
function states() {
  const { flags, layout, layer } = get();
  const curves = layout[layer]?.curve ?? new Int32Array(0);
  const byHand = (/** @type {number} */ k) => flags?.byHand[curves[k]] ?? 0;
  return {
    curves,
    excluded: (/** @type {number} */ k) => (byHand(k) & 1) !== 0,
    flagged: (/** @type {number} */ k) => (flags?.quality[curves[k]] ?? 0) !== 0 && (byHand(k) & 3) === 0,
    moved: (/** @type {number} */ k) => (byHand(k) & 4) !== 0,
  };
}

/** Patterns on small cells where they are many, marks where there is room for them.
 * @param {CanvasRenderingContext2D} context @param {Places} places */
function drawStates(context, places) {
  const { curves, excluded, flagged, moved } = states();
  const cell = places instanceof GridPlaces ? Math.min(places.cellWidth, places.cellHeight) : 2 * places.radius;
  const size = Math.max(2.5, Math.min(6, 0.3 * cell));
  for (const [kind, test] of /** @type {["flagged" | "excluded" | "moved", (k: number) => boolean][]} */ ([
    ["flagged", flagged], ["excluded", excluded], ["moved", moved],
  ])) {
    const chosen = [];
    for (let k = 0; k < curves.length; k++) if (test(k)) chosen.push(k);
    if (kind === "excluded" && places instanceof GridPlaces) fillCells(context, places, test, colour("faded"));
    if (places instanceof GridPlaces && cell < 6 && chosen.length > 1500 && kind !== "moved") {
      fillCells(context, places, test, draw.pattern(context, kind));
      continue;
    }
    for (const k of chosen) {
      const centre = places.centreOf(curves[k]);
      if (centre) draw.mark(context, kind, centre[0], centre[1], size);
    }
  }
}

/** @param {CanvasRenderingContext2D} context @param {PointPlaces} places
 * @param {NonNullable<ReturnType<typeof shown>>} seen @param {Uint8ClampedArray} pixels */
function drawPoints(context, places, seen, pixels) {
  const { radius } = places;
  for (let k = 0; k < places.curves.length; k++) {
    const centre = places.centreOf(places.curves[k]);
    if (!centre) continue;
    context.beginPath();
    context.arc(centre[0], centre[1], radius, 0, 7);
    context.fillStyle = pixels[4 * k + 3] ? `rgb(${pixels[4 * k]} ${pixels[4 * k + 1]} ${pixels[4 * k + 2]})` : colour("grid");
    context.fill();
    if (seen.belowNoise?.[k] || seen.bound?.[k]) {
      context.fillStyle = draw.pattern(context, seen.bound?.[k] ? "bound" : "noise");
      context.fill();
    }
    if (radius > 3) {
      context.strokeStyle = colour("quiet");
      context.lineWidth = 0.75;
      context.stroke();
    }
  }
}

function drawBase() {
  waiting = false;
  const { context, width, height } = draw.prepared(base);
  const seen = shown();
  const places = (view.places = placesOf(seen) ?? (seen?.image ? imageBox(seen) : null));
  over.setAttribute("aria-label", `Map: ${title()}`);
  drawLegend(seen);
  if (seen) {
    const options = { range: seen.range, log: seen.log, name: seen.image ? "grey" : "viridis", classes: seen.classes?.length ?? 0 };
    const pixels = colours(seen.values, options);
    context.imageSmoothingEnabled = false;
    const grid = seen.image ? imageBox(seen) : places;
    context.save();
    if (grid) {
      context.beginPath();
      if (places?.kind !== "strip" || seen.image) context.rect(grid.box.x, grid.box.y, grid.box.width, grid.box.height);
      else context.rect(0, 0, width, height);
      context.clip();
    }
    if (grid instanceof GridPlaces) {
      context.fillStyle = colour("grid");
      context.fillRect(grid.box.x, grid.box.y, grid.box.width, grid.box.height);
      let cells = pixels;
      if (!seen.image) {
        cells = new Uint8ClampedArray(4 * grid.cells.length);
        for (let k = 0; k < grid.curves.length; k++) {
          const cell = grid.cellOf(grid.curves[k]);
          if (cell >= 0) cells.set(pixels.subarray(4 * k, 4 * k + 4), 4 * cell);
        }
      }
      const made = draw.picture(cells, grid.columns, grid.rows);
      context.drawImage(made, grid.left, grid.top, grid.columns * grid.cellWidth, grid.rows * grid.cellHeight);
      if (seen.belowNoise) fillCells(context, grid, (k) => !!seen.belowNoise?.[k], draw.pattern(context, "noise"));
      if (seen.bound) fillCells(context, grid, (k) => !!seen.bound?.[k], draw.pattern(context, "bound"));
    } else if (places instanceof PointPlaces) {
      if (places.kind === "strip") {
        drawAxes(context, places, valueScale(seen.classes ? [0, seen.classes.length - 1 || 1] : seen.range, seen.log), seen);
      }
      drawPoints(context, places, seen, pixels);
    }
    if (places && !seen.image) drawStates(context, places);
    if (grid) drawScaleBar(context, grid);
    context.restore();
  }
  drawOver();
  if (!seen) return;
  if (first) end("nrm:first-map");
  first = false;
  end("nrm:depth-drawn", "nrm:depth");
}

/** @param {CanvasRenderingContext2D} context @param {Places} places */
function drawScaleBar(context, { box, metres }) {
  const bar = scaleBar(metres * box.width);
  if (!bar) return;
  const pixels = bar / metres;
  const [x, y] = [box.x + box.width - pixels - 10, box.y + box.height - 12];
  context.fillStyle = "rgb(0 0 0 / 65%)";
  context.fillRect(x - 6, y - 18, pixels + 12, 26);
  context.fillStyle = "#ffffff";
  context.fillRect(x, y, pixels, 3);
  draw.label(context, lengthText(bar), x + pixels / 2, y - 4, { ink: "#ffffff", halo: "rgb(0 0 0 / 0%)", align: "center" });
}

/** What was picked, the current curve, the lasso. */
function drawOver() {
  const { context } = draw.prepared(over);
  const { places, polygon } = view;
  if (!places) return;
  const { selected, current } = get();
  const { box } = places;
  context.save();
  context.beginPath();
  context.rect(box.x - 8, box.y - 8, box.width + 16, box.height + 16);
  context.clip();
  const stroke = (/** @type {Path2D} */ path, /** @type {string} */ ink = colour("select")) => {
    for (const [style, wide] of /** @type {[string, number][]} */ ([["rgb(255 255 255 / 85%)", 3.6], [ink, 1.8]])) {
      context.strokeStyle = style;
      context.lineWidth = wide;
      context.stroke(path);
    }
  };
  if (selected.length > 1) {
    const path = places instanceof GridPlaces ? draw.outline(places, new Set(selected)) : new Path2D();
    if (places instanceof PointPlaces) {
      for (const curve of selected) {
        const centre = places.centreOf(curve);
        if (centre) path.moveTo(centre[0] + places.radius + 2, centre[1]);
        if (centre) path.arc(centre[0], centre[1], places.radius + 2, 0, 7);
      }
    }
    stroke(path);
  }
  const centre = places.centreOf(current);
  if (centre) {
    const [x, y] = centre;
    const [w, h] = places instanceof GridPlaces ? [places.cellWidth, places.cellHeight] : [2 * places.radius + 4, 2 * places.radius + 4];
    const [a, b] = [Math.max(9, w), Math.max(9, h)];
    const path = new Path2D();
    path.rect(x - a / 2, y - b / 2, a, b);
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      path.moveTo(x + (dx * a) / 2, y + (dy * b) / 2);
      path.lineTo(x + dx * (a / 2 + 6), y + dy * (b / 2 + 6));
    }
    stroke(path);
  }
  if (polygon.length > 1) {
    const path = new Path2D();
    polygon.forEach(([x, y], k) => (k ? path.lineTo(x, y) : path.moveTo(x, y)));
    path.closePath();
    context.fillStyle = colour("shade");
    context.fill(path);
    context.setLineDash([4, 3]);
    stroke(path);
  }
  context.restore();
}

/** Counts of what the patterns mean, as far as there is any in this layer.
 * @param {ReturnType<typeof shown>} seen */
function drawLegend(seen) {
  const { curves, excluded, flagged, moved } = states();
  const counts = [["noise", "below noise", (/** @type {number} */ k) => !!seen?.belowNoise?.[k]],
    ["bound", "at least this", (/** @type {number} */ k) => !!seen?.bound?.[k]],
    ["flagged", "flagged", flagged], ["excluded", "excluded", excluded], ["moved", "contact by hand", moved]];
  const parts = [];
  for (const [kind, text, test] of /** @type {[string, string, (k: number) => boolean][]} */ (counts)) {
    let count = 0;
    if (!seen?.image) for (let k = 0; k < curves.length; k++) if (test(k)) count++;
    if (count) parts.push(make("span", { className: `key key-${kind}` }, `${text} ${count}`));
  }
  legend.replaceChildren(...parts);
}

/** Draw soon, once however many changes there are. */
export function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(drawBase);
}

/** Value of a curve as text with its unit.
 * @param {number} curve */
export function valueText(curve) {
  const seen = shown();
  const k = seen && !seen.image ? indexOf(curve) : -1;
  if (!seen || k < 0) return "";
  if (seen.classes) return seen.classes[seen.values[k]] ?? "–";
  const below = seen.belowNoise?.[k] ? " (below noise)" : "";
  if (Number.isNaN(seen.values[k])) return "no value";
  const least = seen.bound?.[k] ? "≥ " : "";
  return `${least}${number(seen.values[k] * seen.factor)} ${seen.unit}`.trim() + below;
}

/** Value of the file's image at a place of the screen, as text.
 * @param {number} x @param {number} y */
export function imageText(x, y) {
  const seen = shown();
  const box = seen?.image ? imageBox(seen) : null;
  const cell = box?.cellAt(x, y);
  if (!seen || !box || !cell) return "";
  return `${number(seen.values[cell.row * box.columns + cell.column] * seen.factor)} ${seen.unit}`.trim();
}

/** Move the window of the map.
 * @param {import("./places.js").Window} window */
export function look(window) {
  const half = 0.5 / window.zoom;
  const inside = (/** @type {number} */ share) => Math.min(1 - half, Math.max(half, share));
  view.window = window.zoom <= 1 ? ALL : { zoom: window.zoom, x: inside(window.x), y: inside(window.y) };
  redraw();
}

/** @param {HTMLElement} element */
export function mount(element) {
  const box = make("div", { className: "map-box" }, base, over);
  const tools = make("div", { className: "map-tools", role: "toolbar", "aria-label": "Tools of the map" });
  box.append(make("span", { id: "map-keys", className: "hidden-text" }, "Arrow keys go from curve to curve, Shift and arrows select; the question mark lists all keys."));
  element.append(box, make("div", { className: "row legend-row" }, legend, make("span", { className: "space" }), tools));
  mountPicking(tools, over, drawOver);
  new ResizeObserver(redraw).observe(box);
  on(["values", "layer", "image", "range", "flags", "layout", "blind"], redraw);
  on(["selected", "current"], drawOver);
  on(["layer", "image"], () => look(ALL));
  onTheme(redraw);
}
