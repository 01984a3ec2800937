// Every action of the page with its keys: the keyboard, the buttons, the help and docs/viewer.md
// are made of this one table.

/** @typedef {{action: string, keys: string[], text: string, group: string}} Key */

/** keys: KeyboardEvent.key, "Ctrl+" before it where it is meant.
 * @type {Key[]} */
export const KEYS = [
  { action: "left", keys: ["ArrowLeft"], text: "curve to the left", group: "Map" },
  { action: "right", keys: ["ArrowRight"], text: "curve to the right", group: "Map" },
  { action: "up", keys: ["ArrowUp"], text: "curve above", group: "Map" },
  { action: "down", keys: ["ArrowDown"], text: "curve below", group: "Map" },
  { action: "extend", keys: ["Shift+Arrow"], text: "select a rectangle of curves from here", group: "Map" },
  { action: "toggleSelected", keys: ["s"], text: "add the curve to the selection, or take it out", group: "Map" },
  { action: "selectAll", keys: ["Ctrl+a"], text: "select all curves of the layer", group: "Map" },
  { action: "zoomIn", keys: ["+", "="], text: "larger", group: "Map" },
  { action: "zoomOut", keys: ["-"], text: "smaller", group: "Map" },
  { action: "zoomAll", keys: ["0"], text: "the whole layer", group: "Map" },
  { action: "lasso", keys: ["f"], text: "lasso or rectangle for dragging", group: "Map" },
  { action: "quantity", keys: ["q"], text: "quantity of the map", group: "Map" },
  { action: "closer", keys: ["[", "PageDown"], text: "closer to the electrode", group: "Map" },
  { action: "farther", keys: ["]", "PageUp"], text: "farther from the electrode", group: "Map" },
  { action: "layer", keys: ["l"], text: "next layer or image", group: "Map" },
  { action: "next", keys: ["n"], text: "next doubtful curve", group: "Curves" },
  { action: "previous", keys: ["N"], text: "previous doubtful curve", group: "Curves" },
  { action: "overlay", keys: ["o"], text: "overlay the selected curves", group: "Curves" },
  { action: "bothDirections", keys: ["d"], text: "approach and retract together", group: "Curves" },
  { action: "view", keys: ["v"], text: "raw or referenced", group: "Curves" },
  { action: "export", keys: ["e"], text: "export what is seen", group: "Curves" },
  { action: "exclude", keys: ["r"], text: "reject: exclude the selected curves", group: "Decisions" },
  { action: "accept", keys: ["a"], text: "accept the selected curves", group: "Decisions" },
  { action: "contact", keys: ["m"], text: "move the contact by hand", group: "Decisions" },
  { action: "undo", keys: ["u", "Ctrl+z"], text: "undo", group: "Decisions" },
  { action: "redo", keys: ["U", "Ctrl+y"], text: "redo", group: "Decisions" },
  { action: "blind", keys: ["b"], text: "blind: hide condition, potential and moduli", group: "Page" },
  { action: "marker", keys: [" "], text: "live: a marker with a comment", group: "Page" },
  { action: "theme", keys: ["t"], text: "light, dark or as the system", group: "Page" },
  { action: "help", keys: ["?"], text: "these keys", group: "Page" },
  { action: "close", keys: ["Escape"], text: "close, or clear the selection", group: "Page" },
];

/** @typedef {(event: KeyboardEvent | null) => void} Handler */
/** @type {Map<string, Handler[]>} */
const handlers = new Map();

/** Say what an action does; several may listen.
 * @param {string} action
 * @param {Handler} handler gets the key press where there is one (for Shift) */
export function handle(action, handler) {
  if (!KEYS.some((key) => key.action === action)) throw new Error(`no action is called ${action}`);
  handlers.set(action, [...(handlers.get(action) ?? []), handler]);
}

/** Do it, as if its key were pressed.
 * @param {string} action
 * @param {KeyboardEvent | null} event
 * @returns {boolean} whether somebody listens */
export function perform(action, event = null) {
  const found = handlers.get(action) ?? [];
  for (const handler of found) handler(event);
  return found.length > 0;
}

const NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", " ": "Space" };

/** The keys as people read them.
 * @param {Key} key @returns {string[]} */
export function keyNames({ keys }) {
  return keys.map((key) => {
    if (key.startsWith("Ctrl+")) return `Ctrl+${key.slice(5).toUpperCase()}`;
    return NAMES[/** @type {keyof typeof NAMES} */ (key)] ?? (/^[A-Z]$/.test(key) ? `Shift+${key}` : key);
  });
}

/** The action of a key press, or null.
 * @param {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean}} event */
export function actionOf({ key, ctrlKey, metaKey, altKey }) {
  if (altKey) return null;
  const wanted = ctrlKey || metaKey ? `Ctrl+${key.toLowerCase()}` : key;
  return KEYS.find(({ keys }) => keys.includes(wanted))?.action ?? null;
}

/** Whether the focused element needs this key for itself.
 * @param {EventTarget | null} target
 * @param {string} key */
function isTyping(target, key) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest("dialog[open]")) return true;
  if (target.isContentEditable || target.matches("textarea, select, input:not([type=range], [type=checkbox])")) {
    return true;
  }
  if (key === " " || key === "Enter") return target.matches("button, summary, a, input, [role=tab]");
  if (!/^(Arrow|Page|Home|End)/.test(key)) return false;
  return target.matches("input, [role=separator], [role=tab], [role=slider], [role=listbox], [role=option], [data-arrows]");
}

export function mount() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || isTyping(event.target, event.key)) return;
    const action = actionOf(event);
    if (action && perform(action, event)) event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-action]") : null;
    if (button instanceof HTMLElement && button.dataset.action) perform(button.dataset.action);
  });
}
