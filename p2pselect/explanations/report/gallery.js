"use strict";
// The gallery: one card per image, filters and order.

const byId = (id) => document.getElementById(id);
const items = report.images;
let shown = items;

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

function passes(item) {
  const wanted = byId("by-class").value;
  const outcome = byId("by-outcome").value;
  const answered = byId("by-answered").value;
  return (
    (wanted === "" || wanted === `${item.predicted}` || wanted === `${item.truth}`) &&
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

/** Offer the classes that occur, and the reasons of what is not answered if there are several. */
function offerFilters() {
  const used = [...new Set(items.flatMap((item) => [item.predicted, item.truth]))]
    .filter((code) => code !== undefined).sort((a, b) => a - b);
  offer(byId("by-class"), 1, used.map((code) => [code, nameOf(code)]));
  const reasons = [...new Set(items.flatMap((item) => item.reasons))];
  offer(byId("by-answered"), 3, (reasons.length > 1 ? reasons : [])
    .map((reason) => [reason, `not answered: ${REASONS[reason]}`]));
}

function startGallery() {
  items.forEach(makeCard);
  offerFilters();
  for (const part of document.querySelectorAll(".needs-truth")) part.hidden = !report.hasTruth;
  if (!report.hasTruth) byId("doubt").textContent = "not answered first";
  const filters = byId("filters");
  filters.addEventListener("input", update);
  filters.addEventListener("submit", (event) => event.preventDefault());
  // The fields have their old values until the event is over.
  filters.addEventListener("reset", () => setTimeout(update));
  update();
  document.documentElement.dataset.ready = "yes";
}
