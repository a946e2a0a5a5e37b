// The pages of administration, as an operator uses them: each is looked at in every form, and all of it is done without script.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";

// `check` looks at a page, `open` opens a browser window, `link` makes a link by a command, `allow` says yes on the page of consent
// and gives the code that the client at `redirect` gets.
export async function administer({ BASE, page, check, open, link, pass, allow, client_id, redirect }) {
  const verifier = randomBytes(32).toString("base64url");
  const challenge = createHash("sha256").update(verifier).digest("base64url");
  const query = { client_id, redirect_uri: redirect, response_type: "code", code_challenge: challenge, code_challenge_method: "S256", state: "used" };
  const code = await allow(`${BASE}/authorize?${new URLSearchParams(query)}`);
  const fields = { grant_type: "authorization_code", code, redirect_uri: redirect, code_verifier: verifier, client_id };
  const token = await fetch(`${BASE}/token`, { method: "POST", body: new URLSearchParams(fields) });
  assert.equal(token.status, 200, await token.text());
  const go = (path) => page.goto(`${BASE}/console/${path}`);
  for (const [path, name] of [["people", "people"], ["people/invite", "invite"], ["keys", "keys"], ["keys/new", "new-key"],
    ["clients", "clients"], ["audit", "audit"], ["proof?next=/console/keys/new", "proof"]]) {
    await go(path);
    await check(page, name);
  }
  await page.goto(`${BASE}/console/audit`);
  await page.getByText("Search").first().click();
  await page.getByLabel("Effect").selectOption("destructive");
  await page.getByRole("button", { name: "Search" }).click();
  await check(page, "audit-search");
  await page.getByRole("main").locator(".cards a").first().click();
  await page.getByText("by Ada (human)").waitFor();
  await check(page, "audited-call");
  const [saved] = await Promise.all([
    page.waitForEvent("download"),
    page.goto(`${BASE}/console/audit`).then(() => page.getByRole("link", { name: "Download these entries" }).click()),
  ]);
  assert.equal(saved.suggestedFilename(), "audit.jsonl");
  pass("the audit is searched, one call is read, and all are saved");

  // Without script, on a phone.
  const phone = await open({ javaScriptEnabled: false, viewport: { width: 360, height: 740 }, hasTouch: true });
  const small = await phone.newPage();
  await small.goto(`${BASE}/console/signin`);
  await small.getByLabel("Your link").fill(link("console", "link", "--person", "Olga"));
  await small.getByRole("button", { name: "Sign in" }).click();
  await small.goto(`${BASE}/console/people`);
  await small.getByRole("link", { name: "Invite somebody" }).click();
  await small.getByLabel("Name").fill("Grace");
  await small.getByLabel("Acme Dental").check();
  await small.getByLabel("front-desk").check();
  await small.getByRole("button", { name: "Create the invitation" }).click();
  const invitation = await small.getByLabel("The invitation").inputValue();
  assert.match(invitation, /\/console\/join#hli_/);
  await small.getByRole("link", { name: "All people" }).click();
  await small.getByRole("button", { name: "End the invitation of Grace" }).click();
  await small.getByText("No invitation is open.").waitFor();
  await small.getByRole("link", { name: "Ada", exact: true }).click();
  await small.getByLabel("All sub-accounts of this person").uncheck();
  await small.getByRole("button", { name: "Save" }).click();
  assert.equal(await small.getByLabel("All sub-accounts of this person").isChecked(), false);
  await page.goto(small.url());
  await check(page, "person");
  await small.goto(`${BASE}/console/keys/new`);
  await small.getByLabel("Name").fill("n8n");
  await small.getByLabel("Globex").check();
  await small.getByRole("button", { name: "Create the key" }).click();
  assert.match(await small.getByLabel("The key").inputValue(), /^hlk_/);
  await small.getByRole("link", { name: "All keys" }).click();
  await page.goto(`${BASE}/console/keys`);
  await check(page, "keys-made");
  await small.getByRole("button", { name: "Revoke n8n" }).click();
  await small.getByText("· revoked").waitFor();
  await small.goto(`${BASE}/console/connections`);
  await small.getByRole("main").locator(".cards a").first().click();
  await page.goto(small.url());
  await check(page, "connection");
  await small.getByLabel("Read only").check();
  await small.getByRole("button", { name: "Reduce permissions" }).click();
  await small.getByText("limited since then to: read only").waitFor();
  await small.getByRole("button", { name: "End this connection" }).click();
  await small.getByRole("heading", { name: "Connections" }).waitFor();
  await small.goto(`${BASE}/console/clients`);
  await small.getByRole("button", { name: "Block Cursor" }).click();
  await small.getByRole("button", { name: "Unblock Cursor" }).click();
  await small.getByRole("button", { name: "Block Cursor" }).waitFor();
  await phone.close();
  pass("an operator invites, makes a key, takes rights away and blocks without script, 360 pixels wide");
}
