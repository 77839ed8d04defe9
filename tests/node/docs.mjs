// Reads /api/docs in Chromium like a developer who integrates the API, in windows of several sizes.
// Prints what it sees in each.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { chromium } from "playwright-core";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

const [executablePath, api, token, ...sizes] = process.argv.slice(2);

async function read(browser, width, height) {
  // A context has a storage of its own.
  const context = await browser.newContext({ viewport: { width, height } });
  const page = await context.newPage();
  const complaints = [];
  const hosts = new Set();
  // The Content-Security-Policy complains on the console, too.
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => hosts.add(new URL(request.url()).host));

  await page.goto(`${api}/docs`);
  await page.locator(".opblock").first().waitFor();
  const all = await page.locator(".opblock").count();

  const firstOperation = await page.locator(".opblock").first().evaluate(
    (operation) => operation.getBoundingClientRect().top,
  );

  const search = page.getByRole("searchbox", { name: "Search operations" });
  const found = async (words) => {
    await search.fill(words);
    return page.locator(".opblock-summary-path").evaluateAll((paths) =>
      paths.map((path) => path.dataset.path),
    );
  };
  const dashboard = await found("DASHBOARD");
  const postCancel = await found("post cancel");
  const nothing = await found("no such thing");
  await found("");

  // Findings of level serious and above, by the part of the page that was looked at.
  const findings = {};
  const inspect = async (part) => {
    const found = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
    findings[part] = found.violations
      .filter(({ impact }) => ["serious", "critical"].includes(impact))
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  };
  // Not by page.addScriptTag(), which the Content-Security-Policy refuses.
  await page.evaluate(readFileSync(AXE, "utf8"));
  await inspect("start");

  await page.getByRole("button", { name: "Authorize" }).first().click();
  const dialog = page.getByRole("dialog", { name: "Authorize" });
  await dialog.waitFor();
  await inspect("dialog");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });

  await page.getByRole("button", { name: "Authorize" }).first().click();
  await page.getByRole("textbox", { name: "auth-bearer-value" }).fill(token);
  await page.getByRole("button", { name: "Apply credentials" }).click();
  await page.getByRole("button", { name: "Close" }).last().click();

  // The token is still there.
  await page.reload();
  await page.locator(".opblock").first().waitFor();
  await page.evaluate(readFileSync(AXE, "utf8"));

  const me = page.locator("#operations-Mentor_dashboard-getMyProfile");
  await me.locator(".opblock-summary-control").click();
  await me.getByRole("button", { name: "Try it out" }).click();
  await me.getByRole("button", { name: "Execute" }).click();
  const shown = me.locator(".live-responses-table");
  await shown.waitFor();
  const status = await shown.locator(".response-col_status").last().innerText();
  const body = await shown.locator(".response-col_description code").first().innerText();

  const list = page.locator("#operations-Discovery-listMentors");
  await list.locator(".opblock-summary-control").click();
  await list.getByRole("button", { name: "Try it out" }).click();
  const limit = await list.locator('tr[data-param-name="limit"] input').inputValue();
  const create = page.locator("#operations-Requests-createRequest");
  await create.locator(".opblock-summary-control").click();
  await create.getByRole("button", { name: "Try it out" }).click();
  await inspect("open");

  // Errors by their messages.
  const accept = page.locator("#operations-Requests-acceptRequest");
  await accept.locator(".opblock-summary-control").click();
  const conflict = await accept
    .locator('.response[data-code="409"] .response-col_description')
    .innerText();

  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  const seen = { all, firstOperation, findings, limit, dashboard, postCancel, nothing, status, body, conflict, overflow };
  return { ...seen, complaints, hosts: [...hosts] };
}

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
  const seen = [];
  for (const size of sizes) seen.push(await read(browser, ...size.split("x").map(Number)));
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
