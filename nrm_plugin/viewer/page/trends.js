// Trends of a running recording: wall slope and lateral signal on the wall, alarms, markers.

import { attempt, getJson, onEvent, postJson } from "./api.js";
import { handle } from "./keys.js";
import { make, onTheme } from "./layout.js";
import { trendScene } from "./live-scenes.js";
import { figure } from "./numbers.js";
import { Plot } from "./plot.js";
import { get, on, say } from "./state.js";

/** Curves of the trends that are kept. */
const KEPT = 4096;

/** @param {HTMLElement} element */
export function mount(element) {
  const alarmBox = make("div", { className: "alarm", role: "alert" });
  const plots = make("div", { className: "trends" });
  const field = make("input", { type: "text", id: "marker-text", maxLength: 500, placeholder: "what happened" });
  const put = make("button", { className: "chosen" }, "Put marker");
  const form = make("form", { className: "buttons marker" }, make("label", { htmlFor: "marker-text" }, "Marker"), field, put,
    make("span", { className: "quiet" }, "space bar"));
  const list = make("ol", { className: "markers", "aria-label": "Markers" });
  element.replaceChildren(alarmBox, form, list, plots);
  const slope = new Plot(plots, { link: "trend" }), lateral = new Plot(plots, { link: "trend" });
  /** @type {any[]} */
  let trends = [];
  /** @type {any[]} */
  let markers = [];
  /** @type {any[]} */
  let alarms = [];
  let began = false;

  function draw() {
    slope.show(trendScene("wall_slope", trends, markers, alarms));
    lateral.show(trendScene("wall_lateral", trends, markers, alarms));
    list.replaceChildren(...markers.map(({ text, seconds }, k) => make("li", { value: k + 1 }, `${figure(seconds, 4)} s: ${text}`)));
    const last = alarms.at(-1);
    const words = last ? `${last.text}${alarms.length > 1 ? ` (${alarms.length} alarms)` : ""}` : "";
    if (alarmBox.textContent !== words) alarmBox.textContent = words;
  }

  /** Where the focus was before the marker's comment was asked for.
   * @type {Element | null} */
  let from = null;
  handle("marker", () => {
    if (!get().session?.live) return;
    from = document.activeElement;
    field.focus();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    field.value = "";
    if (from instanceof HTMLElement) from.focus();
    else field.blur();
    event.stopPropagation();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(async () => {
      const made = await postJson("api/marker", { text: field.value.trim() });
      field.value = "";
      say(`Marker at ${figure(made.seconds, 4)} s.`);
      field.blur();
    });
  });

  onEvent("ramp", ({ trend }) => {
    if (!trend) return;
    trends = [...trends.filter(({ number }) => number !== trend.number), trend].slice(-KEPT);
    draw();
  });
  onEvent("alarm", (alarm) => {
    alarms = [...alarms, alarm];
    draw();
  });
  onEvent("marker", (marker) => {
    markers = [...markers.filter(({ time, text }) => time !== marker.time || text !== marker.text), marker];
    draw();
  });
  const load = () => attempt(async () => {
    if (began || !get().session?.live) return;
    began = true;
    const snapshot = await getJson("api/live", null, { latest: "trends" });
    trends = snapshot.trends ?? [];
    markers = snapshot.markers ?? [];
    alarms = snapshot.alarms ?? [];
    draw();
  });
  onTheme(draw);
  on(["session"], load);
  load();
  draw();
}
