"use strict";
// What a person marks as wrong or missing, and the file of it that teaches a model.

const MARKS = {
  wrong: { color: [255, 120, 0], falls: 1, words: "wrong" },
  missing: { color: [0, 150, 255], falls: -1, words: "missing" },
};
/** The kind of mark that a click makes; empty where a click only looks. */
let marking = "";
let unsaved = false;
/** The app keeps the marks of an image; a report only offers them as a file. */
let keep = null;
const stored = report.corrections ?? [];

const imageOf = (item) => (report.named ? item.name : item.number);

/**
 * Outlines of a region in pixels of the photograph. Every edge between it and something else is
 * walked once, so that holes and pieces are rings of their own.
 */
function rings(item, wanted) {
  const cells = gridMap(item);
  const [rows, columns] = item.grid;
  const [top, left, height, width] = item.source;
  const isIn = (x, y) => x >= 0 && y >= 0 && x < columns && y < rows
    && cells[y * columns + x] === wanted;
  const wide = columns + 1;
  const onwards = new Map();
  const edge = (x, y, dx, dy) => {
    const from = y * wide + x;
    if (!onwards.has(from)) onwards.set(from, []);
    onwards.get(from).push(from + dy * wide + dx);
  };
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      if (!isIn(x, y)) continue;
      if (!isIn(x, y - 1)) edge(x, y, 1, 0);
      if (!isIn(x + 1, y)) edge(x + 1, y, 0, 1);
      if (!isIn(x, y + 1)) edge(x + 1, y + 1, -1, 0);
      if (!isIn(x - 1, y)) edge(x, y + 1, 0, -1);
    }
  }
  const rounded = (value) => Math.round(100 * value) / 100;
  const found = [];
  for (const [start, ends] of onwards) {
    while (ends.length > 0) {
      const ring = [start];
      for (let at = ends.pop(); at !== start; at = onwards.get(at).pop()) ring.push(at);
      const turns = ring.filter((at, i) =>
        at - ring.at(i - 1) !== ring[(i + 1) % ring.length] - at);
      found.push(turns.map((at) => [
        rounded(left + (at % wide) * width / columns),
        rounded(top + Math.floor(at / wide) * height / rows),
      ]));
    }
  }
  return found;
}

/** Kinds of marks by region; those that the app has kept come back when an image is opened. */
function marksOf(item) {
  if (item.marks) return item.marks;
  item.marks = new Map();
  item.others = stored.filter((entry) => entry.image === imageOf(item));
  if (item.others.length > 0 && item.map) {
    item.probs.forEach((_, other) => {
      const own = JSON.stringify(rings(item, other));
      for (const entry of item.others.filter(({ polygon }) => JSON.stringify(polygon) === own)) {
        item.marks.set(other, entry.kind);
        item.others.splice(item.others.indexOf(entry), 1);
      }
    });
  }
  return item.marks;
}

function correctionsOf(item) {
  return [...item.others ?? [], ...[...item.marks ?? []].map(([marked, kind]) => ({
    image: imageOf(item), kind, size: item.photo, polygon: rings(item, marked),
  }))];
}

function toggleMark(item, marked, kind) {
  const marks = marksOf(item);
  if (marks.get(marked) === kind) marks.delete(marked);
  else marks.set(marked, kind);
  unsaved = true;
  sayMarks(item);
  draw();
  if (keep) keep(item);
}

const counted = (count, words) => `${count} region${count === 1 ? "" : "s"} ${words}`;

function sayMarks(item) {
  const kinds = [...marksOf(item).values()];
  const parts = Object.keys(MARKS).map((kind) => [kind, kinds.filter((k) => k === kind).length])
    .filter(([, count]) => count > 0).map(([kind, count]) => counted(count, `marked as ${kind}`));
  const how = "Click a region, or walk to it with the arrow keys and press Enter.";
  byId("marked").textContent = [parts.join(", "), marking && how].filter(Boolean).join(". ");
  item.card?.firstChild.classList.toggle("corrected", kinds.length > 0);
  const all = items.flatMap((each) => [...each.marks?.values() ?? []]).length;
  byId("corrected").hidden = all + stored.length === 0;
  byId("corrected-count").textContent = counted(all, "marked on this page.");
}

function chooseMark(kind) {
  marking = marking === kind ? "" : kind;
  for (const name of Object.keys(MARKS)) {
    byId(`mark-${name}`).setAttribute("aria-pressed", String(marking === name));
  }
  sayMarks(current);
}

function download() {
  const link = element("a");
  link.download = "corrections.json";
  link.href = "corrections.json";
  if (!keep) {
    const text = JSON.stringify({ corrections: items.flatMap(correctionsOf) });
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  }
  link.click();
  unsaved = false;
}

/** Stripes over what is marked, which fall for what is wrong and rise for what is missing. */
function paintMarks(canvas, item, labels) {
  const marks = marksOf(item);
  if (marks.size === 0) return;
  const scale = canvas.width / item.size[1];
  const wide = Math.max(2, Math.round(canvas.width / 90));
  const data = new ImageData(canvas.width, canvas.height);
  for (let y = 0, at = 0; y < data.height; y++) {
    for (let x = 0; x < data.width; x++, at += 4) {
      const kind = marks.get(labels[Math.floor(y / scale) * item.size[1] + Math.floor(x / scale)]);
      if (!kind) continue;
      const { color, falls } = MARKS[kind];
      const isStripe = Math.floor((x - falls * y + 2 * wide * data.height) / wide) % 3 === 0;
      data.data.set([...color, isStripe ? 235 : 70], at);
    }
  }
  const layer = newCanvas(canvas.width, canvas.height);
  layer.getContext("2d").putImageData(data, 0, 0);
  canvas.getContext("2d").drawImage(layer, 0, 0);
}

function startCorrections() {
  for (const kind of Object.keys(MARKS)) {
    byId(`mark-${kind}`).addEventListener("click", () => chooseMark(kind));
  }
  for (const button of document.querySelectorAll(".download")) {
    button.addEventListener("click", download);
  }
  for (const view of views) {
    view.addEventListener("click", (event) => {
      if (!marking) return;
      // On a screen that is touched, nothing is pointed at once the finger has left.
      point(event);
      if (region !== null) toggleMark(current, region, marking);
    });
    view.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || region === null) return;
      const kind = { w: "wrong", m: "missing", Enter: marking, " ": marking }[event.key];
      if (!kind) return;
      event.preventDefault();
      toggleMark(current, region, kind);
    });
  }
  window.addEventListener("beforeunload", (event) => {
    if (unsaved && !keep) event.preventDefault();
  });
}
