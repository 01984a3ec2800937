// Brings the page up: the session, what was remembered, the modules, the values of the map.

import { attempt, getArrays, getJson, onEvent } from "./api.js";
import * as controls from "./controls.js";
import * as curve from "./curve.js";
import * as decisions from "./decisions.js";
import * as exporting from "./export.js";
import * as facts from "./facts.js";
import * as help from "./help.js";
import * as histogram from "./histogram.js";
import { mount as mountKeys } from "./keys.js";
import * as layout from "./layout.js";
import * as lists from "./lists.js";
import * as live from "./live.js";
import * as map from "./map.js";
import { count } from "./numbers.js";
import * as profiles from "./profiles.js";
import * as recipe from "./recipe.js";
import { get, on, quantityOf, say, set } from "./state.js";
import * as trends from "./trends.js";

/** @typedef {import("./types").LayerPlaces} LayerPlaces */
/** @typedef {import("./types").Session} Session */

/** The session and where its curves lie; where it shows something else than before, what is shown
 * first, too.
 * @returns {Promise<void>} */
async function loadSession() {
  const before = get().session;
  /** @type {Session} */
  const session = await getJson("api/session");
  /** @type {any} */
  const arrays = session.live ? {} : (await getArrays("api/layout")).arrays;
  /** @type {LayerPlaces[]} */
  const places = session.layers.map((_, k) => ({
    curve: arrays[`curve_${k}`],
    row: arrays[`row_${k}`],
    column: arrays[`column_${k}`],
    x: arrays[`x_${k}`],
    y: arrays[`y_${k}`],
  }));
  const same = before && before.live === session.live && before.n_curves === session.n_curves;
  set({ session, layout: places, ...(same ? {} : firstState(session)) });
}

/** Values, flags and images of the session.
 * @returns {Promise<void>} */
async function loadData() {
  const { session, current, image } = get();
  if (!session || session.live) return;
  if (!session.n_curves && session.images.length && image === null) await controls.loadImage(0);
  await Promise.all([loadValues(), loadFlags()]);
  if (current < 0 && session.n_curves) set({ current: 0, selected: [0] });
  say(`${session.n_curves ? count(session.n_curves, "curve") : count(session.images.length, "image")}.`);
}

/** @returns {Promise<void>} */
async function loadFlags() {
  const { arrays } = await getArrays("api/flags", null, { latest: "flags" });
  set({ flags: /** @type {any} */ ({ quality: arrays.quality, byHand: arrays.by_hand, doubt: arrays.doubt }) });
}

/** What is being asked for now.
 * @type {{quantity: string} | null} */
let running = null;

/** The values of the quantity, distance and direction that the state asks for: one request at a
 * time, and after it the newest wish; another quantity does not wait for the one before.
 * @returns {Promise<void>} */
async function loadValues() {
  const mine = { quantity: get().quantity };
  const quantity = quantityOf();
  if (!quantity || running?.quantity === mine.quantity) return;
  running = mine;
  try {
    for (;;) {
      const { depth, direction, session } = get();
      const { header, arrays } = await getArrays("api/values", { quantity: quantity.name, depth, direction }, { latest: "values" });
      const now = get();
      if (running !== mine || now.quantity !== mine.quantity) return;
      if (now.session === session) {
        set({
          values: {
            quantity: { ...quantity, unit: header.unit, factor: header.factor, label: header.label },
            depth,
            direction,
            values: /** @type {Float32Array} */ (arrays.values),
            belowNoise: /** @type {Uint8Array} */ (arrays.below_noise),
            censored: /** @type {Uint8Array | null} */ (arrays.censored ?? null),
            range: header.range,
          },
        });
      }
      if (now.depth === depth && now.direction === direction && now.session === session) return;
    }
  } finally {
    if (running === mine) running = null;
  }
}

/** What is shown first, as far as this kind of file remembers it.
 * @param {Session} session
 * @returns {Partial<import("./types").State>} */
function firstState(session) {
  const stored = layout.remembered(session);
  const quantity = session.quantities.find(({ name }) => name === stored.quantity) ?? session.quantities[0];
  const first = session.first_depth ?? get().depth;
  return {
    ...stored,
    quantity: quantity?.name ?? "",
    depth: stored.depth && session.depth.values.includes(stored.depth) ? stored.depth : first,
    direction: session.directions[0] ?? "approach",
    blind: get().blind || session.blind,
    tab: session.live ? "live" : "doubt",
    values: null,
    flags: null,
    layer: 0,
    image: null,
    current: -1,
    selected: [],
    filter: null,
    range: null,
  };
}

await attempt(async () => {
  mountKeys();
  facts.mountStatus(); // says why there is no session
  await loadSession();
  layout.mount();
  const panel = layout.element("map-panel");
  controls.mount(panel);
  map.mount(panel);
  histogram.mount(panel);
  facts.mount();
  lists.mount(layout.element("doubt-panel"));
  help.mount();
  curve.mount(layout.element("curve-panel"));
  profiles.mount(layout.element("profile-panel"));
  recipe.mount(layout.element("recipe-panel"));
  decisions.mount(layout.element("decisions-panel"));
  exporting.mount(layout.element("export"));
  live.mount(layout.element("live"));
  trends.mount(layout.element("trends"));
  on(["quantity", "depth", "direction", "session"], () => attempt(loadValues));
  onEvent("decisions", () => attempt(loadFlags));
  onEvent("session", () => attempt(async () => {
    await loadSession();
    await loadData();
  }));
  await loadData();
});
