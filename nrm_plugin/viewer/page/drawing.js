// What canvases share: sharp pixels, patterns that tell states apart without colour, marks.

/** @typedef {"noise" | "bound" | "flagged" | "excluded"} Pattern */

/** Size of the canvas to its element in device pixels; the context draws in CSS pixels.
 * @param {HTMLCanvasElement} canvas
 * @returns {{context: CanvasRenderingContext2D, width: number, height: number}} */
export function prepared(canvas) {
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  const ratio = devicePixelRatio || 1;
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** A small tile for fills: oblique lines (below the noise), upright lines (a lower bound), dots (flagged) or crosses (excluded),
 * dark beside light, so that it is seen on any colour.
 * @param {CanvasRenderingContext2D} context
 * @param {Pattern} kind */
export function pattern(context, kind) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 6;
  const pen = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
  for (const [colour, shift] of /** @type {[string, number][]} */ ([["rgb(0 0 0 / 65%)", 0], ["rgb(255 255 255 / 80%)", 1]])) {
    pen.fillStyle = colour;
    for (let k = 0; k < 6; k++) {
      if (kind === "bound") pen.fillRect(2 + shift, k, 1, 1);
      else if (kind !== "flagged") pen.fillRect((k + shift) % 6, 5 - k, 1, 1);
      if (kind === "excluded") pen.fillRect((k + shift) % 6, k, 1, 1);
    }
    if (kind === "flagged") pen.fillRect(2 + shift, 2, 1, 2);
  }
  return /** @type {CanvasPattern} */ (context.createPattern(tile, "repeat"));
}

/** A mark at a place: a dot (flagged), a cross (excluded), a ring (contact by hand).
 * @param {CanvasRenderingContext2D} context
 * @param {"flagged" | "excluded" | "moved"} kind
 * @param {number} x @param {number} y @param {number} size */
export function mark(context, kind, x, y, size) {
  for (const [colour, extra] of /** @type {[string, number][]} */ ([["rgb(255 255 255 / 90%)", 2], ["rgb(10 12 16 / 95%)", 0]])) {
    context.beginPath();
    context.strokeStyle = colour;
    context.fillStyle = colour;
    context.lineWidth = 1.4 + extra;
    if (kind === "excluded") {
      context.moveTo(x - size, y - size);
      context.lineTo(x + size, y + size);
      context.moveTo(x - size, y + size);
      context.lineTo(x + size, y - size);
      context.stroke();
    } else if (kind === "flagged") {
      context.arc(x, y, Math.min(3, 0.5 * size) + extra / 2, 0, 7);
      context.fill();
    } else {
      context.arc(x, y, Math.min(6, 0.8 * size), 0, 7);
      context.stroke();
    }
  }
}

/** A picture with a pixel per cell; row 0 of the values is the lowest.
 * @param {Uint8ClampedArray} pixels r, g, b, a from the lowest row on
 * @param {number} columns @param {number} rows */
export function picture(pixels, columns, rows) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const data = context.createImageData(columns, rows);
  for (let row = 0; row < rows; row++) {
    data.data.set(pixels.subarray(4 * row * columns, 4 * (row + 1) * columns), 4 * (rows - 1 - row) * columns);
  }
  context.putImageData(data, 0, 0);
  return canvas;
}

/** Outline of some cells of a grid: lines between a cell that is in and one that is not, in one path.
 * @param {import("./places.js").GridPlaces} places
 * @param {Set<number>} curves */
export function outline(places, curves) {
  const { cells, rows, columns, left, top, cellWidth: w, cellHeight: h } = places;
  const path = new Path2D();
  const isIn = (/** @type {number} */ row, /** @type {number} */ column) =>
    row >= 0 && row < rows && column >= 0 && column < columns && curves.has(cells[row * columns + column]);
  for (let row = 0; row <= rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (isIn(row, column) === isIn(row - 1, column)) continue;
      path.moveTo(left + column * w, top + (rows - row) * h);
      path.lineTo(left + (column + 1) * w, top + (rows - row) * h);
    }
  }
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column <= columns; column++) {
      if (isIn(row, column) === isIn(row, column - 1)) continue;
      path.moveTo(left + column * w, top + (rows - row) * h);
      path.lineTo(left + column * w, top + (rows - row - 1) * h);
    }
  }
  return path;
}

/** Text with a halo of the panel's colour.
 * @param {CanvasRenderingContext2D} context
 * @param {string} text @param {number} x @param {number} y
 * @param {{ink: string, halo: string, align?: CanvasTextAlign, baseline?: CanvasTextBaseline}} look */
export function label(context, text, x, y, { ink, halo, align = "left", baseline = "alphabetic" }) {
  context.font = "12px system-ui, sans-serif";
  context.textAlign = align;
  context.textBaseline = baseline;
  context.lineJoin = "round";
  context.lineWidth = 3;
  context.strokeStyle = halo;
  context.strokeText(text, x, y);
  context.fillStyle = ink;
  context.fillText(text, x, y);
}
