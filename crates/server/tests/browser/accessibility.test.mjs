// Every page in both themes, full and empty: no violation that axe finds, nothing wider than the
// screen at 320 px, nothing from elsewhere, nothing on the console.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { browser, closeAll, demo, folder, mainstay, open, serve, signIn } from "./support.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// axe once a width, with what opens open where there is least room and most.
const LOOKS = [
  { width: 320, opened: true },
  { width: 390, opened: false },
  { width: 1280, opened: true },
];

let chromium, full, empty;

before(async () => {
  chromium = await browser();
  full = await demo();
  empty = await emptyOrganization();
});
after(closeAll);

async function emptyOrganization() {
  const database = join(await folder(), "empty.db");
  const made = JSON.parse(await mainstay(["org", "create", "new", "--json", "--database", `sqlite:${database}`]));
  const { url } = await serve("serve", database);
  const site = { url, email: "ada@example.com", password: "correct horse battery staple" };
  const page = await open(chromium);
  await page.goto(`${url}${new URL(made.setup_link, url).pathname}`);
  await page.getByLabel("Your name").fill("Ada");
  await page.getByLabel("Email").fill(site.email);
  await page.getByLabel("New password").fill(site.password);
  await page.getByRole("button").last().click();
  await page.context().close();
  return { ...site, secretKey: made.secret_key };
}

async function check(page, name) {
  for (const { width, opened } of LOOKS) {
    await page.setViewportSize({ width, height: 900 });
    await page.evaluate((opened) => {
      for (const details of document.querySelectorAll("details")) details.open = opened;
    }, opened);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `${name} is ${wide} px wide at ${width} px`);
    // Not by a script element: the page's own policy forbids that.
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
    const found = violations.map(
      ({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 200)} (${node.failureSummary})`).join(" | ")}`,
    );
    assert.deepEqual(found, [], `${name} at ${width} px, details ${opened ? "open" : "closed"}`);
  }
}

async function walk(site, paths, enter, name) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await open(chromium, { colorScheme });
    const elsewhere = [];
    page.on("request", (request) => {
      if (!request.url().startsWith(site.url)) elsewhere.push(request.url());
    });
    await enter(page);
    for (const path of paths) {
      const answer = await page.goto(`${site.url}${path}`);
      assert.equal(answer.status(), 200, path);
      assert.deepEqual(page.wrong, [], `${name} ${path} said this on the console`);
      await check(page, `${name} ${path} ${colorScheme}`);
      // axe tries colours out by inline styles, which the page's policy refuses.
      page.wrong.length = 0;
    }
    assert.deepEqual(elsewhere, [], "asked of other hosts");
    await page.context().close();
  }
}

const STAFF_PAGES = [
  "/portfolio",
  "/alerts",
  "/tasks?view=all",
  "/live",
  "/settings/organization",
  "/settings/members",
  "/settings/keys",
  "/settings/event-names",
  "/settings/score-model",
  "/settings/playbooks",
  "/settings/playbooks/new?suggestion=0",
  "/settings/notifications",
  "/settings/sites",
  "/settings/profile",
];

test("signing in has no barrier", () => walk(full, ["/sign-in", "/sign-in/reset"], async () => {}, "nobody"));

test("the staff's pages have no barrier when full", () =>
  walk(full, [...STAFF_PAGES, "/clients/fernhollow-ceramics", "/clients/fernhollow-ceramics/events"], (page) => signIn(page, full), "staff"));

test("the staff's pages have no barrier when empty", () =>
  walk(empty, STAFF_PAGES, (page) => signIn(page, empty), "staff of a new organization"));

test("the client's pages have no barrier when full", () =>
  walk(full, ["/client/dashboard/success", "/client/events"], (page) => page.goto(full.clientLink), "client"));

test("the gallery of components has no barrier", () =>
  walk(full, ["/gallery"], (page) => signIn(page, full), "gallery"));

test("the client's pages have no barrier when empty", async () => {
  const made = await fetch(`${empty.url}/api/v1/clients`, {
    method: "POST",
    headers: { Authorization: `Bearer ${empty.secretKey}`, "Content-Type": "application/json" },
    body: JSON.stringify({ client_id: "newcomer", name: "Newcomer" }),
  });
  assert.equal(made.status, 201, await made.text());
  const link = await fetch(`${empty.url}/api/v1/clients/newcomer/links`, {
    method: "POST",
    headers: { Authorization: `Bearer ${empty.secretKey}`, "Content-Type": "application/json" },
    body: "{}",
  });
  const { url } = await link.json();
  await walk(empty, ["/client/dashboard/success"], (page) => page.goto(empty.url + new URL(url).pathname + new URL(url).search), "new client");
});
