// Above the map: quantity, layer or image, direction, distance.

import { attempt, getArrays } from "./api.js";
import { robustRange } from "./colour.js";
import { handle } from "./keys.js";
import { make } from "./layout.js";
import { capital, images, layerName, quantities } from "./shown.js";
import { get, on, quantityOf, say, set } from "./state.js";
import { begin } from "./times.js";

const quantity = make("select", { id: "quantity", "aria-label": "Quantity" });
const layer = make("select", { id: "layer", "aria-label": "Layer" });
const direction = make("select", { id: "direction", "aria-label": "Direction" });
const slider = make("input", { id: "distance", type: "range", min: "0", step: "1", "aria-label": "Distance from the electrode" });
const distance = make("output", { id: "distance-text", htmlFor: "distance" });
const at = make("span", { className: "row space" }, make("label", { htmlFor: "distance", className: "quiet" }, "at"), slider, distance);
const second = make("div", { className: "row controls" }, layer, direction);
const mixed = make("p", { className: "mixed warn", hidden: true });

/** The quantity that blindness took away. */
let hidden = "";

function fillQuantities() {
  const { quantity: name, blind } = get();
  const known = quantities();
  quantity.replaceChildren(...known.map((one) => make("option", { value: one.name }, capital(one.label))));
  if (!known.some((one) => one.name === name) && known.length) {
    if (blind) hidden = name;
    set({ quantity: known[0].name });
  } else if (hidden && !blind) {
    set({ quantity: known.some((one) => one.name === hidden) ? hidden : name });
    hidden = "";
  }
  quantity.value = get().quantity;
}

function fillLayers() {
  const { session, image, layer: number } = get();
  const layers = (session?.layers ?? []).map((one, k) => make("option", { value: `layer ${k}` }, `${layerName(k)} (${one.n})`));
  const pictures = (session?.images ?? []).map((one, k) =>
    make("option", { value: `image ${k}` }, get().blind ? `Image ${k + 1}` : `${one.name}${one.unit ? ` (${one.unit})` : ""}`));
  layer.replaceChildren(...layers);
  if (pictures.length) {
    const group = make("optgroup", { label: "Images of the file" });
    group.append(...pictures);
    layer.append(group);
  }
  layer.value = image === null ? `layer ${number}` : `image ${image}`;
  layer.hidden = layers.length + pictures.length < 2;
}

function fillDirections() {
  const { session, direction: chosen } = get();
  direction.replaceChildren(...(session?.directions ?? []).map((name) => make("option", { value: name }, name)));
  direction.value = chosen;
}

function showDistance() {
  const { session, depth, image, blind } = get();
  const depths = session?.depth.values ?? [];
  slider.max = String(Math.max(0, depths.length - 1));
  slider.value = String(nearest(depths, depth));
  const text = `${(depth * 1e9).toFixed(1)} nm`;
  distance.value = text;
  slider.setAttribute("aria-valuetext", text);
  at.hidden = image !== null || !quantityOf()?.of_depth || !depths.length;
  quantity.hidden = image !== null;
  direction.hidden = image !== null || (session?.directions.length ?? 0) < 2;
  second.hidden = layer.hidden && direction.hidden;
  const entry = session?.layers[get().layer];
  mixed.hidden = !entry?.mixed || image !== null;
  mixed.textContent = blind ? "Several conditions lie together in this layer." : `${entry?.mixed} lie together in this layer.`;
}

/** @param {number[]} values @param {number} wanted */
function nearest(values, wanted) {
  let best = 0;
  values.forEach((value, k) => {
    if (Math.abs(value - wanted) < Math.abs(values[best] - wanted)) best = k;
  });
  return best;
}

/** @param {number} number of the distance */
function setDistance(number) {
  const depths = get().session?.depth.values ?? [];
  const depth = depths[Math.min(depths.length - 1, Math.max(0, number))];
  if (depth === undefined || depth === get().depth) return;
  begin("nrm:depth");
  set({ depth });
}

/** @param {number} step */
function moveDistance(step) {
  const { session, depth } = get();
  if (at.hidden) return;
  setDistance(nearest(session?.depth.values ?? [], depth) + step);
  say(`Distance ${distance.value}.`);
}

/** Show a layer (or an image, which is fetched once).
 * @param {string} chosen "layer 2" or "image 0" */
function chooseLayer(chosen) {
  const [kind, text] = chosen.split(" ");
  const number = Number(text);
  if (kind === "layer") {
    set({ layer: number, image: null, range: null, filter: null });
  } else {
    attempt(() => loadImage(number));
  }
}

/** @param {number} number @returns {Promise<void>} */
export async function loadImage(number) {
  if (!images.has(number)) {
    const { header, arrays } = await getArrays("api/image", { number }, { latest: "image" });
    const data = /** @type {Float32Array} */ (arrays.image);
    const [rows, columns] = header.arrays.image.shape;
    images.set(number, { data, rows, columns, robust: robustRange(data) });
  }
  set({ image: -1 });
  set({ image: number, range: null, filter: null });
}

function nextLayer() {
  const options = [...layer.querySelectorAll("option")];
  if (options.length < 2) return;
  const shown = options.findIndex((option) => option.value === layer.value);
  const next = options[(shown + 1) % options.length];
  chooseLayer(next.value);
  say(`Shown: ${next.textContent}.`);
}

/** @param {HTMLElement} panel */
export function mount(panel) {
  panel.append(make("div", { className: "row controls" }, quantity, at), second, mixed);
  quantity.addEventListener("change", () => set({ quantity: quantity.value, range: null, filter: null }));
  layer.addEventListener("change", () => chooseLayer(layer.value));
  direction.addEventListener("change", () => set({ direction: direction.value }));
  slider.addEventListener("input", () => setDistance(Number(slider.value)));
  handle("closer", () => moveDistance(-1));
  handle("farther", () => moveDistance(1));
  handle("layer", nextLayer);
  handle("quantity", () => {
    const names = quantities().map(({ name }) => name);
    if (!names.length || get().image !== null) return;
    const next = names[(names.indexOf(get().quantity) + 1) % names.length];
    set({ quantity: next, range: null, filter: null });
    say(`Map of ${quantityOf(next)?.label}.`);
  });
  on(["session", "blind", "quantity"], fillQuantities);
  on(["session", "layout", "blind", "layer", "image"], fillLayers);
  on(["depth", "quantity", "image", "session", "layer", "blind"], showDistance);
  on(["session", "direction"], fillDirections);
  fillDirections();
  fillQuantities();
  fillLayers();
  showDistance();
}
