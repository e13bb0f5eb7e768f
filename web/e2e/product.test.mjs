// What people see of Sallyport, in a real browser, on the whole product.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { programs } from "./programs.mjs";
import { Product } from "./product.mjs";
import { refusals } from "./refusals.mjs";
import { signingIn } from "./sign-in.mjs";
import { signingOut } from "./sign-out.mjs";
import { launch, Visitor } from "./visitor.mjs";

/** What every test gets: the product, and somebody new at a browser. */
export class Stage {
  product = new Product();
  /** @type {import("playwright-core").Browser | undefined} */
  browser;

  /**
   * @param {import("node:test").TestContext} t
   * @param {import("playwright-core").BrowserContextOptions} [options]
   */
  visitor(t, options) {
    assert.ok(this.browser);
    return Visitor.arrive(this.browser, t, options);
  }

  /**
   * Somebody who has just signed in, at a page of the wiki.
   * @param {import("node:test").TestContext} t
   * @param {string} name
   */
  async signedIn(t, name, path = "/") {
    const visitor = await this.visitor(t);
    const { page } = await visitor.open(this.product.at("wiki", path));
    await visitor.signIn(page, this.product.person(name));
    return { visitor, page };
  }
}

const stage = new Stage();

before(async () => {
  [stage.browser] = await Promise.all([launch(), stage.product.start()]);
});

after(async () => {
  await stage.browser?.close();
  assert.deepEqual(await stage.product.stop(), [], "nothing is left");
});

describe("signing in", () => signingIn(it, stage));
describe("refusals", () => refusals(it, stage));
describe("programs in the browser", () => programs(it, stage));
describe("signing out", () => signingOut(it, stage));
