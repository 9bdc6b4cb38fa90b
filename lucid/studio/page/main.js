/** lucid studio: puts the parts of the page together. */

import { download } from "./assets.js";
import { createBrush } from "./brush.js";
import { connect, openSession } from "./connection.js";
import { createDialogs } from "./dialogs.js";
import { byId } from "./dom.js";
import { createFilm } from "./film.js";
import { createHistory } from "./history.js";
import { createKeyboard } from "./keyboard.js";
import { MaskStore } from "./mask-store.js";
import { createMessages } from "./messages.js";
import { createOverlay } from "./overlay.js";
import { createPictures } from "./pictures.js";
import { createSearch } from "./search.js";
import { createSettings } from "./settings.js";
import { createSheet } from "./sheet.js";
import { createStage } from "./stage.js";
import { Studio } from "./state.js";
import { createTargets } from "./targets.js";
import { createTheme } from "./theme.js";
import { createTransport } from "./transport.js";

const FILM_FRAME = 2;

createTheme(byId("theme"));
const studio = new Studio();
createMessages(studio);
const transport = createTransport(studio);
const store = new MaskStore(studio);
const stage = createStage(studio);
const brush = createBrush(studio, store, createOverlay(studio, store));
createSearch(studio);
createTargets(studio, brush);
const settings = createSettings(studio);
createHistory(studio);
createSheet(studio);
const film = createFilm(studio, stage);
createDialogs(studio);
const pictures = createPictures(studio);
createKeyboard(studio, { brush, transport, settings, pictures });
studio.on("saved", ({ asset, name }) => download(asset, name));

/** Show a picture, then ask for the next: the painter never runs ahead of the page. */
async function onFrame(frame) {
  try {
    if (frame.kind !== FILM_FRAME || film.take(frame)) await stage.show(frame);
  } catch {
    // A picture that cannot be read is skipped: the next one comes.
  }
  studio.do("ack", { frame: frame.frame });
}

await openSession();
studio.transmit = connect({
  message: (message) => studio.receive(message),
  frame: onFrame,
  link: (link) => {
    studio.connected = link === "open";
    if (!studio.connected) studio.forget();
    studio.emit("link", link);
  },
});
