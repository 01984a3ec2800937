// The list that opens first: checks that are not fine, flags with counts and advice, doubtful curves.

import { decidedOn, flagsOf } from "./facts.js";
import { handle } from "./keys.js";
import { element, make } from "./layout.js";
import { layerName, layerOf, placeText, select } from "./shown.js";
import { get, on, say, set } from "./state.js";
import { begin } from "./times.js";

const ROW = 24;
const checks = make("div", { className: "checks" });
const flags = make("div", { className: "doubt-flags" });
const heading = make("h2", { id: "doubt-heading", className: "space" });
const rows = make("div", { className: "list-rows" });
const spacer = make("div", { className: "list-spacer" }, rows);
const list = make("div", { id: "doubt-list", className: "list", role: "listbox", tabIndex: 0, "aria-labelledby": "doubt-heading", "data-arrows": "list" }, spacer);
const steps = make("span", { className: "row" });
/** Curves of the list, the most doubtful first.
 * @type {number[]} */
let curves = [];
/** The curve of the list that was shown last, and where it was. */
let visited = { curve: -1, at: 0 };
/** The flag that the list is narrowed to, 0 for all. */
let narrowed = 0;

/** Doubtful curves that nobody decided on, in their order (of one flag where one is chosen).
 * @param {{quality: Int32Array, byHand: Int8Array, doubt: Float32Array}} given
 * @param {number} bit @returns {number[]} */
export function doubtful({ quality, byHand, doubt }, bit = 0) {
  const found = [];
  for (let k = 0; k < doubt.length; k++) {
    if (bit ? (quality[k] & bit) !== 0 : !Number.isNaN(doubt[k]) && (byHand[k] & 3) === 0) found.push(k);
  }
  const rank = (/** @type {number} */ k) => (Number.isNaN(doubt[k]) ? Infinity : doubt[k]);
  return found.sort((a, b) => rank(a) - rank(b) || a - b);
}

function showChecks() {
  const { session, blind } = get();
  const bad = (session?.checks ?? []).filter(({ verdict }) => verdict === "wrong" || verdict === "doubtful");
  const unknown = (session?.checks ?? []).filter(({ verdict }) => verdict === "unknown");
  const fine = (session?.checks ?? []).filter(({ verdict }) => verdict === "fine");
  const parts = [];
  if (blind && (bad.length || session?.warnings.length)) {
    parts.push(make("p", { className: "quiet" }, "What the checks and notes say is hidden while blind."));
  } else {
    for (const check of bad) {
      parts.push(make("details", { className: "check" },
        make("summary", {}, make("span", { className: `verdict ${check.verdict}` }, check.verdict), ` ${check.title}`,
          make("span", { className: "quiet brief" }, ` ${check.text}`)),
        ...[check.text, check.effect, check.advice].filter(Boolean).map((text) => make("p", {}, text))));
    }
    const others = (session?.warnings ?? []).filter((text) => !bad.some((check) => text.includes(check.text)));
    if (others.length) {
      parts.push(make("details", { className: "check" },
        make("summary", {}, make("span", { className: "verdict doubtful" }, "notes"), ` ${others.length}`, make("span", { className: "quiet brief" }, ` ${others[0]}`)),
        ...others.map((text) => make("p", {}, text))));
    }
  }
  if (session?.checks.length) {
    const text = `${fine.length} of ${session.checks.length} checks are fine${unknown.length ? `, ${unknown.length} unknown` : ""}`;
    const hidden = blind || !unknown.length;
    parts.push(hidden ? make("p", { className: "quiet" }, text) : make("details", { className: "check" }, make("summary", { className: "quiet" }, text),
      ...unknown.map((check) => make("p", {}, `${check.title}: ${check.text} ${check.advice}`))));
  }
  checks.replaceChildren(...parts);
  checks.hidden = !parts.length;
}

function showFlags() {
  const { session, flags: given } = get();
  const found = (session?.flags ?? []).filter(({ count }) => count);
  flags.hidden = !found.length;
  flags.replaceChildren(...found.map((flag) => {
    const name = flag.name.replace(/_/g, " ");
    const button = make("button", { className: "doubt-flag", "aria-pressed": String(narrowed === flag.bit), title: flag.advice }, name, make("span", { className: "count" }, String(flag.count)));
    button.addEventListener("click", () => {
      narrowed = narrowed === flag.bit ? 0 : flag.bit;
      showFlags();
      fill();
      list.scrollTop = 0;
    });
    const all = make("button", { title: `Select these ${flag.count} curves`, "aria-label": `Select the ${flag.count} curves with ${name}` }, "Select");
    all.addEventListener("click", () => {
      if (given) select(doubtful(given, flag.bit));
    });
    return make("div", { className: "flag-row" }, button, make("span", { className: "advice quiet" }, flag.advice), all);
  }));
}

/** What is said where the list is empty. */
function nothing() {
  const { session, flags: given } = get();
  if (session && !session.has.results) return "Not processed yet: nothing was checked (nrm process)";
  return given?.doubt.some((rank) => !Number.isNaN(rank)) ? "Every doubtful curve is decided on" : "No curve is doubtful";
}

function fill() {
  const { flags: given } = get();
  curves = given ? doubtful(given, narrowed) : [];
  const name = get().session?.flags.find(({ bit }) => bit === narrowed)?.name.replace(/_/g, " ");
  heading.textContent = name ? `${curves.length} with ${name}` : curves.length ? `${curves.length} doubtful` : nothing();
  steps.hidden = !curves.length;
  list.hidden = !curves.length;
  spacer.style.height = `${curves.length * ROW}px`;
  drawRows();
}

/** The rows that are seen; a list of 65 536 curves stays light. */
function drawRows() {
  const { current } = get();
  const from = Math.max(0, Math.floor(list.scrollTop / ROW) - 4);
  const to = Math.min(curves.length, from + Math.ceil((list.clientHeight || 200) / ROW) + 8);
  rows.style.transform = `translateY(${from * ROW}px)`;
  rows.replaceChildren(...curves.slice(from, to).map((curve, k) => {
    const row = make("div", {
      id: `doubt-${curve}`, className: "list-row", role: "option", "aria-selected": String(curve === current),
      "aria-posinset": from + k + 1, "aria-setsize": curves.length,
    }, make("span", {}, where(curve)), make("span", { className: "quiet" }, [...flagsOf(curve), ...decidedOn(curve)].join(", ")));
    row.addEventListener("click", () => go(curve));
    return row;
  }));
  if (curves.includes(current)) list.setAttribute("aria-activedescendant", `doubt-${current}`);
  else list.removeAttribute("aria-activedescendant");
}

/** Number and place, in few letters.
 * @param {number} curve */
function where(curve) {
  const at = layerOf(curve);
  const { layer } = get();
  return at === layer ? placeText(curve).replace(/^curve |umn/g, "") : `${curve}, ${layerName(at)}`;
}

/** Show a curve of the list; a selection that holds it stays.
 * @param {number} curve */
function go(curve) {
  const layer = layerOf(curve);
  begin("nrm:click");
  set({ layer, image: null, current: curve, ...(get().selected.includes(curve) ? {} : { selected: [curve], filter: null }) });
  reveal();
}

function reveal() {
  const at = curves.indexOf(get().current);
  if (at < 0) return;
  visited = { curve: curves[at], at };
  const top = at * ROW;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
  drawRows();
}

/** @param {1 | -1} step */
function move(step) {
  if (!curves.length) {
    say(`${nothing()}.`);
    return;
  }
  const known = [get().current, visited.curve].map((curve) => curves.indexOf(curve)).find((at) => at >= 0) ?? -1;
  // What was decided on has left the list: the next one is at its place now.
  const to = known >= 0 ? known + step : step > 0 ? visited.at : visited.at - 1;
  go(curves[(to + curves.length) % curves.length]);
}

/** @param {HTMLElement} panel */
export function mount(panel) {
  const previous = make("button", { "data-action": "previous", title: "Previous doubtful curve (Shift+N)" }, "Previous");
  const next = make("button", { "data-action": "next", title: "Next doubtful curve (n)" }, "Next");
  panel.classList.add("doubt");
  steps.append(previous, next);
  panel.append(checks, flags, make("div", { className: "row" }, heading, steps), list);
  list.addEventListener("scroll", () => requestAnimationFrame(drawRows));
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
    if (!step || !curves.length) return;
    event.preventDefault();
    const at = curves.indexOf(get().current);
    go(curves[Math.min(curves.length - 1, Math.max(0, at + step))]);
  });
  new ResizeObserver(drawRows).observe(list);
  handle("next", () => move(1));
  handle("previous", () => move(-1));
  on(["session", "blind"], showChecks);
  on(["session", "flags"], showFlags);
  on(["flags", "session"], fill);
  on(["current", "layer"], reveal);
  on(["current", "layer", "tab"], drawRows);
  showChecks();
  showFlags();
  fill();
  void element;
}
