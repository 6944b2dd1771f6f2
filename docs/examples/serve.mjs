// A stand-in for your own server: serves one of these folders and signs tokens. No dependency.
//
//   MAINSTAY_TOKEN_SECRET=… node serve.mjs widgets-html
//
// With the client token that the demo prints, as MAINSTAY_CLIENT_TOKEN, no secret is needed.
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const {
  MAINSTAY_URL = "http://127.0.0.1:8080",
  MAINSTAY_ORGANIZATION = "demo",
  MAINSTAY_CLIENT = "fernhollow-ceramics",
  MAINSTAY_TOKEN_SECRET,
  MAINSTAY_CLIENT_TOKEN,
  PORT = "8090",
} = process.env;
if (!MAINSTAY_TOKEN_SECRET && !MAINSTAY_CLIENT_TOKEN) {
  throw new Error("set MAINSTAY_TOKEN_SECRET to the organization's token secret");
}

const folder = pathToFileURL(`${process.argv[2] ?? "widgets-html"}/`);

// A JSON Web Token, HS256: who (sub), for which organization (aud), until when (exp).
function signedToken(client) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { sub: client, aud: MAINSTAY_ORGANIZATION, exp: Math.floor(Date.now() / 1000) + 3600 };
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${text}.${createHmac("sha256", MAINSTAY_TOKEN_SECRET).update(text).digest("base64url")}`;
}

const TYPES = { html: "text/html", css: "text/css", js: "text/javascript" };
// As strict as it gets: besides its own files this page uses Mainstay's, and nothing inline.
const POLICY = [
  "default-src 'none'",
  `script-src 'self' ${MAINSTAY_URL}`,
  `style-src 'self' ${MAINSTAY_URL}`,
  `connect-src 'self' ${MAINSTAY_URL}`,
].join("; ");

createServer(async (request, answer) => {
  const { pathname } = new URL(request.url, "http://localhost");
  if (pathname === "/mainstay-token") {
    answer.setHeader("Content-Type", "application/json");
    answer.end(JSON.stringify({ token: MAINSTAY_CLIENT_TOKEN ?? signedToken(MAINSTAY_CLIENT) }));
    return;
  }
  const name = pathname === "/" ? "index.html" : pathname.slice(1);
  const type = /^[a-z]+\.(html|css|js)$/.test(name) && TYPES[name.split(".").pop()];
  if (!type) {
    answer.writeHead(404).end("not found");
    return;
  }
  try {
    const text = await readFile(new URL(name, folder), "utf8");
    answer.writeHead(200, { "Content-Type": `${type}; charset=utf-8`, "Content-Security-Policy": POLICY });
    answer.end(text.replaceAll("http://127.0.0.1:8080", MAINSTAY_URL));
  } catch {
    answer.writeHead(404).end("not found");
  }
}).listen(PORT, "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}`));
