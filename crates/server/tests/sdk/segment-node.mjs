// Sends with Segment's SDK for Node.js, as an app would.
import { setTimeout as pause } from "node:timers/promises";

import { Analytics } from "@segment/analytics-node";

const { URL, WRITE_KEY, USER, COUNT, PAUSE, START } = process.env;
const analytics = new Analytics({
  writeKey: WRITE_KEY,
  host: URL,
  flushAt: 10,
  flushInterval: 200,
  maxRetries: 20,
});
const timestamp = (second) => new Date((Number(START) + second) * 1000);

analytics.identify({ userId: USER, traits: { name: "Ada", email: "ada@example.com" }, timestamp: timestamp(0) });
analytics.group({ userId: USER, groupId: "acme", traits: { name: "Acme" }, timestamp: timestamp(1) });
analytics.page({ userId: USER, name: "Docs", properties: { path: "/docs" }, timestamp: timestamp(2) });
for (let number = 0; number < Number(COUNT); number++) {
  analytics.track({ userId: USER, event: `Made ${number}`, properties: { number }, timestamp: timestamp(10 + number) });
  await pause(Number(PAUSE));
}
await analytics.closeAndFlush({ timeout: 60_000 });
