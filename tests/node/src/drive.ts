/** Opens pages in Chromium: one that may talk to the API, and one that may not. */

import { chromium } from "playwright-core";
import { say, timePasses } from "./talk";

const [executablePath, allowed, refused, api, mentorToken, menteeToken] = process.argv.slice(
  2,
) as [string, string, string, string, string, string];

const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
try {
  const page = await browser.newPage();
  await page.exposeFunction("timePasses", timePasses);
  await page.goto(allowed);
  const seen = await page.evaluate(
    ([api, mentorToken, menteeToken]) => window.everything(api, mentorToken, menteeToken),
    [api, mentorToken, menteeToken] as const,
  );

  const stranger = await browser.newPage();
  const complaints: string[] = [];
  stranger.on("console", (message) => complaints.push(message.text()));
  await stranger.goto(refused);
  const refusals = await stranger.evaluate(
    ([api, token]) =>
      Promise.all(
        [
          fetch(`${api}/mentors`),
          fetch(`${api}/mentor/me`, {
            method: "PATCH",
            headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
            body: '{"headline": "Written from elsewhere"}',
          }),
        ].map((response) => response.then(() => "allowed", String)),
      ),
    [api, mentorToken] as const,
  );
  say({ ...seen, refusals, complaints });
} finally {
  await browser.close();
}
process.exit();
