// Where things stand: no column is painted over another, and fields of one page look alike.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { api, browser, closeAll, demo, open, signIn } from "./support.mjs";

let chromium, site;

before(async () => {
  chromium = await browser();
  site = await demo();
});
after(closeAll);

test("at the width of a tablet no column of the portfolio is painted over another", async () => {
  const page = await open(chromium);
  await signIn(page, site);
  await page.goto(`${site.url}/portfolio?view=all`);
  const most = await page.locator("td.c-alerts").evaluateAll((cells) =>
    Math.max(...cells.map((cell) => cell.querySelectorAll(".sev").length)),
  );
  assert.ok(most >= 2, "the sample has a client with alerts of several severities");
  for (const width of [768, 834, 1024, 1280]) {
    await page.setViewportSize({ width, height: 1024 });
    const { rows, overlaps } = await page.locator("tbody[data-live-list] tr").evaluateAll(overlapping);
    assert.ok(rows > 10, `${rows} rows are measured`);
    assert.deepEqual(overlaps, [], `at ${width} px`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `the page is ${wide} px wide at ${width} px`);
  }
  assert.deepEqual(page.wrong, []);
});

test("the field for an address looks like the other fields of the client's page", async () => {
  const client = `unasked-${Date.now()}`;
  await api(site, site.writeKey, "/api/v1/events", { clientId: client, event: "login" });
  const { url } = await api(site, site.secretKey, `/api/v1/clients/${client}/links`, {});
  const page = await open(chromium);
  await page.goto(url);
  const address = page.locator(".address input");
  const comment = page.locator("textarea[name=comment]");
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await address.evaluate(looks), await comment.evaluate(looks), colorScheme);
  }
  // Its label stands above it, with room in between.
  const { gap, left } = await address.evaluate((field) => {
    const label = document.createRange();
    label.selectNodeContents(field.closest("label").firstChild);
    const [words, box] = [label.getBoundingClientRect(), field.getBoundingClientRect()];
    return { gap: box.top - words.bottom, left: box.left - words.left };
  });
  assert.ok(gap >= 0 && gap <= 12, `${gap} px between the label and its field`);
  assert.ok(Math.abs(left) <= 1, `the field begins ${left} px beside its label`);
  assert.deepEqual(page.wrong, []);
});

/** What makes a field look like a field. Runs in the page. */
function looks(field) {
  const style = getComputedStyle(field);
  const named = ["fontFamily", "fontSize", "color", "backgroundColor", "borderTopStyle", "borderTopWidth", "borderTopColor", "borderTopLeftRadius"];
  return Object.fromEntries(named.map((name) => [name, style[name]]));
}

/** Every two cells of a row of which one is painted over the other. Runs in the page. */
function overlapping(rows) {
  // What a cell shows may be wider than the cell: the boxes of its texts and icons count.
  const boxes = (cell) => {
    const found = [];
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode;
      if (!text.textContent.trim() || text.parentElement.closest(".vh, svg")) continue;
      const range = document.createRange();
      range.selectNodeContents(text);
      found.push(...range.getClientRects());
    }
    found.push(...[...cell.querySelectorAll("svg")].map((icon) => icon.getBoundingClientRect()));
    return found.filter(({ width, height }) => width > 0 && height > 0);
  };
  const meet = (a, b) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  const overlaps = [];
  for (const row of rows) {
    const cells = [...row.children].map((cell) => ({ words: cell.textContent.trim(), boxes: boxes(cell) }));
    cells.forEach((one, index) => {
      for (const other of cells.slice(index + 1)) {
        if (one.boxes.some((a) => other.boxes.some((b) => meet(a, b)))) overlaps.push(`${one.words} | ${other.words}`);
      }
    });
  }
  return { rows: rows.length, overlaps };
}
