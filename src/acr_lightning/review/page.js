"use strict";
// Names of photos and classes are anybody's: they become text, never markup.
const state = JSON.parse(document.getElementById("state").textContent);
const at = (id) => document.getElementById(id);
const colours = Object.fromEntries(state.classes.map((one) => [one.name, one.colour]));
// Above this a contradiction of the classifier is shown.
const EVEN = 0.5;
// What is taken back is to be taken in, too.
const decidedBefore = new Set(state.photos.filter((photo) => Object.keys(photo.decision).length));
let shown = [], current = null, drawing = 0, saving = Promise.resolve(), saved = true;

function make(tag, text = "", classes = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = classes;
  return element;
}

// --- what a photo is now ---------------------------------------------------------------------------------------------

function tagsOf(photo) {
  const { added = [], removed = [] } = photo.decision;
  return [...new Set([...photo.tags, ...added])].filter((name) => !removed.includes(name));
}

// How much the classifier contradicts a tag, or its absence.
const contradiction = (photo, name) =>
  tagsOf(photo).includes(name) ? 1 - photo.probabilities[name] : photo.probabilities[name];

function doubted(photo) {
  return Object.keys(photo.probabilities).filter((name) => contradiction(photo, name) > EVEN);
}

const mostContradicted = (photo) => Math.max(...doubted(photo).map((name) => contradiction(photo, name)));

function isOfKind(photo, kind, name) {
  const verdict = photo.decision.verdict;
  if (name && !tagsOf(photo).includes(name) && !photo.tags.includes(name)) return false;
  if (kind === "open") return !verdict;
  if (kind === "tags") return doubted(photo).length > 0;
  return kind === "all" || verdict === kind;
}

// --- pictures: from the server, or out of the page -------------------------------------------------------------------

function source(photo, kind, query = {}) {
  if (state.served) return `${kind}/${photo.index}?${new URLSearchParams(query)}`;
  if (kind === "cam") return photo.pictures.cams[query.class];
  return photo.pictures[kind === "thumbnail" ? "photo" : kind];
}

async function asked(url, options = {}) {
  const answer = await fetch(url, options).catch(() => {
    throw new Error("the server does not answer; start `acr review` again and open the address that it prints");
  });
  if (!answer.ok && answer.status !== 404) throw new Error((await answer.text()).slice(0, 500));
  return answer;
}

async function loaded(url) {
  if (!url) return null;
  let local = url;
  if (state.served) {
    const answer = await asked(url);
    if (answer.status === 404) return null;
    local = URL.createObjectURL(await answer.blob());
  }
  const image = new Image();
  image.src = local;
  await image.decode();
  if (state.served) URL.revokeObjectURL(local);
  return image;
}

function paint(view, image, change = null) {
  const canvas = at(view).querySelector("canvas"), context = canvas.getContext("2d", { willReadFrequently: true });
  canvas.width = image ? image.width : 1;
  canvas.height = image ? image.height : 1;
  if (!image) return;
  context.imageSmoothingEnabled = false;
  context.drawImage(image, 0, 0);
  if (!change) return;
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  change(pixels.data);
  context.putImageData(pixels, 0, 0);
}

// From grey levels to blue (none), green, yellow and red (all of the class), half transparent.
function heat(data) {
  for (let p = 0; p < data.length; p += 4) {
    const level = data[p] / 255, ramp = (middle) => 255 * Math.max(0, Math.min(1, 1.5 - Math.abs(4 * level - middle)));
    data[p] = ramp(3); data[p + 1] = ramp(2); data[p + 2] = ramp(1); data[p + 3] = 135;
  }
}

function levelsOf(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.width; canvas.height = image.height;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height).data;
}

// Without a server: the class of the highest score wins where that is above the threshold; no refiner.
async function drawHere(photo, threshold) {
  const names = tagsOf(photo).filter((name) => photo.pictures.cams[name]);
  const images = await Promise.all(names.map((name) => loaded(source(photo, "cam", { class: name }))));
  const levels = images.map(levelsOf), size = images[0] || (await loaded(source(photo, "photo")));
  const paints = names.map((name) => [1, 3, 5].map((start) => parseInt(colours[name].slice(start, start + 2), 16)));
  paint("label-view", size, (data) => {
    for (let p = 0; p < data.length; p += 4) {
      let best = -1, highest = threshold * 255;
      levels.forEach((one, number) => { if (one[p] > highest) { highest = one[p]; best = number; } });
      data.set(best < 0 ? [0, 0, 0, 0] : [...paints[best], 150], p);
    }
  });
}

const thresholdOf = (photo) => photo.decision.threshold ?? state.threshold ?? 0.5;

// Draws the label at a threshold: at once, and as the chain makes it (refined) once nothing newer is asked for.
async function drawLabel(photo, threshold, refined) {
  const mine = ++drawing, note = at("label-note");
  try {
    if (!state.served) {
      const { threshold: own, added = [], removed = [] } = photo.decision;
      const untouched = refined && own === undefined && !added.length && !removed.length;
      note.textContent = untouched ? "" : "· without the refiner";
      if (!untouched) return await drawHere(photo, threshold);
      const image = await loaded(source(photo, "label"));
      return void (mine === drawing && paint("label-view", image));
    }
    const asked = threshold === null ? {} : { threshold };
    if (refined && state.refines) note.textContent = "· refining …";
    const image = await loaded(source(photo, "label", { ...asked, refined }));
    if (mine !== drawing) return;
    note.textContent = refined || !state.refines ? "" : "· without the refiner";
    paint("label-view", image);
  } catch (error) {
    say(error.message);
  }
}

// --- the page --------------------------------------------------------------------------------------------------------

function say(text, isNote = false) {
  at("error").textContent = text;
  at("error").hidden = !text;
  at("error").classList.toggle("note", isNote);
}

function showProgress() {
  const verdicts = state.photos.map((photo) => photo.decision.verdict);
  const count = (wanted) => verdicts.filter((verdict) => verdict === wanted).length;
  const accepted = count("accepted"), rejected = count("rejected");
  at("progress").textContent = `${accepted + rejected} of ${verdicts.length} decided: ${accepted} accepted, ${rejected} rejected`;
}

function listItem(photo) {
  const item = make("li"), button = make("button"), image = make("img");
  image.loading = "lazy"; image.alt = photo.id; image.src = source(photo, "thumbnail");
  const doubt = make("span", "", "doubt");
  doubt.style.width = `${100 * photo.doubt}%`;
  doubt.title = "how doubtful";
  button.append(image, doubt);
  if (doubted(photo).length) button.append(make("span", "tag?", "flag"));
  button.title = photo.id;
  button.dataset.photo = photo.id;
  button.addEventListener("click", () => show(photo));
  item.append(button);
  return item;
}

function mark(photo) {
  const button = [...at("list").querySelectorAll("button")].find((one) => one.dataset.photo === photo.id);
  if (!button) return;
  button.className = photo.decision.verdict || "";
  button.setAttribute("aria-current", photo === current);
  if (photo === current) button.scrollIntoView({ block: "nearest" });
}

function fillList() {
  shown = state.photos.filter((photo) => isOfKind(photo, at("which").value, at("class").value));
  if (at("which").value === "tags") shown.sort((one, other) => mostContradicted(other) - mostContradicted(one));
  at("list").replaceChildren(...shown.map(listItem));
  shown.forEach(mark);
  at("none").hidden = shown.length > 0;
  at("one").hidden = shown.length === 0;
  if (shown.length) show(shown.includes(current) ? current : shown[0]);
}

function fillTags(photo) {
  const tags = tagsOf(photo), suspects = doubted(photo);
  at("tags").replaceChildren(...state.classes.map(({ name, colour }) => {
    const on = tags.includes(name), changed = on !== photo.tags.includes(name);
    const button = make("button", name, on ? "on" : "off");
    button.style.setProperty("--colour", colour);
    button.setAttribute("aria-pressed", on);
    button.classList.toggle("changed", changed);
    button.title = on ? "wrong here? a click takes the tag away" : "is it here? a click adds the tag";
    if (suspects.includes(name)) {
      button.classList.add("doubted");
      button.append(" ", make("small", `classifier: ${Math.round(100 * photo.probabilities[name])} %`));
    }
    button.addEventListener("click", () => toggleTag(photo, name));
    return button;
  }));
  const uncovered = photo.decision.added || [];
  if (uncovered.length) at("tags").append(make("span", "the CAM of an added tag is made when the chain goes on", "hint"));
}

async function showCam(photo) {
  const name = at("cam-class").value;
  paint("cam-view", null);
  const image = name ? await loaded(source(photo, "cam", { class: name })) : null;
  if (photo === current && name === at("cam-class").value) paint("cam-view", image, heat);
}

function showThreshold(threshold, isOwn) {
  const none = state.threshold === null && !isOwn;
  at("threshold").value = threshold;
  at("value").textContent = none ? "by another way" : `${Number(threshold).toFixed(3)}${isOwn ? ", this photo's" : ", the run's"}`;
  at("reset").disabled = !isOwn;
}

function percent(words, value) {
  return value === null ? "" : `${words} ${Math.round(100 * value)} %`;
}

async function show(photo) {
  const last = current;
  current = photo;
  if (last) mark(last);
  mark(photo);
  at("name").textContent = photo.id;
  at("verdict").textContent = photo.decision.verdict || "";
  at("verdict").className = photo.decision.verdict || "";
  at("accept").classList.toggle("on", photo.decision.verdict === "accepted");
  at("reject").classList.toggle("on", photo.decision.verdict === "rejected");
  at("measures").textContent = [
    `${shown.indexOf(photo) + 1} of ${shown.length}`,
    percent("at a threshold two tenths higher the label stays the same by", photo.measures.steady),
    percent("label and network by", photo.measures.network),
    percent("share of its class in the scores", photo.measures.sure),
  ].filter(Boolean).join(" · ");
  for (const image of document.querySelectorAll("img.photo")) image.src = source(photo, "photo");
  fillTags(photo);
  at("cam-class").replaceChildren(...photo.tags.map((name) => make("option", name)));
  at("cam-view").hidden = !photo.tags.length;
  at("prediction-view").hidden = photo.measures.network === null;
  showThreshold(thresholdOf(photo), photo.decision.threshold !== undefined);
  for (const view of ["label-view", "prediction-view"]) paint(view, null);
  drawLabel(photo, photo.decision.threshold ?? null, true);
  try {
    await showCam(photo);
    const prediction = photo.measures.network === null ? null : await loaded(source(photo, "prediction"));
    if (photo === current) paint("prediction-view", prediction);
  } catch (error) {
    say(error.message);
  }
}

// --- decisions -------------------------------------------------------------------------------------------------------

function decide(photo, change) {
  const before = photo.decision, next = { ...before, ...change };
  saved = state.served;
  for (const key of Object.keys(next)) {
    if (next[key] === undefined || next[key] === null || next[key].length === 0) delete next[key];
  }
  photo.decision = next;
  showProgress();
  mark(photo);
  const sent = saving.then(async () => {
    if (!state.served) return;
    try {
      const body = JSON.stringify({ photo: photo.id, decision: next });
      const answer = await asked("decide", { method: "POST", headers: { "Content-Type": "application/json" }, body });
      if (!answer.ok) throw new Error("there is no such review any more");
      say("");
    } catch (error) {
      photo.decision = before;
      showProgress();
      mark(photo);
      say(`Not saved: ${error.message}`);
      if (photo === current) show(photo);
    }
  });
  saving = sent;
  return sent;
}

function judge(verdict) {
  if (!current || at("one").hidden) return;
  const taken = current.decision.verdict === verdict, photo = current;
  decide(photo, { verdict: taken ? null : verdict });
  if (taken || shown.indexOf(photo) === shown.length - 1) show(photo);
  else walk(1);
}

function walk(step) {
  const next = shown[shown.indexOf(current) + step];
  if (next) show(next);
}

async function toggleTag(photo, name) {
  const { added = [], removed = [] } = photo.decision, without = (names) => names.filter((one) => one !== name);
  if (photo.tags.includes(name)) {
    decide(photo, { removed: removed.includes(name) ? without(removed) : [...removed, name] });
  } else {
    decide(photo, { added: added.includes(name) ? without(added) : [...added, name] });
  }
  fillTags(photo);
  await saving; // the server draws what it knows
  if (photo === current) drawLabel(photo, photo.decision.threshold ?? null, true);
}

function download() {
  const decided = state.photos.filter((photo) => Object.keys(photo.decision).length || decidedBefore.has(photo));
  const photos = Object.fromEntries(decided.map((photo) => [photo.id, photo.decision]));
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify({ version: 1, photos }, null, 2) + "\n"]));
  link.download = "review.json";
  link.click();
  saved = true;
}

let sliding = false;
function slide() {
  const threshold = Number(at("threshold").value);
  showThreshold(threshold, true);
  if (sliding) return; // one question at a time, the newest next
  sliding = true;
  drawLabel(current, threshold, false).finally(() => {
    sliding = false;
    if (Number(at("threshold").value) !== threshold && document.activeElement === at("threshold")) slide();
  });
}

async function settle(threshold) {
  const photo = current;
  decide(photo, { threshold });
  showThreshold(thresholdOf(photo), threshold !== null);
  at("threshold").blur(); // so that arrow keys walk again
  await saving;
  if (photo === current) drawLabel(photo, threshold ?? (state.served ? null : thresholdOf(photo)), state.served || threshold === null);
}

const KEYS = {
  a: () => judge("accepted"), r: () => judge("rejected"), n: () => walk(1), p: () => walk(-1),
  arrowright: () => walk(1), arrowleft: () => walk(-1), " ": () => document.body.classList.toggle("bare"),
};
document.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase(), on = event.target.tagName;
  if (event.ctrlKey || event.metaKey || event.altKey || on === "SELECT") return;
  if ((on === "INPUT" && key.startsWith("arrow")) || (on === "BUTTON" && key === " ") || !(key in KEYS)) return;
  event.preventDefault();
  KEYS[key]();
});
at("accept").addEventListener("click", () => judge("accepted"));
at("reject").addEventListener("click", () => judge("rejected"));
at("next").addEventListener("click", () => walk(1));
at("previous").addEventListener("click", () => walk(-1));
at("threshold").addEventListener("input", slide);
at("threshold").addEventListener("change", () => settle(Number(at("threshold").value)));
at("reset").addEventListener("click", () => settle(null));
at("cam-class").addEventListener("change", () => { at("cam-class").blur(); showCam(current); });
for (const id of ["class", "which"]) {
  at(id).addEventListener("change", () => { at(id).blur(); fillList(); }); // the keys are the page's again
}
at("download").addEventListener("click", download);
for (const image of document.querySelectorAll("img.photo")) { // portraits are not taller than the window
  image.addEventListener("load", () => {
    image.parentElement.style.maxWidth = `${(54 * image.naturalWidth) / image.naturalHeight}vh`;
  });
}
if (!state.served) {
  at("download").hidden = false;
  window.addEventListener("beforeunload", (event) => { if (!saved) event.preventDefault(); });
}

at("title").textContent = `Review: ${state.title}`;
at("class").append(new Option("all", ""), ...state.classes.map(({ name }) => {
  const count = state.photos.filter((photo) => photo.tags.includes(name)).length;
  return new Option(`${name} (${count})`, name);
}));
if (state.notes.length) say(state.notes.join(" · "), true);
showProgress();
fillList();
