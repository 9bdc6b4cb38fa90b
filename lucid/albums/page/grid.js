/** The small pictures: a few are made at first, and more as one scrolls towards the end. */

const CHUNK = 96;

/** Longer pictures than this show their middle. */
const [NARROWEST, WIDEST] = [0.5, 2.5];

/** @param {ReturnType<typeof createCollection>} collection */
function createGrid(collection) {
  const [list, more] = ["grid", "more"].map(byId);
  /** @type {number[]} */ let shown = [];
  let places = new Map();

  const aspect = (i) => Math.min(WIDEST, Math.max(NARROWEST, collection.width(i) / collection.height(i) || 1));

  function tile(i) {
    const caption = collection.caption(i);
    const frame = element("span", { class: "frame" });
    const thumbs = collection.thumbs(i);
    if (thumbs.length) {
      const picture = element("img", { alt: "", loading: "lazy", decoding: "async", width: thumbs[0][1], height: Math.round(thumbs[0][1] / aspect(i)) });
      picture.sizes = `auto, ${Math.round(230 * aspect(i))}px`;
      picture.srcset = thumbs.map(([file, width]) => `${file} ${width}w`).join(", ");
      picture.src = thumbs[0][0];
      picture.onerror = () => picture.remove();
      frame.append(picture);
    } else {
      frame.classList.add("plain");
      frame.append(element("span", {}, "No preview"));
    }
    if (collection.moves(i)) frame.append(element("span", { class: "moves", title: "A film" }, icon("play")));
    const link = element("a", { href: `#${collection.key(i)}`, title: caption }, frame, element("span", { class: "caption" }, caption));
    const item = element("li", {}, link);
    item.style.setProperty("--aspect", aspect(i).toFixed(4));
    return item;
  }

  /** Make tiles up to a number of them. */
  function fill(wanted) {
    const from = list.children.length;
    const to = Math.min(shown.length, Math.ceil(wanted / CHUNK) * CHUNK);
    if (to <= from) return;
    list.append(...shown.slice(from, to).map(tile));
    more.hidden = to === shown.length;
    // The observer tells of changes alone: the end may still be near.
    observer.unobserve(more);
    observer.observe(more);
  }

  const observer = new IntersectionObserver(([entry]) => {
    if (entry.isIntersecting) fill(list.children.length + CHUNK);
  }, { rootMargin: "1400px" });

  /** Pictures of one shape stand in columns; others in rows that they fill. */
  function shape() {
    let even = true;
    for (let i = 1; i < collection.size && even; i++) even = Math.abs(aspect(i) - aspect(0)) < 0.01;
    list.classList.toggle("even", even);
    if (even && collection.size) list.style.setProperty("--stretch", Math.sqrt(aspect(0)).toFixed(3));
  }

  /** With the arrow keys from tile to tile, as they lie. */
  function onKey(event) {
    const items = [...list.children];
    const at = items.indexOf(event.target.closest?.("li"));
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    let to = at + step;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const box = items[at].getBoundingClientRect();
      const middle = box.left + box.width / 2;
      let best = Infinity;
      let row = null;
      for (let each = to; items[each]; each += step) {
        const other = items[each].getBoundingClientRect();
        if (Math.abs(other.top - box.top) < 2) continue;
        row ??= other.top;
        if (Math.abs(other.top - row) > 2) break;
        const away = Math.abs(other.left + other.width / 2 - middle);
        if (away < best) [best, to] = [away, each];
      }
      if (row === null) return;
    }
    if (!items[to]) return;
    event.preventDefault();
    items[to].querySelector("a").focus();
  }

  shape();
  list.addEventListener("keydown", onKey);
  return {
    /** Show these pictures, in this order. @param {number[]} pictures */
    show(pictures) {
      shown = pictures;
      places = new Map(pictures.map((i, place) => [i, place]));
      list.replaceChildren();
      more.hidden = true;
      fill(CHUNK);
    },
    /** The pictures that are shown. */
    shown: () => shown,
    /** Where a picture is among those shown; undefined if it is not. @param {number} i */
    place: (i) => places.get(i),
    /** Put the focus on a picture, if it is shown. @param {number} i */
    focus(i) {
      const place = places.get(i);
      if (place === undefined) return;
      fill(place + 1);
      list.children[place].querySelector("a").focus();
    },
  };
}
