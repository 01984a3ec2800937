// The panel of profiles: lateral forces and moduli against distance, with linked cursors.

import { shown } from "./details.js";
import { make, onTheme } from "./layout.js";
import { Plot } from "./plot.js";
import { forceScene, moduliScene, wantsLog } from "./scenes.js";
import { get, on, quantityOf } from "./state.js";

/** The plots that export.js takes.
 * @type {Plot[]} */
export const profilePlots = [];

/** @param {HTMLElement} element */
export function mount(element) {
  const log = make("select", { id: "log-axis", title: "Axis of the moduli" },
    ...[["auto", "axis: as it helps"], ["linear", "axis: linear"], ["log", "axis: logarithmic"]]
      .map(([value, text]) => make("option", { value }, text)));
  log.setAttribute("aria-label", "Axis of the moduli");
  const panels = make("div", { className: "profiles" });
  element.replaceChildren(make("div", { className: "panel-head" }, make("h2", {}, "Profiles"),
    make("span", { className: "space" }), log), panels);
  const forces = new Plot(panels, { link: "distance" });
  const moduli = new Plot(panels, { link: "distance" });
  profilePlots.push(forces, moduli);

  function draw() {
    const { session, blind, detail, depth } = get();
    const drawn = detail ? shown.drawn : null;
    const radius = session?.tip_radius ?? null;
    const region = shown.region?.header.number === undefined || shown.region.header.number === get().current ? shown.region : null;
    const arrays = drawn?.main.arrays;
    const helps = wantsLog(arrays?.storage_modulus, arrays?.storage_modulus_stderr);
    forces.show(forceScene(drawn, radius));
    moduli.show(moduliScene(drawn, {
      radius, blind,
      region: drawn && get().region ? region : null,
      log: log.value === "log" || (log.value === "auto" && helps),
      depth: quantityOf()?.of_depth ? depth : undefined,
    }));
  }
  log.addEventListener("change", draw);
  on(["detail", "region", "blind", "depth", "quantity", "session"], draw);
  onTheme(draw);
  draw();
}
