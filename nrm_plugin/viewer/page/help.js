// The overlay with all keys, made of the table in keys.js.

import { KEYS, handle, keyNames } from "./keys.js";
import { element, make } from "./layout.js";

/** @param {typeof KEYS[number]} key */
function row(key) {
  const names = keyNames(key).flatMap((name, k) => [k ? " or " : "", make("kbd", {}, name)]);
  return [make("dt", {}, ...names), make("dd", {}, key.text)];
}

export function mount() {
  const dialog = /** @type {HTMLDialogElement} */ (element("help"));
  const groups = [...new Set(KEYS.map(({ group }) => group))];
  const close = make("button", { type: "button" }, "Close");
  close.addEventListener("click", () => dialog.close());
  dialog.append(
    make("div", { className: "row" }, make("h2", { id: "help-title", className: "space" }, "Keys"), close),
    make("div", { className: "key-groups" }, ...groups.map((group) => make("section", {}, make("h3", {}, group),
      make("dl", { className: "keys" }, ...KEYS.filter((key) => key.group === group).flatMap(row))))),
    make("p", { className: "quiet" }, "On the map: click picks a curve, Ctrl-click adds one, Shift-click and dragging select many, " +
      "Alt-drag is a lasso, the wheel zooms. Below it: drag in the histogram to select by value, drag the ends of the colour bar, " +
      "double-click them for the robust range. A decision applies to all selected curves."),
  );
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  handle("help", () => (dialog.open ? dialog.close() : dialog.showModal()));
}
