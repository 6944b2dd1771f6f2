// The same with the keyboard alone: no pointer is moved or pressed here.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { api, browser, closeAll, demo, open } from "./support.mjs";

const MOST_STEPS = 250;

let chromium, site;

before(async () => {
  chromium = await browser();
  site = await demo();
});
after(closeAll);

test("signing in takes no pointer", async () => {
  const page = await open(chromium);
  await signIn(page);
  assert.match(page.url(), /\/portfolio/);
  // The first thing that Tab reaches leads past the navigation.
  await page.keyboard.press("Tab");
  assert.match(await focused(page), /Skip to content/);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  assert.ok(await page.evaluate(() => document.querySelector("main").contains(document.activeElement)));
  assert.deepEqual(page.wrong, []);
});

test("from the worklist to a client, and back to the same place", async () => {
  const page = await open(chromium);
  await signIn(page);
  // The second, so that being back at the first is no accident.
  const second = page.locator("tbody[data-live-list] tr").nth(1).locator("th a");
  const href = await second.getAttribute("href");
  await tabTo(page, (at) => at.matches("tbody[data-live-list] tr:nth-child(2) th a"));
  await page.keyboard.press("Enter");
  await page.waitForURL(`${site.url}${href}`);
  // The evidence opens and closes.
  await tabTo(page, (at) => at.matches("#live-score summary"));
  const details = page.locator("#live-score details").first();
  const was = await details.evaluate((one) => one.open);
  await page.keyboard.press("Enter");
  assert.equal(await details.evaluate((one) => one.open), !was);
  // The browser's own key for this is not there without its window.
  await page.goBack();
  await page.waitForURL(`${site.url}/portfolio*`);
  await page.waitForFunction((href) => document.activeElement.getAttribute("href") === href, href);
  await assertSeen(page);
  // The search is a key away, and Enter finds.
  await page.keyboard.press("/");
  await page.keyboard.type("fernhollow");
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=fernhollow/);
  assert.equal(await page.locator("tbody[data-live-list] tr").count(), 1);
  assert.deepEqual(page.wrong, []);
});

test("alerts are acknowledged, snoozed and resolved, and each time the keyboard stays in the list", async () => {
  const page = await open(chromium);
  await signIn(page);
  await page.goto(`${site.url}/alerts`);
  const keys = await page.locator(".alerts > li:has(form.do)").evaluateAll((rows) => rows.map((row) => row.dataset.key));
  assert.ok(keys.length >= 3, "the sample has alerts to work through");

  const [first, second] = keys;
  await tabTo(page, (at, key) => at.closest(`[data-key="${key}"]`) && at.value === "acknowledge", first);
  await press(page, "Enter");
  await page.waitForFunction((key) => document.activeElement.closest("li")?.dataset.key === key, first);
  await page.locator(`[data-key="${first}"]`).locator(".ack").waitFor();
  await assertSeen(page);

  // The menu opens, Escape closes it and gives the focus back.
  await tabTo(page, (at, key) => at.closest(`[data-key="${key}"]`) && at.matches("summary"), first);
  const menu = page.locator(`[data-key="${first}"] details.menu`);
  await page.keyboard.press("Enter");
  assert.equal(await menu.evaluate((one) => one.open), true);
  await page.keyboard.press("Tab");
  assert.match(await focused(page), /Until tomorrow/);
  await page.keyboard.press("Escape");
  assert.equal(await menu.evaluate((one) => one.open), false);
  assert.equal(await page.evaluate(() => document.activeElement.matches("summary")), true);
  await page.keyboard.press("Enter");
  await tabTo(page, (at) => at.value === "snooze-week");
  await press(page, "Enter");
  // It is not among the open ones any more: the one that took its place is next.
  await page.waitForFunction((key) => document.activeElement.closest("li")?.dataset.key === key, second);
  await assertSeen(page);

  await tabTo(page, (at, key) => at.closest(`[data-key="${key}"]`) && at.value === "resolve", second);
  await press(page, "Enter");
  await page.waitForFunction(
    (key) => document.activeElement.closest(".alerts > li") && document.activeElement.closest("li").dataset.key !== key,
    second,
  );
  await assertSeen(page);
  const left = await api(site, site.memberToken, "/api/v1/alerts?open=true&limit=100");
  assert.ok(!JSON.stringify(left).includes(second), "the resolved alert is open no more");
  assert.deepEqual(page.wrong, []);
});

test("each day of the heatmap is reached, says its figure, and opens its events", async () => {
  const page = await open(chromium);
  await page.goto(site.clientLink);
  const said = await page.locator(".heat td a").evaluateAll((days) => days.map((day) => day.getAttribute("aria-label")));
  assert.equal(said.length, 30);
  for (const words of said) assert.match(words, /\d+ events?, (Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d/);
  await tabTo(page, (at) => at.matches(".heat td a"));
  const reached = [];
  for (let day = 0; day < said.length; day += 1) {
    await assertSeen(page);
    reached.push(await page.evaluate(() => document.activeElement.getAttribute("aria-label")));
    await page.keyboard.press("Tab");
  }
  assert.deepEqual(reached, said);
  // Arrows: a week down, a day on, and nowhere beyond the edge.
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("ArrowUp");
  const weekAgo = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  assert.equal(weekAgo, said[said.length - 8]);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), said.at(-1));
  const busy = said.findLast((words) => !words.startsWith("0 "));
  await tabTo(page, (at, words) => at.getAttribute("aria-label") === words, busy, "Shift+Tab");
  await press(page, "Enter");
  await page.waitForURL(/\/client\/events\?from=/);
  assert.deepEqual(page.wrong, []);
});

test("insights and feedback take no pointer", async () => {
  const page = await open(chromium);
  await page.goto(site.clientLink);
  const unread = await page.locator("li.unread").count();
  await tabTo(page, (at) => at.closest("li.unread") && at.value === "mark-read");
  await press(page, "Enter");
  await page.waitForFunction((before) => document.querySelectorAll("li.unread").length === before - 1, unread);
  await tabTo(page, (at) => at.name === "rating");
  await page.keyboard.press("ArrowRight");
  await assertSeen(page);
  await tabTo(page, (at) => at.matches("button") && /Send feedback/.test(at.textContent));
  await press(page, "Enter");
  await page.getByText("Your answer is stored.").waitFor();
  assert.deepEqual(page.wrong, []);
});

async function signIn(page) {
  await page.goto(`${site.url}/sign-in`);
  await tabTo(page, (at) => at.name === "email");
  await page.keyboard.type(site.email);
  await page.keyboard.press("Tab");
  await page.keyboard.type(site.password);
  await tabTo(page, (at) => at.matches("button") && /Sign in/.test(at.textContent));
  await press(page, "Enter");
  await page.waitForURL(`${site.url}/portfolio*`);
}

/** Presses Tab until what has the focus is meant; wherever it is on the way can be seen. */
async function tabTo(page, isMeant, given, key = "Tab") {
  // `isMeant` runs in the page, whose policy refuses text that is made a function there.
  const meant = async () => {
    const handle = await page.evaluateHandle(() => document.activeElement);
    return handle.evaluate(isMeant, given);
  };
  for (let step = 0; step < MOST_STEPS; step += 1) {
    if (await meant()) return assertSeen(page);
    await page.keyboard.press(key);
    await assertSeen(page);
  }
  assert.fail(`not reached by ${MOST_STEPS} times ${key}: ${isMeant}`);
}

/** Presses a key that leads to another page, and waits for it. */
async function press(page, key) {
  await Promise.all([page.waitForNavigation(), page.keyboard.press(key)]);
}

const focused = (page) => page.evaluate(() => document.activeElement.textContent.trim());

/** Where the focus is shows: a ring around it, its field or what stands for it. */
async function assertSeen(page) {
  const { isSeen, html } = await page.evaluate(() => {
    const at = document.activeElement;
    const ringed = (element) => {
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const { width, height } = element.getBoundingClientRect();
      return outlineStyle !== "none" && parseFloat(outlineWidth) >= 1 && width > 0 && height > 0;
    };
    const rings = [at, at.nextElementSibling, at.closest("label"), at.closest(".field")].filter(Boolean);
    // The frame itself, after the last and before the first, is the browser's.
    return { isSeen: at === document.body || rings.some(ringed), html: at.outerHTML.slice(0, 200) };
  });
  assert.ok(isSeen, `has the focus and no ring: ${html}`);
}
