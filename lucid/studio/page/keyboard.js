/** The keyboard: one letter for each tool, none of them while something is typed. */

import { byId } from "./dom.js";
import { openHelp } from "./dialogs.js";

/**
 * @param {import("./state.js").Studio} studio
 * @param {{brush: any, transport: any, settings: any, pictures: any}} parts
 */
export function createKeyboard(studio, { brush, transport, settings, pictures }) {
  const press = (id) => byId(id).click();
  const plain = {
    " ": transport.toggle, ".": () => press("step"), "/": () => byId("search").focus(), "?": openHelp,
    b: () => brush.use("brush"), e: () => brush.use("eraser"), u: () => brush.use("unpaint"), v: () => brush.use("look"),
    "[": () => brush.resize(-1), "]": () => brush.resize(1),
    f: () => brush.act("fill"), s: () => brush.act("soften"), i: () => brush.act("invert"), m: brush.toggleMasks,
    r: settings.roll, n: () => press("sheet"),
  };
  const control = { s: () => press("save"), o: pictures.open };

  function digit(number) {
    if (studio.state.status === "sheet") studio.do("pick", { index: number - 1 });
    else if (studio.rows[number - 1]) studio.select(studio.rows[number - 1].id);
  }

  let pressed = null;
  addEventListener("pointerdown", ({ target }) => { pressed = target.closest("button"); });
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || document.querySelector("dialog[open]")) return;
    const { target } = event;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const typing = target.matches("input:not([type=range], [type=checkbox]), textarea");
    let act = null;
    if (event.ctrlKey || event.metaKey) {
      if (typing && "zy".includes(key)) return;  // undo of what is typed
      if (key === "z") act = () => press(event.shiftKey ? "redo" : "undo");
      else if (key === "y") act = () => press("redo");
      else act = control[key];
    } else if (!typing) {
      // Space works the control that the keyboard is on, but not the button that the mouse pressed last.
      if (key === " " && target !== pressed && target.matches("button, summary, [type=checkbox]")) return;
      if (key === " ") target.blur();
      if (target.matches("select")) return;
      act = /^[1-9]$/.test(key) ? () => digit(Number(key)) : plain[key];
      if (event.repeat && !"[]".includes(key)) act = null;
    }
    if (!act) return;
    event.preventDefault();
    act();
  });
}
