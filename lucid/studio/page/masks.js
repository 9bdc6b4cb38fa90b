/** Masks: where a row grows. A mask is a white canvas whose alpha says how much. */

const LONGEST = 512;
const SOFT_STAMP = 128;

/**
 * A canvas of this size.
 * @param {number} width
 * @param {number} height
 * @returns {HTMLCanvasElement}
 */
export function newCanvas(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/**
 * The size of the masks of a picture: its own, or its aspect at 512 pixels.
 * @param {[number, number]} size of the picture
 * @returns {[number, number]}
 */
export function maskSize([width, height]) {
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

// A soft round brush, drawn once and scaled: dense inside, nothing at the rim.
const stamp = newCanvas(SOFT_STAMP, SOFT_STAMP);
{
  const context = stamp.getContext("2d");
  const half = SOFT_STAMP / 2;
  const gradient = context.createRadialGradient(half, half, 0, half, half, half);
  for (const [at, alpha] of [[0, 1], [0.6, 1], [0.85, 0.4], [1, 0]]) gradient.addColorStop(at, `rgb(255 255 255 / ${alpha})`);
  context.fillStyle = gradient;
  context.fillRect(0, 0, SOFT_STAMP, SOFT_STAMP);
}

export class Mask {
  /** @param {[number, number]} size */
  constructor([width, height]) {
    this.canvas = newCanvas(width, height);
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
  }

  /** Read a grey picture: brightness becomes alpha. @param {Blob} blob @param {[number, number]} size @returns {Promise<Mask>} */
  static async read(blob, size) {
    const image = await createImageBitmap(blob);
    const mask = new Mask(size);
    mask.context.drawImage(image, 0, 0, ...size);
    image.close();
    mask.eachPixel((pixels, i) => { pixels[i + 3] = pixels[i]; });
    return mask;
  }

  /** @returns {Mask} */
  copy() {
    const mask = new Mask([this.canvas.width, this.canvas.height]);
    mask.context.drawImage(this.canvas, 0, 0);
    return mask;
  }

  /** One dab of the brush. @param {number} x @param {number} y @param {number} radius @param {boolean} erase */
  dab(x, y, radius, erase) {
    this.context.globalCompositeOperation = erase ? "destination-out" : "source-over";
    this.context.drawImage(stamp, x - radius, y - radius, 2 * radius, 2 * radius);
    this.context.globalCompositeOperation = "source-over";
  }

  fill() {
    this.context.fillStyle = "#fff";
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  clear() {
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  invert() {
    this.eachPixel((pixels, i) => { pixels[i + 3] = 255 - pixels[i + 3]; });
  }

  /** Blur: three box blurs are as good as a Gaussian, and Safari has no canvas filter. */
  soften() {
    const { width, height } = this.canvas;
    const radius = Math.max(1, Math.round(Math.max(width, height) / 64));
    const image = this.context.getImageData(0, 0, width, height);
    let from = Float32Array.from({ length: width * height }, (_, i) => image.data[4 * i + 3]);
    let to = new Float32Array(from.length);
    for (let pass = 0; pass < 3; pass++) {
      blurLines(from, to, height, width, width, 1, radius);
      blurLines(to, from, width, height, 1, width, radius);
    }
    for (let i = 0; i < from.length; i++) image.data.set([255, 255, 255, Math.round(from[i])], 4 * i);
    this.context.putImageData(image, 0, 0);
  }

  /** As the server takes it: opaque grey. @returns {Promise<Blob>} */
  toPng() {
    const { width, height } = this.canvas;
    const grey = newCanvas(width, height);
    const context = grey.getContext("2d");
    context.fillRect(0, 0, width, height);
    context.drawImage(this.canvas, 0, 0);
    return new Promise((done) => grey.toBlob(done, "image/png"));
  }

  /** @param {(pixels: Uint8ClampedArray, i: number) => void} change */
  eachPixel(change) {
    const image = this.context.getImageData(0, 0, this.canvas.width, this.canvas.height);
    for (let i = 0; i < image.data.length; i += 4) {
      change(image.data, i);
      image.data[i] = image.data[i + 1] = image.data[i + 2] = 255;
    }
    this.context.putImageData(image, 0, 0);
  }
}

/** Box blur of `lines` lines of `length` values; `line` and `step` are the distances between lines and values. */
function blurLines(from, to, lines, length, line, step, radius) {
  const last = length - 1;
  const share = 1 / (2 * radius + 1);
  for (let l = 0; l < lines; l++) {
    const start = l * line;
    const value = (i) => from[start + step * Math.min(last, Math.max(0, i))];
    let sum = 0;
    for (let i = -radius; i <= radius; i++) sum += value(i);
    for (let i = 0; i < length; i++) {
      to[start + step * i] = sum * share;
      sum += value(i + radius + 1) - value(i - radius);
    }
  }
}
