// Comforts on top of pages that work without any of this.

// A form that only carries a choice is sent when the choice is made.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-send-on-change]");
  if (form) form.requestSubmit();
});

// A menu closes on Escape and on a click beside it.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// Arrows lead from day to day of a heatmap; tabbing through all of them works as well.
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
document.addEventListener("keydown", (event) => {
  const step = STEPS[event.key];
  const cell = step && event.target.closest(".heat td");
  if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const weeks = cell.closest("tbody").rows;
  const [down, right] = step;
  const day = weeks[cell.parentNode.sectionRowIndex + down]?.cells[cell.cellIndex + right];
  day?.querySelector("a")?.focus();
});

// Whoever goes by keyboard goes on where they were: at the link that led away from here, or in a list
// of alerts at the one that was acted on, or whichever took its place.
const ACTED = "mainstay-acted";
const alerts = () => [...document.querySelectorAll(".alerts > li")];
document.addEventListener("click", (event) => {
  const link = event.target.closest("main a[href]");
  if (link?.matches(":focus-visible")) history.replaceState({ link: link.getAttribute("href") }, "");
});
document.addEventListener("submit", (event) => {
  const row = event.target.closest(".alerts > li");
  if (!row || !event.submitter?.matches(":focus-visible")) return;
  const acted = { page: location.pathname, key: row.dataset.key, index: alerts().indexOf(row) };
  sessionStorage.setItem(ACTED, JSON.stringify(acted));
});
const acted = JSON.parse(sessionStorage.getItem(ACTED) ?? "null");
sessionStorage.removeItem(ACTED);
if (acted?.page === location.pathname) {
  const open = alerts().filter((row) => row.querySelector("form.do"));
  const row = open.find((one) => one.dataset.key === acted.key) ?? open[Math.min(acted.index, open.length - 1)];
  (row?.querySelector("form.do :is(button, summary)") ?? document.getElementById("main"))?.focus();
} else if (history.state?.link) {
  document.querySelector(`main a[href="${CSS.escape(history.state.link)}"]`)?.focus();
}

// "/" leads to the search field, unless somebody is writing.
document.addEventListener("keydown", (event) => {
  const writing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || writing || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.querySelector("input[type=search]");
  if (!search) return;
  event.preventDefault();
  search.focus();
});

// What is shown once can be copied. The button is useless without script, so it comes with it.
for (const shown of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn s";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(shown.textContent.trim());
    button.textContent = "Copied";
  });
  shown.after(button);
}

// Where tabs scroll sideways, the one that is shown is in sight.
for (const tab of document.querySelectorAll(".tabs [aria-current], .nav [aria-current]")) {
  tab.scrollIntoView({ inline: "center", block: "nearest", behavior: "instant" });
}
