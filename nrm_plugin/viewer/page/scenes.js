// What the plots of a curve show: scenes made from what the server says of it. No DOM in here.

import { count, figure, magnitude, readable, times, withError } from "./numbers.js";

/** @typedef {import("./types").Container} Container */
/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./scene.js").Item} Item */
/** @typedef {{main: Container, other: Container | null, before: Container | null,
 *   overlay: Container[], trial: boolean, contactByHand: number | null}} Drawn
 *   main: the current curve, tried or as processed; other: its other direction; before: as processed,
 *   where main is a trial; overlay: the other selected curves */

const NM = 1e9;
/** The axis of distances. */
export const DISTANCE = { label: "distance from the electrode", short: "distance", unit: "nm" };
/** Half of a 95 % interval, in standard errors. */
const REACH = 1.96;
/** Ramps longer than this (m) are read in µm. */
const LONG = 2e-5;
const DASHES = [[], [7, 3], [2, 3], [8, 3, 2, 3]];

/** Colour and dash of the k-th overlaid curve: seven colours, then other dashes.
 * @param {number} k */
export function look(k) {
  return { colour: `--series-${(k % 7) + 1}`, dash: DASHES[Math.floor(k / 7) % DASHES.length] };
}

/** @param {Container} curve */
function nameOf({ header }) {
  return `curve ${header.number}, ${header.direction}`;
}

/** @param {string} name @param {string} [why] @returns {Scene} */
function nothing(name, why = "Nothing to show.") {
  return { name, x: { label: "", unit: "" }, y: { label: "", unit: "" }, items: [], sentence: why, empty: why };
}

/**
 * x and y of one curve's deflection in nm, or as recorded where it is not calibrated.
 * @param {Container} curve @param {"raw" | "referenced"} view
 */
export function deflectionOf({ header, arrays }, view) {
  const calibrated = arrays.deflection?.length > 0;
  const y = calibrated ? arrays.deflection : arrays.deflection_raw;
  const unit = calibrated ? "m" : String(header.deflection_raw_unit ?? "V");
  const line = header.lines?.baseline;
  if (view === "raw" || !arrays.distance?.length || !calibrated) return { x: arrays.height, y, unit };
  const at = line ? straight(line) : () => 0;
  return { x: arrays.distance, y: Float64Array.from(y, (v, i) => v - at(arrays.height[i])), unit };
}

/** The straight line through two points.
 * @param {[[number, number], [number, number]]} points */
export function straight([[x0, y0], [x1, y1]]) {
  const slope = x1 === x0 ? 0 : (y1 - y0) / (x1 - x0);
  return (/** @type {number} */ x) => y0 + slope * (x - x0);
}

/**
 * Deflection against height (raw) or distance (referenced).
 * @param {Drawn | null} drawn @param {"raw" | "referenced"} view @returns {Scene}
 */
export function curveScene(drawn, view) {
  const name = "Deflection";
  if (!drawn) return nothing(name, "No curve is chosen.");
  const { header, arrays } = drawn.main;
  if (!arrays.height?.length) {
    return nothing(name, header.missing || "The file of the curves is not open: nrm view RESULTS.h5 --curves CURVES.");
  }
  const first = deflectionOf(drawn.main, view);
  const referenced = first.x === arrays.distance;
  const length = extent(arrays.height) > LONG ? { unit: "µm", factor: 1e6 } : { unit: "nm", factor: NM };
  const { unit, factor } = first.unit === "m" ? { unit: "nm", factor: NM } : readable(first.unit, magnitude(first.y));
  /** @type {Item[]} */
  const items = [];
  const draw = (/** @type {Container} */ curve, /** @type {any} */ style) => {
    const { x, y, unit: of } = deflectionOf(curve, view);
    if (!x?.length || !y?.length || of !== first.unit) return;
    items.push({ kind: "line", name: nameOf(curve), x: times(x, length.factor), y: times(y, factor), ...style });
  };
  const windows = referenced ? {} : header.windows ?? {};
  for (const [part, colour] of /** @type {const} */ ([["baseline", "--window-baseline"], ["wall", "--window-wall"]])) {
    const ends = windows[part];
    if (finite(ends)) {
      items.push({ kind: "span", name: `${part} window`, from: ends[0] * length.factor, to: ends[1] * length.factor, colour });
    }
  }
  if (!referenced && first.unit === "m" && header.deflection_raw_unit === "m" && differs(arrays.deflection, arrays.deflection_raw)) {
    items.push({ kind: "line", name: "as recorded", x: times(arrays.height, length.factor), y: times(arrays.deflection_raw, factor),
      colour: "--quiet", width: 0.8, alpha: 0.6, quiet: true });
  }
  drawn.overlay.forEach((curve, k) => draw(curve, { ...look(k + 1), width: 1.1 }));
  if (drawn.other) draw(drawn.other, { colour: "--retract", dash: [5, 3], width: 1.2 });
  draw(drawn.main, { colour: "--series-1" });
  if (referenced) items.push({ kind: "rule", name: "", at: 0, upright: true, colour: "--quiet", dash: [4, 3] });
  else if (first.unit === "m") items.push(...marks(drawn, factor, length.factor));
  const x = { ...(referenced ? DISTANCE : { label: "height" }), ...length };
  const y = { label: first.unit === "m" ? (referenced ? "deflection above the baseline" : "deflection") : "deflection as recorded", unit };
  return { name: `Deflection of ${nameOf(drawn.main)}`, x, y, items, sentence: curveSentence(drawn, items, unit, length.unit) };
}

/** Lines of baseline and wall, and the contact with its error.
 * @param {Drawn} drawn @param {number} factor @param {number} across of lengths on the x axis
 * @returns {Item[]} */
function marks({ main: { header, arrays }, contactByHand, before }, factor, across) {
  /** @type {Item[]} */
  const items = [];
  const contact = contactByHand ?? header.contact;
  const heights = [Math.min(...ends(arrays.height)), Math.max(...ends(arrays.height))];
  for (const part of ["baseline", "wall"]) {
    const line = header.lines?.[part];
    if (!line || !line.flat().every(Number.isFinite)) continue;
    const at = straight(line);
    // A little beyond the contact, so that one sees where they cross.
    const beyond = 0.06 * (heights[1] - heights[0]);
    const reach = contact === null ? [line[0][0], line[1][0]]
      : part === "baseline" ? [contact - beyond, heights[1]] : [heights[0], contact + beyond / 4];
    items.push({ kind: "line", name: `_line of the ${part}`, x: times(reach, across), y: times(reach.map(at), factor),
      colour: `--${part}`, dash: [6, 4], width: 1.2, quiet: true });
  }
  if (contact !== null && contact !== undefined) {
    const base = header.lines?.baseline ? straight(header.lines.baseline)(contact) : nearest(arrays, contact);
    const byHand = contactByHand !== null || header.by_hand?.contact;
    const old = before?.header.contact ?? (byHand ? header.by_hand?.contact?.old_height : null);
    if (old !== null && old !== undefined && old !== contact) {
      items.push({ kind: "point", name: "contact before", x: old * across, y: base * factor, colour: "--quiet",
        error: (before?.header.stderr ?? header.by_hand?.contact?.old_stderr ?? NaN) * across * REACH });
    }
    items.push({ kind: "point", name: byHand ? "contact by hand ± 95 %" : "contact ± 95 %", x: contact * across, y: base * factor,
      colour: "--contact", error: contactByHand === null ? (header.stderr ?? NaN) * across * REACH : undefined });
  }
  return items;
}

/** @param {Container["arrays"]} arrays @param {number} height */
function nearest({ height: heights, deflection }, height) {
  let best = 0;
  heights.forEach((h, i) => {
    if (Math.abs(h - height) < Math.abs(heights[best] - height)) best = i;
  });
  return deflection[best];
}

/** @param {ArrayLike<number>} array */
function ends(array) {
  return [array[0], array[array.length - 1]];
}

/** From the lowest to the highest.
 * @param {ArrayLike<number>} array */
function extent(array) {
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < array.length; i++) {
    if (array[i] < low) low = array[i];
    if (array[i] > high) high = array[i];
  }
  return high - low;
}

/** @param {any} values */
function finite(values) {
  return Array.isArray(values) && values.every((v) => v !== null && Number.isFinite(v));
}

/** @param {ArrayLike<number> | undefined} a @param {ArrayLike<number> | undefined} b */
function differs(a, b) {
  if (!a || !b || a.length !== b.length) return false;
  const limit = 1e-3 * magnitude(a);
  for (let i = 0; i < a.length; i++) if (Math.abs(a[i] - b[i]) > limit) return true;
  return false;
}

/** @param {Drawn} drawn @param {Item[]} items @param {string} unit
 * @param {string} lengths */
function curveSentence({ main: { header }, overlay, other }, items, unit, lengths) {
  const lines = items.filter((item) => item.kind === "line" && !item.quiet);
  const line = /** @type {import("./scene.js").Line | undefined} */ (lines.at(-1));
  const parts = [`Curve ${header.number}, ${header.direction}${other ? " and the other direction" : ""}`];
  if (line) {
    const range = (/** @type {ArrayLike<number>} */ a) => {
      const all = Array.from(a).filter(Number.isFinite);
      return `${figure(Math.min(...all), 3)} to ${figure(Math.max(...all), 3)}`;
    };
    parts.push(`${range(line.x)} ${lengths}`, `deflection ${range(line.y)} ${unit}`);
  }
  if (header.contact !== null && header.contact !== undefined) {
    parts.push(`contact${header.by_hand?.contact ? " by hand" : ""} at ${withError(header.contact * NM, (header.stderr ?? NaN) * NM)} nm`);
  } else parts.push("no solid contact");
  for (const part of ["baseline", "wall"]) {
    const window = header.windows?.[part];
    if (finite(window)) parts.push(`${part} from ${figure(window[0] * NM)} to ${figure(window[1] * NM)} nm`);
  }
  if (overlay.length) parts.push(`${count(overlay.length, "other curve")} overlaid`);
  return `${parts.join("; ")}.`;
}

/** Distances without an estimate, and those within a tip radius.
 * @param {Container} curve @param {number | null} radius (m) @returns {Item[]} */
function doubts({ header, arrays }, radius) {
  /** @type {Item[]} */
  const items = [];
  const first = header.facts?.first_valid;
  const end = arrays.depth[arrays.depth.length - 1];
  if (Number.isFinite(first) && first > 0) {
    items.push({ kind: "span", name: "too near the contact", from: 0, to: Math.min(first, end) * NM, colour: "--shade" });
  }
  if (radius && radius > 0) {
    items.push({ kind: "span", name: "within a tip radius", from: 0, to: Math.min(radius, end) * NM, colour: "--hatch", hatched: true });
  }
  return items;
}

/**
 * F*x and F*y against distance.
 * @param {Drawn | null} drawn @param {number | null} radius of the tip (m) @returns {Scene}
 */
export function forceScene(drawn, radius) {
  const name = "Lateral force";
  if (!drawn) return nothing(name, "No curve is chosen.");
  const { header, arrays } = drawn.main;
  if (!arrays.lateral_force_in_phase?.length) {
    if (arrays.lateral_in_phase_raw?.length) return recordedLateral(drawn.main);
    return nothing(name, header.missing || "The curve has no lateral signal.");
  }
  const { unit, factor } = readable("N", magnitude(arrays.lateral_force_in_phase, arrays.lateral_force_quadrature));
  const items = doubts(drawn.main, radius);
  items.push({ kind: "rule", name: "", at: 0, colour: "--quiet", dash: [2, 3] });
  for (const [part, label, colour, dash] of /** @type {const} */ ([
    ["lateral_force_in_phase", "F*x", "--in-phase", []], ["lateral_force_quadrature", "F*y", "--quadrature", [7, 3]]])) {
    const add = (/** @type {Container | null} */ curve, /** @type {string} */ of, /** @type {any} */ style) => {
      if (!curve?.arrays[part]?.length) return;
      items.push({ kind: "line", name: of, x: times(curve.arrays.depth, NM), y: times(curve.arrays[part], factor),
        colour, dash: [...dash], ...style });
    };
    drawn.overlay.forEach((curve, k) => add(curve, `_${label} ${curve.header.number}`, { colour: look(k + 1).colour, width: 0.9 }));
    add(drawn.other, `_${label}, ${drawn.other?.header.direction}`, { width: 0.9, alpha: 0.55 });
    add(drawn.before, `_${label} before`, { width: 0.8, alpha: 0.45 });
    add(drawn.main, label, {});
  }
  return { name: `${name} of ${nameOf(drawn.main)}`, x: { ...DISTANCE, range: reach(arrays) },
    y: { label: "lateral force", unit }, items, sentence: profileSentence(drawn.main, items, unit) };
}

/** X and Y as recorded, against height: where they are no forces, or the curve has no contact.
 * @param {Container} curve @returns {Scene} */
function recordedLateral(curve) {
  const { header, arrays } = curve;
  const { unit, factor } = readable(header.lateral_raw_unit ?? "V", magnitude(arrays.lateral_in_phase_raw, arrays.lateral_quadrature_raw));
  const x = times(arrays.height, NM);
  /** @type {Item[]} */
  const items = [
    { kind: "line", name: "X", x, y: times(arrays.lateral_in_phase_raw, factor), colour: "--in-phase" },
    { kind: "line", name: "Y", x, y: times(arrays.lateral_quadrature_raw, factor), colour: "--quadrature", width: 1 },
  ];
  return { name: `Lateral signal of ${nameOf(curve)}`, x: { label: "height", unit: "nm" }, y: { label: "lateral signal as recorded", unit }, items,
    sentence: `Curve ${header.number}, as recorded. ${header.missing}` };
}

/**
 * E' and E'' against distance with 95 % bands, over the mean of the region.
 * @param {Drawn | null} drawn
 * @param {{radius: number | null, region: Container | null, log: boolean, blind: boolean, depth?: number}} options
 * @returns {Scene}
 */
export function moduliScene(drawn, { radius, region, log, blind, depth }) {
  const name = "Moduli";
  if (!drawn) return nothing(name, "No curve is chosen.");
  if (blind) return nothing(name, "Moduli are hidden: blind.");
  const { header, arrays } = drawn.main;
  if (!arrays.storage_modulus?.length) return nothing(name, header.missing || "The curve has no moduli.");
  const { unit, factor } = readable("Pa", typical(arrays.storage_modulus));
  const items = doubts(drawn.main, radius);
  if (!log) items.push({ kind: "rule", name: "", at: 0, colour: "--quiet", dash: [2, 3] });
  if (depth !== undefined) {
    items.push({ kind: "rule", name: "", at: depth * NM, upright: true, colour: "--accent", dash: [3, 3], label: "map" });
  }
  for (const [part, of, label, colour, dash] of /** @type {const} */ ([
    ["storage", "storage_modulus", "E′", "--storage", []], ["loss", "loss_modulus", "E″", "--loss", [7, 3]]])) {
    if (region?.arrays[part]?.length) {
      const { depth: z, [part]: y, [`${part}_low`]: low, [`${part}_high`]: high } = region.arrays;
      items.push({ kind: "line", name: `${label} of the region`, x: times(z, NM), y: times(y, factor), low: low && times(low, factor),
        high: high && times(high, factor), colour, dash: [2, 3], width: 1.2, alpha: 0.6 });
    }
    const add = (/** @type {Container | null} */ curve, /** @type {string} */ title, /** @type {any} */ style, band = false) => {
      const y = curve?.arrays[of];
      if (!curve || !y?.length) return;
      const error = curve.arrays[`${of}_stderr`];
      const edge = (/** @type {number} */ sign) => Float64Array.from(y, (v, i) => (v + sign * REACH * error[i]) * factor);
      items.push({ kind: "line", name: title, x: times(curve.arrays.depth, NM), y: times(y, factor), colour, dash: [...dash],
        ...(band && error?.length ? { low: edge(-1), high: edge(1) } : {}), ...style });
    };
    drawn.overlay.forEach((curve, k) => add(curve, `_${label} ${curve.header.number}`, { colour: look(k + 1).colour, width: 0.9 }));
    add(drawn.other, `_${label}, ${drawn.other?.header.direction}`, { width: 0.9, alpha: 0.55 });
    add(drawn.before, `_${label} before`, { width: 0.8, alpha: 0.45 });
    add(drawn.main, label, {}, true);
  }
  return { name: `${name} of ${nameOf(drawn.main)}`, x: { ...DISTANCE, range: reach(arrays) },
    y: { label: "modulus", unit, log }, items, sentence: profileSentence(drawn.main, items, unit) };
}

/** Distances of the profiles.
 * @param {Container["arrays"]} arrays @returns {[number, number]} */
function reach(arrays) {
  return [0, arrays.depth[arrays.depth.length - 1] * NM];
}

/** Median magnitude: units do not follow the one wild value beside the electrode.
 * @param {ArrayLike<number>} values */
function typical(values) {
  const all = Array.from(values, Math.abs).filter((v) => v > 0 && v < Infinity).sort((a, b) => a - b);
  return all.length ? all[Math.floor(all.length * 0.8)] : 0;
}

/** Whether a logarithmic axis shows more: positive values over more than a decade and a half.
 * @param {ArrayLike<number> | undefined} values @param {ArrayLike<number> | undefined} errors */
export function wantsLog(values, errors) {
  if (!values) return false;
  const sure = Array.from(values).filter((v, i) => v > 3 * (errors?.[i] ?? 0) && v > 0);
  return sure.length > 0.3 * values.length && Math.max(...sure) / Math.min(...sure) > 30;
}

/** @param {Container} curve @param {Item[]} items @param {string} unit */
function profileSentence({ header, arrays }, items, unit) {
  const parts = [];
  for (const item of items) {
    if (item.kind !== "line" || item.name.startsWith("_")) continue;
    const said = [5, 10, 20, 40].map((z) => {
      const i = Array.from(item.x).findIndex((x) => Math.abs(x - z) < 0.26);
      if (i < 0 || !Number.isFinite(item.y[i])) return "";
      const band = item.low && item.high ? ` (${figure(item.low[i], 3)} to ${figure(item.high[i], 3)})` : "";
      return `${figure(item.y[i], 3)} ${unit}${band} at ${z} nm`;
    }).filter(Boolean);
    if (said.length) parts.push(`${item.name}: ${said.join(", ")}`);
  }
  const first = header.facts?.first_valid;
  if (Number.isFinite(first)) parts.push(`no estimate nearer than ${figure(first * NM, 3)} nm`);
  return parts.length ? `Curve ${header.number}. ${parts.join("; ")}.` : `Curve ${header.number}: no values over ${arrays.depth.length} distances.`;
}
