"use strict";
// One image at a time: the slider over tau, the bars, and what is known about a region.

const dialog = byId("detail");
const views = [byId("original"), byId("seen")];
let current = null;
let wanted = null;
let picture = null;
let region = null;
let timer = null;

async function openDetail(item) {
  pause();
  wanted = item;
  // What a card does not need is unpacked, or in the app asked for, when it is opened.
  if (item.load && !(await item.load())) return;
  if (item !== wanted) return;
  current = item;
  region = null;
  // That of another image, until the own one is decoded.
  picture = null;
  // Small pictures are enlarged by whole pixels.
  const [height, width] = item.size;
  const scale = Math.max(1, Math.round(480 / Math.max(height, width)));
  for (const view of views) {
    view.width = scale * width;
    view.height = scale * height;
  }
  document.querySelector(".views").classList.toggle("wide", isWide(item));
  describe(item);
  const steps = item.steps.regions.length;
  byId("tau").max = steps - 1;
  byId("tau").value = item.steps.stop;
  document.querySelector(".slide").hidden = steps < 2;
  byId("play").hidden = item.steps.stop === 0;
  placeStop(item, steps);
  makeBars(item);
  sayMarks(item);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  const loading = new Image();
  loading.src = item.src;
  await loading.decode();
  if (item !== current) return;
  picture = loading;
  draw();
}

/** Whether to draw the photograph as coarse as the classifier saw it. */
function isCoarse(item) {
  return item.sharp && byId("coarse").checked;
}

function describe(item) {
  const said = answer(item);
  const asked = percent(report.threshold) + report.onAverage;
  byId("detail-title").textContent = item.name;
  byId("verdict").textContent = item.answered
    ? `${said.text}: answered (${percent(item.certainty)}, asked for ${asked})`
    : `${said.text}: not answered, ${item.why}`;
  byId("verdict").className = said.className;
  byId("original").setAttribute("aria-label",
    `${item.name}. The arrow keys walk through its ${item.regions} regions.`);
  byId("sharpness").hidden = !item.sharp;
  byId("coarse-label").textContent =
    `Show it at the classifier's own resolution, ${item.grid[1]} × ${item.grid[0]} pixels`;
  const place = shown.indexOf(item);
  byId("previous").disabled = place <= 0;
  byId("next").disabled = place < 0 || place >= shown.length - 1;
}

function placeStop(item, steps) {
  const share = steps > 1 ? item.steps.stop / (steps - 1) : 0;
  const mark = byId("stop");
  mark.style.left = `calc(8px + ${share} * (100% - 16px))`;
  mark.className = share < 0.25 ? "start" : share > 0.75 ? "end" : "";
  mark.textContent = item.answered ? "all it needed" : "stopped here";
}

function makeBars(item) {
  byId("bars").replaceChildren(...item.top.map((label) => {
    const row = element("li");
    const rail = element("span", "rail");
    rail.append(element("span", "fill"), element("span", "asked"));
    rail.firstChild.style.display = "block";
    row.append(element("span", "name", report.labels[label]), element("span", "value"), rail);
    row.firstChild.title = report.labels[label];
    return row;
  }));
}

/** The line that probabilities have to reach: calibration tells only what a stop is worth. */
function drawAsked(item, step) {
  const before = step < item.steps.stop;
  const asked = before ? report.enough : report.threshold;
  for (const line of document.querySelectorAll("#bars .asked")) line.style.left = `${100 * asked}%`;
  const rest = report.classes - item.top.length;
  const kind = before && report.enough !== report.threshold
    ? "certainty of the classifier's own at which the search stops" : "certainty asked for";
  const average = before ? "" : report.onAverage;
  const mirrored = report.multilabel
    ? `: a label is decided from there on, and up to ${percent(1 - asked)}` : "";
  byId("asked").textContent = `The thin line is the ${kind}, ${percent(asked)}${average}${mirrored}.` +
    (rest > 0 ? ` ${rest} less likely classes not shown.` : "");
}

/** Class probabilities at a step; after the stop, those of the stop. */
function probabilities(item, step) {
  return item.steps.proba[Math.min(step, item.steps.stop)];
}

function drawBars(item, step) {
  const values = probabilities(item, step);
  const bars = byId("bars");
  bars.classList.toggle("unknown", step > item.steps.stop);
  const least = report.multilabel ? 0.5 + Number.EPSILON : Math.max(...values);
  [...bars.children].forEach((row, i) => {
    row.classList.toggle("lead-class", values[i] >= least);
    row.querySelector(".value").textContent = percent(values[i]);
    row.querySelector(".fill").style.width = `${100 * values[i]}%`;
  });
}

/** How certain the classifier is and of what: of several labels, the least certain one. */
function sureOf(item, values) {
  const sides = values.map((value) => report.multilabel ? Math.max(value, 1 - value) : value);
  const told = report.multilabel ? Math.min(...sides) : Math.max(...sides);
  const at = sides.indexOf(told);
  const absent = report.multilabel && values[at] <= 0.5 ? "no " : "";
  return `${percent(told)} for ${absent}${report.labels[item.top[at]]}`;
}

/** What the position of the slider means, in a sentence. */
function meaning(item, step, fraction) {
  if (item.soft) return "This method shows every region with a brightness of its own.";
  const values = probabilities(item, step);
  const { stop } = item.steps;
  if (step > stop) {
    return item.answered
      ? "Not needed: the classifier never saw the faint regions; they would have come next."
      : "The classifier never saw the faint regions; they would have come next.";
  }
  const sure = sureOf(item, values);
  if (step < stop) return `Not certain yet: ${sure}, but ${percent(report.enough)} was needed.`;
  if (item.answered) return `This is all it needed: ${sure} from ${percent(fraction)} of the pixels.`;
  return `Not answered. The classifier said: ${sure}.`;
}

function draw() {
  if (!picture) return;
  const item = current;
  const step = Number(byId("tau").value);
  const coarse = isCoarse(item);
  const labels = regionMap(item, coarse);
  const drawn = coarse ? coarsened(item, picture) : picture;
  const smooth = item.sharp && !coarse;
  paintOriginal(views[0], drawn, smooth);
  paintSeen(views[1], item, drawn, smooth, labels, opacities(item, step));
  if (region !== null) {
    const kin = related(item, region);
    paintHighlight(views[0], item, labels, region, kin, true);
    paintHighlight(views[1], item, labels, region, kin, false);
  }
  for (const view of views) paintMarks(view, item, labels);
  drawRegion(item);
  drawBars(item, step);
  drawAsked(item, step);

  const fraction = item.soft ? item.kept : shownFraction(item, item.steps.groups[step]);
  const shownNow = `${percent(fraction)} of the pixels, ` +
    `${item.steps.regions[step]} of ${item.regions} regions`;
  const tau = item.steps.tau?.[step];
  const asked = tau ? `, when asked for at most ${percent(tau)} (τ = ${tau.toFixed(2)})` : "";
  byId("tau-label").replaceChildren(element("strong", "", `Shown: ${shownNow}`), asked);
  byId("tau").setAttribute("aria-valuetext", `Shown: ${shownNow}${asked}`);
  const state = byId("state");
  state.textContent = meaning(item, step, fraction);
  state.className = step === item.steps.stop && item.answered ? "done" : "";
  views[1].setAttribute("aria-label", `What the classifier saw: ${shownNow}. ${state.textContent}`);
}

function drawRegion(item) {
  if (region === null) {
    byId("region").textContent =
      "Point at a region, or move through them with the arrow keys, to see its probability.";
    return;
  }
  const merged = item.probs.length < item.regions;
  const kin = related(item, region)
    .map(({ other, value }) => `${other + 1} (${value.toFixed(2)})`).join(", ");
  byId("region").textContent =
    `${merged ? "Group" : "Region"} ${region + 1} of ${item.probs.length} in the order of choice: ` +
    `selection probability ${percent(item.probs[region])}, ` +
    `${percent(item.areas[region])} of the image.` +
    (marksOf(item).has(region) ? ` Marked as ${marksOf(item).get(region)}.` : "") +
    (kin ? ` Chosen together most with (correlation): ${kin}, outlined in blue.` : "");
}

function point(event) {
  const box = event.target.getBoundingClientRect();
  const [height, width] = current.size;
  const x = Math.floor(((event.clientX - box.left) / box.width) * width);
  const y = Math.floor(((event.clientY - box.top) / box.height) * height);
  const inside = x >= 0 && y >= 0 && x < width && y < height;
  const found = inside ? regionMap(current, isCoarse(current))[y * width + x] : Infinity;
  setRegion(found < current.probs.length ? found : null);
}

function setRegion(found) {
  if (found === region || !picture) return;
  region = found;
  draw();
}

function walkRegions(event) {
  const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  const last = current.probs.length - 1;
  setRegion(region === null ? 0 : Math.min(last, Math.max(0, region + by)));
}

function move(by) {
  const next = shown[shown.indexOf(current) + by];
  if (next) openDetail(next);
}

function pause() {
  clearInterval(timer);
  timer = null;
  byId("play").textContent = "▶ Play";
}

function play() {
  if (timer) return pause();
  const slider = byId("tau");
  const { stop } = current.steps;
  slider.value = 0;
  draw();
  byId("play").textContent = "❚❚ Pause";
  timer = setInterval(() => {
    if (Number(slider.value) >= stop) return pause();
    slider.value = Number(slider.value) + 1;
    draw();
  }, 450);
}

function startDetail() {
  for (const view of views) {
    view.addEventListener("pointermove", point);
    view.addEventListener("pointerdown", point);
    view.addEventListener("pointerleave", () => setRegion(null));
    view.addEventListener("keydown", walkRegions);
    view.addEventListener("blur", () => setRegion(null));
  }
  byId("tau").addEventListener("input", () => { pause(); draw(); });
  byId("coarse").addEventListener("input", draw);
  byId("play").addEventListener("click", play);
  byId("previous").addEventListener("click", () => move(-1));
  byId("next").addEventListener("click", () => move(1));
  byId("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", pause);
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "n") move(1);
    if (event.key === "p") move(-1);
  });
}

startDetail();
startCorrections();
startGallery();
