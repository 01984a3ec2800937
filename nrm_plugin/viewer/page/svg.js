// Plots as SVG: lines, text and marks as vectors that a drawing program can edit.

import { logTicks, tickLabels, ticks } from "./axes.js";
import { acrossOf, labelOf, paint, rangeOf, upOf } from "./scene.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {{scene: Scene, x?: [number, number], y?: [number, number]}} Panel what is seen of a scene */

const MARGIN = { left: 64, right: 14, top: 14, bottom: 60 };
const LINE = 16;
const FONT = "Arial, Helvetica, sans-serif";

/**
 * Text as XML has it: no markup, and none of the characters that XML forbids.
 * @param {string} text
 */
export function escaped(text) {
  return String(text)
    // eslint-disable-next-line no-control-regex
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd")
    .replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}

/** @param {number} value */
function px(value) {
  return String(Math.round(value * 100) / 100);
}

/** Commands of an SVG path. */
class Commands {
  constructor() {
    /** @type {string[]} */
    this.parts = [];
  }

  /** @param {number} x @param {number} y */
  moveTo(x, y) {
    this.parts.push(`M${px(x)} ${px(y)}`);
  }

  /** @param {number} x @param {number} y */
  lineTo(x, y) {
    this.parts.push(`L${px(x)} ${px(y)}`);
  }

  closePath() {
    this.parts.push("Z");
  }
}

/**
 * @param {string[]} out
 * @param {(name: string) => {colour: string, alpha: number}} colour
 * @returns {import("./scene.js").Pen}
 */
function vectorPen(out, colour) {
  const alpha = (/** @type {number} */ value) => (value < 1 ? ` opacity="${px(value)}"` : "");
  return {
    path: () => new Commands(),
    stroke(path, name, width, dash, strength) {
      const { colour: of, alpha: own } = colour(name);
      if (!path.parts.length) return;
      out.push(`<path d="${path.parts.join("")}" fill="none" stroke="${of}" stroke-width="${width}"`
        + `${dash.length ? ` stroke-dasharray="${dash.join(" ")}"` : ""} stroke-linejoin="round"${alpha(own * strength)}/>`);
    },
    fill(path, name, strength) {
      const { colour: of, alpha: own } = colour(name);
      if (path.parts.length) out.push(`<path d="${path.parts.join("")}" fill="${of}"${alpha(own * strength)}/>`);
    },
    text(words, x, y, name) {
      out.push(words_(words, x, y, `fill="${colour(name).colour}"`));
    },
  };
}

/** @param {string} words @param {number} x @param {number} y @param {string} attributes */
function words_(words, x, y, attributes) {
  return `<text x="${px(x)}" y="${px(y)}" ${attributes}>${escaped(words)}</text>`;
}

/**
 * Panels below each other, as SVG.
 * @param {Panel[]} panels
 * @param {{width: number, height: number, title: string, notes: string[],
 *   colour: (name: string) => {colour: string, alpha: number}}} options
 *   height: of one panel; colour: of the names in the scenes
 * @returns {string}
 */
export function svg(panels, { width, height, title, notes, colour }) {
  /** @type {string[]} */
  const out = [];
  let top = LINE * 1.5;
  out.push(words_(title, MARGIN.left, LINE, `fill="${colour("--ink").colour}" font-weight="bold"`));
  panels.forEach((panel, k) => {
    out.push(`<g id="panel-${k + 1}">`);
    top += drawPanel(out, panel, { left: MARGIN.left, top: top + MARGIN.top, width: width - MARGIN.left - MARGIN.right, height }, colour, k);
    out.push("</g>");
  });
  for (const note of notes) {
    top += LINE * 0.8;
    out.push(words_(note, MARGIN.left, top, `fill="${colour("--quiet").colour}" font-size="9"`));
  }
  top += LINE * 0.5;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="${px(width)}" height="${px(top)}" `
    + `viewBox="0 0 ${px(width)} ${px(top)}" font-family="${FONT}" font-size="11">\n<title>${escaped(title)}</title>\n`
    + `<desc>${escaped(panels.map(({ scene }) => scene.sentence).join(" "))}</desc>\n`
    + `<rect width="100%" height="100%" fill="${colour("--panel").colour}"/>\n${out.join("\n")}\n</svg>\n`;
}

/**
 * @param {string[]} out @param {Panel} panel
 * @param {{left: number, top: number, width: number, height: number}} box
 * @param {(name: string) => {colour: string, alpha: number}} colour @param {number} k
 * @returns {number} what it takes of the height
 */
function drawPanel(out, { scene, x, y }, box, colour, k) {
  const seen = x ?? rangeOf(scene, "x");
  const frame = { ...box, x: seen, y: y ?? rangeOf(scene, "y", seen), log: scene.y.log, scale: 1 };
  const across = acrossOf(frame), up = upOf(frame), bottom = box.top + box.height;
  const ink = colour("--ink").colour, grid = colour("--grid").colour;
  const at = { x: ticks(frame.x[0], frame.x[1], 7), y: (scene.y.log ? logTicks : ticks)(frame.y[0], frame.y[1], 5) };
  const label = { x: tickLabels(at.x), y: tickLabels(at.y) };
  if (scene.empty) {
    out.push(words_(scene.empty, box.left, box.top + LINE, `fill="${ink}"`));
    return LINE * 3;
  }
  at.x.forEach((value, i) => {
    out.push(`<path d="M${px(across(value))} ${px(box.top)}V${px(bottom)}" stroke="${grid}" fill="none"/>`,
      words_(label.x[i], across(value), bottom + LINE, `fill="${ink}" text-anchor="middle"`));
  });
  at.y.forEach((value, i) => {
    out.push(`<path d="M${px(box.left)} ${px(up(value))}H${px(box.left + box.width)}" stroke="${grid}" fill="none"/>`,
      words_(label.y[i], box.left - 6, up(value) + 4, `fill="${ink}" text-anchor="end"`));
  });
  out.push(`<clipPath id="inside-${k + 1}"><rect x="${px(box.left)}" y="${px(box.top)}" width="${px(box.width)}" height="${px(box.height)}"/></clipPath>`,
    `<g clip-path="url(#inside-${k + 1})">`);
  paint(scene, frame, vectorPen(out, colour));
  out.push("</g>", `<path d="M${px(box.left)} ${px(box.top)}V${px(bottom)}H${px(box.left + box.width)}" stroke="${ink}" fill="none"/>`);
  const middle = box.left + box.width / 2, half = box.top + box.height / 2;
  out.push(words_(labelOf(scene.x), middle, bottom + 2.2 * LINE, `fill="${ink}" text-anchor="middle"`),
    words_(labelOf(scene.y), 14, half, `fill="${ink}" text-anchor="middle" transform="rotate(-90 14 ${px(half)})"`));
  const used = legend(out, scene, box, bottom + 3.5 * LINE, colour);
  return MARGIN.top + box.height + MARGIN.bottom + used;
}

/** Names of what is drawn, in rows. @returns {number} height
 * @param {string[]} out @param {Scene} scene @param {{left: number, width: number}} box @param {number} top
 * @param {(name: string) => {colour: string, alpha: number}} colour */
function legend(out, scene, box, top, colour) {
  let left = box.left, row = 0;
  for (const item of scene.items) {
    if (!item.name || item.name.startsWith("_")) continue;
    const width = 30 + item.name.length * 5.8;
    if (left + width > box.left + box.width && left > box.left) {
      left = box.left;
      row++;
    }
    const y = top + row * LINE, { colour: of, alpha } = colour(item.colour);
    if (item.kind === "line") {
      const dash = item.dash?.length ? ` stroke-dasharray="${item.dash.join(" ")}"` : "";
      out.push(`<path d="M${px(left)} ${px(y - 4)}h18" stroke="${of}" stroke-width="${item.width ?? 1.5}" fill="none"${dash}/>`);
    } else if (item.kind === "point") {
      out.push(`<circle cx="${px(left + 9)}" cy="${px(y - 4)}" r="4" fill="none" stroke="${of}" stroke-width="1.5"/>`);
    } else if (item.kind === "span" && item.hatched) {
      out.push(`<path d="M${px(left)} ${px(y)}l9 -9M${px(left + 6)} ${px(y)}l9 -9" stroke="${of}" fill="none"/>`);
    } else out.push(`<rect x="${px(left)}" y="${px(y - 9)}" width="18" height="10" fill="${of}" opacity="${px(alpha)}"/>`);
    out.push(words_(item.name, left + 23, y, `fill="${colour("--ink").colour}" font-size="10"`));
    left += width + 8;
  }
  return left > box.left || row ? (row + 1) * LINE : 0;
}
