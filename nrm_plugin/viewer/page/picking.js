// Picking curves on the map: click, drag (rectangle or lasso), wheel, keyboard.

import { handle } from "./keys.js";
import { element, make } from "./layout.js";
import { imageText, look, valueText, view } from "./map.js";
import { number } from "./numbers.js";
import { ALL, GridPlaces, inPolygon } from "./places.js";
import { placeText, select } from "./shown.js";
import { get, on, say, set, show } from "./state.js";
import { begin } from "./times.js";

/** @typedef {[number, number]} Point */

/** Where Shift+arrow began. */
let anchor = -1;
let lasso = false;

/** @param {number} curve */
function pick(curve) {
  begin("nrm:click");
  anchor = curve;
  show(curve);
}

/** One curve with what a click's keys mean: Ctrl adds or takes out, Shift selects up to here.
 * @param {number} curve @param {{ctrlKey: boolean, metaKey: boolean, shiftKey: boolean}} event */
function click(curve, event) {
  if (curve < 0) return;
  if (event.ctrlKey || event.metaKey) {
    toggle(curve);
    begin("nrm:click");
    set({ current: curve });
  } else if (event.shiftKey && view.places && get().current >= 0) {
    if (anchor < 0) anchor = get().current;
    begin("nrm:click");
    select(view.places.between(anchor, curve), { current: curve });
  } else {
    pick(curve);
  }
}

/** @param {number} curve */
function toggle(curve) {
  const { selected } = get();
  select(selected.includes(curve) ? selected.filter((one) => one !== curve) : [...selected, curve]);
}

/** @param {number} dx @param {number} dy up is 1 @param {KeyboardEvent | null} event */
function step(dx, dy, event) {
  const { places } = view;
  if (!places) return;
  const { current } = get();
  const curve = places.neighbour(current, dx, dy);
  if (curve < 0) return;
  if (event?.shiftKey) {
    if (anchor < 0) anchor = current < 0 ? curve : current;
    begin("nrm:click");
    select(places.between(anchor, curve), { current: curve });
  } else {
    pick(curve);
  }
  follow(curve);
}

/** Keep the current curve in the part that is seen.
 * @param {number} curve */
function follow(curve) {
  const { places, window } = view;
  const centre = places?.centreOf(curve);
  if (!places || !centre || window.zoom <= 1) return;
  const { box } = places;
  const dx = (centre[0] - (box.x + box.width / 2)) / (box.width * window.zoom);
  const dy = (centre[1] - (box.y + box.height / 2)) / (box.height * window.zoom);
  const reach = 0.45 / window.zoom;
  if (Math.abs(dx) > reach || Math.abs(dy) > reach) look({ zoom: window.zoom, x: window.x + dx, y: window.y + dy });
}

/** Larger or smaller about a place of the screen (the current curve without one).
 * @param {number} factor @param {Point | null} at */
function zoom(factor, at = null) {
  const { places, window } = view;
  if (!places) return;
  const { box } = places;
  const [x, y] = at ?? places.centreOf(get().current) ?? [box.x + box.width / 2, box.y + box.height / 2];
  const zoomed = Math.min(64, Math.max(1, window.zoom * factor));
  const shareX = (x - box.x) / box.width - 0.5;
  const shareY = (y - box.y) / box.height - 0.5;
  const change = 1 / window.zoom - 1 / zoomed;
  look({ zoom: zoomed, x: window.x + shareX * change, y: window.y + shareY * change });
}

/** @param {HTMLElement} tools @param {HTMLCanvasElement} canvas @param {() => void} drawOver */
export function mountPicking(tools, canvas, drawOver) {
  /** @type {Point | null} */
  let start = null;
  let dragging = false;
  const at = (/** @type {MouseEvent} */ event) => /** @type {Point} */ ([event.offsetX, event.offsetY]);

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    start = at(event);
    dragging = false;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = at(event);
    if (!start) {
      hover(x, y);
      return;
    }
    if (!dragging && Math.hypot(x - start[0], y - start[1]) < 4) return;
    dragging = true;
    if (lasso || event.altKey) view.polygon = view.polygon.length ? [...view.polygon, [x, y]] : [start, [x, y]];
    else view.polygon = [start, [x, start[1]], [x, y], [start[0], y]];
    drawOver();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!start) return;
    const { places, polygon } = view;
    const [x, y] = start;
    start = null;
    view.polygon = [];
    if (!places) return;
    if (!dragging) {
      click(places.curveAt(x, y), event);
    } else {
      const found = inPolygon(places, polygon);
      const before = event.ctrlKey || event.metaKey || event.shiftKey ? get().selected : [];
      select([...new Set([...before, ...found])]);
      drawOver();
    }
  });
  canvas.addEventListener("pointercancel", () => {
    start = null;
    view.polygon = [];
    drawOver();
  });
  canvas.addEventListener("pointerleave", () => element("place").replaceChildren());
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 300), at(event));
  }, { passive: false });
  canvas.addEventListener("dblclick", () => look(ALL));

  const tool = make("button", { "aria-pressed": "false", title: "Drag a free outline instead of a rectangle (f)" }, "Lasso");
  tool.addEventListener("click", () => chooseLasso(!lasso));
  const chooseLasso = (/** @type {boolean} */ wanted) => {
    lasso = wanted;
    tool.setAttribute("aria-pressed", String(lasso));
    say(lasso ? "Dragging on the map draws a lasso." : "Dragging on the map draws a rectangle.");
  };
  const buttons = [["zoomIn", "+", "Larger (+)"], ["zoomOut", "−", "Smaller (−)"], ["zoomAll", "⤢", "The whole layer (0)"]];
  tools.append(tool, ...buttons.map(([action, text, name]) => make("button", { title: name, "aria-label": name, "data-action": action }, text)));

  handle("lasso", () => chooseLasso(!lasso));
  handle("zoomIn", () => zoom(1.6));
  handle("zoomOut", () => zoom(1 / 1.6));
  handle("zoomAll", () => look(ALL));
  handle("left", (event) => step(-1, 0, event));
  handle("right", (event) => step(1, 0, event));
  handle("up", (event) => step(0, 1, event));
  handle("down", (event) => step(0, -1, event));
  handle("toggleSelected", () => toggle(get().current));
  handle("selectAll", () => select([...(view.places?.curves ?? [])]));
  handle("close", () => {
    const { selected, current } = get();
    if (selected.length > 1) set({ selected: current < 0 ? [] : [current], filter: null });
  });
  on(["current"], ({ current }) => {
    if (get().selected.length < 2) anchor = current;
    follow(current);
  });
}

/** @param {number} x @param {number} y */
function hover(x, y) {
  const { places } = view;
  if (!places) return;
  const curve = places.curveAt(x, y);
  const cell = places instanceof GridPlaces ? places.cellAt(x, y) : null;
  let text = "";
  if (get().image !== null) text = [curve >= 0 ? placeText(curve) : "", imageText(x, y)].filter(Boolean).join(": ");
  else if (curve >= 0) text = `${placeText(curve)}: ${valueText(curve)}`;
  else if (cell) text = `row ${number(cell.row)}, column ${number(cell.column)}: no curve`;
  element("place").replaceChildren(text);
}
