// Moving the contact by hand: by mouse or keys, with the new profile shown before it is confirmed.

import { attempt } from "./api.js";
import { compared, firstError, firstHeight } from "./decision-words.js";
import { decide } from "./decisions.js";
import { load } from "./details.js";
import { handle } from "./keys.js";
import { make } from "./layout.js";
import { plain } from "./numbers.js";
import { get, on, say, set } from "./state.js";
import { begin } from "./times.js";
import { Handle } from "./windows.js";

/** @typedef {import("./types").Container} Container */

const NM = 1e9;

/**
 * @param {import("./plot.js").Plot} plot
 * @param {HTMLElement} bar
 * @returns {(curve: Container | null) => void} draws the handle again
 */
export function mountMover(plot, bar) {
  /** @type {Container | null} as processed */
  let before = null;
  /** The handle is focused as soon as it stands in the plot. */
  let focusSoon = false;
  const factor = () => plot.scene.x.factor ?? NM;
  const height = make("input", { type: "number", step: "any", id: "contact-height" });
  const error = make("input", { type: "number", step: "any", min: "0", id: "contact-error" });
  const reason = make("input", { type: "text", id: "contact-reason", maxLength: 500, placeholder: "reason" });
  const against = make("span", { className: "against" });
  const confirm = make("button", { type: "button", className: "chosen" }, "Confirm");
  const cancel = make("button", { type: "button" }, "Cancel");
  bar.append(
    make("strong", {}, "Contact by hand"),
    make("label", {}, "height ", height, " nm"), make("label", { title: "standard error" }, "± ", error, " nm"),
    make("label", {}, "reason ", reason), confirm, cancel, against,
  );
  const mover = new Handle(plot, {
    label: "contact by hand", className: "handle-contact",
    // A tenth of a nanometre; Shift: one.
    step: () => 1e-10 * factor(),
    move: (value) => to(value / factor()),
  });

  /** @param {number} value (m) */
  function to(value) {
    begin("nrm:recipe");
    set({ contact: value });
  }

  function start() {
    const { current, direction, view } = get();
    if (current < 0) return;
    if (get().contact !== null) {
      mover.element.focus();
      return;
    }
    attempt(async () => {
      before = await load(current, direction);
      if (!before.arrays.deflection?.length) {
        say("The contact can be moved where the curves are open and their deflection is in nm.", "error");
        return;
      }
      if (view !== "raw") set({ view: "raw" });
      error.value = plain(firstError(before) * NM, 3);
      reason.value = "";
      set({ contact: firstHeight(before) });
      bar.hidden = false;
      focusSoon = true;
      say("Move the contact: drag, or arrow keys (0.1 nm, with Shift 1 nm). Enter confirms, Escape cancels.");
    });
  }

  function stop() {
    if (get().contact === null) return;
    const inside = bar.contains(document.activeElement) || document.activeElement === mover.element;
    set({ contact: null });
    bar.hidden = true;
    before = null;
    // Arrow keys go from curve to curve again.
    if (inside) /** @type {HTMLElement | null} */ (document.querySelector("#actions [data-action=contact]"))?.focus();
  }

  function confirmed() {
    const { contact, current, direction } = get();
    const stderr = Number(error.value) / NM;
    if (contact === null) return;
    if (!(Number.isFinite(stderr) && stderr > 0)) {
      say("The error of the contact is a number of nm above 0.", "error");
      error.focus();
      return;
    }
    attempt(async () => {
      await decide({ decision: "contact", curves: [current], reason: reason.value.trim(), height: contact, stderr, direction });
      stop();
    });
  }

  height.addEventListener("change", () => {
    if (height.value && Number.isFinite(Number(height.value))) to(Number(height.value) / NM);
  });
  confirm.addEventListener("click", confirmed);
  cancel.addEventListener("click", stop);
  for (const element of [bar, mover.element]) {
    element.addEventListener("keydown", (event) => {
      const { key, target } = /** @type {KeyboardEvent} */ (event);
      if (key === "Enter" && target !== confirm && target !== cancel) {
        if (target === height) height.dispatchEvent(new Event("change"));
        confirmed();
      } else if (key === "Escape") stop();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }
  handle("contact", start);
  handle("close", stop);
  // Another curve: what was tried on this one is dropped.
  on(["current", "direction"], stop);
  on(["contact"], ({ contact }) => {
    if (contact === null || !before) return;
    if (document.activeElement !== height) height.value = plain(contact * NM, 6);
    against.textContent = compared(before, contact);
  });
  return (curve) => {
    const { contact } = get();
    mover.place(curve && contact !== null ? contact * factor() : null);
    if (focusSoon && !mover.element.hidden) {
      focusSoon = false;
      mover.element.focus();
    }
  };
}
