// Several windows of one browser: one stream of what happens for all of them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { api, browser, closeAll, demo, open, signIn } from "./support.mjs";

// One more than a browser opens connections to a server over HTTP/1.1.
const WINDOWS = 7;

let chromium, site;

before(async () => {
  chromium = await browser();
  site = await demo();
});
after(closeAll);

test("all windows of a browser share one stream, and the next one takes over when its window is closed", async () => {
  const first = await open(chromium);
  await signIn(first, site);
  // A page that does not listen, so that the start page's stream is not counted.
  await first.goto(`${site.url}/settings/profile`);
  const context = first.context();
  // Who asked for the stream, in order.
  const listeners = [];
  context.on("request", (request) => {
    if (new URL(request.url()).pathname === "/live/stream") listeners.push(request.frame().page());
  });
  const windows = [];
  for (let number = 0; number < WINDOWS; number += 1) {
    const page = number === 0 ? first : await context.newPage();
    await page.goto(`${site.url}/live`);
    // Rows do not move under a pointer: away from the list.
    await page.mouse.move(0, 0);
    windows.push(page);
  }
  await assertSoon(() => listeners.length > 0);
  const seen = async (pages, name) => {
    await api(site, site.writeKey, "/api/v1/events", { clientId: "fernhollow-ceramics", event: name });
    await Promise.all(pages.map((page) => page.getByText(name).first().waitFor({ timeout: 10_000 })));
  };
  await seen(windows, `Seen by all ${Date.now()}`);
  assert.equal(listeners.length, 1, "more than one window listens");

  const [listener] = listeners;
  const left = windows.filter((page) => page !== listener);
  assert.equal(left.length, WINDOWS - 1);
  await listener.close();
  await assertSoon(() => listeners.length === 2);
  assert.ok(left.includes(listeners[1]), "the next listener is one of those that are left");
  await seen(left, `Seen by those left ${Date.now()}`);
  assert.equal(listeners.length, 2, "more than one window took over");
  assert.deepEqual(first.wrong, []);
});

test("another browser has a stream of its own", async () => {
  const pages = [];
  for (let number = 0; number < 2; number += 1) {
    const page = await open(chromium);
    page.streams = 0;
    page.on("request", (request) => {
      if (new URL(request.url()).pathname === "/live/stream") page.streams += 1;
    });
    await signIn(page, site);
    await page.goto(`${site.url}/live`);
    await page.mouse.move(0, 0);
    pages.push(page);
  }
  await assertSoon(() => pages.every((page) => page.streams > 0));
  const name = `Seen in both ${Date.now()}`;
  await api(site, site.writeKey, "/api/v1/events", { clientId: "fernhollow-ceramics", event: name });
  for (const page of pages) {
    await page.getByText(name).first().waitFor({ timeout: 10_000 });
    assert.deepEqual(page.wrong, []);
  }
});

async function assertSoon(holds) {
  for (let tries = 0; tries < 50; tries += 1) {
    if (await holds()) return;
    await new Promise((later) => setTimeout(later, 100));
  }
  assert.fail("did not come true within 5 s");
}
