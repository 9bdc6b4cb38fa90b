/**
 * The pictures, by their numbers. Their data comes as columns; one of a single value has that for
 * all pictures, and recipes are told by the lines in which they differ from the first.
 *
 * @param {any} data `window.ALBUM`, as lucid/albums/site_data.py writes it
 */
function createCollection(data) {
  const { columns, texts, first } = data;
  const size = (columns.key ?? []).length;
  const words = [];
  const numbers = new Map();

  const cell = (name, i) => columns[name][columns[name].length === 1 ? 0 : i];

  function lines(name, i) {
    const change = cell(name, i);
    const found = change.all ? [...change.all] : [...first[name]];
    for (let at = 0; at < change.length; at += 2) found[change[at]] = change[at + 1];
    return found.map((number) => texts[number]);
  }

  const collection = {
    size,
    axes: data.axes,
    key: (i) => columns.key[i],
    /** The number of the picture with a key, or -1. @param {string} key */
    find(key) {
      if (!numbers.size) for (let i = 0; i < size; i++) numbers.set(columns.key[i], i);
      return numbers.get(key) ?? -1;
    },
    caption: (i) => cell("caption", i) || collection.values(i).map(([, text]) => text).join(" · ") || cell("key", i).slice(0, 8),
    width: (i) => cell("width", i),
    height: (i) => cell("height", i),
    suffix: (i) => cell("suffix", i),
    moves: (i) => cell("moves", i) === 1,
    seconds: (i) => cell("seconds", i),
    time: (i) => cell("time", i),
    machine: (i) => texts[cell("machine", i)],
    device: (i) => texts[cell("device", i)],
    file: (i) => `files/${cell("key", i).slice(0, 2)}/${cell("key", i)}${cell("suffix", i)}`,
    /** Thumbnails and their widths in pixels, the small one first. @returns {Array<[string, number]>} */
    thumbs(i) {
      const [key, width] = [cell("key", i), cell("width", i)];
      // Of a picture three times as wide as high, or wider, they show the middle.
      const across = Math.min(width, 3 * cell("height", i));
      return [320, 640].slice(0, cell("thumbs", i)).map((most) => [`thumbs/${key.slice(0, 2)}/${key}_${most}.webp`, Math.min(most, across)]);
    },
    /** An axis's value as a text; undefined for none. @param {number} i @param {number} axis */
    value: (i, axis) => texts[cell("axes", i)[axis] ?? -1],
    /** The axes' names and values. @returns {Array<[string, string]>} */
    values: (i) => data.axes.map((name, axis) => [name, collection.value(i, axis)]).filter(([, text]) => text !== undefined),
    recipe: (i) => lines("toml", i).join("\n"),
    command: (i) => lines("command", i).join(" --"),
    /** All that a search looks at, in small letters. @param {number} i @returns {string} */
    words: (i) => (words[i] ??= [collection.caption(i), ...collection.values(i).map(([, text]) => text), collection.command(i)].join("\n").toLowerCase()),
  };
  return collection;
}
