// Pictures of the pages for the README and for looking at: `node screenshots.mjs FOLDER`.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { browser, closeAll, demo, open, signIn } from "./support.mjs";

const folder = process.argv[2] ?? "screenshots";
const SIZES = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
];

const EMAILS = [
  "weekly_insights",
  "milestone_celebration",
  "momentum_nudge",
  "achievement_badge",
  "subscription_request",
  "daily_digest",
  "hostile",
];

await mkdir(folder, { recursive: true });
const chromium = await browser();
try {
  const site = await demo();
  for (const colorScheme of ["light", "dark"]) {
    for (const viewport of SIZES) {
      const take = async (page, name) => {
        const path = join(folder, `${name}-${viewport.width}-${colorScheme}.png`);
        await page.screenshot({ path });
        console.log(path);
      };
      const staff = await open(chromium, { colorScheme, viewport });
      await signIn(staff, site);
      await take(staff, "portfolio");
      // Whoever needs a person most.
      await staff.locator("main a[href^='/clients/']").first().click();
      await take(staff, "client");
      for (const name of ["alerts", "tasks", "emails", "jobs", "live"]) {
        await staff.goto(`${site.url}/${name}`);
        await take(staff, name);
      }
      await staff.context().close();
      const client = await open(chromium, { colorScheme, viewport });
      await client.goto(site.clientLink);
      await take(client, "client-dashboard");
      await client.context().close();
    }
    for (const width of [600, 320]) {
      // Alone, so that the whole mail is in the picture.
      const staff = await open(chromium, { colorScheme, viewport: { width, height: 800 } });
      await signIn(staff, site);
      for (const kind of EMAILS) {
        await staff.goto(`${site.url}/gallery/emails/${kind}`);
        const path = join(folder, `email-${kind}-${width}-${colorScheme}.png`);
        await staff.screenshot({ path, fullPage: true });
        console.log(path);
      }
      await staff.context().close();
    }
  }
} finally {
  await closeAll();
}
