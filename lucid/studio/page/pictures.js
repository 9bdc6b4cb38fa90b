/** Pictures from outside: opened, dropped or pasted. */

import { putAsset } from "./assets.js";
import { byId } from "./dom.js";
import { askRecipe } from "./dialogs.js";

/**
 * @param {import("./state.js").Studio} studio
 * @returns {{open: () => void}}
 */
export function createPictures(studio) {
  const [file, guideFile] = ["file", "guide-file"].map(byId);

  async function upload(blob) {
    studio.emit("notice", { text: "Opening the picture…" });
    try {
      return await putAsset(blob);
    } catch (error) {
      studio.emit("error", { text: error.message });
      return null;
    } finally {
      studio.emit("notice", { text: "" });
    }
  }

  async function takePicture(blob) {
    const asset = blob && (await upload(blob));
    if (!asset) return;
    const choice = asset.recipe ? await askRecipe() : "photo";
    if (choice === "recall") studio.do("recall", { asset: asset.sha });
    if (choice === "photo") studio.set({ photo: asset.sha, photo_name: blob.name ?? "pasted picture" });
  }

  async function takeGuide(blob) {
    const asset = blob && (await upload(blob));
    if (!asset) return;
    const layers = studio.net?.layers ?? [];
    // A layer in the middle sees shapes: neither mere edges nor whole things.
    const layer = studio.settings.guide_layer || layers[Math.floor(layers.length / 2)]?.name || "";
    studio.set({ guide: asset.sha, guide_layer: layer, guide_name: blob.name ?? "guide.png" });
  }

  const picked = (input, take) => {
    input.onchange = () => {
      take(input.files[0]);
      input.value = "";
    };
  };
  picked(file, takePicture);
  picked(guideFile, takeGuide);
  const open = () => file.click();
  byId("open").onclick = open;
  byId("guide-open").onclick = () => guideFile.click();

  const image = (data) => [...(data?.files ?? [])].find(({ type }) => type.startsWith("image/")) ?? data?.files?.[0];
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;  // enter and leave come for every element under the pointer
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    document.body.toggleAttribute("data-drop", depth > 0);
  };
  addEventListener("dragenter", (event) => { if (carriesFiles(event)) mark(1); });
  addEventListener("dragleave", (event) => { if (carriesFiles(event)) mark(-1); });
  addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    mark(-depth);
    takePicture(image(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    const blob = image(event.clipboardData);
    if (!blob) return;
    event.preventDefault();
    takePicture(blob);
  });
  return { open };
}
