// Decisions: exclude, accept, undo, redo; the list of all with reasons. contact.js moves contacts.

import { attempt, getJson, onEvent, postJson } from "./api.js";
import { ranges, seen, sentence, visibleIn } from "./decision-words.js";
import { handle } from "./keys.js";
import { element as byId, make } from "./layout.js";
import { figure } from "./numbers.js";
import { get, on, say, set, targets } from "./state.js";

/** @typedef {import("./decision-words.js").Decision} Decision */

/** Decisions of the list that are drawn; the rest is counted. */
const LISTED = 300;
/** Reasons that are offered again. */
const OFFERED = 12;

/** Send a decision.
 * @param {Decision} decision */
export async function decide(decision) {
  const { blind } = get();
  taken(await postJson("api/decisions", { ...decision, blind, visible: visibleIn(get()) }));
}

/** What the server answers after each change.
 * @param {any} answer */
function taken(answer) {
  set({ undo: answer.undo ?? 0, redo: answer.redo ?? 0 });
  // The server's sentences begin small, as they do in the terminal.
  if (answer.message) say(`${answer.message[0].toUpperCase()}${answer.message.slice(1)}.`);
}

/** @param {"undo" | "redo"} what */
function step(what) {
  if (!get()[what]) return say(`There is nothing to ${what}.`);
  return attempt(async () => taken(await postJson(`api/${what}`, {})));
}

/** Reasons given so far, the last one first.
 * @type {string[]} */
let reasons = [];

/** Asks for a reason; the answer is kept for the next time.
 * @param {string} action "Exclude" or "Accept" @param {number[]} curves
 * @param {(reason: string) => void} then */
function askReason(action, curves, then) {
  const title = curves.length === 1 ? `${action} curve ${curves[0]}` : `${action} ${curves.length} curves: ${ranges(curves)}`;
  const value = action === "Exclude" ? reasons[0] ?? "" : "";
  const field = make("input", { type: "text", id: "reason", maxLength: 500, value, autocomplete: "off" });
  field.setAttribute("list", "reasons");
  const offered = make("datalist", { id: "reasons" }, ...reasons.map((text) => make("option", { value: text })));
  const heading = make("h2", { id: "reason-title" }, title);
  const form = make("form", { method: "dialog" }, heading, make("label", { htmlFor: "reason" }, "Reason"), field, offered,
    make("div", { className: "buttons" }, make("button", { value: "yes", className: "chosen" }, action),
      make("button", { value: "no", formNoValidate: true, type: "button" }, "Cancel")));
  const dialog = make("dialog", { className: "ask", "aria-labelledby": "reason-title" }, form);
  form.querySelector("button[type=button]")?.addEventListener("click", () => dialog.close("no"));
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (dialog.returnValue !== "yes") return;
    const reason = field.value.trim();
    reasons = [reason, ...reasons.filter((text) => text !== reason)].filter(Boolean).slice(0, OFFERED);
    then(reason);
  });
  document.body.append(dialog);
  dialog.showModal();
  field.select();
}

function exclude() {
  const curves = [...targets()];
  if (!curves.length) return say("No curve is chosen.");
  askReason("Exclude", curves, (reason) => attempt(() => decide({ decision: "exclude", curves, reason })));
}

function accept() {
  const curves = [...targets()];
  if (!curves.length) return say("No curve is chosen.");
  if (curves.length === 1) attempt(() => decide({ decision: "accept", curves, reason: "" }));
  else askReason("Accept", curves, (reason) => attempt(() => decide({ decision: "accept", curves, reason })));
}

/** Buttons that are always on screen: action, text, title. */
const BUTTONS = [
  ["exclude", "Exclude", "Leave the selected curves out of everything (r)"],
  ["accept", "Accept", "Take the selected curves as good, whatever is flagged (a)"],
  ["contact", "Move contact", "Set the contact of this curve by hand (m)"],
  ["undo", "Undo", "Take the last decision back (u)"],
  ["redo", "Redo", "Do it again (U)"],
];

/** @param {HTMLElement} element */
export function mount(element) {
  const buttons = new Map(BUTTONS.map(([action, text, title]) => [action, make("button", { "data-action": action, title }, text)]));
  byId("actions").replaceChildren(...buttons.values());
  const heading = make("h2", {}, "Decisions");
  const file = make("p", { className: "quiet file-name" });
  const message = make("p", { className: "note", role: "note", hidden: true });
  const list = make("ol", { className: "decision-list" });
  const markers = make("section", { className: "recorded-markers", "aria-label": "Markers of the recording" });
  element.replaceChildren(heading, file, message, list, markers);

  function enable() {
    const { current, undo, redo, session, contact } = get();
    const possible = current >= 0 && Boolean(session?.has.results);
    for (const action of ["exclude", "accept", "contact"]) {
      const button = buttons.get(action);
      if (button) button.disabled = !possible || (action === "contact" && !session?.has.curves);
    }
    buttons.get("contact")?.setAttribute("aria-pressed", String(contact !== null));
    const names = /** @type {const} */ (["undo", "redo"]);
    for (const name of names) {
      const button = buttons.get(name);
      if (!button) continue;
      button.disabled = !(name === "undo" ? undo : redo);
    }
  }

  /** What was remarked while it was recorded; a click goes to the curve. Blind, it could tell too much. */
  function drawMarkers() {
    const { session, blind } = get();
    const all = blind ? [] : session?.markers ?? [];
    const rows = all.map(({ seconds, curve, text }) => {
      const jump = make("button", { className: "plain jump", disabled: !(curve >= 0) }, text || "(no comment)");
      jump.addEventListener("click", () => set({ current: curve, selected: [curve], filter: null }));
      return make("li", { className: "decision" }, jump, make("p", { className: "quiet" }, `${figure(seconds, 5)} s${curve >= 0 ? `, curve ${curve}` : ""}`));
    });
    markers.replaceChildren(...(rows.length ? [make("h2", {}, "Markers of the recording"), make("ol", { className: "decision-list" }, ...rows)] : []));
  }

  /** @param {any} answer */
  function draw(answer) {
    set({ undo: answer.undo ?? 0, redo: answer.redo ?? 0 });
    const all = /** @type {Decision[]} */ (answer.decisions ?? []);
    heading.textContent = all.length ? `Decisions (${all.length})` : "Decisions";
    file.textContent = answer.saved === false ? "Not saved: the results are not in a file." : answer.file ?? "";
    message.textContent = (answer.notes ?? []).join(" ");
    message.hidden = !message.textContent;
    const shown = all.slice(-LISTED).reverse();
    list.replaceChildren(...shown.map(row));
    if (!all.length && get().session?.has.results) list.append(make("li", { className: "quiet" }, "Nothing was decided by hand yet: r excludes, a accepts, m moves the contact."));
    if (all.length > LISTED) list.append(make("li", { className: "quiet" }, `and ${all.length - LISTED} before these, in the file`));
    reasons = [...new Set([...reasons, ...all.map(({ reason }) => reason).reverse()])].filter(Boolean).slice(0, OFFERED);
  }

  /** @param {Decision} decision */
  function row(decision) {
    const jump = make("button", { className: "plain jump" }, sentence(decision));
    jump.addEventListener("click", () => set({ current: decision.curves[0], selected: [...decision.curves], filter: null }));
    jump.disabled = !decision.curves.length;
    const clear = make("button", { className: "plain clear", title: "Take this decision back" }, "Take back");
    clear.setAttribute("aria-label", `Take back: ${sentence(decision)}`);
    clear.addEventListener("click", () => attempt(async () => {
      taken(await postJson("api/decisions", { clear: decision.decision, curves: decision.curves }));
    }));
    const time = decision.time ? new Date(decision.time) : null;
    const when = time && !Number.isNaN(time.valueOf()) ? time.toLocaleString() : "";
    const about = [when, seen(decision.visible), decision.holds === 0 ? "applies to no curve here" : ""].filter(Boolean).join(" · ");
    return make("li", { className: `decision decision-${decision.decision}` }, jump,
      make("p", { className: "reason" }, decision.reason || "no reason given"), make("p", { className: "quiet" }, about), clear);
  }

  const load = () => attempt(async () => {
    if (get().session?.has.results) draw(await getJson("api/decisions", null, { latest: "decisions" }));
    else draw({ notes: ["Decisions are about results: process the curves first (Recipe, Process all)."] });
  });
  handle("exclude", exclude);
  handle("accept", accept);
  handle("undo", () => void step("undo"));
  handle("redo", () => void step("redo"));
  on(["current", "undo", "redo", "session", "contact"], enable);
  on(["session", "blind"], drawMarkers);
  drawMarkers();
  onEvent("decisions", load);
  onEvent("session", load);
  load();
  enable();
}
