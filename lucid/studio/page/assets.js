/** Pictures and masks that go to the server and come back: each is known by the hash of its bytes. */

import { sha256 } from "./sha256.js";
import { element } from "./dom.js";

async function put(path, body) {
  const answer = await fetch(path, { method: "PUT", body, credentials: "same-origin" });
  const json = await answer.json().catch(() => ({ error: `The server answered ${answer.status}` }));
  if (!answer.ok) throw new Error(json.error ?? `The server answered ${answer.status}`);
  return json;
}

/**
 * Upload a picture.
 * @param {Blob} blob
 * @returns {Promise<{sha: string, width: number, height: number, recipe: boolean}>}
 */
export const putAsset = async (blob) => put(`/asset/${await sha256(blob)}`, blob);

/** The last mask that was uploaded, and its name: the end of a stroke often changes nothing more. */
let last = { hash: "", mask: null };

/**
 * Upload a mask.
 * @param {Blob} png
 * @returns {Promise<string|null>} the name of the mask; null if it is empty
 */
export async function putMask(png) {
  const hash = await sha256(png);
  if (hash !== last.hash) last = { hash, mask: (await put(`/mask/${hash}`, png)).mask };
  return last.mask;
}

/**
 * Where an asset or a mask lies.
 * @param {string} name hexadecimal, or sha256:hexadecimal
 * @returns {string}
 */
export const assetUrl = (name) => `/asset/${name.replace("sha256:", "")}`;

/**
 * Let the browser save an asset.
 * @param {string} asset
 * @param {string} name of the file
 */
export function download(asset, name) {
  const link = element("a", { href: `${assetUrl(asset)}?name=${encodeURIComponent(name)}`, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}
