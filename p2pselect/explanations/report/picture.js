"use strict";
// Region maps and pictures. Pixels are only written, never read back from a canvas: browsers
// that guard against fingerprinting falsify what is read.

const report = JSON.parse(document.getElementById("data").textContent);
const KEPT = 255;
const NOT_SEEN = 85;

/** A share in [0, 1] as people read it. */
function percent(share) {
  const hundred = 100 * share;
  if (hundred > 99.9 && hundred < 100) return "> 99.9%";
  if (hundred > 0 && hundred < 0.1) return "< 0.1%";
  const whole = (hundred >= 9.95 && hundred <= 99) || hundred === 0 || hundred === 100;
  return `${hundred.toFixed(whole ? 0 : 1)}%`;
}

function bytes(code) {
  return Uint8Array.from(atob(code), (letter) => letter.charCodeAt(0));
}

/** Unpack what a card does not need, when it is opened. */
async function unpack() {
  const packed = new Blob([bytes(this.packed)]).stream();
  const unpacked = packed.pipeThrough(new DecompressionStream("deflate"));
  Object.assign(this, await new Response(unpacked).json());
  this.load = null;
  return true;
}

/** The region of every pixel of the model's grid, from runs; regions count by rank. */
function gridMap(item) {
  if (item.cells) return item.cells;
  // Characters from "0" on: all values, and then the length of the run of each.
  const code = (i) => item.map.charCodeAt(i) - 48;
  const count = item.map.length / 2;
  item.cells = new Uint16Array(item.grid[0] * item.grid[1]);
  const counts = new Float64Array(item.probs.length + 1);
  for (let i = 0, at = 0; i < count; i++) {
    const end = at + code(count + i);
    item.cells.fill(code(i), at, end);
    counts[code(i)] += end - at;
    at = end;
  }
  // The last one is not a region, and counts nowhere.
  const total = counts.subarray(0, -1).reduce((sum, count) => sum + count, 0);
  item.areas = counts.subarray(0, -1).map((count) => count / total);
  return item.cells;
}

/** The two old pixels around the center of a new one, and how far it is from the first. */
function between(at, old, size) {
  const place = Math.min(old - 1, Math.max(0, (at + 0.5) * old / size - 0.5));
  const first = Math.floor(place);
  return [first, Math.min(first + 1, old - 1), place - first];
}

/** Which of four regions has the largest share of a point between their pixels. */
function largest(around, down, right) {
  const shares = [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right];
  let best = 0;
  let most = -1;
  for (let i = 0; i < 4; i++) {
    let sum = 0;
    for (let j = 0; j < 4; j++) if (around[j] === around[i]) sum += shares[j];
    if (sum > most) [best, most] = [i, sum];
  }
  return around[best];
}

/**
 * The region of every pixel of the picture. On a photograph outlines are smooth, unless it is
 * drawn as coarse as the classifier saw it.
 */
function regionMap(item, coarse) {
  if (regionMap.item === item && regionMap.coarse === coarse) return regionMap.labels;
  const cells = gridMap(item);
  const [height, width] = item.size;
  const [rows, columns] = item.grid;
  const [top, left, tall, wide] = item.box;
  const labels = new Uint16Array(height * width).fill(item.probs.length);
  const smooth = item.sharp && !coarse && tall >= rows && wide >= columns;
  for (let y = 0; y < tall; y++) {
    const [above, below, down] = smooth ? between(y, rows, tall)
      : [Math.floor((2 * y + 1) * rows / (2 * tall))];
    let at = (top + y) * width + left;
    for (let x = 0; x < wide; x++, at++) {
      if (!smooth) {
        labels[at] = cells[above * columns + Math.floor((2 * x + 1) * columns / (2 * wide))];
        continue;
      }
      const [before, after, right] = between(x, columns, wide);
      const around = [cells[above * columns + before], cells[above * columns + after],
        cells[below * columns + before], cells[below * columns + after]];
      labels[at] = around.every((cell) => cell === around[0]) ? around[0]
        : largest(around, down, right);
    }
  }
  // Of one image alone, because thousands would fill the memory.
  Object.assign(regionMap, { item, coarse, labels });
  return labels;
}

/** Share of the pixels in the first so many groups of regions. */
function shownFraction(item, groups) {
  gridMap(item);
  return item.areas.subarray(0, groups).reduce((sum, area) => sum + area, 0);
}

/** Opacity of every region at one step of the slider; what was never seen stays faint. */
function opacities(item, step) {
  if (item.soft) return item.soft.map((value) => Math.round(KEPT * value));
  const seen = item.steps.groups[Math.min(step, item.steps.stop)];
  const shown = item.steps.groups[step];
  return item.probs.map((_, i) => (i < seen ? KEPT : i < shown ? NOT_SEEN : 0));
}

function newCanvas(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/** The picture, with what the model was given of it as coarse as it was. */
function coarsened(item, picture) {
  const [height, width] = item.size;
  const [rows, columns] = item.grid;
  const [top, left, tall, wide] = item.box;
  const small = newCanvas(columns, rows);
  const shrink = small.getContext("2d");
  shrink.imageSmoothingQuality = "high";
  shrink.drawImage(picture, left, top, wide, tall, 0, 0, columns, rows);
  const whole = newCanvas(width, height);
  const draw = whole.getContext("2d");
  draw.drawImage(picture, 0, 0, width, height);
  draw.imageSmoothingEnabled = false;
  draw.drawImage(small, left, top, wide, tall);
  return whole;
}

/** Paint the image on black, every pixel at the opacity of its region. */
function paintSeen(canvas, item, picture, smooth, labels, opacity) {
  const [height, width] = item.size;
  const mask = newCanvas(width, height);
  const data = new ImageData(width, height);
  const levels = [...opacity, 0];
  for (let i = 0; i < labels.length; i++) data.data[4 * i + 3] = levels[labels[i]];
  mask.getContext("2d").putImageData(data, 0, 0);

  const layer = newCanvas(canvas.width, canvas.height);
  const draw = layer.getContext("2d");
  draw.imageSmoothingEnabled = smooth;
  draw.drawImage(picture, 0, 0, layer.width, layer.height);
  draw.imageSmoothingEnabled = false;
  draw.globalCompositeOperation = "destination-in";
  draw.drawImage(mask, 0, 0, layer.width, layer.height);

  const target = canvas.getContext("2d");
  target.fillStyle = "#000";
  target.fillRect(0, 0, canvas.width, canvas.height);
  target.drawImage(layer, 0, 0);
}

function paintOriginal(canvas, picture, smooth) {
  const draw = canvas.getContext("2d");
  draw.imageSmoothingEnabled = smooth;
  draw.drawImage(picture, 0, 0, canvas.width, canvas.height);
}

/** Correlation of one region with every other, from embeddings of length 127. */
function correlations(item, region) {
  if (!item.directions) return null;
  item.vectors ??= new Int8Array(bytes(item.directions).buffer);
  const size = item.vectors.length / item.probs.length;
  const own = item.vectors.subarray(region * size, (region + 1) * size);
  return item.probs.map((_, other) => {
    let sum = 0;
    for (let k = 0; k < size; k++) sum += own[k] * item.vectors[other * size + k];
    return sum / (127 * 127);
  });
}

/** The regions most often chosen together with this one: at most four, closest first. */
function related(item, region) {
  const values = correlations(item, region);
  if (!values) return [];
  return values
    .map((value, other) => ({ other, value }))
    .filter(({ other, value }) => other !== region && value > 0.3)
    .sort((a, b) => b.value - a.value)
    .slice(0, 4);
}

/** Outline one region in yellow and its relatives in blue; darken the rest if asked to. */
function paintHighlight(canvas, item, labels, region, relatives, darken) {
  const [, width] = item.size;
  const scale = canvas.width / width;
  const line = Math.max(1, Math.round(canvas.width / 220));
  const kin = new Set(relatives.map(({ other }) => other));
  const data = new ImageData(canvas.width, canvas.height);
  const cell = (x, y) => labels[Math.floor(y / scale) * width + Math.floor(x / scale)];
  for (let y = 0, at = 0; y < data.height; y++) {
    for (let x = 0; x < data.width; x++, at += 4) {
      const here = cell(x, y);
      const own = here === region;
      if (!own && !kin.has(here)) {
        if (darken) data.data[at + 3] = 130;
        continue;
      }
      const wide = own ? 2 * line : line;
      const border =
        x < wide || y < wide || x >= data.width - wide || y >= data.height - wide ||
        cell(x - wide, y) !== here || cell(x + wide, y) !== here ||
        cell(x, y - wide) !== here || cell(x, y + wide) !== here;
      if (border) data.data.set(own ? [255, 225, 30, 255] : [90, 190, 245, 255], at);
    }
  }
  const layer = newCanvas(canvas.width, canvas.height);
  layer.getContext("2d").putImageData(data, 0, 0);
  canvas.getContext("2d").drawImage(layer, 0, 0);
}
