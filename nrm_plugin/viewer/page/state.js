// The one state of the page. Modules read it with get(), change it with set() and listen with on().

/** @typedef {import("./types").State} State */

/** @type {State} */
const state = {
  session: null,
  layout: [],
  flags: null,
  quantity: "",
  depth: 5e-9,
  direction: "approach",
  layer: 0,
  image: null,
  values: null,
  range: null,
  filter: null,
  selected: [],
  current: -1,
  detail: null,
  view: "raw",
  overlay: false,
  bothDirections: false,
  blind: false,
  theme: "auto",
  recipe: {},
  recipeErrors: {},
  contact: null,
  region: null,
  tab: "doubt",
  message: { text: "", kind: "info" },
  undo: 0,
  redo: 0,
};

/** @type {{keys: Set<string>, listener: (state: Readonly<State>) => void}[]} */
const listeners = [];
/** @type {Set<string>} */
let changed = new Set();
let notifying = false;

/** @returns {Readonly<State>} */
export function get() {
  return state;
}

/**
 * Change some keys; listeners of the keys whose values differ are called once, before set returns
 * (changes made by listeners are told in a further round).
 * @param {Partial<State>} patch
 */
export function set(patch) {
  for (const [key, value] of Object.entries(patch)) {
    if (!Object.is(/** @type {any} */ (state)[key], value)) {
      /** @type {any} */ (state)[key] = value;
      changed.add(key);
    }
  }
  if (notifying) return;
  notifying = true;
  try {
    while (changed.size) {
      const keys = changed;
      changed = new Set();
      for (const { keys: wanted, listener } of [...listeners]) {
        if ([...wanted].some((key) => keys.has(key))) listener(state);
      }
    }
  } finally {
    notifying = false;
    changed = new Set();
  }
}

/**
 * Call the listener whenever one of the keys changed.
 * @param {(keyof State)[]} keys
 * @param {(state: Readonly<State>) => void} listener
 * @returns {() => void} stops listening
 */
export function on(keys, listener) {
  const entry = { keys: new Set(/** @type {string[]} */ (keys)), listener };
  listeners.push(entry);
  return () => {
    const at = listeners.indexOf(entry);
    if (at >= 0) listeners.splice(at, 1);
  };
}

/** A sentence for the status line, read aloud by screen readers.
 * @param {string} text
 * @param {"info" | "error"} kind */
export function say(text, kind = "info") {
  set({ message: { text, kind } });
}

/** Show one curve, and select it alone (keep: leave the selection).
 * @param {number} curve
 * @param {{keep?: boolean}} options */
export function show(curve, { keep = false } = {}) {
  if (keep) set({ current: curve });
  else set({ current: curve, selected: curve < 0 ? [] : [curve], filter: null });
}

/** The curves that a decision applies to: the selected ones, else the current one. */
export function targets() {
  if (state.selected.length) return state.selected;
  return state.current < 0 ? [] : [state.current];
}

/** The quantity of that name (the shown one by default).
 * @param {string} name */
export function quantityOf(name = state.quantity) {
  return state.session?.quantities.find((quantity) => quantity.name === name) ?? null;
}
