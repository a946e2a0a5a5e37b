// A person with a phone opens LINK, finds what waits (HANDLE) and approves it. Prints milliseconds and the step, a line each.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const { LINK, CHROMIUM, HANDLE, SHOT } = process.env;
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
const page = await context.newPage();

async function step(what, act) {
  const begun = performance.now();
  await act();
  console.log(Math.round(performance.now() - begun), what);
}

await step("open the link on the phone", () => page.goto(LINK.trim()));
const name = page.locator("input[name=name]");
if (await name.count()) {
  await step("say who one is, and go on", async () => {
    await name.fill("Ada");
    await Promise.all([page.waitForURL(/\/console(?!\/first)/), page.locator("button[type=submit], button:not([type])").first().tap()]);
  });
}
await step("open Approvals", () => page.goto(new URL("/console/approvals", page.url()).href));
await step("open the call that waits", () => Promise.all([
  page.waitForURL(new RegExp(HANDLE)), page.locator(`a[href*="${HANDLE}"]`).first().tap(),
]));
const width = await page.evaluate(() => document.documentElement.scrollWidth);
assert.ok(width <= 360, `the page is ${width} wide`);
if (SHOT) await page.screenshot({ path: SHOT });
await step("Approve", async () => {
  await page.getByRole("button", { name: /^Approve/ }).first().tap();
  await page.getByText(/approved|made|done/i).first().waitFor();
});
await browser.close();
