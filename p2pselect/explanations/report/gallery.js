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

const isRight = (item) => item.truth === item.predicted;

/** The answer in words and whether it was right, as far as that is known. */
function answer(item) {
  const said = report.labels[item.predicted];
  if (!report.hasTruth) return { text: said, className: "" };
  if (isRight(item)) return { text: `✓ ${said}`, className: "right" };
  return { text: `✗ ${said} (is ${report.labels[item.truth]})`, className: "wrong" };
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
  if (report.named) card.append(element("span", "small", item.name));
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
  doubt: (a, b) =>
    (report.hasTruth ? isRight(a) - isRight(b) : 0) || a.answered - b.answered,
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
    (wanted === "" || Number(wanted) === item.predicted || Number(wanted) === item.truth) &&
    (outcome === "" || (outcome === "right") === isRight(item)) &&
    (answered === "" || answered === "yes" && item.answered ||
      answered === "no" && !item.answered || item.reasons.includes(answered)) &&
    // Rounded up, so that "at most 100%" leaves nothing out.
    item.kept <= Number(byId("by-kept").value) / 100 + 1e-9
  );
}

function update() {
  shown = items.filter(passes).sort(ORDERS[byId("sort").value]);
  byId("gallery").replaceChildren(...shown.map((item) => item.card));
  byId("kept-value").textContent = percent(Number(byId("by-kept").value) / 100);
  byId("nothing").hidden = shown.length > 0;
  const right = shown.filter(isRight).length;
  // A sample that has all wrong answers says nothing about their share.
  const share = report.sample
    ? `${shown.length - right} of them wrong` : `${percent(right / shown.length)} right`;
  const known = report.hasTruth && shown.length ? `, ${share}` : "";
  const open = shown.filter((item) => !item.answered).length;
  const unanswered = open ? `, ${open} not answered` : "";
  const sample = report.sample
    ? `; the page has ${report.sample}` : "";
  byId("count").textContent = `${shown.length} of ${items.length} images${known}${unanswered}${sample}`;
}

function startGallery() {
  items.forEach(makeCard);
  const used = new Set(items.flatMap((item) => [item.predicted, item.truth]));
  report.labels.forEach((name, i) => {
    if (!used.has(i)) return;
    const option = element("option", "", name);
    option.value = i;
    byId("by-class").append(option);
  });
  // Reasons are told apart where there are several.
  const reasons = new Set(items.flatMap((item) => item.reasons));
  for (const reason of reasons.size > 1 ? reasons : []) {
    const option = element("option", "", `not answered: ${REASONS[reason]}`);
    option.value = reason;
    byId("by-answered").append(option);
  }
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
