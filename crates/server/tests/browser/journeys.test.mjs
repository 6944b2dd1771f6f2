// What people come to do, from the first click to the last.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { api, browser, closeAll, demo, folder, mainstay, open, serve, signIn } from "./support.mjs";

let chromium, site;

before(async () => {
  chromium = await browser();
  site = await demo();
});
after(closeAll);

test("the first owner sets an organization up, signs in, and signs out", async () => {
  const database = join(await folder(), "new.db");
  const made = JSON.parse(await mainstay(["org", "create", "new", "--name", "Harbour", "--json", "--database", `sqlite:${database}`]));
  const { url } = await serve("serve", database);
  const page = await open(chromium);
  await page.goto(`${url}${new URL(made.setup_link, url).pathname}`);
  await page.getByLabel("Your name").fill("Ada <b>");
  await page.getByLabel("Email").fill("ada@example.com");
  await page.getByLabel("New password").fill("correct horse battery staple");
  await page.getByRole("button").last().click();
  // Whether the link signs in at once or asks for it, it ends here.
  if (page.url().includes("/sign-in")) {
    await page.getByLabel("Email").fill("ada@example.com");
    await page.getByLabel("Password").fill("correct horse battery staple");
    await page.getByRole("button", { name: "Sign in" }).click();
  }
  await page.waitForURL(`${url}/portfolio*`);
  await page.getByText("Harbour").first().waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.goto(`${url}/portfolio`);
  assert.match(page.url(), /\/sign-in\?next=/);
  await page.goto(`${url}${new URL(made.setup_link, url).pathname}`).then((answer) => assert.notEqual(answer.status(), 200));
  assert.deepEqual(page.wrong.filter((text) => !text.includes("status of 4")), []);
});

test("staff find the client who fell, open the evidence and acknowledge the alert", async () => {
  const page = await open(chromium);
  await signIn(page, site);
  // Ranked by need: whoever needs a person most is first.
  const first = page.locator("main a[href^='/clients/']").first();
  const name = (await first.innerText()).trim();
  await first.click();
  await page.getByRole("heading", { level: 1, name }).waitFor();
  const engagement = page.locator("details").filter({ has: page.locator("summary", { hasText: /^\s*Engagement/ }) }).first();
  if (!(await engagement.evaluate((details) => details.open))) await engagement.locator("summary").click();
  await engagement.getByText(/active days? of 7|no event/i).first().waitFor();
  await page.getByRole("button", { name: "Acknowledge" }).first().click();
  await assertSoon(async () => {
    const answer = await api(site, site.memberToken, "/api/v1/alerts?open=true&limit=100");
    return JSON.stringify(answer).includes('"acknowledged"');
  });
  await page.getByText(/acknowledged/i).first().waitFor();
  assert.deepEqual(page.wrong, []);
});

test("deleting a note is confirmed first, also without script", async () => {
  const page = await open(chromium, { javaScriptEnabled: false });
  await signIn(page, site);
  await page.goto(`${site.url}/clients/fernhollow-ceramics`);
  const words = `Asked for an invoice ${Date.now()}`;
  await page.getByLabel("New note").fill(words);
  await page.getByRole("button", { name: "Add note" }).click();
  const note = page.locator("section:has(#notes-h) li", { hasText: words });
  const button = note.getByRole("button", { name: "Delete note" });
  await note.waitFor();
  assert.equal(await button.isVisible(), false);
  await note.locator("summary").click();
  await note.getByText("This cannot be undone.").waitFor();
  await button.click();
  await note.waitFor({ state: "detached" });
  assert.deepEqual(page.wrong, []);
});

test("a client reads an insight, gives feedback and sees satisfaction become measured", async () => {
  const clients = await api(site, site.secretKey, "/api/v1/clients");
  assert.ok(clients);
  await api(site, site.secretKey, "/api/v1/clients", { client_id: "harriet", name: "Harriet's Kilns" });
  await api(site, site.secretKey, "/api/v1/events", { clientId: "harriet", event: "content_generated" });
  const { url } = await api(site, site.secretKey, "/api/v1/clients/harriet/links", {});
  const page = await open(chromium);
  await page.goto(url);
  const satisfaction = page.locator("details").filter({ hasText: "Satisfaction" }).first();
  assert.match(await satisfaction.innerText(), /assumed/);
  await page.locator("label").filter({ has: page.locator("input[name=rating][value='5']") }).click();
  await page.getByLabel(/What should we know/).fill("The kiln <script>alert(1)</script> works.");
  await page.getByRole("button", { name: "Send feedback" }).click();
  await page.waitForLoadState();
  const measured = page.locator("details").filter({ hasText: "Satisfaction" }).first();
  assert.doesNotMatch(await measured.innerText(), /assumed/);

  const reader = await open(chromium);
  await reader.goto(site.clientLink);
  const unread = reader.locator("li.unread");
  const before = await unread.count();
  assert.ok(before > 0, "the sample client has unread insights");
  await unread.first().getByRole("button", { name: /read/i }).first().click();
  await reader.waitForLoadState();
  await assertSoon(async () => (await reader.locator("li.unread").count()) === before - 1);
  assert.deepEqual([...page.wrong, ...reader.wrong], []);
});

test("an event that is posted, and one that is refused, appear on Live without reloading", async () => {
  const page = await open(chromium);
  await signIn(page, site);
  await page.goto(`${site.url}/live`);
  // Rows do not move under a pointer: away from the list.
  await page.mouse.move(0, 0);
  let loads = 0;
  page.on("framenavigated", () => (loads += 1));
  const name = `Signed the charter ${Date.now()}`;
  await api(site, site.writeKey, "/api/v1/events", { clientId: "fernhollow-ceramics", event: name });
  await page.getByText(name).first().waitFor({ timeout: 10_000 });
  const refused = await fetch(`${site.url}/api/v1/events`, {
    method: "POST",
    headers: { Authorization: `Bearer ${site.writeKey}`, "Content-Type": "application/json" },
    body: JSON.stringify({ clientId: "fernhollow-ceramics", event: "login", timestamp: "1999-01-01T00:00:00Z" }),
  });
  assert.match(await refused.text(), /timestamp/);
  await page.locator("[data-key]").getByText(/timestamp/).first().waitFor({ timeout: 10_000 });
  await assertSoon(() => page.evaluate(() => [...document.querySelectorAll("main use")].every((use) => document.querySelector(use.getAttribute("href")))));
  assert.equal(loads, 0, "the page was loaded again");
  assert.deepEqual(page.wrong, []);
});

test("what happens before a page has begun to listen is seen on it", async () => {
  const client = `early-${Date.now()}`;
  const event = (name) => api(site, site.writeKey, "/api/v1/events", { clientId: client, event: name });
  await event("login");
  const page = await open(chromium);
  await signIn(page, site);
  // A page that does not listen, so that only those below are held up.
  await page.goto(`${site.url}/settings`);
  let listen;
  await page.route("**/live/stream", (route) => { listen = () => route.continue(); });
  const begins = async () => {
    await assertSoon(() => listen);
    listen();
    listen = undefined;
  };
  await page.goto(`${site.url}/live`);
  await page.mouse.move(0, 0);
  await event("Signed early");
  await begins();
  await page.getByText("Signed early").first().waitFor({ timeout: 10_000 });

  await page.goto(`${site.url}/clients/${client}`);
  const before = await shown(page);
  for (let done = 0; done < 5; done += 1) await event("content_generated");
  await begins();
  await assertSoon(async () => (await shown(page)).score > before.score);
  assert.deepEqual(page.wrong, []);
});

test("an event that is posted moves the score on pages that are open, without reloading", async () => {
  const client = `mover-${Date.now()}`;
  const event = (name) => api(site, site.writeKey, "/api/v1/events", { clientId: client, event: name });
  await event("login");
  const { url } = await api(site, site.secretKey, `/api/v1/clients/${client}/links`, {});
  const staff = await open(chromium);
  await signIn(staff, site);
  const own = await open(chromium);
  await own.goto(url);
  const pages = [
    { page: staff, address: `${site.url}/clients/${client}` },
    { page: own, address: `${site.url}/client/dashboard/success` },
  ];
  const before = [];
  for (const { page, address } of pages) {
    await page.goto(address);
    page.loads = 0;
    page.on("framenavigated", () => (page.loads += 1));
    // Somebody is reading: what is open stays open, and the keyboard stays where it is.
    const engagement = page.locator("#live-score details").first();
    if (!(await engagement.evaluate((details) => details.open))) await engagement.locator("summary").click();
    await engagement.locator("summary").focus();
    before.push(await shown(page));
  }

  for (let done = 0; done < 5; done += 1) await event("content_generated");
  for (const [index, { page }] of pages.entries()) {
    const was = before[index];
    await assertSoon(async () => (await shown(page)).score > was.score);
    const is = await shown(page);
    assert.ok(is.progress > was.progress, `progress: ${was.progress}, then ${is.progress}`);
    assert.ok(is.activity > was.activity, `activity: ${was.activity}, then ${is.activity}`);
    assert.match(await page.getByRole("status").filter({ hasText: "of 100" }).innerText(), new RegExp(`${is.score} of 100`, "i"));
    assert.equal(await page.locator("#live-score details").first().evaluate((details) => details.open), true);
    assert.equal(await page.evaluate(() => document.activeElement.closest("#live-score details")?.querySelector(".name").textContent.includes("Engagement")), true);
    assert.equal(page.loads, 0, "the page was loaded again");
    // The same is there without any script.
    await page.reload();
    assert.deepEqual(await shown(page), is);
    assert.deepEqual(page.wrong, []);
  }
});

test("the first event of a client brings its waiting page to life", async () => {
  const client = `newcomer-${Date.now()}`;
  await api(site, site.secretKey, "/api/v1/clients", { client_id: client });
  const { url } = await api(site, site.secretKey, `/api/v1/clients/${client}/links`, {});
  const page = await open(chromium);
  await page.goto(url);
  await page.getByText("Nothing to score yet.").waitFor();
  await api(site, site.writeKey, "/api/v1/events", { clientId: client, event: "content_generated" });
  await page.locator("#live-score .ring b").waitFor();
  assert.deepEqual(page.wrong, []);
});

test("a widget shows the score inside a foreign page with a strict policy", async () => {
  const policy = [
    "default-src 'none'",
    `script-src ${site.url}`,
    `style-src ${site.url}`,
    `connect-src ${site.url}`,
  ].join("; ");
  const host = createServer((request, answer) => {
    answer.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy });
    answer.end(`<!doctype html><html lang="en"><title>Host</title><script type="module" src="${site.url}/widgets.js"></script>
      <mainstay-score-card token="${site.clientToken}"></mainstay-score-card>
      <mainstay-heatmap token="${site.clientToken}"></mainstay-heatmap>
      <mainstay-insights token="${site.clientToken}"></mainstay-insights>
      <mainstay-alert-badge token="${site.memberToken}"></mainstay-alert-badge>`);
  });
  await new Promise((done) => host.listen(0, "127.0.0.1", done));
  try {
    const { port } = host.address();
    const origin = `http://127.0.0.1:${port}`;
    const staff = await open(chromium);
    await signIn(staff, site);
    await staff.goto(`${site.url}/settings/sites`);
    await staff.getByRole("textbox").last().fill(origin);
    await staff.getByRole("button", { name: /allow|add/i }).last().click();
    await staff.getByText(origin).first().waitFor();

    const page = await open(chromium);
    await page.goto(origin);
    await page.locator("mainstay-score-card").getByText("of 100").first().waitFor();
    await page.locator("mainstay-heatmap").getByText(/active day/).first().waitFor();
    await page.locator("mainstay-insights").getByRole("heading").first().waitFor();
    await page.locator("mainstay-alert-badge").getByText(/\d/).first().waitFor();
    assert.deepEqual(page.wrong, []);
  } finally {
    host.closeAllConnections();
    host.close();
  }
});

/** The figures that a client's page shows now. */
async function shown(page) {
  const figure = async (selector) => Number((await page.locator(selector).first().innerText()).replace(/\D.*$/s, ""));
  return {
    score: await figure("#live-score .ring b"),
    progress: await figure("#live-score details:has-text('Progress') .val"),
    activity: await figure("#live-heatmap .heat-sum b"),
  };
}

async function assertSoon(holds) {
  for (let tries = 0; tries < 50; tries += 1) {
    if (await holds()) return;
    await new Promise((later) => setTimeout(later, 100));
  }
  assert.fail("did not come true within 5 s");
}
