// What happens shows itself on pages that are open. Everything here is on top: without it, a page shows
// the same after it is loaded again.

const FRESH_MS = 2000;
const MOST_EVENTS = 200;
const SETTLE_MS = 400;

let source;
let lost = false;
let timer;

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
const isUsed = (element) => element.contains(document.activeElement) && document.activeElement !== document.body;
const replace = (old, fresh, key) => {
  const html = fresh.outerHTML;
  if (sent.get(key) === html || isUsed(old)) return false;
  sent.set(key, html);
  const open = [...old.querySelectorAll("details")].map((details) => details.open);
  const checked = [...old.querySelectorAll("input[type=checkbox]")].map((box) => box.checked);
  const put = document.importNode(fresh, true);
  old.replaceWith(put);
  put.querySelectorAll("details").forEach((details, index) => { details.open = open[index] ?? details.open; });
  put.querySelectorAll("input[type=checkbox]").forEach((box, index) => { box.checked = checked[index] ?? box.checked; });
  return put;
};

// Icons that the page did not carry yet.
const addIcons = (page) => {
  const defs = document.querySelector("body > svg defs");
  for (const symbol of page.querySelectorAll("body > svg defs > symbol")) {
    if (defs && !document.getElementById(symbol.id)) defs.append(document.importNode(symbol, true));
  }
};

// Asks for this page again and takes over what changed. Rows stay where they are: those that are new,
// or stand elsewhere now, wait for a button.
async function refresh() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  addIcons(page);
  for (const fresh of parts(page)) {
    const old = document.getElementById(fresh.id);
    if (old) replace(old, fresh, `#${fresh.id}`);
  }
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
const again = () => {
  clearTimeout(timer);
  timer = setTimeout(refresh, SETTLE_MS);
};

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
function put(html) {
  document.querySelector("[data-live-waiting]")?.remove();
  list.hidden = false;
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const row of [...template.content.children].reverse()) {
    if (row.dataset.key && list.querySelector(`[data-key="${CSS.escape(row.dataset.key)}"]`)) continue;
    list.prepend(row);
    lightUp(row);
  }
  while (list.children.length > MOST_EVENTS) list.lastElementChild.remove();
}
function arrive({ html, kind }) {
  if (!list || (list.dataset.liveEvents && list.dataset.liveEvents !== kind)) return;
  if (!list.matches(":hover") && !isUsed(list)) return put(html);
  held.push(html);
  if (held.length > MOST_EVENTS) held.shift();
  const count = held.reduce((sum, one) => sum + (one.match(/<li/g)?.length ?? 0), 0);
  offer(`Show ${count} new`);
}

const about = document.querySelector("[data-live-client]")?.dataset.liveClient;
const heard = {
  event(news) {
    arrive({ ...news, kind: "event" });
    if (about && news.clients.includes(about)) again();
  },
  more(news) {
    const more = document.querySelector("[data-live-more]");
    if (more) more.textContent = news.words;
  },
  refused(news) { arrive({ ...news, kind: "refused" }); },
  alerts(news) {
    const count = document.querySelector('.nav a[href="/alerts"] .count');
    if (count) count.textContent = news.open;
    const badge = document.querySelector("a.badge");
    const put = badge && !isUsed(badge) && badge.outerHTML !== news.badge;
    if (put) badge.outerHTML = news.badge;
  },
  standings(news) {
    const listed = document.querySelector("[data-live-list], #live-head");
    if (listed || (about && (!news.clients || news.clients.includes(about)))) again();
  },
};

function listen() {
  source = new EventSource("/live/stream");
  for (const [name, hear] of Object.entries(heard)) {
    source.addEventListener(name, (event) => hear(JSON.parse(event.data)));
  }
  source.addEventListener("open", () => {
    // What happened in between was told to nobody.
    if (lost) list ? location.reload() : again();
    lost = false;
  });
  source.addEventListener("error", () => { lost = true; });
}
// A tab that nobody sees keeps no connection: browsers have few of them for one server.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    source?.close();
    source = undefined;
    lost = true;
  } else if (!source) listen();
});
if (!document.hidden) listen();

// One box for all alerts of the page.
for (const all of document.querySelectorAll("[data-choose-all]")) {
  all.closest("[hidden]").hidden = false;
  all.addEventListener("change", () => {
    for (const box of document.querySelectorAll(`input[form="${all.dataset.chooseAll}"][type=checkbox]`)) box.checked = all.checked;
  });
}
