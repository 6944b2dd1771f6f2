// What happens shows itself on pages that are open. Everything here is on top: without it, a page shows
// the same after it is loaded again.

const FRESH_MS = 2000;
const MOST_EVENTS = 200;
const SETTLE_MS = 400;
const PAUSE_MS = 1500;
const REOPEN_MS = 30000;

let source;
// Whether nobody told what happened in a while: until the first stream opens, and between two.
let missed = true;
let timer;
// The client that the page is about, if it is about one.
const subject = document.querySelector("[data-live-client]");
const about = subject?.dataset.liveClient;

// The page as it was sent, so that what a reader opened or wrote is not taken for a change.
const sent = new Map();
const parts = (root) => root.querySelectorAll("[data-live-part][id]");
const rows = (root) => root.querySelectorAll("[data-live-list] > [data-key]");
const remember = (root) => {
  for (const part of parts(root)) sent.set(`#${part.id}`, part.outerHTML);
  for (const row of rows(root)) sent.set(`row ${row.dataset.key}`, row.outerHTML);
};
remember(document);

const lightUp = (element) => {
  element.classList.add("fresh");
  setTimeout(() => element.classList.remove("fresh"), FRESH_MS);
};

// Where somebody is: a control, and which of those alike it is.
const CONTROLS = "a[href], button, input, select, textarea, summary, [tabindex]";
const isAlike = (a) => (b) => a.tagName === b.tagName && a.name === b.name && a.value === b.value &&
  (a.getAttribute("href") ?? a.getAttribute("aria-label")) === (b.getAttribute("href") ?? b.getAttribute("aria-label"));
const alike = (root, control) => [...root.querySelectorAll(CONTROLS)].filter(isAlike(control));
// Something was written, or a menu is open: not to be taken away from under somebody's hands.
const isWritten = (field) => field.tagName === "SELECT"
  ? [...field.options].some((option) => option.selected !== option.defaultSelected) && field.selectedIndex > 0
  : !["checkbox", "radio"].includes(field.type) && field.value !== field.defaultValue;
const isUsed = (element) => element.querySelector("details.menu[open]") !== null ||
  [...element.querySelectorAll("input, select, textarea")].some((field) => field === document.activeElement || isWritten(field));
const opened = (root) => [...root.querySelectorAll("details:not(.menu)")];
const boxes = (root) => [...root.querySelectorAll("input[type=checkbox]")];

// Puts a part or a row in the place of what it was, unless that is the same or in use.
const replace = (old, fresh, key) => {
  const html = fresh.outerHTML;
  if (sent.get(key) === html || isUsed(old)) return false;
  const put = document.importNode(fresh, true);
  const at = old.contains(document.activeElement) && document.activeElement !== old ? document.activeElement : null;
  const there = at && alike(put, at)[alike(old, at).indexOf(at)];
  if (at && !there) return false;
  sent.set(key, html);
  const open = opened(old).map((details) => details.open);
  const checked = boxes(old).map((box) => box.checked);
  old.replaceWith(put);
  opened(put).forEach((details, index) => { details.open = open[index] ?? details.open; });
  boxes(put).forEach((box, index) => { box.checked = checked[index] ?? box.checked; });
  there?.focus({ preventScroll: true });
  return put;
};

// Icons that the page did not carry yet.
const addIcons = (page) => {
  const defs = document.querySelector("body > svg defs");
  for (const symbol of page.querySelectorAll("body > svg defs > symbol")) {
    if (defs && !document.getElementById(symbol.id)) defs.append(document.importNode(symbol, true));
  }
};

// What a stream brings may show an icon that the page did not need before: the page as it is now has it.
const lacksIcons = (root) => [...root.querySelectorAll("use")].some((use) => !document.querySelector(use.getAttribute("href")));

// This page as it is now, if it can be had.
async function pageNow() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
  if (!answer?.ok || answer.redirected) return null;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  addIcons(page);
  return page;
}

// Takes over what changed. Rows stay where they are: those that are new, or stand elsewhere now, wait
// for a button.
async function refresh() {
  const page = await pageNow();
  if (!page) return;
  const ids = (root) => [...parts(root)].map((part) => part.id).join(" ");
  // What was an empty page has other parts now.
  if (about !== undefined && ids(page) !== ids(document) && !isUsed(document.body)) return location.reload();
  const before = says(document);
  for (const fresh of parts(page)) {
    const old = document.getElementById(fresh.id);
    if (old) replace(old, fresh, `#${fresh.id}`);
  }
  if (says(document) !== before) tell();
  const known = new Map([...rows(document)].map((row) => [row.dataset.key, row]));
  const coming = [...rows(page)];
  for (const row of coming) {
    const old = known.get(row.dataset.key);
    const put = old && replace(old, row, `row ${row.dataset.key}`);
    if (put) lightUp(put);
  }
  const added = coming.filter((row) => !known.has(row.dataset.key)).length;
  const order = (list) => list.map((row) => row.dataset.key).join("\n");
  const moved = order(coming) !== order([...rows(document)]);
  offer(moved ? (added ? `Show ${added} new` : "Show the new order") : "");
}
// Soon, and not over and over while much happens.
let asked = -PAUSE_MS;
const again = () => {
  timer ??= setTimeout(() => {
    timer = undefined;
    asked = performance.now();
    refresh();
  }, Math.max(SETTLE_MS, asked + PAUSE_MS - performance.now()));
};

// The one figure that the page is about, said aloud and lit up when it moves.
const says = (root) => root.querySelector("[data-live-says]")?.dataset.liveSays;
function tell() {
  const line = document.querySelector("[data-live-said]");
  if (line) line.textContent = says(document);
  const moved = document.querySelector("[data-live-says]");
  if (moved) lightUp(moved);
}

function offer(words) {
  const line = document.querySelector(".new-rows");
  if (!line) return words && !rows(document).length ? location.reload() : undefined;
  line.hidden = !words;
  line.querySelector("button").textContent = words;
}
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-live-show]")) showNew();
});

// The page of live events: newest first, held back while the pointer is over the list.
const list = document.querySelector("[data-live-events]");
let held = [];
function showNew() {
  if (!list) return location.reload();
  for (const html of held) put(html);
  held = [];
  offer("");
}
const isListed = (key) => list.querySelector(`[data-key="${CSS.escape(key)}"]`) !== null;
function put(html) {
  document.querySelector("[data-live-waiting]")?.remove();
  list.hidden = false;
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const row of [...template.content.children].reverse()) {
    if (isListed(row.dataset.key)) continue;
    list.prepend(row);
    lightUp(row);
  }
  while (list.children.length > MOST_EVENTS) list.lastElementChild.remove();
  if (lacksIcons(list)) pageNow();
}
function arrive({ html, kind }) {
  if (!list || (list.dataset.liveEvents && list.dataset.liveEvents !== kind)) return;
  if (!list.matches(":hover") && !list.contains(document.activeElement)) return put(html);
  held.push(html);
  if (held.length > MOST_EVENTS) held.shift();
  const count = held.reduce((sum, one) => sum + (one.match(/<li/g)?.length ?? 0), 0);
  offer(`Show ${count} new`);
}

// What happened while nobody told, as far as the page has it. That is one request more for each page,
// a few milliseconds after it: without it, what comes in just then is not seen until the next news.
async function catchUp() {
  if (!list) return again();
  const listed = (root) => [...root.querySelectorAll("[data-live-events] > [data-key]")];
  const page = await pageNow();
  const coming = page ? listed(page) : [];
  const unseen = coming.filter((row) => !isListed(row.dataset.key));
  // More may have come than the page shows at a time: what is between would be missing unseen.
  if (unseen.length && unseen.length === coming.length && list.children.length) return location.reload();
  if (unseen.length) arrive({ html: unseen.map((row) => row.outerHTML).join(""), kind: list.dataset.liveEvents });
}

const isShown = (clients) => !clients || clients.includes(about) || clients.some((id) => document.querySelector(`[data-live-list] > [data-key="${CSS.escape(id)}"]`));
const heard = {
  event(news) {
    arrive({ ...news, kind: "event" });
    if (isShown(news.clients)) again();
  },
  more(news) {
    const more = document.querySelector("[data-live-more]");
    if (more) more.textContent = news.words;
    if (about !== undefined && isShown(news.clients)) again();
  },
  refused(news) { arrive({ ...news, kind: "refused" }); },
  alerts(news) {
    const count = document.querySelector('.nav a[href="/alerts"] .count');
    if (count) count.textContent = news.open;
    const badge = document.querySelector("a.badge");
    if (badge && badge !== document.activeElement && badge.outerHTML !== news.badge) {
      badge.outerHTML = news.badge;
      if (lacksIcons(document.querySelector("a.badge"))) pageNow();
    }
  },
  standings(news) {
    const listed = document.querySelector("[data-live-list], #live-head");
    if (listed || (about !== undefined && isShown(news.clients))) again();
  },
};

// What happened since the page was made, once somebody tells what happens from here on.
function begin() {
  if (missed) catchUp();
  missed = false;
}

// All windows of a browser share one stream: over HTTP/1.1 it has six connections for a server, and a seventh
// window would wait for ever. The window that holds the lock listens and passes on what it hears; when it is
// closed or hidden, the next one takes over. Where there are no locks, each window listens by itself.
const stream = subject?.dataset.liveStream ?? "/live/stream";
const shared = subject?.dataset.liveStream ? `${stream} ${about}` : stream;
const others = navigator.locks && window.BroadcastChannel ? new BroadcastChannel(shared) : undefined;
const me = Math.random();
let isListening = false;
let turn;
let endTurn;

function open() {
  source = new EventSource(stream);
  for (const [name, hear] of Object.entries(heard)) {
    source.addEventListener(name, (event) => {
      const news = JSON.parse(event.data);
      others?.postMessage({ name, news });
      hear(news);
    });
  }
  source.addEventListener("open", () => {
    others?.postMessage({ name: "open" });
    begin();
  });
  source.addEventListener("error", () => {
    missed = true;
    // Refused, and not only interrupted: the browser does not try again by itself.
    if (source?.readyState === EventSource.CLOSED) setTimeout(reopen, REOPEN_MS);
  });
}
function reopen() {
  if (source?.readyState === EventSource.CLOSED) open();
}

others?.addEventListener("message", ({ data: { name, news, from, to } }) => {
  if (!isListening || (to !== undefined && to !== me)) return;
  if (name === "ask") {
    if (source?.readyState === EventSource.OPEN) others.postMessage({ name: "open", to: from });
  } else if (name === "open") {
    // Nobody told what happened before.
    missed = true;
    begin();
  } else {
    heard[name]?.(news);
  }
});

function listen() {
  isListening = true;
  if (!others) return open();
  turn = new AbortController();
  const hold = () => isListening && new Promise((done) => {
    endTurn = done;
    open();
  });
  // Rejected when the window is hidden before its turn.
  navigator.locks.request(shared, { signal: turn.signal }, hold).catch(() => {});
  others.postMessage({ name: "ask", from: me });
}
function stop() {
  isListening = false;
  missed = true;
  turn?.abort();
  endTurn?.();
  endTurn = undefined;
  source?.close();
  source = undefined;
}
// A tab that nobody sees keeps no connection.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) stop();
  else if (!isListening) listen();
});
if (!document.hidden) listen();

// One box for all alerts of the page.
for (const all of document.querySelectorAll("[data-choose-all]")) {
  all.closest("[hidden]").hidden = false;
  all.addEventListener("change", () => {
    for (const box of document.querySelectorAll(`input[form="${all.dataset.chooseAll}"][type=checkbox]`)) box.checked = all.checked;
  });
}
