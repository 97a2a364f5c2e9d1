"use strict";
// The gallery: one card per image, filters and order.

const byId = (id) => document.getElementById(id);
const items = report.images;
let shown = items;
/** The numbers of the confusion matrix, and the one that the focus came from. */
const numbers = [...document.querySelectorAll("#confusion button")];
let chosen = null;

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** What an answer is called; several labels are a text of 0 and 1. */
const nameOf = (code) => typeof code === "number" ? report.labels[code]
  : report.labels.filter((_, i) => code[i] === "1").join(", ") || "none";

const isKnown = (item) => item.truth !== undefined;
/** The name of a file; its path is in a title, and where the image is alone. */
const shortName = (item) => item.name.split(/[\\/]/).pop();

const isRight = (item) => item.truth === item.predicted;
const isWrong = (item) => isKnown(item) && !isRight(item);

/** The answer in words and whether it was right, as far as that is known. */
function answer(item) {
  const said = nameOf(item.predicted);
  if (!isKnown(item)) return { text: said, className: "" };
  if (isRight(item)) return { text: `✓ ${said}`, className: "right" };
  return { text: `✗ ${said} (is ${nameOf(item.truth)})`, className: "wrong" };
}

/** Whether two pictures stand better above one another than beside one another. */
function isWide(item) {
  return item.size[1] > 1.4 * item.size[0];
}

/** A picture that is decoded when it comes into view. */
function pictureOf(item, source, words) {
  const [height, width] = item.size;
  const picture = element("img", Math.max(height, width) < 128 ? "pixelated" : "");
  picture.loading = "lazy";
  picture.decoding = "async";
  picture.width = width;
  picture.height = height;
  picture.alt = words;
  picture.src = source;
  return picture;
}

function makeCard(item) {
  const card = element("button", "card");
  card.type = "button";
  const pair = element("span", isWide(item) ? "pair wide" : "pair");
  const original = pictureOf(item, item.src, item.name);
  const seen = element("span", "seen");
  seen.setAttribute("role", "img");
  seen.setAttribute("aria-label",
    `What the classifier saw: ${item.keptRegions} of ${item.regions} regions.`);
  seen.append(pictureOf(item, item.src, ""), pictureOf(item, item.shade, ""));
  pair.append(original, seen);

  const said = answer(item);
  const line = element("span", "answer");
  line.append(element("span", said.className, said.text),
    element("span", "", percent(item.certainty)));
  const shares = element("span", "small");
  shares.append(`saw ${percent(item.kept)} of the pixels`);
  card.append(pair, line);
  if (!item.answered) {
    const why = element("span", "small");
    why.append(element("span", "badge", "not answered"), ` ${item.why}`);
    card.append(why);
  }
  card.append(shares);
  if (report.named) {
    const name = element("span", "small", shortName(item));
    name.title = item.name;
    card.append(name);
  }
  card.addEventListener("click", () => openDetail(item));

  item.card = element("li");
  item.card.append(card);
}

const REASONS = {
  unfamiliar: "unlike what it learned from",
  uncertain: "not certain enough",
  class: "answers of its class not known to be right",
};

const ORDERS = {
  given: () => 0,
  // Without labels nothing is known to be wrong, and what is not answered comes first.
  doubt: (a, b) => isWrong(b) - isWrong(a) || a.answered - b.answered,
  certainty: (a, b) => a.certainty - b.certainty,
  "-certainty": (a, b) => b.certainty - a.certainty,
  kept: (a, b) => a.kept - b.kept,
  "-kept": (a, b) => b.kept - a.kept,
  predicted: (a, b) => a.predicted - b.predicted,
};

/** Whether an answer is the chosen one; of several labels, 1 or 0 stands before the chosen one. */
function isOf(code, wanted) {
  return report.multilabel ? code?.[wanted.slice(1)] === wanted[0] : `${code}` === wanted;
}

function passes(item) {
  const truth = byId("by-truth").value;
  const predicted = byId("by-predicted").value;
  const outcome = byId("by-outcome").value;
  const answered = byId("by-answered").value;
  return (
    (truth === "" || isOf(item.truth, truth)) &&
    (predicted === "" || isOf(item.predicted, predicted)) &&
    (outcome === "" || (outcome === "right" ? isRight : isWrong)(item)) &&
    (answered === "" || answered === "yes" && item.answered ||
      answered === "no" && !item.answered || item.reasons.includes(answered)) &&
    // Rounded up, so that "at most 100%" leaves nothing out.
    item.kept <= Number(byId("by-kept").value) / 100 + 1e-9
  );
}

function update() {
  const order = ORDERS[byId("sort").value];
  // In the app, photographs that were dropped come first, the newest at the top.
  shown = items.filter(passes)
    .sort((a, b) => (b.dropped ?? 0) - (a.dropped ?? 0) || order(a, b));
  byId("gallery").replaceChildren(...shown.map((item) => item.card));
  byId("kept-value").textContent = percent(Number(byId("by-kept").value) / 100);
  byId("nothing").hidden = shown.length > 0;
  sayFilters();
  const known = shown.filter(isKnown);
  const wrong = known.filter(isWrong).length;
  // A sample that has all wrong answers says nothing about their share.
  const share = report.sample
    ? `, ${wrong} of them wrong` : `, ${percent((known.length - wrong) / known.length)} right`;
  const open = shown.filter((item) => !item.answered).length;
  const unanswered = open ? `, ${open} not answered` : "";
  const sample = report.sample
    ? `; the page has ${report.sample}` : "";
  byId("count").textContent = `${shown.length} of ${items.length} images${known.length ? share : ""}${unanswered}${sample}`;
}

/** Say which images are left out, and why. */
function sayFilters() {
  const used = [...document.querySelectorAll("#filters select:not(#sort)")]
    .filter((field) => field.value)
    .map((field) => `${field.labels[0].firstChild.data.trim()}: ${field.selectedOptions[0].text}`);
  const most = byId("by-kept").value;
  if (most < 100) used.push(`Kept at most ${most}%`);
  byId("filtered").hidden = used.length === 0;
  byId("filtered").firstChild.textContent = `Filtered by: ${used.join(" · ")}`;
  for (const number of numbers) number.setAttribute("aria-pressed", isChosen(number));
}

const isChosen = ({ dataset }) => dataset.truth === byId("by-truth").value
  && dataset.predicted === byId("by-predicted").value;

/** Show exactly the images that a number of the confusion matrix counts, or all of them again. */
function choose(number) {
  const wasChosen = isChosen(number);
  const order = byId("sort").value;
  byId("filters").reset();
  byId("sort").value = order;
  if (wasChosen) return;
  byId("by-truth").value = number.dataset.truth;
  byId("by-predicted").value = number.dataset.predicted;
  chosen = number;
  update();
  byId("show-all").focus({ preventScroll: true });
  byId("images").scrollIntoView();
}

/** Let a field offer more than its first options. */
function offer(field, nFixed, more) {
  const chosen = field.value;
  field.length = nFixed;
  for (const [value, name] of more) {
    const option = element("option", "", name);
    option.value = value;
    field.append(option);
  }
  field.value = chosen;
}

/** The classes that occur among true or predicted ones; of several labels, each with its absence. */
function classesOf(side) {
  if (report.multilabel) {
    return report.labels.flatMap((name, at) => items.some((item) => item.predicted[at] !== "-")
      ? [[`1${at}`, name], [`0${at}`, `no ${name}`]] : []);
  }
  // The images that the matrix counts need not all be on the page.
  const codes = [...items.map((item) => item[side]), ...numbers.map(({ dataset }) => dataset[side])];
  return [...new Set(codes.filter((code) => code !== undefined).map(Number))]
    .sort((a, b) => a - b).map((code) => [code, nameOf(code)]);
}

/** Offer the classes that occur, and the reasons of what is not answered if there are several. */
function offerFilters() {
  for (const side of ["truth", "predicted"]) offer(byId(`by-${side}`), 1, classesOf(side));
  const reasons = [...new Set(items.flatMap((item) => item.reasons))];
  offer(byId("by-answered"), 3, (reasons.length > 1 ? reasons : [])
    .map((reason) => [reason, `not answered: ${REASONS[reason]}`]));
}

function startGallery() {
  for (const item of items) item.load = unpack;
  items.forEach(makeCard);
  offerFilters();
  for (const part of document.querySelectorAll(".needs-truth")) part.hidden = !report.hasTruth;
  if (!report.hasTruth) byId("doubt").textContent = "not answered first";
  const filters = byId("filters");
  filters.addEventListener("input", update);
  filters.addEventListener("submit", (event) => event.preventDefault());
  for (const number of numbers) number.addEventListener("click", () => choose(number));
  // The fields have their old values until the event is over.
  filters.addEventListener("reset", () => setTimeout(update));
  byId("show-all").addEventListener("click", () => {
    chosen?.focus();
    chosen = null;
  });
  update();
  document.documentElement.dataset.ready = "yes";
}
