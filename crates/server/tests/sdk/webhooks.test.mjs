// What is sent to webhooks, verified by the npm package that receivers use: what is sent is accepted;
// what was tampered with, is old, or was signed with a secret that was replaced is refused.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Webhook } from "standardwebhooks";

const here = fileURLToPath(new URL(".", import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(here, "../../../../target");
const binary = process.env.MAINSTAY_BINARY ?? join(target, "debug", "mainstay");
/** Seconds after which a verifier refuses a message. */
const TOLERANCE = 300;

const opened = [];
after(async () => {
  for (const close of opened.reverse()) await close();
});

let url, key, receiver;

before(async () => {
  const folder = await mkdtemp(join(tmpdir(), "mainstay-webhooks-"));
  opened.push(() => rm(folder, { recursive: true, force: true }));
  const database = `sqlite:${join(folder, "mainstay.db")}`;
  const created = await printed(["org", "create", "acme", "--json", "--database", database]);
  key = JSON.parse(created).secret_key;
  url = await serve(database);
  receiver = await receive();
});

function start(args) {
  const env = { ...process.env, MAINSTAY_WEBHOOK_ALLOW: "127.0.0.1" };
  return spawn(binary, args, { env, stdio: ["ignore", "pipe", "inherit"] });
}

async function printed(args) {
  let text = "";
  const child = start(args);
  child.stdout.on("data", (data) => (text += data));
  const [code] = await once(child, "close");
  assert.equal(code, 0);
  return text;
}

async function serve(database) {
  const child = start(["serve", "--listen", "127.0.0.1:0", "--database", database]);
  opened.push(async () => {
    child.kill("SIGTERM");
    await once(child, "exit");
  });
  let text = "";
  for await (const data of child.stdout) {
    text += data;
    const found = /listening on (http:\S+)/.exec(text);
    if (found) return found[1];
  }
  throw new Error(`it does not listen: ${text}`);
}

/** Somebody else's server: keeps the bodies as they came, and the headers. */
async function receive() {
  const got = new EventEmitter();
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const data of request) body += data;
    response.end("thanks");
    got.emit("message", { body, headers: request.headers });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  opened.push(() => server.close());
  return { url: `http://127.0.0.1:${server.address().port}/hook`, got };
}

async function api(path, body) {
  const answer = await fetch(`${url}/api/v1/webhooks${path}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
    body: JSON.stringify(body ?? {}),
  });
  assert.ok(answer.ok, await answer.clone().text());
  return answer.json();
}

async function testMessage(webhook) {
  const arrived = once(receiver.got, "message");
  await api(`/${webhook.id}/test`);
  const [message] = await arrived;
  return message;
}

test("what is sent is accepted, and nothing else", async () => {
  const webhook = await api("", { name: "Receiver", url: receiver.url });
  const verifier = new Webhook(webhook.secret);
  const { body, headers } = await testMessage(webhook);
  const told = verifier.verify(body, headers);
  assert.equal(told.type, "webhook.test");
  assert.equal(told.data.organization, "acme");

  const tampered = body.replace("acme", "evil");
  assert.throws(() => verifier.verify(tampered, headers), /No matching signature/);
  const other = { ...headers, "webhook-id": "msg_other" };
  assert.throws(() => verifier.verify(body, other), /No matching signature/);
  // Sent again later by somebody who overheard it: with its own time it is old, with another one forged.
  const old = String(Number(headers["webhook-timestamp"]) - TOLERANCE - 1);
  const overheard = { ...headers, "webhook-timestamp": old };
  overheard["webhook-signature"] = verifier.sign(headers["webhook-id"], new Date(old * 1000), body);
  assert.throws(() => verifier.verify(body, overheard), /too old/);
});

test("for a day both secrets verify, and a third one never does", async () => {
  const webhook = await api("", { name: "Rotated", url: receiver.url });
  const rotated = await api(`/${webhook.id}/rotate-secret`);
  assert.notEqual(rotated.secret, webhook.secret);
  const { body, headers } = await testMessage(webhook);
  for (const { secret } of [webhook, rotated]) new Webhook(secret).verify(body, headers);

  const again = await api(`/${webhook.id}/rotate-secret`);
  const later = await testMessage(webhook);
  new Webhook(again.secret).verify(later.body, later.headers);
  new Webhook(rotated.secret).verify(later.body, later.headers);
  assert.throws(() => new Webhook(webhook.secret).verify(later.body, later.headers), /No matching signature/);
});
