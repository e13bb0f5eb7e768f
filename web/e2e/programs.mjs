import assert from "node:assert/strict";
import { eventually } from "./product.mjs";

/** @param {typeof import("node:test").it} it @param {import("./product.test.mjs").Stage} stage */
export function programs(it, stage) {
  const { product } = stage;

  it("talk over a WebSocket until the session is revoked, and then get an answer that they understand", async (t) => {
    const { visitor: alice, page } = await stage.signedIn(t, "alice", "/live");
    const state = page.getByRole("status").first();
    await page.getByText("Connected", { exact: true }).waitFor();
    await page.getByRole("textbox", { name: "Message" }).fill("hello from alice");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("hello from alice").waitFor();
    await alice.look(page, "wiki-live");

    const me = await page.evaluate(async () => (await fetch("/.sallyport/me", { headers: { Accept: "application/json" } })).json());
    assert.equal(me.email, "alice@acme.test");
    const name = `tenants/${product.dev.tenant}/sessions/${me.session}`;
    await eventually("the session in the list", async () => {
      const { sessions = [] } = await product.call("SessionService/ListSessions", { parent: `tenants/${product.dev.tenant}`, principal: "alice@acme.test" });
      return sessions.some((/** @type {any} */ s) => s.name === name);
    });

    const asked = performance.now();
    await product.call("SessionService/RevokeSession", { name });
    await page.getByText(/^Closed \(1008/).waitFor();
    t.diagnostic(`WebSocket cut ${Math.round(performance.now() - asked)} ms after the call of RevokeSession began`);
    await alice.look(page, "wiki-live-cut");
    assert.match(await state.innerText(), /1008/);

    // A program that was sent to a sign-in page would take it for its answer.
    for (const headers of [{}, { Accept: "application/json" }, { Accept: "text/html" }]) {
      const answer = await page.evaluate(async (headers) => {
        const response = await fetch("/reports", { headers });
        return { status: response.status, redirected: response.redirected, type: response.headers.get("Content-Type"), challenge: response.headers.get("WWW-Authenticate"), body: await response.text() };
      }, headers);
      assert.equal(answer.status, 401);
      assert.equal(answer.redirected, false);
      assert.match(answer.challenge ?? "", /^Bearer realm="acme"/);
      assert.equal(answer.type, "application/problem+json", JSON.stringify(headers));
      assert.equal(JSON.parse(answer.body).reason, "identity.revoked");
      assert.doesNotMatch(answer.body, /alice/);
    }
    assert.equal(alice.refused.splice(0).length, 3);
  });

  it("that send a form without a session get a page that says so, and nothing is kept", async (t) => {
    const { visitor: bob, page } = await stage.signedIn(t, "bob", "/live");
    await bob.context.clearCookies({ name: "__Host-sp" });
    const [answer] = await Promise.all([
      page.waitForResponse((r) => r.request().method() === "POST"),
      page.evaluate(() => {
        const form = Object.assign(document.createElement("form"), { method: "post", action: "/reports?draft=1" });
        document.body.append(form);
        form.submit();
      }),
    ]);
    assert.equal(answer.status(), 401);
    await page.getByRole("heading", { name: "You need to sign in", level: 1 }).waitFor();
    await page.getByText("Nothing that you sent was kept. Sign in, and send it again.").waitFor();
    await bob.look(page, "sign-in-first");
    await page.getByRole("link", { name: "Sign in" }).click();
    await page.waitForURL(product.at("wiki", "/reports?draft=1"));
    await page.getByText("Signed in as bob@acme.test").waitFor();
  });
}
