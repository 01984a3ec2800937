// What is seen as PNG, SVG and CSV.

import { attempt } from "./api.js";
import { curvePlot } from "./curve.js";
import { csv, oneLine, provenanceOf } from "./csv.js";
import { shown } from "./details.js";
import { handle } from "./keys.js";
import { make } from "./layout.js";
import { profilePlots } from "./profiles.js";
import { get, say } from "./state.js";
import { svg } from "./svg.js";

/** @typedef {import("./svg.js").Panel} Panel */

const SIZE = { width: 640, height: 260 };
/** Pixels of the PNG per pixel of the SVG: 300 to the inch at 15 cm. */
const SHARP = 3;

/** Plots with something in them, as they are zoomed.
 * @returns {Panel[]} */
function seenPanels() {
  const plots = [curvePlot, ...profilePlots].filter((plot) => plot !== null && plot.root.offsetParent !== null);
  return /** @type {import("./plot.js").Plot[]} */ (plots).map((plot) => ({ scene: plot.scene, ...plot.limits() }))
    .filter(({ scene }) => !scene.empty);
}

/** Colours of the light theme, as hexadecimal numbers and opacity: drawing programs read no others.
 * @returns {(name: string) => {colour: string, alpha: number}} */
function lightColours() {
  const root = document.documentElement;
  const before = root.dataset.theme;
  root.dataset.theme = "light";
  const style = getComputedStyle(root);
  const pen = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
  /** @type {Map<string, {colour: string, alpha: number}>} */
  const found = new Map();
  const names = seenPanels().flatMap(({ scene }) => scene.items.map(({ colour }) => colour));
  for (const name of [...names, "--ink", "--quiet", "--grid", "--panel", "--plot-paper"]) {
    pen.fillStyle = "#777777";
    pen.fillStyle = style.getPropertyValue(name).trim();
    const parts = String(pen.fillStyle).match(/[\d.]+/g) ?? [];
    const hex = String(pen.fillStyle).startsWith("#");
    found.set(name, hex ? { colour: pen.fillStyle, alpha: 1 } : {
      colour: `#${parts.slice(0, 3).map((part) => Number(part).toString(16).padStart(2, "0")).join("")}`,
      alpha: Number(parts[3] ?? 1),
    });
  }
  if (before === undefined) delete root.dataset.theme;
  else root.dataset.theme = before;
  return (name) => found.get(name) ?? { colour: "#777777", alpha: 1 };
}

/** @param {Panel[]} panels @param {string[]} provenance */
function vectors(panels, provenance) {
  const title = shown.drawn ? `Curve ${shown.drawn.main.header.number}` : "nrm view";
  return svg(panels, { ...SIZE, title, notes: provenance.map((text) => oneLine(text).slice(0, 110)), colour: lightColours() });
}

/** @param {string} text SVG @returns {Promise<Blob>} the same as pixels */
async function pixels(text) {
  const picture = new Image();
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  try {
    picture.src = url;
    await picture.decode();
    const canvas = make("canvas", { width: picture.width * SHARP, height: picture.height * SHARP });
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    return await new Promise((done, failed) => {
      canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("The picture could not be made."))), "image/png");
    });
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** @param {Blob} blob @param {string} ending */
function download(blob, ending) {
  const number = shown.drawn?.main.header.number ?? 0;
  const link = make("a", { href: URL.createObjectURL(blob), download: `curve-${number}.${ending}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  say(`Saved as ${link.download} among the browser's downloads.`);
}

/** @param {"png" | "svg" | "csv"} kind */
function save(kind) {
  return attempt(async () => {
    const panels = seenPanels();
    if (!panels.length) {
      say("There is nothing to export.");
      return;
    }
    const provenance = provenanceOf(get(), shown.drawn);
    if (kind === "csv") download(new Blob([csv(panels, provenance)], { type: "text/csv;charset=utf-8" }), "csv");
    else if (kind === "svg") download(new Blob([vectors(panels, provenance)], { type: "image/svg+xml" }), "svg");
    else download(await pixels(vectors(panels, provenance)), "png");
  });
}

/** @param {HTMLElement} element */
export function mount(element) {
  const open = make("button", { "data-action": "export", "aria-haspopup": "dialog", title: "Export what is seen of the curve (e)" }, "Export");
  element.replaceChildren(open);
  const kinds = /** @type {const} */ ([["png", "PNG", "picture, 300 dpi"], ["svg", "SVG", "vectors, text stays text"], ["csv", "CSV", "values with units"]]);
  const dialog = make("dialog", { className: "ask", "aria-labelledby": "export-title" },
    make("h2", { id: "export-title" }, "Export what is seen of the curve"),
    make("p", { className: "quiet" }, "The plots as they are zoomed, on white, with where they come from."),
    make("div", { className: "buttons" }, ...kinds.map(([kind, name, about]) => {
      const button = make("button", { title: about }, name);
      button.addEventListener("click", () => {
        dialog.close();
        save(kind);
      });
      return button;
    }), (() => {
      const cancel = make("button", {}, "Cancel");
      cancel.addEventListener("click", () => dialog.close());
      return cancel;
    })()));
  document.body.append(dialog);
  handle("export", () => {
    if (!dialog.open) dialog.showModal();
  });
}
