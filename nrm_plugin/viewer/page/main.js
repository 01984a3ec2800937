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
import * as profiles from "./profiles.js";
import * as recipe from "./recipe.js";
import { get, on, quantityOf, say, set } from "./state.js";
import * as trends from "./trends.js";

/** @typedef {import("./types").LayerPlaces} LayerPlaces */
/** @typedef {import("./types").Session} Session */

/** @returns {Promise<void>} */
async function loadSession() {
  /** @type {Session} */
  const session = await getJson("api/session");
  const { arrays } = await getArrays("api/layout");
  /** @type {any} */
  const all = arrays;
  /** @type {LayerPlaces[]} */
  const places = session.layers.map((_, k) => ({
    curve: all[`curve_${k}`],
    row: all[`row_${k}`],
    column: all[`column_${k}`],
    x: all[`x_${k}`],
    y: all[`y_${k}`],
  }));
  set({ session, layout: places });
}

/** @returns {Promise<void>} */
async function loadFlags() {
  const { arrays } = await getArrays("api/flags", null, { latest: "flags" });
  set({ flags: /** @type {any} */ ({ quality: arrays.quality, byHand: arrays.by_hand, doubt: arrays.doubt }) });
}

let loading = false;

/** The values of the quantity, distance and direction that the state asks for: one request at a
 * time, and after it the newest wish.
 * @returns {Promise<void>} */
async function loadValues() {
  if (loading) return;
  loading = true;
  try {
    for (;;) {
      const { quantity: name, depth, direction, session } = get();
      const quantity = quantityOf();
      if (!quantity) return;
      const { header, arrays } = await getArrays("api/values", { quantity: name, depth, direction });
      const now = get();
      if (now.quantity === name && now.session === session) {
        set({
          values: {
            quantity: { ...quantity, unit: header.unit, factor: header.factor, label: header.label },
            depth,
            direction,
            values: /** @type {Float32Array} */ (arrays.values),
            belowNoise: /** @type {Uint8Array} */ (arrays.below_noise),
            range: header.range,
          },
        });
      }
      if (now.quantity === name && now.depth === depth && now.direction === direction && now.session === session) return;
    }
  } finally {
    loading = false;
  }
}

/** What the page shows first. */
function firstState() {
  const session = /** @type {Session} */ (get().session);
  const stored = layout.remembered();
  const quantity = session.quantities.find(({ name }) => name === stored.quantity) ?? session.quantities[0];
  const depth = session.depth.values.includes(stored.depth ?? -1) ? stored.depth : session.first_depth;
  set({
    ...stored,
    quantity: quantity?.name ?? "",
    depth: depth ?? session.first_depth,
    direction: session.directions[0] ?? "approach",
    blind: session.blind,
    tab: session.live ? "live" : "doubt",
  });
}

await attempt(async () => {
  mountKeys();
  await loadSession();
  firstState();
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
    await Promise.all([loadFlags(), loadValues()]);
  }));
  const session = /** @type {Session} */ (get().session);
  if (!session.n_curves && session.images.length) await controls.loadImage(0);
  await Promise.all([loadValues(), loadFlags()]);
  if (get().current < 0 && session.n_curves) set({ current: 0, selected: [0] });
  say(`${session.n_curves} curves.`);
});
