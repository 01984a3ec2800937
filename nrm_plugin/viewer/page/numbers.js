// SI values in the units and digits in which people read them.

/** Steps of prefixes by SI unit: [least magnitude in SI, unit, factor]. */
const STEPS = /** @type {{[unit: string]: [number, string, number][]}} */ ({
  m: [[1e-5, "µm", 1e6], [0, "nm", 1e9]],
  N: [[1e-6, "µN", 1e6], [5e-10, "nN", 1e9], [0, "pN", 1e12]],
  Pa: [[1e9, "GPa", 1e-9], [1e5, "MPa", 1e-6], [0, "kPa", 1e-3]],
  V: [[1, "V", 1], [0, "mV", 1e3]],
  "N/m": [[0.1, "N/m", 1], [0, "mN/m", 1e3]],
  s: [[1, "s", 1], [0, "ms", 1e3]],
});

/**
 * Unit and factor in which values are read most easily.
 * @param {string} unit SI
 * @param {number} magnitude of the largest value
 * @returns {{unit: string, factor: number}}
 */
export function readable(unit, magnitude) {
  const step = STEPS[unit]?.find(([least]) => !(magnitude < least)) ?? STEPS[unit]?.at(-1);
  return step ? { unit: step[1], factor: step[2] } : { unit, factor: 1 };
}

/** The largest magnitude of what is finite.
 * @param {...(ArrayLike<number> | undefined)} arrays */
export function magnitude(...arrays) {
  let most = 0;
  for (const array of arrays) {
    for (let i = 0; array && i < array.length; i++) {
      const size = Math.abs(array[i]);
      if (size > most && size < Infinity) most = size;
    }
  }
  return most;
}

/** @param {ArrayLike<number>} array @param {number} factor */
export function times(array, factor) {
  return Float64Array.from(array, (value) => value * factor);
}

/**
 * A number with so many significant digits, no exponent between 1e-4 and 1e6, a true minus.
 * @param {number | null | undefined} value
 * @param {number} [digits]
 */
export function number(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) {
    const [mantissa, power] = value.toExponential(digits - 1).split("e");
    return minus(`${mantissa}e${Number(power)}`);
  }
  const places = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return minus(value.toFixed(Math.min(places, 12)));
}

/** The same without zeros at its end, and none for what is infinite.
 * @param {number | null | undefined} value
 * @param {number} [digits]
 */
export function figure(value, digits = 4) {
  if (!Number.isFinite(value)) return "–";
  return number(value, digits).replace(/(\.\d*?)0+(?=e|$)/, "$1").replace(/\.(?=e|$)/, "");
}

/** The same for an input of numbers, which reads no true minus.
 * @param {number} value @param {number} digits */
export function plain(value, digits) {
  return figure(value, digits).replaceAll("−", "-");
}

/** @param {string} text */
function minus(text) {
  return text.replaceAll("-", "−");
}

/**
 * A value with its error, both with the places that the error's two digits need: 123.4 ± 0.2.
 * @param {number} value @param {number | null | undefined} error
 */
export function withError(value, error) {
  if (!Number.isFinite(value)) return "–";
  if (error === null || error === undefined || !Number.isFinite(error) || error <= 0) {
    return figure(value);
  }
  const places = Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(error))));
  const text = (/** @type {number} */ v) => minus(v.toFixed(places));
  return `${text(value)} ± ${text(error)}`;
}

/** "1 curve", "12 curves".
 * @param {number} n @param {string} noun @param {string} [many] */
export function count(n, noun, many = `${noun}s`) {
  return `${n} ${n === 1 ? noun : many}`;
}
