// What decisions say in words, and where a contact by hand begins. No DOM in here.

import { count, figure, withError } from "./numbers.js";

/** @typedef {import("./types").Container} Container */
/**
 * @typedef {{decision: "exclude" | "accept" | "contact", curves: number[], reason: string,
 *   time?: string, visible?: string[] | null, direction?: string, height?: number | null,
 *   stderr?: number | null, old_height?: number | null, old_stderr?: number | null,
 *   holds?: number}} Decision  holds: curves here that it still is about
 */

const NM = 1e9;
const WORDS = { exclude: "excluded", accept: "accepted", contact: "contact by hand" };

/** What the person can see of what a decision would do to the outcome.
 * @param {Pick<import("./types").State, "blind" | "session">} state @returns {string[]} */
export function visibleIn({ blind, session }) {
  if (blind || !session) return [];
  const all = [
    session.potential ? "potential" : "",
    session.quantities.some(({ moduli }) => moduli) ? "moduli" : "",
    session.condition ? "condition" : "",
  ];
  return all.filter(Boolean);
}

/** Numbers as people write them: 3, 5–9, 12.
 * @param {number[]} numbers @param {number} [most] parts */
export function ranges(numbers, most = 6) {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  /** @type {[number, number][]} */
  const runs = [];
  for (const n of sorted) {
    const last = runs.at(-1);
    if (last && last[1] === n - 1) last[1] = n;
    else runs.push([n, n]);
  }
  const texts = runs.map(([a, b]) => (a === b ? `${a}` : b === a + 1 ? `${a}, ${b}` : `${a}–${b}`));
  if (texts.length <= most) return texts.join(", ");
  return `${texts.slice(0, most).join(", ")} … (${count(sorted.length, "curve")})`;
}

/** @param {string[] | null | undefined} visible */
export function seen(visible) {
  if (!visible) return "not known what was visible";
  return visible.length ? `visible: ${visible.join(", ")}` : "blind";
}

/** One decision in words.
 * @param {Decision} decision */
export function sentence({ decision, curves, height, stderr, old_height: before, old_stderr: error, direction }) {
  const of = curves.length === 1 ? `curve ${curves[0]}` : `curves ${ranges(curves)}`;
  if (decision !== "contact") return `${of} ${WORDS[decision]}`;
  const now = withError((height ?? NaN) * NM, (stderr ?? NaN) * NM);
  const was = Number.isFinite(before ?? NaN) ? `, was ${withError((before ?? NaN) * NM, (error ?? NaN) * NM)} nm` : "";
  return `${of}, ${direction ?? "approach"}: contact by hand at ${now} nm${was}`;
}

/**
 * The error to begin with, in m: that of the contact as it was found, but no smaller than a sample's
 * distance, to which a person can see it.
 * @param {Container} curve as processed
 */
export function firstError({ header, arrays }) {
  const { height } = arrays;
  const steps = Array.from({ length: Math.max(height.length - 1, 0) }, (_, i) => Math.abs(height[i + 1] - height[i]))
    .filter((step) => step > 0).sort((a, b) => a - b);
  return Math.max(header.stderr ?? 0, steps[Math.floor(steps.length / 2)] ?? 0);
}

/** Height where a contact that is moved begins: where it is, or the middle of the curve.
 * @param {Container} curve */
export function firstHeight({ header, arrays }) {
  if (Number.isFinite(header.contact ?? NaN)) return header.contact;
  const { height } = arrays;
  return (height[0] + height[height.length - 1]) / 2;
}

/** Old against new.
 * @param {Container} before @param {number} contact (m) */
export function compared({ header }, contact) {
  if (!Number.isFinite(header.contact ?? NaN)) return "There was no contact.";
  const moved = (contact - header.contact) * NM;
  const was = `was ${withError(header.contact * NM, (header.stderr ?? NaN) * NM)} nm`;
  if (Math.abs(moved) < 5e-4) return `${was}; not moved yet`;
  const errors = header.stderr > 0 ? `, ${figure(Math.abs(moved) / (header.stderr * NM), 2)} standard errors` : "";
  return `${was}; moved ${figure(Math.abs(moved), 3)} nm ${moved > 0 ? "up" : "down"}${errors}`;
}
