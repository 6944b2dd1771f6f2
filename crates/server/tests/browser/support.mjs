// A real Mainstay and a real browser for each file of tests.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const binary = process.env.MAINSTAY_BINARY ?? join(target, "debug", "mainstay");
// Chromium has no sandbox for root, as which machines of a CI mostly run.
const sandbox = process.getuid?.() === 0 ? ["--no-sandbox"] : [];

/** Everything a file of tests has opened, closed again in reverse order. */
const opened = [];

export async function closeAll() {
  for (const close of opened.splice(0).reverse()) await close();
}

export async function folder() {
  const path = await mkdtemp(join(tmpdir(), "mainstay-browser-"));
  opened.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Runs a command of Mainstay to its end and answers what it printed. */
export function mainstay(args, env = {}) {
  return new Promise((resolve, reject) => {
    let printed = "";
    const child = spawn(binary, args, { env: { ...process.env, ...env } });
    child.stdout.on("data", (data) => (printed += data));
    child.stderr.on("data", (data) => (printed += data));
    child.on("error", reject);
    child.on("exit", (code) =>
      code === 0 ? resolve(printed) : reject(new Error(`mainstay ${args.join(" ")}: ${printed}`)),
    );
  });
}

/** Starts `serve` or `demo` on a free port; answers its address and all that it printed until then. */
export function serve(command, database) {
  return new Promise((resolve, reject) => {
    let printed = "";
    const child = spawn(binary, [command, "--listen", "127.0.0.1:0", "--database", `sqlite:${database}`]);
    const ended = new Promise((done) => child.on("exit", done));
    opened.push(async () => {
      child.kill("SIGTERM");
      await ended;
    });
    const read = (data) => {
      printed += data;
      const address = /listening on (http:\S+)/.exec(printed);
      if (address) resolve({ url: address[1], printed });
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`mainstay ${command} ended with ${code}: ${printed}`)));
  });
}

/** The sample organization, with what its start prints. */
export async function demo() {
  const { url, printed } = await serve("demo", join(await folder(), "demo.db"));
  const after = (label) => new RegExp(`^\\s*${label}\\s+(\\S+)`, "m").exec(printed)?.[1];
  return {
    url,
    password: after("password"),
    email: /(\S+@demo\.example)/.exec(printed)[1],
    clientLink: after("client page"),
    writeKey: after("write key"),
    secretKey: after("secret key"),
    memberToken: after("member token"),
    clientToken: after("client token"),
  };
}

export async function browser() {
  const launched = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: sandbox,
  });
  opened.push(() => launched.close());
  return launched;
}

/**
 * A page in a window of its own. What it says to the console, where it fails and what it asks other
 * hosts for is collected in `page.wrong`: nothing should be.
 */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.wrong = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) page.wrong.push(message.text());
  });
  page.on("pageerror", (error) => page.wrong.push(String(error)));
  return page;
}

export async function signIn(page, site) {
  await page.goto(`${site.url}/sign-in`);
  await page.getByLabel("Email").fill(site.email);
  await page.getByLabel("Password").fill(site.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${site.url}/portfolio*`);
}

/** Asks the API, and answers the JSON. */
export async function api(site, key, path, body) {
  const answer = await fetch(`${site.url}${path}`, {
    method: body ? "POST" : "GET",
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
