"use strict";
// Of the app alone: photographs that are dropped, and those of the folder as they are looked at.

const AT_ONCE = 4;
let dropped = 0;

/** What the server answers as JSON; an error with its line otherwise. */
async function ask(address, body) {
  let response;
  try {
    response = await fetch(address, body ? { method: "POST", body } : {});
  } catch {
    throw new Error("the program that serves this page does not answer");
  }
  const said = await response.json().catch(() => ({ error: response.statusText }));
  if (!response.ok) throw new Error(said.error);
  return said;
}

function add(added) {
  items.push(...added);
  added.forEach(makeCard);
  offerFilters();
  byId("images").hidden = items.length === 0;
}

/** Whether somebody is about to choose a card, which must not move away. */
function isInUse() {
  return dialog.open || byId("gallery").matches(":hover, :focus-within");
}

// -- Dropped photographs ----------------------------------------------------------------------

async function askAbout(file) {
  if (file.size > report.maxBytes) {
    throw new Error(`the file has more than ${report.maxBytes.toLocaleString("en")} bytes`);
  }
  dropped += 1;
  const order = dropped;
  return { ...await ask("page/photographs", file), name: file.name, dropped: order };
}

async function take(files) {
  const waiting = [...files];
  if (waiting.length === 0) return;
  const total = waiting.length;
  const answered = [];
  byId("refused").replaceChildren();
  byId("refused").hidden = true;
  const say = () => {
    byId("asking").textContent = total === 1 ? "Looking at the photograph …"
      : `Looking at ${total} photographs: ${total - waiting.length} begun …`;
  };
  const work = async () => {
    while (waiting.length > 0) {
      const file = waiting.shift();
      say();
      try {
        const item = await askAbout(file);
        answered.push(item);
        add([item]);
        update();
      } catch (error) {
        byId("refused").hidden = false;
        byId("refused").append(element("li", "", `${file.name}: ${error.message}`));
      }
    }
  };
  // What has just been asked must not be hidden by a filter.
  byId("filters").reset();
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const refused = total - answered.length;
  byId("asking").textContent = refused
    ? `${refused} of ${total} refused:`
    : total === 1 ? "The photograph is the first one below." : `The ${total} photographs are below.`;
  if (total === 1 && answered.length === 1) openDetail(answered[0]);
}

// -- The folder -------------------------------------------------------------------------------

/** Ask for what a card does not need; whether it came. */
async function load() {
  const card = this.card.firstChild;
  card.setAttribute("aria-busy", "true");
  try {
    Object.assign(this, await ask(`page/details/${this.number}`));
    this.load = null;
    return true;
  } catch (error) {
    byId("asking").textContent = `${this.name}: ${error.message}`;
    return false;
  } finally {
    card.removeAttribute("aria-busy");
  }
}

function sayUnreadable(entry) {
  const details = byId("unreadable");
  details.hidden = false;
  const list = details.querySelector("ul");
  list.append(element("li", "", entry.error.includes(entry.name) ? entry.error
    : `${entry.name}: ${entry.error}`));
  const count = list.children.length;
  details.querySelector("summary").textContent =
    `${count} file${count === 1 ? "" : "s"} of the folder cannot be read`;
}

function sayProgress(seen) {
  const whole = report.album;
  byId("album-progress").value = seen / whole;
  byId("album-progress").hidden = seen === whole;
  const unreadable = byId("unreadable").querySelectorAll("li").length;
  byId("album-label").textContent = seen === whole
    ? `All ${(whole - unreadable).toLocaleString("en")} photographs of the folder are below.`
    : `Looking at the photographs of the folder: ${seen.toLocaleString("en")} of ` +
      `${whole.toLocaleString("en")}`;
}

async function follow() {
  let seen = 0;
  let shows = true;
  byId("album").hidden = false;
  sayProgress(0);
  while (seen < report.album || !shows) {
    const before = performance.now();
    try {
      const more = await ask(`page/cards/${seen}`);
      seen += more.length;
      more.filter((entry) => entry.error).forEach(sayUnreadable);
      const readable = more.filter((entry) => !entry.error);
      if (readable.length > 0) {
        add(readable.map((entry) => ({ ...entry, load })));
        shows = false;
      }
      if (!shows && !isInUse()) {
        update();
        shows = true;
      }
      sayProgress(seen);
      // As long as there is much to catch up with, at once.
      if (more.length === 200) continue;
    } catch (error) {
      byId("album-label").textContent = `The folder: ${error.message}.`;
      return;
    }
    // Thousands of cards take a while to sort: never more than a tenth of the time.
    await new Promise((done) => setTimeout(done, Math.max(1000, 9 * (performance.now() - before))));
  }
}

// -- Corrections --------------------------------------------------------------------------------

/** Keep what is marked on an image, one after the other, so that the last one counts. */
let keeping = Promise.resolve();
keep = (item) => {
  const body = JSON.stringify({ image: imageOf(item), corrections: correctionsOf(item) });
  keeping = keeping.then(() => ask("page/corrections", body)).catch((error) => {
    byId("marked").textContent = `Not kept: ${error.message}`;
  });
};

function startApp() {
  const zone = byId("drop");
  byId("images").hidden = true;
  byId("files").addEventListener("change", async () => {
    const files = [...byId("files").files];
    // So that the same file can be chosen again.
    byId("files").value = "";
    await take(files);
  });
  const isOfFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!isOfFiles(event)) return;
    event.preventDefault();
    zone.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) zone.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    if (!isOfFiles(event)) return;
    event.preventDefault();
    zone.classList.remove("over");
    take(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => take(event.clipboardData?.files ?? []));
  if (report.album > 0) follow();
}

startApp();
