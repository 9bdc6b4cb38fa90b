/** One picture, large, with all that is known of it. The address names it: `#KEY`. */

const FILMS = [".mp4", ".webm", ".mov", ".m4v", ".mkv", ".avi"];

/** Larger pictures than this are not fetched before they are wanted. */
const LIGHT = 4e6;

/** Pixels that a finger moves to turn to the next picture. */
const SWIPE = 48;

/**
 * @param {ReturnType<typeof createCollection>} collection
 * @param {ReturnType<typeof createGrid>} grid
 */
function createLightbox(collection, grid) {
  const dialog = byId("lightbox");
  const [stage, picture, said] = ["stage", "picture", "said"].map(byId);
  const title = document.title;
  let current = -1;
  let entered = false; // by a link of this page, to which the browser can go back

  function still(i, note, more = []) {
    const thumb = collection.thumbs(i).at(-1);
    const shown = thumb ? [element("img", { src: thumb[0], alt: collection.caption(i), class: "media" })] : [];
    fit(shown[0], i);
    picture.replaceChildren(...shown, element("p", { class: "note" }, note, ...more));
  }

  /** Small pictures are enlarged a little, and large ones shrunk to what there is room for. */
  function fit(node, i) {
    if (!node || !collection.width(i)) return;
    const [width, height] = [collection.width(i), collection.height(i)];
    node.width = width;
    node.height = height;
    node.style.setProperty("--aspect", width / height);
    node.style.setProperty("--most", `${Math.max(width, Math.min(3 * width, (768 * width) / Math.max(width, height)))}px`);
  }

  function media(i) {
    const file = collection.file(i);
    const thumb = collection.thumbs(i).at(-1);
    if (FILMS.includes(collection.suffix(i).toLowerCase())) {
      const video = element("video", { class: "media", controls: true, loop: true, playsInline: true, preload: "metadata" });
      video.setAttribute("aria-label", collection.caption(i));
      if (thumb) video.poster = thumb[0];
      video.onerror = () => still(i, "This browser cannot play the film.");
      video.src = file;
      if (!prefersStill()) video.play().catch(() => {}); // where the browser allows it
      return video;
    }
    const image = element("img", { class: "media", alt: collection.caption(i), draggable: false });
    const shape = collection.width(i) / collection.height(i);
    if (thumb && !collection.moves(i) && shape < 3 && shape > 1 / 3) image.style.backgroundImage = `url("${thumb[0]}")`;
    image.onload = () => { image.style.backgroundImage = ""; };
    image.onerror = () => still(i, "The picture cannot be shown here: open its file.");
    image.src = file;
    return image;
  }

  function display(i) {
    if (!collection.thumbs(i).length && !FILMS.includes(collection.suffix(i).toLowerCase())) {
      still(i, "Too large to be shown here, or damaged: open its file.");
      return;
    }
    const start = () => {
      const node = media(i);
      fit(node, i);
      picture.replaceChildren(node);
    };
    if (collection.moves(i) && prefersStill() && !FILMS.includes(collection.suffix(i).toLowerCase())) {
      still(i, "", [element("button", { type: "button", class: "play", onclick: start }, icon("play"), "Play")]);
    } else start();
  }

  function spent(seconds) {
    if (seconds < 90) return `${seconds} s`;
    const minutes = Math.round(seconds / 60);
    return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }

  function made(i) {
    const size = collection.width(i) ? `${collection.width(i)} × ${collection.height(i)} pixels` : "";
    const machine = [collection.machine(i), collection.device(i)].filter(Boolean).join(", ");
    const time = collection.seconds(i) ? spent(collection.seconds(i)) : "";
    const date = collection.time(i) ? new Date(1000 * collection.time(i)).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }) : "";
    return [size, time, machine, date].filter(Boolean).join(" · ");
  }

  function show(i) {
    current = i;
    const place = grid.place(i);
    const shown = grid.shown();
    byId("place").textContent = place === undefined ? "" : `${counted(place + 1)} of ${counted(shown.length)}`;
    byId("caption").textContent = collection.caption(i);
    document.title = `${collection.caption(i)} – ${title}`;
    byId("values").replaceChildren(...collection.values(i).flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]));
    byId("command").textContent = collection.command(i);
    byId("recipe").textContent = collection.recipe(i);
    byId("made").textContent = made(i);
    byId("open").href = byId("download").href = collection.file(i);
    said.textContent = "";
    for (const id of ["previous", "next"]) byId(id).disabled = beside(id === "next" ? 1 : -1) === undefined;
    display(i);
    if (!dialog.open) {
      dialog.showModal();
      dialog.scrollTop = 0;
    }
    for (const step of [1, -1]) {
      const other = beside(step);
      if (other !== undefined && collection.thumbs(other).length && !collection.moves(other) && collection.width(other) * collection.height(other) < LIGHT) new Image().src = collection.file(other);
    }
  }

  /** The picture so many places further, if there is one. */
  function beside(step) {
    const place = grid.place(current);
    return place === undefined ? undefined : grid.shown()[place + step];
  }

  function go(i) {
    if (i === undefined || i === current) return;
    history.replaceState(null, "", `#${collection.key(i)}`);
    const focused = document.activeElement;
    show(i);
    if (focused?.disabled) byId("close").focus(); // a button that is of no use any more
  }

  function close() {
    if (entered) history.back();
    else {
      history.replaceState(null, "", location.pathname + location.search);
      dialog.close();
    }
  }

  /** Show the picture that the address names, or none. */
  function sync() {
    const i = collection.find(location.hash.slice(1));
    if (i >= 0 && i !== current) show(i);
    else if (i < 0 && dialog.open) dialog.close();
  }

  dialog.addEventListener("close", () => {
    const last = current;
    current = -1;
    entered = false;
    document.title = title;
    picture.replaceChildren(); // a film stops
    if (collection.find(location.hash.slice(1)) >= 0) history.replaceState(null, "", location.pathname + location.search);
    grid.focus(last);
  });
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.target instanceof HTMLVideoElement) return;
    const shown = grid.shown();
    const to = { ArrowLeft: () => beside(-1), ArrowRight: () => beside(1), Home: () => shown[0], End: () => shown.at(-1) }[event.key];
    if (!to) return;
    event.preventDefault();
    go(to());
  });

  let from = null;
  stage.addEventListener("pointerdown", (event) => {
    from = event.pointerType === "touch" && event.isPrimary && !(event.target instanceof HTMLVideoElement) ? event : null;
  });
  stage.addEventListener("pointerup", (event) => {
    if (!from || from.pointerId !== event.pointerId) return;
    const [dx, dy] = [event.clientX - from.clientX, event.clientY - from.clientY];
    from = null;
    if (Math.abs(dx) > SWIPE && Math.abs(dx) > 1.5 * Math.abs(dy) && visualViewport.scale < 1.05) go(beside(dx < 0 ? 1 : -1));
  });
  stage.addEventListener("pointercancel", () => { from = null; });
  stage.addEventListener("click", (event) => {
    if (event.target === stage || event.target === picture) close(); // beside the picture
  });

  for (const button of dialog.querySelectorAll(".copy")) button.onclick = () => copy(byId(button.dataset.of));

  async function copy(node) {
    try {
      await navigator.clipboard.writeText(node.textContent);
      said.textContent = "Copied";
    } catch {
      // No clipboard on http addresses of a network: select it, for Ctrl+C.
      getSelection().selectAllChildren(node);
      said.textContent = document.execCommand("copy") ? "Copied" : "Press Ctrl+C to copy";
    }
  }

  byId("close").onclick = close;
  byId("previous").onclick = () => go(beside(-1));
  byId("next").onclick = () => go(beside(1));
  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("#grid a") && !event.ctrlKey && !event.metaKey && !event.shiftKey) entered = true;
  });
  addEventListener("hashchange", sync);
  history.scrollRestoration = "manual"; // the picture that was looked at last is scrolled to
  sync();
}
