import assert from "node:assert/strict";
import { eventually } from "./product.mjs";

/** @param {typeof import("node:test").it} it @param {import("./product.test.mjs").Stage} stage */
export function refusals(it, stage) {
  const { product } = stage;

  it("tell bob what is missing, what to do, and a number that support finds", async (t) => {
    const { visitor: bob, page } = await stage.signedIn(t, "bob");
    assert.equal(await bob.go(page, product.at("wiki", "/admin/")), 403);
    await page.getByRole("heading", { name: "You may not do this here", level: 1 }).waitFor();
    await page.getByText(`It needs the permission "admin" on Wiki, which your account does not have.`).waitFor();
    await page.getByRole("heading", { name: "What you can do", level: 2 }).waitFor();
    await page.getByText(`The wiki's administration is for the group "admins". Ask the platform team to be added.`).waitFor();
    await page.getByText("You are signed in as bob@acme.test.").waitFor();
    await page.getByRole("button", { name: "Use another account" }).waitFor();
    await bob.look(page, "denied-bob");

    const id = /d_[0-9A-HJKMNP-TV-Z]{26}/.exec(await page.getByRole("contentinfo").innerText())?.[0];
    assert.ok(id, "a decision id");
    const found = await eventually(`the decision ${id}`, async () => {
      const listed = await product.cli("audit", "list", "--decision", id);
      return listed.includes("bob@acme.test") && listed;
    });
    assert.match(found, /DENY/);
    assert.match(found, /deny\.no_rule/);
  });

  it("let another account take over", async (t) => {
    const { visitor: bob, page } = await stage.signedIn(t, "bob");
    await bob.go(page, product.at("wiki", "/admin/"));
    await page.getByRole("button", { name: "Use another account" }).click();
    await page.waitForURL(`${product.dev.idp_issuer}/**`);
    await bob.signIn(page, product.person("alice"));
    assert.equal(page.url(), product.at("wiki", "/admin/"));
    await page.getByText("Signed in as alice@acme.test").waitFor();
  });

  it("explain themselves to carol everywhere, but for what is open to anyone", async (t) => {
    const { visitor: carol, page } = await stage.signedIn(t, "carol", "/reports");
    await page.getByText(`The wiki is for the group "engineering". Ask the platform team to be added.`).waitFor();
    await carol.look(page, "denied-carol");
    for (const [host, path] of [["wiki", "/"], ["wiki", "/admin/"], ["api", "/v1/whoami"], ["api", "/v1/items"], ["api", "/elsewhere"]]) {
      for (const edge of [0, 1]) {
        assert.equal(await carol.go(page, product.at(host, path, edge)), 403, `${host}${path}`);
        await page.getByRole("heading", { name: "What you can do", level: 2 }).waitFor();
        await page.getByText("You are signed in as carol@acme.test.").waitFor();
        assert.match(await page.getByRole("contentinfo").innerText(), /d_[0-9A-Z]{26}/);
      }
    }
    await carol.look(page, "denied-carol-no-operation");
    assert.equal(await carol.go(page, product.at("api", "/v1/status")), 200);
    await page.getByText(`"status": "ok"`).waitFor();
  });

  it("of a sign-in that cannot go on offer to start again", async (t) => {
    const stranger = await stage.visitor(t);
    for (const at of [product.at("auth", "/.sallyport/sign-in?start=AAAA"), product.at("wiki", "/.sallyport/callback?code=AAAA")]) {
      const { page, status } = await stranger.open(at);
      assert.equal(status, 400);
      await page.getByRole("heading", { name: "Please start again", level: 1 }).waitFor();
      await page.getByRole("link", { name: "Start again" }).waitFor();
      await stranger.look(page, `start-again-${new URL(at).hostname.split(".")[0]}`);
    }
    const { page } = await stranger.open(product.at("wiki", "/.sallyport/callback?code=AAAA"));
    await page.getByRole("link", { name: "Start again" }).click();
    await page.waitForURL(`${product.dev.idp_issuer}/**`);
  });

  it("of a directory that is down are said as such, and another one can be chosen", async (t) => {
    const { tenant, admin_token: token, hosts } = product.dev.second_tenant;
    const parent = `tenants/${tenant}`;
    const made = await product.call("IdentityProviderService/CreateIdentityProvider", {
      parent, identityProviderId: "partner",
      identityProvider: { displayName: "Partner directory", issuer: "http://localhost:9", allowHttpLoopback: true, clientId: "x", clientSecret: "x", scopes: ["openid"] },
    }, token);
    await product.call("RevisionService/Wait", { parent, revision: made.revision }, token);

    const bob = await stage.visitor(t);
    const wanted = `https://${hosts[0]}:${product.dev.edges[0].port}/reports?page=2`;
    const { page } = await bob.open(wanted);
    await page.getByRole("heading", { name: "Sign in", level: 1 }).waitFor();
    await page.getByText("To open Globex wiki, choose how to sign in.").waitFor();
    await bob.look(page, "chooser");
    await page.getByRole("link", { name: "Partner directory" }).click();
    await page.getByRole("heading", { name: "Signing in is not possible right now", level: 1 }).waitFor();
    await page.getByText("Partner directory cannot be reached right now. Whoever is signed in already is not affected.").waitFor();
    await bob.look(page, "directory-down");
    await page.getByRole("link", { name: "Start again" }).click();
    await page.getByRole("link", { name: "Demo directory" }).click();
    await bob.signIn(page, product.person("bob"));
    assert.equal(page.url(), wanted);
    await page.getByText("Signed in as bob@acme.test").waitFor();
  });

  it("are pages, too, where there is nothing", async (t) => {
    const { visitor: alice, page } = await stage.signedIn(t, "alice");
    assert.equal(await alice.go(page, product.at("wiki", "/.sallyport/nothing")), 404);
    await page.getByRole("heading", { name: "There is nothing at this address", level: 1 }).waitFor();
    await alice.look(page, "not-found");
    assert.equal(await alice.go(page, product.at("wiki", "/a//b")), 400);
    await page.getByRole("heading", { name: "The address can be read in more than one way", level: 1 }).waitFor();
    await alice.look(page, "ambiguous-path");
  });
}
