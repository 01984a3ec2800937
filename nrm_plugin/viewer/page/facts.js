// Always on screen: title, facts of the current curve, the status line; and the blind mode.

import { handle } from "./keys.js";
import { element, make } from "./layout.js";
import { valueText } from "./map.js";
import { number } from "./numbers.js";
import { capital, placeText, title } from "./shown.js";
import { get, on, say, set } from "./state.js";

/** Flags of a curve by name, those that were accepted left out.
 * @param {number} curve */
export function flagsOf(curve) {
  const { session, flags } = get();
  const mask = flags?.quality[curve] ?? 0;
  return (session?.flags ?? []).filter(({ bit }) => (mask & bit) !== 0).map(({ name }) => name.replace(/_/g, " "));
}

/** What a person decided on a curve: "excluded", "accepted", "contact by hand".
 * @param {number} curve */
export function decidedOn(curve) {
  const bits = get().flags?.byHand[curve] ?? 0;
  return ["excluded", "accepted", "contact by hand"].filter((_, k) => bits & (1 << k));
}

/** One fact with its name; long ones are cut and whole in the tooltip.
 * @param {string} name @param {string} text @param {string} kind */
function fact(name, text, kind = "") {
  return make("div", { className: `fact ${kind}`, title: `${name}: ${text}` }, make("dt", {}, name), make("dd", {}, text));
}

/** @param {any} value a number in SI, or null @param {number} factor @param {string} unit */
function quantityText(value, factor, unit) {
  return value === null || value === undefined ? "–" : `${number(value * factor)} ${unit}`.trim();
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let patience;

/** Facts of the current curve; until they are there, those of the one before, greyed, for a moment. */
function showFacts() {
  const { session, current, detail, blind } = get();
  clearTimeout(patience);
  element("facts").classList.remove("stale");
  const list = make("dl", { className: "facts" });
  if (current < 0) {
    list.append(fact("", session?.n_curves ? "No curve is chosen." : "This file holds images only."));
    element("facts").replaceChildren(list);
    return;
  }
  const header = detail?.header.number === current ? detail.header : {};
  const { F_max: force, wall_slope: slope, stick, first_valid: valid } = header.facts ?? {};
  list.append(fact("curve", placeText(current).replace(/^curve |umn/g, "")));
  list.append(
    fact("F max", quantityText(force, 1e9, "nN")),
    fact("wall slope", quantityText(slope, 1, "")),
    fact("wall", stick ?? "unknown", stick === "slip" ? "warn" : ""),
  );
  const decided = decidedOn(current);
  if (decided.length) list.append(fact("by hand", decided.join(", "), "decided"));
  if (!blind) {
    const region = header.region ? ` (${header.region})` : "";
    list.append(fact("potential", quantityText(header.potential, 1, "V") + region));
    if (header.source?.name) list.append(fact("of", `${header.source.name} #${header.source.number}`, "long"));
  }
  list.append(fact("valid from", quantityText(valid, 1e9, "nm"), "last"));
  element("facts").replaceChildren(list);
}

function showTitle() {
  const { session, blind } = get();
  if (!session) return;
  const names = session.files.map(({ name }) => name).join(", ");
  const heading = element("title");
  const text = blind ? "Blind" : session.title || names;
  heading.textContent = text;
  heading.title = blind ? "File names and conditions are hidden" : names;
  document.title = blind ? "nrm view" : `${text} – nrm view`;
  /** @type {HTMLElement[]} */
  const badges = [];
  const badge = (/** @type {string} */ words, warn = false) => badges.push(make("span", { className: warn ? "badge warn" : "badge" }, words));
  if (session.simulated) badge("simulated", true);
  if (session.live) badge("live");
  if (!blind && session.condition) badge(session.condition);
  if (session.has.curves && !session.has.results) badge("not processed", true);
  if (session.n_curves && !session.has.lateral) badge("no lateral channels", true);
  if (session.has.results && !session.has.curves) badge("results only: curves not found", true);
  element("badges").replaceChildren(...badges);
  document.documentElement.toggleAttribute("data-images-only", !session.n_curves && !session.live);
}

function showBlind() {
  const { blind, bothDirections, session } = get();
  const both = element("both");
  both.setAttribute("aria-pressed", String(bothDirections));
  both.hidden = (session?.directions.length ?? 0) < 2;
  const button = element("blind");
  button.setAttribute("aria-pressed", String(blind));
  document.documentElement.toggleAttribute("data-blind", blind);
}

/** The current curve in one sentence, for the status line and screen readers. */
function announce() {
  const { current, values, image } = get();
  if (current < 0) return;
  const parts = [placeText(current)];
  const value = image === null && values ? valueText(current) : "";
  if (value) parts.push(`${title()} ${value}`);
  parts.push(...flagsOf(current), ...decidedOn(current));
  const text = parts.join("; ");
  say(`${capital(text)}.`);
}

/** The status line alone: it may be needed where there is nothing else to show. */
export function mountStatus() {
  on(["message"], ({ message }) => {
    const status = element("status");
    status.textContent = message.text;
    status.title = message.text;
    status.classList.toggle("error", message.kind === "error");
  });
}

export function mount() {
  handle("blind", () => {
    const blind = !get().blind;
    set({ blind, range: null, filter: null });
    say(blind ? "Blind: names, conditions, potential and moduli are hidden." : "No longer blind.");
  });
  on(["current", "layer"], announce);
  on(["current"], () => {
    element("facts").classList.add("stale");
    clearTimeout(patience);
    patience = setTimeout(showFacts, 400);
  });
  on(["detail", "flags", "blind", "session", "layer"], showFacts);
  on(["session", "blind"], showTitle);
  on(["blind", "bothDirections", "session"], showBlind);
  showBlind();
  showTitle();
  showFacts();
}
