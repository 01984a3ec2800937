// The panel of a running recording: stream, state, last curve, profiles that grow.

import { attempt, getJson, onEvent } from "./api.js";
import { make, onTheme } from "./layout.js";
import { liveProfiles, rampScene, streamScene, Strip } from "./live-scenes.js";
import { count, figure, readable, withError } from "./numbers.js";
import { Plot } from "./plot.js";
import { get, on, say, set } from "./state.js";

/** Seconds of the stream that are shown. */
const SHOWN = 10;
const NM = 1e9;

/** @param {number} value @param {string} unit */
function said(value, unit) {
  const { unit: shown, factor } = readable(unit, Math.abs(value));
  return `${figure(value * factor, 3)} ${shown}`;
}

/** @param {HTMLElement} element */
export function mount(element) {
  const state = make("div", { className: "live-state", role: "group", "aria-label": "State of the recording" });
  const ring = make("meter", { min: 0, max: 1, low: 0.6, high: 0.85, optimum: 0, "aria-label": "Ring buffer" });
  const ringText = make("span", {}), words = make("span", {}), lost = make("strong", { className: "wrong", role: "alert" });
  state.append(words, make("label", {}, "ring ", ring), ringText, lost);
  const facts = make("p", { className: "live-facts" });
  const streams = make("div", { className: "streams" });
  const curves = make("div", { className: "live-curves" });
  element.replaceChildren(state, streams, facts, curves);
  const last = new Plot(curves), profiles = new Plot(curves);

  /** @type {{channel: import("./live-scenes.js").Channel, strip: Strip, plot: Plot}[]} */
  let channels = [];
  /** @type {any} */
  let ramp = null;
  /** @type {number[]} */
  let depth = [];
  /** @type {Map<string, any>} */
  let regions = new Map();
  let waiting = false;
  let began = false;

  /** Draw the stream at the next picture of the screen, and only while somebody sees it. */
  function drawSoon() {
    if (waiting || document.hidden || !element.offsetParent) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      for (const { channel, strip, plot } of channels) plot.show(streamScene(channel, strip));
    });
  }

  function drawRamp() {
    last.show(rampScene(ramp));
    profiles.show(liveProfiles(ramp, depth, [...regions.values()]));
    if (!ramp) return;
    const { facts: known = {}, flags = [] } = ramp;
    const parts = [`curve ${ramp.number}`];
    if (Number.isFinite(ramp.potential ?? NaN)) parts.push(`${figure(ramp.potential, 4)} V`);
    if (Number.isFinite(known.F_max ?? NaN)) parts.push(`F_max ${said(known.F_max, "N")}`);
    if (Number.isFinite(known.wall_slope ?? NaN)) parts.push(`wall slope ${figure(known.wall_slope, 3)}`);
    parts.push(`wall ${known.stick ?? "unknown"}`);
    if (Number.isFinite(ramp.contact ?? NaN)) parts.push(`contact ${withError(ramp.contact * NM, (ramp.contact_stderr ?? NaN) * NM)} nm`);
    if (ramp.complete === false) parts.push("incomplete");
    if (flags.length) parts.push(`flags: ${flags.map((/** @type {any} */ flag) => flag.name).join(", ")}`);
    if (ramp.error) parts.push(ramp.error);
    facts.textContent = parts.join(" · ");
  }

  /** @param {any} now */
  function drawState(now) {
    if (!now || now.samples === undefined) return;
    const { ring: filled = 0, ring_most: most, queued = 0, overloads = [], lag = 0, seconds = 0, curves: n = 0 } = now;
    ring.value = filled;
    ringText.textContent = `${Math.round(filled * 100)} %${most === undefined ? "" : `, at most ${Math.round(most * 100)} %`}`;
    words.textContent = [`${figure(seconds, 4)} s`, count(n, "curve"), `${lag.toFixed(1)} s behind`,
      queued > 0.02 ? `disk ${Math.round(queued * 100)} % behind` : ""].filter(Boolean).join(" · ");
    const text = overloads.length ? `Overload: ${overloads.join(", ")}` : "";
    if (lost.textContent !== text) lost.textContent = text;
  }

  /** @param {any} snapshot */
  function begin(snapshot) {
    depth = snapshot.depth ?? [];
    regions = new Map((snapshot.regions ?? []).map((/** @type {any} */ region) => [region.label, region]));
    ramp = snapshot.last ?? null;
    streams.replaceChildren();
    channels = (snapshot.channels ?? []).map((/** @type {any} */ channel, /** @type {number} */ k, /** @type {any[]} */ all) =>
      ({ channel, strip: new Strip(SHOWN), plot: new Plot(streams, { low: true, bare: k < all.length - 1 }) }));
    drawState(snapshot.state);
    drawRamp();
    drawSoon();
    began = true;
  }

  const load = () => attempt(async () => begin(await getJson("api/live", null, { latest: "live" })));

  /** Live, the panel takes the page; later the finished file does. */
  function arrange() {
    const live = Boolean(get().session?.live);
    const was = document.body.classList.contains("is-live");
    document.body.classList.toggle("is-live", live);
    if (live && !was) {
      set({ tab: "live" });
      if (!began) load();
    } else if (!live && was) set({ tab: "doubt" });
  }

  onEvent("live", ({ begin: from, bin, channels: values, state: now }) => {
    for (const { channel, strip } of channels) {
      const { low, high } = values[channel.name] ?? {};
      if (low) strip.add(from, bin, low, high);
    }
    drawState(now);
    drawSoon();
  });
  onEvent("ramp", (finished) => {
    ramp = finished;
    if (finished.region) regions.set(finished.region.label, finished.region);
    drawRamp();
  });
  onEvent("ended", ({ path, stopped, curves: n, warnings = [] }) => {
    words.textContent = `Ended: ${count(n ?? 0, "curve")} in ${path}. ${stopped ?? ""} ${warnings.join(" ")}`.trim();
    say(`The recording has ended${stopped ? `: ${stopped}` : ""}. ${path}`);
  });
  onTheme(() => {
    drawRamp();
    drawSoon();
  });
  on(["session"], arrange);
  arrange();
  drawRamp();
}
