import assert from "node:assert/strict";

/** @param {typeof import("node:test").it} it @param {import("./product.test.mjs").Stage} stage */
export function signingOut(it, stage) {
  const { product } = stage;

  it("of one app leaves the others", async (t) => {
    const { visitor: alice, page } = await stage.signedIn(t, "alice");
    await alice.open(product.at("api", "/v1/whoami"));
    await page.getByRole("link", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign out?", level: 1 }).waitFor();
    await page.getByText("You are signed in as alice@acme.test.").waitFor();
    await alice.look(page, "sign-out");
    await page.getByRole("button", { name: "Sign out of Wiki only" }).click();
    await page.getByRole("heading", { name: "You are signed out of Wiki", level: 1 }).waitFor();
    await page.getByText("You are still signed in to everything else").waitFor();
    await alice.look(page, "signed-out-app");

    const api = await alice.open(product.at("api", "/v1/whoami"));
    assert.equal(api.status, 200);
    const wiki = await alice.open(product.at("wiki"));
    assert.equal(wiki.page.url(), product.at("wiki"), "opens again without a password, as the page said");
  });

  it("of everything is over everywhere, also behind the back button", async (t) => {
    const { visitor: alice, page } = await stage.signedIn(t, "alice", "/reports?secret=42");
    await alice.open(product.at("api", "/v1/whoami"));
    await page.getByRole("link", { name: "Sign out" }).click();
    await page.getByRole("button", { name: "Sign out of everything" }).click();
    await page.getByRole("heading", { name: "You are signed out", level: 1 }).waitFor();
    await page.getByText("Signed out everywhere: no app of Acme lets this session in any more.").waitFor();
    await alice.look(page, "signed-out-everywhere");

    // The directory remembers her, so that her next sign-in would need no password: without it nothing hides behind that.
    await alice.context.clearCookies({ domain: "localhost" });
    for (const [host, path] of [["wiki", "/"], ["api", "/v1/whoami"]]) {
      for (const edge of [0, 1]) {
        const { page: tab } = await alice.open(product.at(host, path, edge));
        assert.equal(new URL(tab.url()).origin, product.dev.idp_issuer, `${host} at edge ${edge}`);
        await tab.close();
      }
    }
    const auth = await alice.open(product.at("auth"));
    await auth.page.getByRole("heading", { name: "Welcome", level: 1 }).waitFor();

    for (let step = 0; step < 3; step++) {
      await page.goBack({ waitUntil: "load" });
      assert.doesNotMatch(await page.content(), /secret=42|alice@acme\.test|user:[a-z2-7]{26}/, `back ${step + 1}: ${page.url()}`);
    }
  });

  it("promises no more than it can keep while the control plane is away", async (t) => {
    const { visitor: alice, page } = await stage.signedIn(t, "alice");
    const { pid } = (await product.document()).control_plane;
    process.kill(pid, "SIGSTOP");
    t.after(() => process.kill(pid, "SIGCONT"));
    await page.getByRole("link", { name: "Sign out" }).click();
    await page.getByRole("button", { name: "Sign out of everything" }).click();
    await page.getByText("Signed out here; elsewhere as soon as it can be reached.").waitFor();
    await alice.look(page, "signed-out-here");
  });

  it("where nobody is signed in says so", async (t) => {
    const stranger = await stage.visitor(t);
    const { page, status } = await stranger.open(product.at("wiki", "/.sallyport/sign-out"));
    assert.equal(status, 200);
    await page.getByRole("heading", { name: "You are not signed in", level: 1 }).waitFor();
    await stranger.look(page, "sign-out-nobody");
  });
}
