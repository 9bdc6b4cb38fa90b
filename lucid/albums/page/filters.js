/** The search, and a choice for each axis of the album that has few values. */

const [FEWEST, MOST] = [2, 60];

/**
 * @param {ReturnType<typeof createCollection>} collection
 * @param {(pictures: number[]) => void} show called with what is found
 */
function createFilters(collection, show) {
  const [input, holder, matches, clear, nothing] = ["search", "axes", "matches", "clear", "nothing"].map(byId);
  /** @type {Map<number, HTMLSelectElement>} */ const selects = new Map();
  const all = Array.from({ length: collection.size }, (_, i) => i);

  function sorted(values) {
    const number = (text) => text.trim() !== "" && Number.isFinite(Number(text));
    return values.every(number) ? values.sort((a, b) => Number(a) - Number(b)) : values.sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
  }

  function choices(axis) {
    const found = new Set();
    for (const i of all) {
      const value = collection.value(i, axis);
      if (value !== undefined) found.add(value);
      if (found.size > MOST) break;
    }
    return sorted([...found]);
  }

  collection.axes.forEach((name, axis) => {
    const values = choices(axis);
    if (values.length < FEWEST || values.length > MOST) return;
    // Values are told by their numbers: any text may be one, the empty one, too.
    const select = element("select", {}, new Option("all", ""), ...values.map((value, at) => new Option(value, at)));
    select.values = values;
    select.addEventListener("change", apply);
    selects.set(axis, select);
    holder.append(element("label", {}, element("span", {}, name), select));
  });

  function apply() {
    const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = [...selects].filter(([, select]) => select.value !== "").map(([axis, select]) => [axis, select.values[select.value]]);
    for (const select of selects.values()) select.classList.toggle("chosen", select.value !== "");
    const narrowed = wanted.length + chosen.length > 0;
    const found = all.filter((i) => chosen.every(([axis, value]) => collection.value(i, axis) === value) && wanted.every((word) => collection.words(i).includes(word)));
    matches.textContent = narrowed ? `${counted(found.length)} of ${counted(all.length)}` : "";
    clear.hidden = !narrowed;
    nothing.hidden = found.length > 0;
    nothing.textContent = all.length ? "No picture matches." : "No picture is there yet.";
    show(found);
  }

  function reset() {
    input.value = "";
    for (const select of selects.values()) select.value = "";
    apply();
    input.focus();
  }

  input.addEventListener("input", apply);
  clear.addEventListener("click", reset);
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.closest("input, select, dialog");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    input.focus();
  });
  apply();
}
