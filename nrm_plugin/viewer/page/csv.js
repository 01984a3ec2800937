// Values of what is drawn as CSV, with units and where they come from. No DOM in here.

/** @typedef {import("./svg.js").Panel} Panel */

/** One line of a comment: what would begin another line is a space.
 * @param {string} text */
export function oneLine(text) {
  return String(text).replace(/[\u0000-\u001f\u007f\u0085\u2028\u2029]+/g, " ").trim();
}

/** A heading of a column, quoted where it must be.
 * @param {string} text */
export function quoted(text) {
  const clean = oneLine(text).replace(/^[=+\-@]/, "'$&");
  return /[",;#]/.test(clean) ? `"${clean.replaceAll("\"", "\"\"")}"` : clean;
}

/** A value with nine digits, empty where there is none.
 * @param {number} value */
function digits(value) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(9))) : "";
}

/**
 * All values of what is drawn, as CSV: comments that begin with #, one row of headings with units,
 * then the values; shorter columns end empty. Only what lies in the part of x that is seen.
 * @param {Panel[]} panels
 * @param {string[]} provenance
 * @returns {string}
 */
export function csv(panels, provenance) {
  const comments = provenance.map((text) => `# ${oneLine(text)}`);
  /** @type {{title: string, values: ArrayLike<number>}[]} */
  const columns = [];
  panels.forEach(({ scene, x: seen }) => {
    /** @type {Map<string, number[]>} rows that are seen, by x values: shared x is written once */
    const written = new Map();
    for (const item of scene.items) {
      if (item.kind === "point") {
        const error = item.error === undefined ? "" : `, 95 % ± ${digits(item.error)}`;
        comments.push(`# ${oneLine(`${item.name}: ${scene.x.label} ${digits(item.x)} ${scene.x.unit}${error}, ${scene.y.label} ${digits(item.y)} ${scene.y.unit}`)}`);
      }
      if (item.kind === "span") comments.push(`# ${oneLine(`${item.name}: ${scene.x.label} ${digits(item.from)} to ${digits(item.to)} ${scene.x.unit}`)}`);
      if (item.kind !== "line") continue;
      const key = Array.from(item.x).join();
      let rows = written.get(key);
      const name = item.name.replace(/^_/, "");
      if (!rows) {
        rows = [];
        for (let i = 0; i < item.x.length; i++) {
          if (!seen || (item.x[i] >= seen[0] && item.x[i] <= seen[1])) rows.push(i);
        }
        written.set(key, rows);
        columns.push({ title: `${scene.x.label} of ${name} (${scene.x.unit})`, values: rows.map((i) => item.x[i]) });
      }
      const of = (/** @type {ArrayLike<number>} */ values) => /** @type {number[]} */ (rows).map((i) => values[i]);
      const unit = scene.y.unit ? ` (${scene.y.unit})` : "";
      columns.push({ title: `${scene.y.label} of ${name}${unit}`, values: of(item.y) });
      if (item.low) columns.push({ title: `${scene.y.label} of ${name}, 95 % low${unit}`, values: of(item.low) });
      if (item.high) columns.push({ title: `${scene.y.label} of ${name}, 95 % high${unit}`, values: of(item.high) });
    }
  });
  const most = Math.max(0, ...columns.map(({ values }) => values.length));
  const lines = [...comments, columns.map(({ title }) => quoted(title)).join(",")];
  for (let i = 0; i < most; i++) {
    lines.push(columns.map(({ values }) => digits(values[i])).join(","));
  }
  return `${lines.join("\n")}\n`;
}

/** Where what is seen comes from, a sentence each; blind mode keeps its secrets.
 * @param {Readonly<import("./types").State>} state
 * @param {import("./scenes.js").Drawn | null} drawn
 * @returns {string[]} */
export function provenanceOf({ session, blind, recipe, filter }, drawn) {
  void filter;
  if (!session) return [];
  const lines = [`nrm view ${session.version}`];
  if (!blind) lines.push(`files: ${session.files.map(({ name }) => name).join("; ")}`);
  if (session.simulated) lines.push("simulated data");
  const header = drawn?.main.header;
  if (header) {
    const source = !blind && header.source?.name ? `, number ${header.source.number} in ${header.source.name}` : "";
    lines.push(`curve ${header.number}${source}, ${header.direction}`);
    if (header.row >= 0 && header.column >= 0) lines.push(`row ${header.row}, column ${header.column}`);
    if (!blind && Number.isFinite(header.potential ?? NaN)) lines.push(`potential ${Number(header.potential.toPrecision(6))} V`);
    if (header.flags?.length) lines.push(`flags: ${header.flags.map((/** @type {any} */ flag) => flag.name).join(", ")}`);
    if (header.by_hand?.excluded) lines.push("excluded by hand");
    if (header.by_hand?.accepted) lines.push("accepted by hand");
    if (header.by_hand?.contact) lines.push("contact by hand");
    if (drawn.contactByHand !== null) lines.push("contact by hand, tried and not confirmed");
  }
  for (const [name, value] of Object.entries(recipe)) lines.push(`tried, not in the results: ${name} = ${value} (SI)`);
  return lines;
}
