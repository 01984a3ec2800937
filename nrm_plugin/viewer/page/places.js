// Where the curves of a layer lie on the screen, and which curve is at a place of the screen.
// No drawing: tests/viewer_page/places.test.js.

/** @typedef {import("./types").Layer} Layer */
/** @typedef {import("./types").LayerPlaces} LayerPlaces */
/** @typedef {{x: number, y: number, width: number, height: number}} Box */
/** The part of the layer that is seen: zoom 1 is all, and the centre in shares of the layer.
 * @typedef {{zoom: number, x: number, y: number}} Window */

export const ALL = { zoom: 1, x: 0.5, y: 0.5 };

/** Largest box of that aspect (width over height) in the middle of another.
 * @param {Box} box @param {number} aspect @returns {Box} */
export function fitted(box, aspect) {
  const width = Math.min(box.width, box.height * aspect);
  const height = width / aspect;
  return { x: box.x + (box.width - width) / 2, y: box.y + (box.height - height) / 2, width, height };
}

/** Numbers by curve, -1 where a curve has none.
 * @param {ArrayLike<number>} curves */
function byCurve(curves) {
  let most = -1;
  for (let k = 0; k < curves.length; k++) most = Math.max(most, curves[k]);
  return new Int32Array(most + 1).fill(-1);
}

/** Curves in the cells of a grid; row 0 (smallest y) is the lowest. */
export class GridPlaces {
  /** @param {Layer} layer @param {LayerPlaces} places @param {Box} box @param {Window} window */
  constructor(layer, places, box, window = ALL) {
    this.kind = /** @type {const} */ ("grid");
    this.rows = Math.max(1, layer.rows ?? 1);
    this.columns = Math.max(1, layer.columns ?? 1);
    const [sx, sy] = layer.size && layer.size[0] > 0 && layer.size[1] > 0 ? layer.size : [this.columns, this.rows];
    const aspect = Math.min(50, Math.max(0.02, sx / sy));
    this.box = fitted(box, aspect);
    this.window = window;
    const { width, height } = this.box;
    this.cellWidth = (width * window.zoom) / this.columns;
    this.cellHeight = (height * window.zoom) / this.rows;
    /** Metres per pixel, nan where the size is not known. */
    this.metres = layer.size ? layer.size[0] / (width * window.zoom) : NaN;
    /** Left edge of column 0 and upper edge of the highest row. */
    this.left = this.box.x + width / 2 - window.x * width * window.zoom;
    this.top = this.box.y + height / 2 - window.y * height * window.zoom;
    this.curves = places.curve;
    /** Curve of each cell, from the lowest row on, -1 where none is. */
    this.cells = new Int32Array(this.rows * this.columns).fill(-1);
    this.cellNumbers = byCurve(places.curve);
    for (let k = 0; k < places.curve.length; k++) {
      const [row, column] = [places.row[k], places.column[k]];
      if (row < 0 || column < 0 || row >= this.rows || column >= this.columns) continue;
      const cell = row * this.columns + column;
      this.cells[cell] = places.curve[k];
      this.cellNumbers[places.curve[k]] = cell;
    }
  }

  /** The cell of a curve, -1 where it has none.
   * @param {number} curve @returns {number} */
  cellOf(curve) {
    return this.cellNumbers[curve] ?? -1;
  }

  /** Row and column at a place of the screen, whether a curve is there or not.
   * @param {number} x @param {number} y */
  cellAt(x, y) {
    const { box } = this;
    if (x < box.x || y < box.y || x >= box.x + box.width || y >= box.y + box.height) return null;
    const column = Math.floor((x - this.left) / this.cellWidth);
    const row = this.rows - 1 - Math.floor((y - this.top) / this.cellHeight);
    return row < 0 || column < 0 || row >= this.rows || column >= this.columns ? null : { row, column };
  }

  /** @param {number} x @param {number} y @returns {number} the curve, or -1 */
  curveAt(x, y) {
    const cell = this.cellAt(x, y);
    return cell ? this.cells[cell.row * this.columns + cell.column] : -1;
  }

  /** The curve's place on the screen, or null where it is not in this layer.
   * @param {number} curve @returns {[number, number] | null} */
  centreOf(curve) {
    const cell = this.cellOf(curve);
    if (cell < 0) return null;
    const row = Math.floor(cell / this.columns);
    const column = cell % this.columns;
    return [
      this.left + (column + 0.5) * this.cellWidth,
      this.top + (this.rows - row - 0.5) * this.cellHeight,
    ];
  }

  /** The next curve in a direction (dy 1 is up), cells without a curve skipped; itself at the edge.
   * @param {number} curve @param {number} dx @param {number} dy @returns {number} */
  neighbour(curve, dx, dy) {
    const cell = this.cellOf(curve);
    if (cell < 0) return this.curves.length ? this.curves[0] : -1;
    let row = Math.floor(cell / this.columns) + dy;
    let column = (cell % this.columns) + dx;
    for (; row >= 0 && column >= 0 && row < this.rows && column < this.columns; row += dy, column += dx) {
      const found = this.cells[row * this.columns + column];
      if (found >= 0) return found;
    }
    return curve;
  }

  /** Curves of the rectangle of cells between two curves.
   * @param {number} a @param {number} b @returns {number[]} */
  between(a, b) {
    const [from, to] = [this.cellOf(a), this.cellOf(b)];
    if (from < 0 || to < 0) return [b];
    const rows = [Math.floor(from / this.columns), Math.floor(to / this.columns)].sort((p, q) => p - q);
    const columns = [from % this.columns, to % this.columns].sort((p, q) => p - q);
    const found = [];
    for (let row = rows[0]; row <= rows[1]; row++) {
      for (let column = columns[0]; column <= columns[1]; column++) {
        const curve = this.cells[row * this.columns + column];
        if (curve >= 0) found.push(curve);
      }
    }
    return found;
  }
}

/** Curves at points of the screen: a list of points, or a series (x: number, y: value). */
export class PointPlaces {
  /**
   * @param {"points" | "strip"} kind
   * @param {Int32Array} curves
   * @param {ArrayLike<number>} xs places on the screen, nan where there is none
   * @param {ArrayLike<number>} ys
   * @param {Box} box
   */
  constructor(kind, curves, xs, ys, box) {
    this.kind = kind;
    this.curves = curves;
    this.xs = xs;
    this.ys = ys;
    this.box = box;
    this.metres = NaN;
    this.radius = Math.max(2, Math.min(9, Math.sqrt((box.width * box.height) / Math.max(1, curves.length)) / 4));
    this.indices = byCurve(curves);
    for (let k = 0; k < curves.length; k++) this.indices[curves[k]] = k;
  }

  /** @param {number} curve @returns {number} its index in the list, -1 outside */
  indexOf(curve) {
    return this.indices[curve] ?? -1;
  }

  /** The nearest curve; in a strip the one of the nearest number, wherever its value lies.
   * @param {number} x @param {number} y @returns {number} */
  curveAt(x, y) {
    const near = this.kind === "strip" ? Infinity : (this.radius + 6) ** 2;
    let best = -1;
    let least = near;
    for (let k = 0; k < this.curves.length; k++) {
      const dx = this.xs[k] - x;
      const dy = Number.isNaN(this.ys[k]) ? 0 : this.ys[k] - y;
      const distance = this.kind === "strip" ? Math.abs(dx) + 1e-3 * Math.abs(dy) : dx * dx + dy * dy;
      if (distance < least) [best, least] = [this.curves[k], distance];
    }
    return best;
  }

  /** @param {number} curve @returns {[number, number] | null} */
  centreOf(curve) {
    const k = this.indexOf(curve);
    if (k < 0 || Number.isNaN(this.xs[k])) return null;
    return [this.xs[k], Number.isNaN(this.ys[k]) ? this.box.y + this.box.height : this.ys[k]];
  }

  /** The nearest curve in a direction (dy 1 is up); along a strip the next or previous one.
   * @param {number} curve @param {number} dx @param {number} dy @returns {number} */
  neighbour(curve, dx, dy) {
    const k = this.indexOf(curve);
    if (k < 0) return this.curves.length ? this.curves[0] : -1;
    if (this.kind === "strip") {
      const to = Math.min(this.curves.length - 1, Math.max(0, k + (dx || dy)));
      return this.curves[to];
    }
    let best = curve;
    let least = Infinity;
    for (let i = 0; i < this.curves.length; i++) {
      const ahead = (this.xs[i] - this.xs[k]) * dx - (this.ys[i] - this.ys[k]) * dy;
      const aside = Math.abs((this.xs[i] - this.xs[k]) * dy) + Math.abs((this.ys[i] - this.ys[k]) * dx);
      if (!(ahead > 1e-9) || aside > 2 * ahead) continue;
      const distance = ahead + 2 * aside;
      if (distance < least) [best, least] = [this.curves[i], distance];
    }
    return best;
  }

  /** Curves of the list between two, both included.
   * @param {number} a @param {number} b @returns {number[]} */
  between(a, b) {
    const [from, to] = [Math.max(0, this.indexOf(a)), Math.max(0, this.indexOf(b))].sort((p, q) => p - q);
    return [...this.curves.slice(from, to + 1)];
  }
}

/** Screen places of points that have positions (metres), in a box, y upwards, both axes alike.
 * @param {LayerPlaces} places @param {Box} box @param {Window} window */
export function pointPlaces(places, box, window = ALL) {
  const extent = (/** @type {Float64Array} */ values) => {
    let [lo, hi] = [Infinity, -Infinity];
    for (const value of values) if (Number.isFinite(value)) [lo, hi] = [Math.min(lo, value), Math.max(hi, value)];
    return lo <= hi ? [lo, hi] : [0, 0];
  };
  const [x0, x1] = extent(places.x);
  const [y0, y1] = extent(places.y);
  const span = Math.max(x1 - x0, y1 - y0) || 1e-9;
  const pixels = (0.86 * Math.min(box.width / ((x1 - x0) / span || 1e-9), box.height / ((y1 - y0) / span || 1e-9)) * window.zoom) / span;
  const centre = [box.x + box.width / 2, box.y + box.height / 2];
  const [cx, cy] = [x0 + (x1 - x0) * window.x, y1 - (y1 - y0) * window.y];
  const made = new PointPlaces(
    "points",
    places.curve,
    places.x.map((x) => centre[0] + (x - cx) * pixels),
    places.y.map((y) => centre[1] - (y - cy) * pixels),
    box,
  );
  made.metres = 1 / pixels;
  return made;
}

/** Where a line at height y crosses a closed polygon, from left to right.
 * @param {number} y @param {[number, number][]} polygon @returns {number[]} */
export function crossings(y, polygon) {
  const found = [];
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [ax, ay] = polygon[i];
    const [bx, by] = polygon[j];
    if (ay > y !== by > y) found.push(((bx - ax) * (y - ay)) / (by - ay) + ax);
  }
  return found.sort((p, q) => p - q);
}

/** Curves whose places lie in the polygon.
 * @param {GridPlaces | PointPlaces} places @param {[number, number][]} polygon @returns {number[]} */
export function inPolygon(places, polygon) {
  /** @type {number[]} */
  const found = [];
  // Curves of a row have one y: its crossings are looked for once.
  let y = NaN;
  /** @type {number[]} */
  let xs = [];
  for (const curve of places.curves) {
    const centre = places.centreOf(curve);
    if (!centre) continue;
    if (centre[1] !== y) [y, xs] = [centre[1], crossings(centre[1], polygon)];
    let left = 0;
    while (left < xs.length && xs[left] < centre[0]) left++;
    if (left % 2) found.push(curve);
  }
  return found;
}
