// One plot: axes, zoom and cursor by uPlot, its content by scene.js; all of it by keyboard too.

import { logTicks, tickLabels, ticks } from "./axes.js";
import { colour as themeColour, make } from "./layout.js";
import { labelOf, paint, rangeOf, reading } from "./scene.js";

/** @typedef {import("./scene.js").Scene} Scene */

/** How far one turn of the wheel or one key zooms. */
const ZOOM = 1.25;
/** Lower than this (CSS pixels) nothing is drawn. */
const LEAST = 24;

/** @param {string} name of a CSS variable, or a colour itself */
function colour(name) {
  return name.startsWith("--") ? themeColour(name.slice(2)) || "#777" : name;
}

/** @param {CanvasRenderingContext2D} ctx @param {number} scale pixels of the canvas per CSS pixel
 * @returns {import("./scene.js").Pen} */
function canvasPen(ctx, scale) {
  return {
    path: () => new Path2D(),
    stroke(path, name, width, dash, alpha) {
      ctx.strokeStyle = colour(name);
      ctx.globalAlpha = alpha;
      ctx.lineWidth = width * scale;
      ctx.lineJoin = "round";
      ctx.setLineDash(dash.map((length) => length * scale));
      ctx.stroke(path);
      ctx.setLineDash([]);
      ctx.globalAlpha = 1;
    },
    fill(path, name, alpha) {
      ctx.fillStyle = colour(name);
      ctx.globalAlpha = alpha;
      ctx.fill(path);
      ctx.globalAlpha = 1;
    },
    text(words, x, y, name) {
      ctx.fillStyle = colour(name);
      ctx.font = `${11 * scale}px system-ui, sans-serif`;
      ctx.textAlign = "left";
      ctx.textBaseline = "alphabetic";
      ctx.fillText(words, x, y);
    },
  };
}

/** Plots whose x axes and cursors go together, by the name of their link.
 * @type {Map<string, Set<Plot>>} */
const links = new Map();

export class Plot {
  /** @param {HTMLElement} host @param {{link?: string, low?: boolean, bare?: boolean, onDraw?: () => void}} options
   *   low: a strip that has its name above it, and no label of the x axis; bare: no x axis at all */
  constructor(host, { link = "", low = false, bare = false, onDraw = () => {} } = {}) {
    this.onDraw = onDraw;
    this.low = low;
    this.bare = bare;
    /** @type {Scene} */
    this.scene = { name: "", x: { label: "", unit: "" }, y: { label: "", unit: "" }, items: [], sentence: "" };
    /** @type {{x: [number, number] | null, y: [number, number] | null}} what is zoomed into */
    this.zoomed = { x: null, y: null };
    /** @type {uPlot | null} */
    this.plot = null;
    this.log = false;
    /** Pixel of the cursor on the x axis.
     * @type {number | undefined} */
    this.at = undefined;
    this.words = make("p", { className: "plot-empty" });
    this.sentence = make("p", { className: "sr-only" });
    this.legend = make("p", { className: "plot-legend", "aria-hidden": "true" });
    this.readout = make("p", { className: "plot-readout" });
    this.spoken = make("p", { className: "sr-only", "aria-live": "polite" });
    this.stage = make("div", { className: "plot-stage" });
    this.root = make("div", { className: "plot", role: "group", tabIndex: 0, "data-arrows": "" });
    this.root.append(this.stage, this.words, this.legend, this.readout, this.sentence, this.spoken);
    host.append(this.root);
    this.linked = links.get(link) ?? new Set();
    if (link) links.set(link, this.linked);
    this.linked.add(this);
    new ResizeObserver(() => this.fit()).observe(this.stage);
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.stage.addEventListener("mousedown", (event) => event.preventDefault());
    this.stage.addEventListener("dblclick", () => this.reset());
  }

  /** Draw a scene.
   * @param {Scene} scene */
  show(scene) {
    const sameAxes = this.scene.x.label === scene.x.label && this.scene.y.label === scene.y.label
      && this.scene.y.unit === scene.y.unit && this.scene.y.log === scene.y.log;
    this.scene = scene;
    if (!sameAxes) this.zoomed.y = null;
    this.words.textContent = scene.empty ?? "";
    this.root.classList.toggle("is-empty", Boolean(scene.empty));
    this.root.setAttribute("aria-label", scene.name);
    this.sentence.textContent = scene.empty ? scene.empty : `${labelOf(scene.y)} against ${labelOf(scene.x)}. ${scene.sentence}`;
    this.drawLegend();
    this.readout.textContent = this.low ? scene.sentence : "";
    if (this.plot && !!scene.y.log !== this.log) {
      this.plot.destroy();
      this.plot = null;
    }
    if (!this.plot) this.build();
    this.redraw();
  }

  drawLegend() {
    this.legend.replaceChildren();
    const rank = { line: 0, point: 1, span: 2, rule: 3 };
    for (const item of [...this.scene.items].sort((a, b) => rank[a.kind] - rank[b.kind])) {
      if (!item.name || item.name.startsWith("_")) continue;
      const swatch = make("span", { className: `plot-swatch swatch-${item.kind}` });
      swatch.style.color = colour(item.colour);
      if (item.kind === "line" && item.dash?.length) swatch.classList.add(item.dash[0] < 4 ? "swatch-dotted" : "swatch-dashed");
      if (item.kind === "span" && item.hatched) swatch.classList.add("swatch-hatched");
      this.legend.append(make("span", { className: "legend-entry" }, swatch, item.name), " ");
    }
  }

  build() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (width < 60 || height < LEAST) return;
    this.log = Boolean(this.scene.y.log);
    const axis = (/** @type {"x" | "y"} */ which) => ({
      show: which === "y" || !this.bare,
      stroke: () => colour("--plot-ink"),
      grid: { stroke: () => colour("--plot-grid"), width: 1 },
      ticks: { stroke: () => colour("--plot-grid"), width: 1, size: 4 },
      border: { show: true, stroke: () => colour("--plot-axis"), width: 1 },
      font: "11px system-ui, sans-serif",
      labelFont: "12px system-ui, sans-serif",
      label: this.low ? undefined : () => labelOf(this.scene[which], this.stage.clientWidth < 300),
      labelSize: 16,
      labelGap: 0,
      size: which === "x" ? (this.low ? 18 : 24) : (/** @type {uPlot} */ _u, /** @type {string[] | null} */ labels) =>
        Math.max(44, 14 + 6.4 * Math.max(0, ...(labels ?? []).map((label) => label?.length ?? 0))),
      gap: 3,
      splits: (/** @type {uPlot} */ _u, /** @type {number} */ _i, /** @type {number} */ min,
        /** @type {number} */ max) => this.splits(which, min, max),
      // On a logarithmic axis, uPlot leaves values out: null.
      values: (/** @type {uPlot} */ _u, /** @type {(number | null)[]} */ at) => {
        const labels = tickLabels(/** @type {number[]} */ (at.filter((value) => value !== null)));
        return at.map((value) => (value === null ? null : labels.shift()));
      },
    });
    /** @type {any} */
    const options = {
      width, height, padding: [6, 14, this.bare ? 6 : 0, 0],
      legend: { show: false },
      scales: {
        x: { time: false, range: () => this.limits().x },
        y: { distr: this.log ? 3 : 1, range: () => this.limits().y },
      },
      axes: [axis("x"), axis("y")],
      series: [{}, { paths: () => null, points: { show: false } }],
      cursor: {
        points: { show: false },
        drag: { x: true, y: true, uni: 20, setScale: false },
        bind: { dblclick: () => null },
      },
      hooks: {
        draw: [() => this.paint()],
        setSelect: [() => this.select()],
        setCursor: [() => this.cursor()],
      },
    };
    this.plot = new uPlot(options, [[0, 1], [1, 1]], this.stage);
  }

  /** Ticks of an axis.
   * @param {"x" | "y"} which @param {number} min @param {number} max */
  splits(which, min, max) {
    const size = which === "x" ? this.stage.clientWidth / 75 : this.stage.clientHeight / 38;
    return (which === "y" && this.log ? logTicks : ticks)(min, max, Math.max(2, Math.floor(size)));
  }

  /** Values at the ends of both axes.
   * @returns {{x: [number, number], y: [number, number]}} */
  limits() {
    const x = this.zoomed.x ?? rangeOf(this.scene, "x");
    return { x, y: this.zoomed.y ?? rangeOf(this.scene, "y", this.zoomed.x ?? undefined) };
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (!this.plot) this.build();
    else if (width >= 60 && height >= LEAST) this.plot.setSize({ width, height });
    this.onDraw();
  }

  redraw() {
    const plot = this.plot;
    if (!plot) return;
    const { x, y } = this.limits();
    plot.batch(() => {
      plot.setScale("x", { min: x[0], max: x[1] });
      plot.setScale("y", { min: y[0], max: y[1] });
    });
    plot.redraw(false, true);
    this.onDraw();
  }

  paint() {
    const plot = /** @type {uPlot} */ (this.plot ?? null);
    if (!plot) {
      // The first drawing, from within the constructor: once more when it is done.
      queueMicrotask(() => this.plot?.redraw(false, false));
      return;
    }
    const { ctx, bbox } = plot;
    const scale = devicePixelRatio || 1;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    paint(this.scene, { ...bbox, ...this.limits(), log: this.log, scale }, canvasPen(ctx, scale));
    ctx.restore();
  }

  /** Zoom into what was dragged over. */
  select() {
    const plot = this.plot;
    if (!plot || !(plot.select.width > 3 || plot.select.height > 3)) return;
    const { left, top, width, height } = plot.select;
    const all = { width: plot.over.clientWidth, height: plot.over.clientHeight };
    if (width > 3 && width < all.width) {
      this.zoomX([plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]);
    }
    if (height > 3 && height < all.height) {
      this.zoomed.y = [plot.posToVal(top + height, "y"), plot.posToVal(top, "y")];
    }
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.redraw();
  }

  /** @param {[number, number] | null} range of this plot and of those linked with it */
  zoomX(range) {
    for (const plot of this.linked) {
      plot.zoomed.x = range;
      if (plot !== this) plot.redraw();
    }
  }

  /** @param {number} factor below 1: nearer @param {number} [at] value that stays where it is */
  zoom(factor, at) {
    const [low, high] = this.limits().x;
    const centre = at ?? (low + high) / 2;
    this.zoomX([centre - (centre - low) * factor, centre + (high - centre) * factor]);
    this.redraw();
  }

  reset() {
    for (const plot of this.linked) {
      plot.zoomed = { x: null, y: null };
      plot.redraw();
    }
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    if (!this.plot || !event.deltaY) return;
    event.preventDefault();
    const left = event.clientX - this.plot.over.getBoundingClientRect().left;
    this.zoom(event.deltaY > 0 ? ZOOM : 1 / ZOOM, this.plot.posToVal(left, "x"));
  }

  /** Keys of a focused plot: arrows move the cursor, + - 0 zoom.
   * @param {KeyboardEvent} event */
  key(event) {
    if (event.target !== this.root || !this.plot || event.ctrlKey || event.altKey) return;
    const width = this.plot.over.clientWidth;
    const step = event.shiftKey ? 0.1 : 0.01;
    const from = this.at ?? width / 2;
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      const to = from + (event.key === "ArrowLeft" ? -1 : 1) * width * step;
      this.at = Math.min(Math.max(to, 0), width);
      this.plot.setCursor({ left: this.at, top: this.plot.over.clientHeight / 2 });
      this.spoken.textContent = this.readout.textContent;
    } else if (event.key === "+" || event.key === "=") this.zoom(1 / ZOOM, this.under());
    else if (event.key === "-") this.zoom(ZOOM, this.under());
    else if (event.key === "0" || event.key === "Home") this.reset();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Value under the cursor, if there is one. */
  under() {
    return this.at === undefined || !this.plot ? undefined : this.plot.posToVal(this.at, "x");
  }

  /** The cursor moved: values of every line there, here and in the linked plots. */
  cursor() {
    const plot = this.plot;
    if (!plot) return;
    const left = plot.cursor.left ?? -1;
    const x = left < 0 ? null : plot.posToVal(left, "x");
    if (left >= 0) this.at = left;
    for (const one of this.linked) {
      if (one !== this && one.plot) {
        const there = x === null ? -10 : one.plot.valToPos(x, "x");
        one.plot.setCursor({ left: there, top: x === null ? -10 : 0 }, false);
      }
      if (!one.low) one.readout.textContent = x === null ? "" : reading(one.scene, x);
    }
  }
}
