// Somebody at a browser of their own, and what their browser complains of.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import { chromium } from "playwright-core";

const screenshots = fileURLToPath(new URL("screenshots", import.meta.url));

export async function launch() {
  const places = (process.env.PATH ?? "").split(delimiter).flatMap((dir) => ["chromium", "chromium-browser", "google-chrome"].map((name) => join(dir, name)));
  const executablePath = places.find((place) => existsSync(place));
  assert.ok(executablePath, "Chromium is not there: `make test` installs it");
  await mkdir(screenshots, { recursive: true });
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
    ],
  });
}

/** @typedef {import("playwright-core").Page} Page */

export class Visitor {
  /** What the browser complained of, and whom else it asked: nobody, ever. @type {string[]} */
  complaints = [];
  /** Answers of 400 and above that no visit asked for. @type {string[]} */
  refused = [];
  /** @type {import("playwright-core").BrowserContext} */
  context;

  /** @param {import("playwright-core").BrowserContext} context */
  constructor(context) {
    this.context = context;
    context.on("request", (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (protocol !== "data:" && hostname !== "localhost" && !hostname.endsWith(".localhost")) this.complaints.push(`asked ${request.url()}`);
    });
    context.on("response", (response) => {
      if (response.status() >= 400 && !response.request().isNavigationRequest()) this.refused.push(`${response.status()} ${response.url()}`);
    });
    context.on("console", (message) => {
      // Chromium repeats every status of 400 and above on the console; tests look at those themselves.
      if (["error", "warning"].includes(message.type()) && !message.text().startsWith("Failed to load resource: the server responded with a status of")) {
        this.complaints.push(`${message.type()} at ${message.page()?.url()}: ${message.text()}`);
      }
    });
    context.on("weberror", (error) => this.complaints.push(`exception: ${error.error()}`));
  }

  /**
   * @param {import("playwright-core").Browser} browser
   * @param {import("node:test").TestContext} t at its end the browser is closed and must have had no complaint
   * @param {import("playwright-core").BrowserContextOptions} [options]
   */
  static async arrive(browser, t, options) {
    // The demo's CA is in no browser's store. Whether the chain is good is tested by programs that know the CA.
    const visitor = new Visitor(await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1100, height: 800 }, ...options }));
    visitor.context.setDefaultTimeout(10_000);
    t.after(async () => {
      await visitor.context.close();
      assert.deepEqual(visitor.complaints, [], "the browser complains of nothing");
      assert.deepEqual(visitor.refused, [], "nothing was refused that nobody asked for");
    });
    return visitor;
  }

  /** Opens an address in a new tab and follows it to wherever that ends. @returns {Promise<{page: Page, status: number}>} */
  async open(/** @type {string} */ url) {
    const page = await this.context.newPage();
    return { page, status: await this.go(page, url) };
  }

  /** @returns {Promise<number>} the status of the page where it ends */
  async go(/** @type {Page} */ page, /** @type {string} */ url) {
    const response = await page.goto(url, { waitUntil: "load" });
    return response?.status() ?? 0;
  }

  /** Fills in the directory's form; returns when the browser is on another host. */
  async signIn(/** @type {Page} */ page, /** @type {{email: string, password: string}} */ as) {
    await page.getByRole("textbox", { name: "Name or e-mail address" }).fill(as.email);
    await page.getByLabel("Password").fill(as.password);
    const from = new URL(page.url()).host;
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL((url) => url.host !== from, { waitUntil: "load" });
  }

  /** Looks at the page: keeps a picture of it, and wants it accessible, in both colour schemes, wide and narrow. */
  async look(/** @type {Page} */ page, /** @type {string} */ name) {
    const size = page.viewportSize();
    assert.ok(size);
    for (const [variant, colorScheme, width, height] of /** @type {const} */ ([
      ["", "light", size.width, size.height], ["-dark", "dark", size.width, size.height], ["-narrow", "light", 320, 640],
    ])) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height });
      await page.screenshot({ path: `${screenshots}/${name}${variant}.png`, fullPage: true });
      // Narrow differs from light in its layout only, and that is what the next lines look at.
      if (variant !== "-narrow") assert.deepEqual(await violations(page), [], `axe on ${name}${variant}`);
      const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(tooWide, 0, `${name}${variant} has to be scrolled sideways`);
    }
    await page.emulateMedia({ colorScheme: null });
    await page.setViewportSize(size);
  }
}

/** @returns {Promise<string[]>} */
async function violations(/** @type {Page} */ page) {
  // Through the debugger: the page's own policy allows no script, and has to stay as it is.
  const session = await page.context().newCDPSession(page);
  const run = async (/** @type {string} */ expression) => {
    const { result, exceptionDetails } = await session.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  await run(axe.source);
  const found = JSON.parse(await run(`axe.run({ resultTypes: ["violations"] }).then((r) => JSON.stringify(r.violations))`));
  await session.detach();
  return found.map((/** @type {any} */ v) => `${v.id}: ${v.help}: ${v.nodes.map((/** @type {any} */ n) => n.html).join(" ")}`);
}
