import assert from "node:assert/strict";

/** @param {typeof import("node:test").it} it @param {import("./product.test.mjs").Stage} stage */
export function signingIn(it, stage) {
  const { product } = stage;

  it("leads back to the very page that was asked for", async (t) => {
    const alice = await stage.visitor(t);
    const wanted = product.at("wiki", "/reports?q=1&x=%2F");
    const { page } = await alice.open(wanted);
    assert.equal(new URL(page.url()).origin, product.dev.idp_issuer);
    await page.getByRole("heading", { name: "Sign in", level: 1 }).waitFor();
    await alice.look(page, "idp-sign-in");

    await alice.signIn(page, product.person("alice"));
    assert.equal(page.url(), wanted);
    await page.getByRole("heading", { name: "Reports", level: 1 }).waitFor();
    await page.getByText("Query as it arrived: q=1&x=%2F").waitFor();
    await page.getByText("Signed in as alice@acme.test").waitFor();
    await alice.look(page, "wiki-reports");

    await t.test("once for all apps", async () => {
      const api = await alice.open(product.at("api", "/v1/whoami"));
      assert.equal(api.page.url(), product.at("api", "/v1/whoami"));
      assert.equal(api.status, 200);
      await api.page.getByText(`"email": "alice@acme.test"`).first().waitFor();
    });
    await t.test("and for all regions", async () => {
      const other = await alice.open(product.at("wiki", "/admin/", 1));
      assert.equal(other.page.url(), product.at("wiki", "/admin/", 1));
      await other.page.getByRole("heading", { name: "Administration", level: 1 }).waitFor();
      await alice.look(other.page, "wiki-admin");
    });
    await t.test("and keeps no cookie that a script can read", async () => {
      assert.equal(await page.evaluate(() => document.cookie), "");
      for (const cookie of await alice.context.cookies()) {
        if (cookie.domain === "localhost") continue; // the directory's own
        assert.ok(cookie.httpOnly && cookie.secure && cookie.path === "/" && cookie.name.startsWith("__Host-"), cookie.name);
        assert.doesNotMatch(cookie.name, /start|oidc/, "what a sign-in needed on its way is gone");
      }
    });
  });

  it("says what is wrong with a wrong password, and then takes the right one", async (t) => {
    const bob = await stage.visitor(t);
    const { page } = await bob.open(product.at("wiki"));
    await page.getByRole("textbox", { name: "Name or e-mail address" }).fill("bob");
    await page.getByLabel("Password").fill("not this one");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    await bob.look(page, "idp-wrong-password");
    await bob.signIn(page, product.person("bob"));
    assert.equal(page.url(), product.at("wiki"));
    await page.getByText("Signed in as bob@acme.test").waitFor();
  });

  it("in two tabs at once leads each to its own page", async (t) => {
    const alice = await stage.visitor(t);
    const wanted = ["/reports?tab=1", "/admin/?tab=2"].map((path) => product.at("wiki", path));
    const [first, second] = [await alice.open(wanted[0]), await alice.open(wanted[1])];
    await alice.signIn(first.page, product.person("alice"));
    await alice.signIn(second.page, product.person("alice"));
    assert.deepEqual([first.page.url(), second.page.url()], wanted);
    await second.page.getByRole("heading", { name: "Administration", level: 1 }).waitFor();
    // The first tab's cookie is still good, although the second tab has signed in since.
    await first.page.reload();
    assert.equal(first.page.url(), wanted[0]);
    await first.page.getByText("Signed in as alice@acme.test").waitFor();
  });

  it("shows who one is, and which apps there are", async (t) => {
    const { visitor: alice, page } = await stage.signedIn(t, "alice");
    assert.equal(await alice.go(page, product.at("wiki", "/.sallyport/me")), 200);
    await page.getByRole("heading", { name: "Alice", level: 1 }).waitFor();
    await page.getByText("alice@acme.test").first().waitFor();
    await page.getByText("admins, engineering").waitFor();
    await alice.look(page, "me");

    assert.equal(await alice.go(page, product.at("auth")), 200);
    await page.getByRole("heading", { name: "Your apps" }).waitFor();
    await alice.look(page, "home");
    await page.getByRole("link", { name: "Wiki" }).click();
    await page.getByText("Signed in as alice@acme.test").waitFor();
    assert.equal(page.url(), product.at("wiki"));
  });

  it("begins at the front page of the auth host, too", async (t) => {
    const carol = await stage.visitor(t);
    const { page } = await carol.open(product.at("auth"));
    await page.getByRole("heading", { name: "Welcome", level: 1 }).waitFor();
    await carol.look(page, "home-stranger");
    await page.getByRole("link", { name: "Sign in" }).click();
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    await carol.signIn(page, product.person("carol"));
    assert.equal(page.url(), product.at("auth"));
    await page.getByText("There is no app that you may open yet.").waitFor();
    await carol.look(page, "home-carol");
  });
}
