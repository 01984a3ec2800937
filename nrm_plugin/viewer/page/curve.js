// The panel of the current curve: loads what is to be drawn, and draws the deflection.

import { attempt, onEvent, Refused } from "./api.js";
import { mountMover } from "./contact.js";
import { forget, latestWins, load, loadRegion, MOST_OVERLAID, shown } from "./details.js";
import { handle } from "./keys.js";
import { make, onTheme } from "./layout.js";
import { count } from "./numbers.js";
import { Plot } from "./plot.js";
import { wrongFields } from "./recipe-values.js";
import { curveScene } from "./scenes.js";
import { get, on, say, set } from "./state.js";
import { end } from "./times.js";
import { mountWindows } from "./windows.js";

/** @typedef {import("./types").State} State */
/** @typedef {import("./scenes.js").Drawn} Drawn */

/** The plot that export.js takes.
 * @type {Plot | null} */
export let curvePlot = null;

/** The direction that is not shown.
 * @param {Readonly<State>} state */
function otherDirection({ direction, session }) {
  return session?.directions.find((name) => name !== direction) ?? null;
}

/** Load all that the state asks to see of curves.
 * @param {Readonly<State>} state @returns {Promise<Drawn | null>} */
async function loadDrawn({ ...state }) {
  const { current, direction, recipe, contact } = state;
  if (current < 0 || !state.session) return null;
  const trial = contact !== null || Object.keys(recipe).length > 0;
  const other = state.bothDirections ? otherDirection(state) : null;
  const others = state.overlay ? state.selected.filter((n) => n !== current).slice(0, MOST_OVERLAID) : [];
  const [main, back, before, ...overlay] = await Promise.all([
    load(current, direction, { recipe, contact }),
    other ? load(current, other, { recipe }).catch(() => null) : null,
    trial ? load(current, direction) : null,
    ...others.map((n) => load(n, direction)),
  ]);
  const left = state.selected.length - 1 - MOST_OVERLAID;
  if (state.overlay && left > 0) {
    say(`${count(MOST_OVERLAID, "selected curve")} of ${state.selected.length - 1} are drawn with the current one.`);
  }
  return { main, other: back, before, overlay, trial, contactByHand: contact };
}

/** Buttons above the plot, by their action. */
const BUTTONS = /** @type {const} */ ([
  ["view", "Referenced", "Deflection against distance from the electrode, instead of height (v)"],
  ["overlay", "Overlay", "Draw all selected curves (o)"],
]);

/** @param {HTMLElement} element */
export function mount(element) {
  const heading = make("h2", {}, "Curve");
  const buttons = BUTTONS.map(([action, text, title]) => make("button", { "data-action": action, title, "aria-pressed": "false" }, text));
  const whole = make("button", { title: "Show all of it again (double-click, or 0 in the plot)" }, "Whole");
  const flags = make("div", { className: "flags" });
  const bar = make("div", { className: "mover", role: "group", "aria-label": "Contact by hand", hidden: true });
  element.replaceChildren(make("div", { className: "panel-head" }, heading, make("span", { className: "space" }), ...buttons, whole), flags, bar);
  const plot = new Plot(element, { onDraw: () => placeHandles() });
  curvePlot = plot;
  const placeWindows = mountWindows(plot);
  const placeMover = mountMover(plot, bar);
  whole.addEventListener("click", () => plot.reset());

  function placeHandles() {
    const { drawn } = shown;
    const raw = drawn && get().view === "raw" && drawn.main.arrays.deflection?.length ? drawn.main : null;
    placeWindows(get().contact === null ? raw : null);
    placeMover(raw);
  }

  function draw() {
    const { drawn } = shown;
    const state = get();
    heading.textContent = titleOf(drawn);
    plot.show(curveScene(drawn, state.view));
    showFlags(flags, drawn);
    const pressed = [state.view === "referenced", state.overlay];
    buttons.forEach((button, k) => button.setAttribute("aria-pressed", String(pressed[k])));
  }

  const refresh = latestWins(() => attempt(async () => {
    const state = { ...get() };
    const sameCurve = shown.drawn?.main.header.number === state.current;
    let drawn = null;
    try {
      drawn = await loadDrawn(state);
      if (Object.keys(state.recipeErrors).length) set({ recipeErrors: {} });
    } catch (error) {
      // A recipe that is refused: said beside its fields, and the curve stays as it was.
      if (error instanceof Refused && Object.keys(state.recipe).length) {
        set({ recipeErrors: wrongFields(error.message, (state.session?.recipe_fields ?? []).map(({ name }) => name)) });
      }
      throw error;
    }
    if (!sameCurve) plot.zoomed = { x: null, y: null };
    shown.drawn = drawn;
    draw();
    set({ detail: drawn?.main ?? null });
    // A trial replaces its container even where the number is the same: profiles draw on `detail`.
    // What changed meanwhile is measured when it is drawn itself.
    const { current, recipe, contact } = get();
    if (current === state.current) end("nrm:drawn", "nrm:click");
    // A handle that is let go sets the same values once more.
    const same = JSON.stringify(recipe) === JSON.stringify(state.recipe) && contact === state.contact;
    if (same) end("nrm:recipe-drawn", "nrm:recipe");
    if (!window.nrmTimes["nrm:first-curve"] && drawn) end("nrm:first-curve");
    if (drawn?.main.arrays.storage_modulus && state.session?.has.results) void showRegion(state.current, state.direction);
  }));
  on(["current", "direction", "selected", "overlay", "bothDirections", "recipe", "contact"], (state) => {
    const same = sameAs(state);
    if (state.overlay || !same) refresh(undefined);
  });
  on(["view"], draw);
  onTheme(draw);
  handle("view", () => set({ view: get().view === "raw" ? "referenced" : "raw" }));
  handle("overlay", () => {
    set({ overlay: !get().overlay });
    if (get().overlay && get().selected.length < 2) say("Overlay is on: select several curves (Shift and arrows, lasso, histogram).");
  });
  handle("bothDirections", () => {
    if (otherDirection(get())) set({ bothDirections: !get().bothDirections });
    else say("There is only one direction in these results: process with direction = \"both\".");
  });
  for (const kind of ["decisions", "session"]) {
    onEvent(kind, () => {
      forget();
      refresh(undefined);
    });
  }
  draw();
}

/** What was asked for the last time, so that a mere change of the selection loads nothing. */
let asked = "";

/** @param {Readonly<State>} state */
function sameAs({ current, direction, overlay, bothDirections, recipe, contact }) {
  const now = JSON.stringify([current, direction, overlay, bothDirections, recipe, contact]);
  const same = now === asked;
  asked = now;
  return same;
}

/** @param {number} number @param {string} direction */
async function showRegion(number, direction) {
  const region = await loadRegion(number, direction).catch(() => null);
  if (get().current !== number) return;
  shown.region = region;
  set({ region });
}

/** @param {Drawn | null} drawn */
function titleOf(drawn) {
  if (!drawn) return "Curve";
  return `Curve ${drawn.main.header.number}${drawn.trial ? " (tried)" : ""}`;
}

/** Flags of the curve, each with its advice.
 * @param {HTMLElement} host @param {Drawn | null} drawn */
function showFlags(host, drawn) {
  host.replaceChildren();
  const header = drawn?.main.header;
  if (!header) return;
  const { excluded, accepted } = header.by_hand ?? {};
  if (excluded) host.append(make("span", { className: "badge warn" }, "excluded by hand"));
  if (accepted) host.append(make("span", { className: "badge" }, "accepted by hand"));
  if (header.by_hand?.contact) host.append(make("span", { className: "badge" }, "contact by hand"));
  for (const { name, advice } of header.flags ?? []) {
    const more = make("details", { className: "flag" }, make("summary", {}, String(name).replaceAll("_", " ")), make("p", {}, advice));
    host.append(more);
  }
}
