// The windows of baseline and wall, moved by mouse or keyboard: that is another recipe.

import { make } from "./layout.js";
import { figure } from "./numbers.js";
import { windowRecipe } from "./recipe-values.js";
import { get, set } from "./state.js";
import { begin } from "./times.js";

/** @typedef {import("./types").Container} Container */


/**
 * An upright line that is moved: by dragging, or by arrow keys while it is focused.
 */
export class Handle {
  /**
   * @param {import("./plot.js").Plot} plot
   * @param {{label: string, className: string, step: () => number,
   *   move: (value: number, done: boolean) => void}} options value: on the x axis
   */
  constructor(plot, { label, className, step, move }) {
    this.plot = plot;
    this.move = move;
    this.step = step;
    /** @type {number | null} */
    this.value = null;
    this.dragging = false;
    this.element = make("div", { className: `plot-handle ${className}`, role: "slider", tabIndex: 0, "aria-label": label });
    this.element.setAttribute("aria-orientation", "horizontal");
    this.element.title = `${label}: drag, or arrow keys (Shift: larger steps)`;
    this.element.addEventListener("pointerdown", (event) => this.drag(event));
    this.element.addEventListener("mousedown", (event) => event.stopPropagation());
    this.element.addEventListener("dblclick", (event) => event.stopPropagation());
    this.element.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {number | null} value where it stands, null where there is none */
  place(value) {
    if (!this.dragging) this.value = value;
    const plot = this.plot.plot;
    const shown = plot && this.value !== null && Number.isFinite(this.value);
    this.element.hidden = !shown;
    if (!plot || !shown) return;
    if (this.element.parentElement !== plot.over) plot.over.append(this.element);
    const value_ = /** @type {number} */ (this.value);
    const left = plot.valToPos(value_, "x");
    const width = plot.over.clientWidth;
    this.element.hidden = !(left >= -1 && left <= width + 1);
    this.element.style.left = `${left}px`;
    const { min, max } = plot.scales.x;
    this.element.setAttribute("aria-valuemin", figure(min, 6).replace("−", "-"));
    this.element.setAttribute("aria-valuemax", figure(max, 6).replace("−", "-"));
    this.element.setAttribute("aria-valuenow", figure(value_, 6).replace("−", "-"));
    this.element.setAttribute("aria-valuetext", `${figure(value_, 5)} ${this.plot.scene.x.unit}`);
  }

  /** @param {number} value @param {boolean} done */
  to(value, done) {
    const { x } = this.plot.limits();
    this.value = Math.min(Math.max(value, x[0]), x[1]);
    this.place(this.value);
    this.move(this.value, done);
  }

  /** @param {PointerEvent} down */
  drag(down) {
    const plot = this.plot.plot;
    if (!plot || down.button) return;
    down.preventDefault();
    down.stopPropagation();
    this.element.focus();
    this.element.setPointerCapture(down.pointerId);
    this.dragging = true;
    const box = plot.over.getBoundingClientRect();
    const at = (/** @type {PointerEvent} */ event) => plot.posToVal(event.clientX - box.left, "x");
    const off = at(down) - (this.value ?? at(down));
    const moved = (/** @type {PointerEvent} */ event) => this.to(at(event) - off, false);
    this.element.addEventListener("pointermove", moved);
    this.element.addEventListener("lostpointercapture", () => {
      this.element.removeEventListener("pointermove", moved);
      this.dragging = false;
      if (this.value !== null) this.move(this.value, true);
    }, { once: true });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const sign = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!sign || event.ctrlKey || event.metaKey || this.value === null) return;
    event.preventDefault();
    event.stopPropagation();
    this.to(this.value + sign * this.step() * (event.shiftKey ? 10 : 1), true);
  }
}

/**
 * Handles for the windows of the current curve.
 * @param {import("./plot.js").Plot} plot
 * @returns {(curve: Container | null) => void} draws them again
 */
export function mountWindows(plot) {
  /** @type {Container | null} */
  let current = null;
  const factor = () => plot.scene.x.factor ?? 1e9;
  const made = /** @type {const} */ (["baseline", "wall"]).map((part) => {
    const label = part === "baseline" ? "inner end of the baseline window" : "outer end of the wall window";
    const handle = new Handle(plot, {
      label, className: `handle-${part}`,
      step: () => Math.max(plot.limits().x[1] - plot.limits().x[0], 1) / 500,
      move(value) {
        if (!current) return;
        begin("nrm:recipe");
        set({ recipe: { ...get().recipe, ...windowRecipe(current, part, value / factor()) } });
      },
    });
    return { part, handle };
  });
  return (curve) => {
    current = curve;
    for (const { part, handle } of made) {
      const window = curve?.header.windows?.[part];
      const value = window?.[part === "baseline" ? 1 : 0];
      handle.place(Number.isFinite(value) ? value * factor() : null);
    }
  };
}
