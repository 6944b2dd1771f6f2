// Both SDKs for browsers, unmodified, in Chromium, on a page of another origin: what they send arrives,
// also the last event before the tab is closed.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const here = fileURLToPath(new URL(".", import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(here, "../../../../target");
const binary = process.env.MAINSTAY_BINARY ?? join(target, "debug", "mainstay");
const sandbox = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
const SCRIPTS = {
  segment: join(here, "node_modules/@segment/analytics-next/dist/umd/index.js"),
  rudder: join(here, "node_modules/@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js"),
};

const opened = [];
after(async () => {
  for (const close of opened.reverse()) await close();
});

let site, keys, app, browser;

function run(args) {
  return new Promise((resolve, reject) => {
    let printed = "";
    const child = spawn(binary, args);
    child.stdout.on("data", (data) => (printed += data));
    child.stderr.on("data", (data) => (printed += data));
    child.on("exit", (code) => (code === 0 ? resolve(printed) : reject(new Error(printed))));
  });
}

before(async () => {
  const folder = await mkdtemp(join(tmpdir(), "mainstay-sdk-"));
  opened.push(() => rm(folder, { recursive: true, force: true }));
  const database = ["--database", `sqlite:${join(folder, "mainstay.db")}`];
  keys = JSON.parse(await run(["org", "create", "acme", "--json", ...database]));
  const created = ["key", "create", "--org", "acme", "--kind", "write", "--source", "browser", "--json"];
  keys.browser_key = JSON.parse(await run([...created, ...database])).key;
  const child = spawn(binary, ["serve", "--listen", "127.0.0.1:0", ...database]);
  opened.push(async () => {
    child.kill("SIGTERM");
    await once(child, "exit");
  });
  site = await new Promise((resolve, reject) => {
    let printed = "";
    const read = (data) => {
      const address = /listening on (http:\S+)/.exec((printed += data));
      if (address) resolve(address[1]);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("exit", () => reject(new Error(printed)));
  });

  // The host app: pages that load an SDK, from an origin of their own.
  const server = createServer(async (request, response) => {
    const name = new URL(request.url, "http://app").pathname.slice(1);
    if (name in SCRIPTS) {
      response.setHeader("content-type", "text/javascript");
      response.end(await readFile(SCRIPTS[name]));
    } else {
      const sdk = name.replace(/\.html$/, "");
      response.setHeader("content-type", "text/html");
      response.end(`<!doctype html><title>App</title>${sdk in SCRIPTS ? `<script src="/${sdk}"></script>` : ""}`);
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push(() => server.close());
  app = `http://localhost:${server.address().port}`;
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: sandbox });
  opened.push(() => browser.close());
});

async function events(client) {
  const headers = { Authorization: `Bearer ${keys.secret_key}` };
  const answer = await fetch(`${site}/api/v1/clients/${client}/events?limit=500`, { headers });
  return answer.status === 404 ? [] : (await answer.json()).events;
}

/** Waits until a client has an event, and answers all of its events. */
async function arrived(client, name) {
  for (;;) {
    const found = await events(client);
    if (found.some((event) => event.event === name)) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function open(sdk) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.wrong = [];
  page.elsewhere = [];
  page.on("console", (message) => message.type() === "error" && page.wrong.push(message.text()));
  page.on("pageerror", (error) => page.wrong.push(String(error)));
  page.on("request", (request) => {
    const { origin } = new URL(request.url());
    if (![app, site].includes(origin)) page.elsewhere.push(request.url());
  });
  await page.goto(`${app}/${sdk}.html`);
  return page;
}

function check(found, wanted) {
  assert.deepEqual(found.map((event) => event.event).sort(), wanted.toSorted());
  for (const event of found) assert.equal(event.self_told, true, event.event);
  const made = found.find((event) => event.event === "content_generated");
  assert.equal(made.type, "custom", "no high value from a browser");
}

test("@segment/analytics-next", { timeout: 60_000 }, async () => {
  const page = await open("segment");
  await page.evaluate(
    async ({ writeKey, cdnURL }) => {
      const [analytics] = await window.AnalyticsNext.AnalyticsBrowser.load({ writeKey, cdnURL });
      window.analytics = analytics;
      await analytics.identify("segment-user", { name: "Ada" });
      await analytics.track("content_generated", { title: "Spring" });
    },
    { writeKey: keys.browser_key, cdnURL: site },
  );
  await arrived("segment-user", "content_generated");
  await page.evaluate(() => {
    // Not "pagehide": by then the browser may run none of what the SDK puts off, whatever the server.
    addEventListener("beforeunload", () => window.analytics.track("Left the page"));
  });
  assert.deepEqual([page.wrong, page.elsewhere], [[], []]);
  await page.close({ runBeforeUnload: true });
  check(await arrived("segment-user", "Left the page"), ["content_generated", "Left the page"]);
});

test("@rudderstack/analytics-js", { timeout: 60_000 }, async () => {
  const page = await open("rudder");
  await page.evaluate(
    ({ writeKey, url }) =>
      new Promise((resolve) => {
        const analytics = (window.analytics = window.rudderanalytics.RudderAnalytics
          ? new window.rudderanalytics.RudderAnalytics()
          : window.rudderanalytics);
        analytics.load(writeKey, url, { configUrl: url, useBeacon: true, onLoaded: resolve });
        analytics.identify("rudder-user", { name: "Grace" });
        analytics.track("content_generated", { title: "Spring" });
      }),
    { writeKey: keys.browser_key, url: site },
  );
  await page.evaluate(() => window.analytics.track("Left the page"));
  assert.deepEqual([page.wrong, page.elsewhere], [[], []]);
  // What its beacon holds back is sent when the page is left.
  await page.close({ runBeforeUnload: true });
  check(await arrived("rudder-user", "Left the page"), ["content_generated", "Left the page"]);
});
