// Uses the page of docs/api.md like somebody who looks for a mentor, in windows of two sizes. Prints
// what it sees in each, and writes pictures into a folder.

import { chromium } from "playwright-core";

const [executablePath, address, folder] = process.argv.slice(2);

async function use(browser, name, width, height) {
  const context = await browser.newContext({ viewport: { width, height }, locale: "en-GB" });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(address);

  const names = async (change) => {
    const response = page.waitForResponse((one) => /[/]mentors(.available)?[?]/.test(one.url()));
    await change();
    const found = JSON.stringify((await (await response).json()).map((mentor) => mentor.fullName));
    // The response may arrive before the page shows it.
    await page.waitForFunction(
      (names) => JSON.stringify([...document.querySelectorAll("li strong")].map((one) => one.textContent)) === names,
      found,
    );
    return page.locator("li strong").allTextContents();
  };
  const choose = (label, value) => names(() => page.getByLabel(label).selectOption(value));

  await page.locator("li").first().waitFor();
  const all = await page.locator("li strong").allTextContents();
  const languages = await page.getByLabel("Language").locator("option").allTextContents();
  const portuguese = await choose("Language", "pt-BR");
  await choose("Language", "");
  await choose("Paid in", "EUR");
  const cheap = await names(() => page.getByLabel("At most").fill("70"));
  await choose("Paid in", "");
  const free = await names(() => page.getByLabel("Free this week").check());
  const times = await page.locator("li").evaluateAll((cards) =>
    cards.map((card) => [...card.querySelectorAll("time")].map((time) => time.textContent)),
  );
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  await page.screenshot({ path: `${folder}/discover-${name}.png`, fullPage: true });
  await context.close();
  return { complaints, all, languages: languages.slice(1), portuguese, cheap, free, times, overflow };
}

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const seen = [await use(browser, "wide", 1280, 800), await use(browser, "phone", 390, 844)];
await browser.close();
console.log(JSON.stringify(seen));
