// Theme, tabs, sizes of the panels, and what is remembered between visits (per kind of file).

import { handle } from "./keys.js";
import { get, on, say, set } from "./state.js";

/** @typedef {import("./types").State} State */

const REMEMBERED = /** @type {const} */ (["theme", "view", "bothDirections", "overlay", "tab", "quantity", "depth"]);
const TABS = /** @type {const} */ (["doubt", "recipe", "decisions", "live"]);
/** Sizes in % of what they split: name, separator, the custom property, whether it grows to the left. */
const SPLITS = [
  { name: "map", separator: "split-left", property: "--map-width", value: 34, low: 18, high: 60, sign: 1 },
  { name: "curve", separator: "split-curves", property: "--curve-height", value: 50, low: 15, high: 85, sign: 1 },
  { name: "side", separator: "split-right", property: "--side-width", value: 24, low: 14, high: 45, sign: -1 },
];

/** @param {string} id */
export function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/** An element with its properties and children; text is text, never markup.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {{[name: string]: any}} properties attributes as "aria-label", properties as className
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]} */
export function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) /** @type {any} */ (made)[name] = value;
    else made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/** What kind of file this is: layouts are remembered for each.
 * @param {State["session"]} session */
function storageKey(session) {
  const kind = session?.live ? "live" : session?.has.results ? "results" : session?.has.curves ? "curves" : "images";
  return `nrm-view-${kind}`;
}

/** @param {State["session"]} session @returns {any} */
function recall(session = get().session) {
  try {
    return JSON.parse(localStorage.getItem(storageKey(session)) ?? "{}");
  } catch {
    return {};
  }
}

/** @param {{[name: string]: any}} patch */
function remember(patch) {
  try {
    localStorage.setItem(storageKey(get().session), JSON.stringify({ ...recall(), ...patch }));
  } catch {
    // Storage is off: nothing is remembered.
  }
}

/** The state that was remembered for this kind of file, as far as it fits.
 * @param {State["session"]} session */
export function remembered(session) {
  const stored = recall(session);
  /** @type {any} */
  const patch = {};
  for (const name of REMEMBERED) {
    if (typeof stored[name] === typeof get()[name]) patch[name] = stored[name];
  }
  return /** @type {Partial<State>} */ (patch);
}

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Whether the page is dark now. */
function isDark() {
  const { theme } = get();
  return theme === "dark" || (theme === "auto" && dark.matches);
}

/** Colours of style.css, read once per change of the theme.
 * @type {Map<string, string>} */
const colours = new Map();

/** A colour of style.css, e.g. colour("ink").
 * @param {string} name */
export function colour(name) {
  const known = colours.get(name);
  if (known) return known;
  const read = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  colours.set(name, read);
  return read;
}

/** @type {(() => void)[]} */
const themed = [];

/** Draw again when the theme changes (its colours are already those of the new one).
 * @param {() => void} draw */
export function onTheme(draw) {
  themed.push(draw);
}

function applyTheme() {
  const wanted = isDark() ? "dark" : "light";
  if (document.documentElement.dataset.theme === wanted) return;
  document.documentElement.dataset.theme = wanted;
  colours.clear();
  for (const draw of themed) draw();
}

function showTab() {
  element("tab-live").hidden = !get().session?.live;
  for (const name of TABS) {
    const chosen = get().tab === name;
    const tab = element(`tab-${name}`);
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    element(`${name}-panel`).hidden = !chosen;
  }
}

function mountTabs() {
  for (const name of TABS) element(`tab-${name}`).addEventListener("click", () => set({ tab: name }));
  element("tabs").addEventListener("keydown", (event) => {
    const shown = TABS.filter((name) => !element(`tab-${name}`).hidden);
    const at = shown.indexOf(get().tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: shown.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const tab = shown[(to + shown.length) % shown.length];
    set({ tab });
    element(`tab-${tab}`).focus();
  });
  on(["tab", "session"], showTab);
  showTab();
}

function mountSplits() {
  const root = document.documentElement;
  const sizes = recall().sizes ?? {};
  for (const split of SPLITS) {
    const separator = element(split.separator);
    const vertical = separator.getAttribute("aria-orientation") === "vertical";
    /** @param {number} value */
    const resize = (value) => {
      const size = Math.min(split.high, Math.max(split.low, value));
      sizes[split.name] = size;
      root.style.setProperty(split.property, `${size}%`);
      separator.setAttribute("aria-valuenow", size.toFixed(0));
      remember({ sizes });
    };
    separator.setAttribute("aria-valuemin", String(split.low));
    separator.setAttribute("aria-valuemax", String(split.high));
    resize(Number(sizes[split.name]) || split.value);
    separator.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 2, ArrowDown: 2, ArrowLeft: -2, ArrowUp: -2 }[event.key];
      if (step) resize(sizes[split.name] + step * split.sign);
      else if (event.key === "Home") resize(split.value);
      else return;
      event.preventDefault();
    });
    separator.addEventListener("dblclick", () => resize(split.value));
    separator.addEventListener("pointerdown", (down) => {
      const box = /** @type {HTMLElement} */ (separator.parentElement).getBoundingClientRect();
      const extent = vertical ? box.width : box.height;
      const at = vertical ? down.clientX : down.clientY;
      const before = sizes[split.name];
      separator.setPointerCapture(down.pointerId);
      /** @param {PointerEvent} move */
      const moved = (move) => {
        const now = vertical ? move.clientX : move.clientY;
        resize(before + ((split.sign * (now - at)) / extent) * 100);
      };
      separator.addEventListener("pointermove", moved);
      separator.addEventListener("lostpointercapture", () => separator.removeEventListener("pointermove", moved), { once: true });
    });
  }
}

/** After the session is known. */
export function mount() {
  mountTabs();
  mountSplits();
  dark.addEventListener("change", applyTheme);
  on(["theme"], applyTheme);
  on([...REMEMBERED], (state) => remember(Object.fromEntries(REMEMBERED.map((name) => [name, state[name]]))));
  handle("theme", () => {
    const order = /** @type {const} */ (["auto", "light", "dark"]);
    const theme = order[(order.indexOf(get().theme) + 1) % 3];
    set({ theme });
    say(`Theme: ${theme === "auto" ? "as the system" : theme}.`);
  });
  applyTheme();
}
