// Real SDKs, unmodified, from their registries, against a real Mainstay: what each sends arrives once,
// also when the server turns it away at first, and when it is killed and comes back.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request as forward } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(here, "../../../../target");
const binary = process.env.MAINSTAY_BINARY ?? join(target, "debug", "mainstay");
const python = process.env.SDK_PYTHON ?? join(target, "sdk-venv", "bin", "python");
/** When what is sent happened: a moment ago, in whole seconds. */
const START = Math.floor(Date.now() / 1000) - 7_200;
/** Events that may come at once whatever the rate. */
const BURST = 2_500;

const SDKS = [
  { name: "@segment/analytics-node", command: process.execPath, script: "segment-node.mjs" },
  { name: "@rudderstack/rudder-sdk-node", command: process.execPath, script: "rudder-node.mjs" },
  { name: "segment-analytics-python", command: python, script: "segment_python.py" },
  { name: "rudder-sdk-python", command: python, script: "rudder_python.py" },
];

const opened = [];
after(async () => {
  for (const close of opened.reverse()) await close();
});

const ended = (child) => new Promise((resolve) => child.on("exit", resolve));

async function run(args) {
  let printed = "";
  const child = spawn(binary, args);
  child.stdout.on("data", (data) => (printed += data));
  child.stderr.on("data", (data) => (printed += data));
  assert.equal(await ended(child), 0, printed);
  return printed;
}

/** A server that can be killed and started again, behind an address that stays. */
class Site {
  statuses = [];
  heard = new EventEmitter();

  static async start(env = {}) {
    const site = new Site();
    site.env = env;
    const folder = await mkdtemp(join(tmpdir(), "mainstay-sdk-"));
    opened.push(() => rm(folder, { recursive: true, force: true }));
    site.database = `sqlite:${join(folder, "mainstay.db")}`;
    const created = await run(["org", "create", "acme", "--json", "--database", site.database]);
    Object.assign(site, JSON.parse(created));
    await site.serve();
    // Keeps the address while the server is away, and what it answered.
    const front = createServer((request, response) => site.pass(request, response));
    await new Promise((resolve) => front.listen(0, "127.0.0.1", resolve));
    opened.push(() => front.close());
    site.url = `http://127.0.0.1:${front.address().port}`;
    return site;
  }

  async serve() {
    const args = ["serve", "--listen", "127.0.0.1:0", "--database", this.database];
    this.process = spawn(binary, args, { env: { ...process.env, ...this.env } });
    const { process: child } = this;
    opened.push(async () => child.exitCode === null && child.signalCode === null && child.kill("SIGKILL"));
    this.behind = await new Promise((resolve, reject) => {
      let printed = "";
      const read = (data) => {
        printed += data;
        const address = /listening on (http:\S+)/.exec(printed);
        if (address) resolve(address[1]);
      };
      child.stdout.on("data", read);
      child.stderr.on("data", read);
      child.on("exit", () => reject(new Error(printed)));
    });
  }

  async kill() {
    const gone = ended(this.process);
    this.process.kill("SIGKILL");
    await gone;
  }

  /** Waits until what was answered is so. */
  async answers(are) {
    while (!are(this.statuses)) await once(this.heard, "answer");
  }

  hear(status) {
    this.statuses.push(status);
    this.heard.emit("answer");
  }

  pass(request, response) {
    const { method, headers, url } = request;
    const onward = forward(`${this.behind}${url}`, { method, headers }, (answer) => {
      this.hear(answer.statusCode);
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    // As when nobody listens there.
    onward.on("error", () => {
      this.hear("gone");
      request.socket.destroy();
    });
    request.pipe(onward);
  }

  async get(path) {
    const headers = { Authorization: `Bearer ${this.secret_key}` };
    const answer = await fetch(`${this.behind}${path}`, { headers });
    assert.equal(answer.status, 200, await answer.clone().text());
    return answer.json();
  }

  async events(client) {
    const all = [];
    let next = `/api/v1/clients/${client}/events?limit=500`;
    for (;;) {
      const page = await this.get(next);
      all.push(...page.events);
      if (!page.next) return all;
      next = `/api/v1/clients/${client}/events?limit=500&before=${encodeURIComponent(page.next)}`;
    }
  }
}

function send(sdk, site, user, { count = 20, pause = 0 } = {}) {
  let printed = "";
  const env = { ...process.env, URL: site.url, WRITE_KEY: site.write_key, USER: user, COUNT: count, PAUSE: pause, START };
  const child = spawn(sdk.command, [join(here, sdk.script)], { cwd: here, env });
  child.stdout.on("data", (data) => (printed += data));
  child.stderr.on("data", (data) => (printed += data));
  return ended(child).then((code) => assert.equal(code, 0, `${sdk.name}: ${printed}`));
}

async function everythingArrivedOnce(site, user, count = 20) {
  const client = await site.get(`/api/v1/clients/${user}`);
  assert.deepEqual([client.name, client.email, client.group_id], ["Ada", "ada@example.com", "acme"]);
  const arrived = (await site.events(user))
    .map((event) => [new Date(event.occurred_at).toISOString(), event.type, event.event])
    .sort();
  const at = (second) => new Date((START + second) * 1000).toISOString();
  const sent = [[at(2), "page_view", "Docs"]];
  for (let number = 0; number < count; number++) sent.push([at(10 + number), "custom", `Made ${number}`]);
  assert.deepEqual(arrived, sent.sort());
}

for (const sdk of SDKS) {
  test(`${sdk.name}: what it sends arrives once`, async () => {
    const site = await Site.start();
    await send(sdk, site, "ada");
    await everythingArrivedOnce(site, "ada");
    assert.deepEqual([...new Set(site.statuses)], [200]);
  });

  test(`${sdk.name}: what is turned away at first arrives once`, async () => {
    const site = await Site.start({ MAINSTAY_EVENTS_PER_SECOND_PER_KEY: "4" });
    // Another sender with the same key has used up what may come at once.
    const batch = Array.from({ length: BURST }, (_, number) => ({
      type: "track", userId: "bob", event: "login", messageId: `b${number}`,
    }));
    const headers = { Authorization: `Basic ${btoa(`${site.write_key}:`)}` };
    const answer = await fetch(`${site.behind}/v1/batch`, { method: "POST", headers, body: JSON.stringify({ batch }) });
    assert.equal(answer.status, 200);
    await send(sdk, site, "ada");
    assert.ok(site.statuses.includes(429), `nothing was turned away: ${site.statuses}`);
    await everythingArrivedOnce(site, "ada");
  });

  test(`${sdk.name}: what is sent while the server is killed and comes back arrives once`, async () => {
    const site = await Site.start();
    const sending = send(sdk, site, "ada", { count: 60, pause: 40 });
    for (let kills = 0; kills < 2; kills++) {
      await site.answers((statuses) => statuses.filter((status) => status === 200).length > kills);
      await site.kill();
      // It comes back when the SDK has found it gone.
      await site.answers((statuses) => statuses.filter((status) => status === "gone").length > kills);
      await site.serve();
    }
    await sending;
    await everythingArrivedOnce(site, "ada", 60);
  });
}
