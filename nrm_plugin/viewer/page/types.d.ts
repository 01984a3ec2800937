// What the server answers and what the page keeps. Read by `tsc --checkJs` only, never served.
// Numbers are SI; `factor` times an SI value is the value in `unit`.

export interface Quantity {
  name: string;
  label: string;
  unit: string;
  factor: number;
  of_depth: boolean;
  kind: "number" | "class" | "flags";
  log: boolean;
  moduli: boolean;
  classes?: string[];
}

export interface Flag {
  name: string;
  bit: number;
  count: number;
  meaning: string;
  advice: string;
}

export interface Check {
  name: string;
  title: string;
  told: string;
  found: string;
  verdict: "fine" | "doubtful" | "wrong" | "unknown";
  text: string;
  effect: string;
  advice: string;
}

export interface Layer {
  name: string;
  n: number;
  rows: number | null;
  columns: number | null;
  size: [number, number] | null;
  kind: "grid" | "points" | "strip";
  region: string;
  visit: number | null;
  /** What the layer mixes, in words; empty if nothing. */
  mixed: string;
}

export interface ImageEntry {
  name: string;
  unit: string;
  shape: [number, number];
  size: [number, number] | null;
}

export interface RecipeField {
  name: string;
  label: string;
  unit: string;
  factor: number;
  value: any;
  kind: string;
  choices: string[] | null;
  help: string;
  /** Of a method: what each choice is. */
  about?: { [choice: string]: string };
}

export interface Session {
  title: string;
  version: string;
  files: { name: string; importer: string }[];
  simulated: boolean;
  live: boolean;
  has: { curves: boolean; results: boolean; lateral: boolean; images: boolean };
  n_curves: number;
  directions: string[];
  depth: { values: number[] };
  first_depth: number | null;
  tip_radius: number | null;
  quantities: Quantity[];
  flags: Flag[];
  checks: Check[];
  warnings: string[];
  regions: { label: string; count: number; potential: [number, number] }[];
  layers: Layer[];
  images: ImageEntry[];
  recipe: string;
  recipe_fields: RecipeField[];
  decisions_file: string | null;
  blind: boolean;
  markers: any[];
  potential: boolean;
  condition: string;
}

export type Numbers = Float32Array | Float64Array | Int32Array | Int8Array | Uint8Array;

/** A container of the server: its header, and its arrays by name. */
export interface Container {
  header: any;
  arrays: { [name: string]: Numbers };
}

/** Values of one quantity for every curve. */
export interface Values {
  quantity: Quantity;
  depth: number;
  direction: string;
  values: Float32Array;
  belowNoise: Uint8Array;
  /** Of a thickness: 1 where it is a lower bound. */
  censored: Uint8Array | null;
  /** Robust range of the values (2 to 98 %), SI. */
  range: [number, number];
}

/** Where the curves of one layer lie. */
export interface LayerPlaces {
  curve: Int32Array;
  row: Int32Array;
  column: Int32Array;
  x: Float64Array;
  y: Float64Array;
}

export interface State {
  session: Session | null;
  /** One per layer of the session. */
  layout: LayerPlaces[];
  /** Flag masks, decisions (1 excluded, 2 accepted, 4 contact by hand), order of doubt (nan: not doubtful). */
  flags: { quality: Int32Array; byHand: Int8Array; doubt: Float32Array } | null;
  quantity: string;
  depth: number;
  direction: string;
  layer: number;
  /** Number of the file's image that is shown instead of the layer, or null. */
  image: number | null;
  values: Values | null;
  /** Colour range chosen by hand (SI), or null for the robust one. */
  range: [number, number] | null;
  /** Range of the histogram's brush (SI), or null. The curves inside it are `selected`. */
  filter: [number, number] | null;
  /** Curves that decisions apply to and that are overlaid; holds `current` unless made by a brush, lasso or list. */
  selected: number[];
  /** The curve that is shown, -1 where there is none. */
  current: number;
  /** What came with the current curve: set by curve.js. */
  detail: Container | null;
  view: "raw" | "referenced";
  overlay: boolean;
  bothDirections: boolean;
  blind: boolean;
  theme: "auto" | "light" | "dark";
  /** Changed values of the recipe by their name in `recipe_fields`; {} where nothing is changed. */
  recipe: { [name: string]: any };
  /** What is wrong with the changed values, a sentence by name. */
  recipeErrors: { [name: string]: string };
  /** Contact by hand that is tried and not yet confirmed (m), or null. */
  contact: number | null;
  /** Mean profile of the current curve's region, or null. */
  region: Container | null;
  tab: "doubt" | "recipe" | "decisions" | "live";
  message: { text: string; kind: "info" | "error" };
  undo: number;
  redo: number;
}

declare global {
  interface Window {
    /** Measured times (ms) by the name of their last mark. */
    nrmTimes: { [name: string]: number[] };
  }
}
