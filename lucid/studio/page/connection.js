/** The connection to the painter: opens the session, receives messages and pictures, tries again when it breaks. */

/** @typedef {{kind: number, index: number, frame: number, width: number, height: number, blob: Blob}} Frame */

const HEADER = 20;
const REFUSED = 4403;
const KINDS = ["image/jpeg", "image/png"];

/** Trade the token behind the # for a cookie, once, and take it out of the address. */
export async function openSession() {
  const token = location.hash.slice(1);
  if (!token) return;
  history.replaceState(null, "", location.pathname);
  await fetch("/session", { method: "POST", headers: { "Content-Type": "text/plain" }, body: token, credentials: "same-origin" }).catch(() => {});
}

/**
 * Read a binary message.
 * @param {ArrayBuffer} data
 * @returns {Frame}
 */
export function readFrame(data) {
  const view = new DataView(data);
  return {
    kind: view.getUint8(0),
    index: view.getUint16(2, true),
    frame: view.getUint32(4, true),
    width: view.getUint32(8, true),
    height: view.getUint32(12, true),
    blob: new Blob([new Uint8Array(data, HEADER)], { type: KINDS[view.getUint8(1)] }),
  };
}

/**
 * Keep a connection open.
 * @param {{message: (m: any) => void, frame: (f: Frame) => void, link: (state: "open"|"waiting"|"refused") => void}} listeners
 * @returns {(message: Object) => boolean} sends a message; false when there is no connection
 */
export function connect(listeners) {
  /** @type {WebSocket} */ let socket;
  let wait = 1000;

  function open() {
    let greeted = false;
    socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") return listeners.frame(readFrame(data));
      const message = JSON.parse(data);
      if (message.type === "hello") {
        greeted = true;
        wait = 1000;
        listeners.link("open");
      }
      listeners.message(message);
    };
    socket.onclose = ({ code }) => {
      if (!greeted && code === REFUSED) return listeners.link("refused");
      listeners.link("waiting");
      setTimeout(open, wait);
      wait = Math.min(2 * wait, 10000);
    };
  }

  open();
  return (message) => {
    if (socket.readyState !== WebSocket.OPEN) return false;
    socket.send(JSON.stringify(message));
    return true;
  };
}
