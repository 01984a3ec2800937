// The recipe as a form: values that are changed are tried on the curve at once, then applied to all.

import { attempt, onEvent, postJson, Refused } from "./api.js";
import { make } from "./layout.js";
import { count } from "./numbers.js";
import { parsed, patched, placeOf, written } from "./recipe-values.js";
import { get, on, say, set } from "./state.js";
import { begin } from "./times.js";

/** @typedef {import("./types").RecipeField} RecipeField */

const SECTIONS = /** @type {{[name: string]: string}} */ ({
  "": "General", depth: "Distances", contact: "Solid contact", derivative: "Derivative", lateral: "Lateral signal",
});

/** @param {HTMLElement} element */
export function mount(element) {
  const mark = make("p", { className: "note", role: "status" });
  const reset = make("button", { title: "All values as they were" }, "Reset");
  const apply = make("button", { className: "chosen", title: "Process all curves with these values" }, "Apply to all");
  const name = make("input", { type: "text", id: "recipe-name", value: "recipe", maxLength: 100, size: 12 });
  const save = make("button", {}, "Save");
  const bar = make("progress", { max: 1, value: 0, "aria-label": "Processing of all curves" });
  const cancel = make("button", {}, "Cancel");
  const words = make("span", { className: "quiet" });
  const progress = make("div", { className: "progress", hidden: true }, bar, words, cancel);
  const form = make("form", { className: "recipe" });
  element.replaceChildren(make("h2", {}, "Recipe"), mark,
    make("div", { className: "buttons" }, apply, reset), progress, form,
    make("form", { className: "buttons save" }, make("label", { htmlFor: "recipe-name" }, "Save as"), name, ".toml", save));

  /** @type {{field: RecipeField, input: HTMLInputElement | HTMLSelectElement, row: HTMLElement, wrong: HTMLElement, help: HTMLElement}[]} */
  let rows = [];
  /** Sentences about what was written and is no value.
   * @type {{[name: string]: string}} */
  let unread = {};

  function build() {
    rows = [];
    form.replaceChildren();
    /** @type {Map<string, HTMLFieldSetElement>} */
    const groups = new Map();
    for (const field of get().session?.recipe_fields ?? []) {
      const { section } = placeOf(field.name);
      let group = groups.get(section);
      if (!group) {
        group = make("fieldset", {}, make("legend", {}, SECTIONS[section] ?? section));
        groups.set(section, group);
        form.append(group);
      }
      group.append(rowOf(field));
    }
    show();
  }

  /** @param {RecipeField} field */
  function rowOf(field) {
    const id = `recipe-${field.name.replaceAll(/[^\w-]/g, "-")}`;
    const choices = field.kind === "boolean" ? ["true", "false"] : field.choices;
    const input = choices?.length
      ? make("select", { id }, ...choices.map((value) => make("option", { value }, field.kind === "boolean" ? { true: "yes", false: "no" }[value] ?? value : value)))
      : make("input", { id, type: "text", inputMode: field.kind === "number" ? "decimal" : "text", autocomplete: "off", spellcheck: false });
    const wrong = make("p", { className: "wrong", id: `${id}-wrong`, hidden: true });
    const help = make("p", { className: "help", id: `${id}-help` }, field.help);
    input.setAttribute("aria-describedby", `${id}-wrong ${id}-help`);
    const row = make("div", { className: "field" }, make("label", { htmlFor: id }, field.label),
      make("span", { className: "value" }, input, field.unit ? ` ${field.unit}` : ""), wrong, help);
    // Half of a word is no value: words are tried when they are finished.
    input.addEventListener(choices?.length || field.kind !== "number" ? "change" : "input", () => changed(field, input.value));
    rows.push({ field, input, row, wrong, help });
    return row;
  }

  /** @param {RecipeField} field @param {string} text */
  function changed(field, text) {
    const { value, wrong } = parsed(field, text);
    const { [field.name]: _was, ...others } = unread;
    unread = wrong ? { ...others, [field.name]: wrong } : others;
    if (wrong) return show();
    begin("nrm:recipe");
    set({ recipe: patched(get().recipe, field, value) });
    return undefined;
  }

  /** The chosen method of a section.
   * @param {string} section */
  function methodOf(section) {
    const key = `${section}.method`;
    return get().recipe[key] ?? rows.find(({ field }) => field.name === key)?.field.value ?? "";
  }

  function show() {
    const { recipe, recipeErrors, session } = get();
    for (const { field, input, row, wrong, help } of rows) {
      const value = recipe[field.name] ?? field.value;
      const text = written(field, value);
      const unreadable = unread[field.name] ?? "";
      if (!unreadable && parsed(field, input.value).value !== value) input.value = text;
      const sentence = unreadable || recipeErrors[field.name] || "";
      wrong.textContent = sentence;
      wrong.hidden = !sentence;
      input.setAttribute("aria-invalid", String(Boolean(sentence)));
      row.classList.toggle("changed", field.name in recipe);
      if (field.about) help.textContent = field.about[value] ?? field.help;
      const { section, method } = placeOf(field.name);
      row.hidden = Boolean(method) && method !== methodOf(section);
    }
    const n = Object.keys(recipe).length;
    const wrong = Object.keys(unread).length + Object.keys(recipeErrors).length;
    // Curves without results: each is processed as it is looked at.
    const fresh = Boolean(session?.has.curves && !session.has.results);
    apply.textContent = fresh ? "Process all" : "Apply to all";
    mark.textContent = fresh
      ? `Not processed yet: the page processes each curve that you look at${n ? `, with ${count(n, "changed value")}` : ""}. "Process all" writes results, which have maps and take decisions.`
      : n
      ? `${count(n, "value")} changed: tried on the curves that you look at. Map, lists and results stay as they are until "Apply to all".`
      : !session?.has.curves ? "As the results were processed. Their curves are not open: nothing can be tried."
      : "As the results were processed. A changed value, or a window dragged in the plot, is tried on the curve at once.";
    mark.classList.toggle("is-changed", n > 0);
    reset.disabled = !n && !wrong;
    for (const group of form.querySelectorAll("fieldset")) group.disabled = !session?.has.curves;
    apply.disabled = !(n || fresh) || wrong > 0 || !session?.has.curves;
    save.disabled = wrong > 0;
  }

  reset.addEventListener("click", () => {
    unread = {};
    begin("nrm:recipe");
    set({ recipe: {}, recipeErrors: {} });
    for (const { field, input } of rows) input.value = written(field, field.value);
    show();
  });
  apply.addEventListener("click", () => attempt(async () => {
    await postJson("api/process", { recipe: get().recipe });
    progress.hidden = false;
    bar.removeAttribute("value");
    words.textContent = "beginning …";
    apply.disabled = true;
    cancel.focus();
  }));
  cancel.addEventListener("click", () => attempt(async () => void (await postJson("api/process/cancel", {}))));
  onEvent("progress", ({ done, total, message, state, error }) => {
    progress.hidden = state !== undefined && state !== "running";
    if (total) bar.value = done / total;
    words.textContent = message || `${done} of ${total} curves`;
    if (state === "done") {
      set({ recipe: {}, recipeErrors: {} });
      say(message || "All curves are processed.");
    } else if (state === "cancelled") say(message || "Cancelled: the results are as they were.");
    else if (state === "failed") say(error || message || "The processing failed.", "error");
    show();
  });
  let overwrite = "";
  save.form?.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(async () => {
      const asked = name.value.trim();
      try {
        const answer = await postJson("api/recipe/save", { recipe: get().recipe, name: asked, overwrite: overwrite === asked });
        say(`Saved as ${answer.file}.`);
        overwrite = "";
        save.textContent = "Save";
      } catch (error) {
        if (!(error instanceof Refused) || error.status !== 409) throw error;
        overwrite = asked;
        save.textContent = "Overwrite";
        say(error.message, "error");
      }
    });
  });
  name.addEventListener("input", () => {
    overwrite = "";
    save.textContent = "Save";
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  on(["session"], build);
  on(["recipe", "recipeErrors"], show);
  build();
}
