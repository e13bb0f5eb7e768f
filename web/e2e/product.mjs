// The whole product, as `make demo` runs it, in a directory and on ports of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as after } from "node:timers/promises";

const binary = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
const startWithin = 60_000;
/** What the product promises: so long after its end no process of it is left. */
const endWithin = 3_000;

const portFlags = [
  "control-plane-port", "control-plane-sync-port", "control-plane-health-port", "edge1-port", "edge1-health-port",
  "edge2-port", "edge2-health-port", "idp-port", "wiki-port", "api-port", "postgres-port", "redis1-port", "redis2-port",
];

/**
 * @typedef {object} Person
 * @property {string} email
 * @property {string} password
 * @property {string[]} groups
 */

/** @typedef {Record<string, any>} Json */

export class Product {
  /** @type {Json} dev.json, read again by `document` since pids change */
  dev = {};
  #stateDir = "";
  /** @type {number[]} */
  #ports = [];
  /** @type {import("node:child_process").ChildProcess | undefined} */
  #process;
  #said = "";

  async start() {
    this.#stateDir = await mkdtemp(join(tmpdir(), "sallyport-e2e-"));
    this.#ports = await freePorts(portFlags.length);
    const flags = portFlags.map((flag, i) => `--${flag}=${this.#ports[i]}`);
    const child = spawn(binary, ["dev", "--follow-parent", "--state-dir", this.#stateDir, ...flags], { stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    const ready = new Promise((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text) => {
          this.#said += text;
          if (this.#said.includes("Ctrl-C stops everything")) resolve("ready");
        });
      }
    });
    const timer = new AbortController();
    const outcome = await Promise.race([
      ready, once(child, "exit").then(() => "ended"), after(startWithin, "not ready in time", { signal: timer.signal, ref: false }),
    ]);
    timer.abort();
    if (outcome !== "ready") throw new Error(`sallyport dev ${outcome}. It said:\n${this.#said}`);
    await this.document();
  }

  async document() {
    this.dev = JSON.parse(await readFile(join(this.#stateDir, "dev.json"), "utf8"));
    return this.dev;
  }

  /** Ends it as a supervisor does, and returns what is left of it then: nothing, one hopes. @returns {Promise<string[]>} */
  async stop() {
    const child = this.#process;
    if (!child) return [];
    const { control_plane, edges, postgres_pid } = await this.document();
    const pids = { "control plane": control_plane.pid, postgres: postgres_pid };
    for (const edge of edges) Object.assign(pids, { [`edge ${edge.name}`]: edge.pid, [`redis of ${edge.name}`]: edge.redis_pid });
    if (child.exitCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    }
    const deadline = Date.now() + endWithin;
    let left = await this.#left(pids);
    while (left.length > 0 && Date.now() < deadline) {
      await after(20);
      left = await this.#left(pids);
    }
    if (child.exitCode !== 0) left.push(`sallyport dev ended with ${child.exitCode ?? child.signalCode}:\n${this.#said}`);
    await rm(this.#stateDir, { recursive: true, force: true });
    return left;
  }

  /** @param {Record<string, number>} pids */
  async #left(pids) {
    const left = Object.entries(pids).filter(([, pid]) => pid > 0 && runs(pid)).map(([name, pid]) => `${name} (${pid})`);
    for (const port of this.#ports) {
      if (!(await isFree(port))) left.push(`something on port ${port}`);
    }
    return left;
  }

  /** The address of a path on a host of the first tenant, at one of the two edges. */
  at(/** @type {string} */ host, path = "/", edge = 0) {
    return `https://${host}.${this.dev.tenant}.localhost:${this.dev.edges[edge].port}${path}`;
  }

  /** @returns {Person} */
  person(/** @type {string} */ name) {
    const found = this.dev.people.find((/** @type {Person} */ p) => p.email.startsWith(`${name}@`));
    if (!found) throw new Error(`the demo knows no ${name}`);
    return found;
  }

  /** Calls the API as the first tenant's admin, or with another token. @returns {Promise<Json>} */
  async call(/** @type {string} */ method, /** @type {Json} */ body, token = this.dev.control_plane.admin_token) {
    const response = await fetch(`${this.dev.control_plane.url}/sallyport.v1.${method}`, {
      method: "POST", body: JSON.stringify(body),
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    });
    const answer = /** @type {Json} */ (await response.json());
    if (!response.ok) throw new Error(`${method}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  }

  /** Runs the command-line tool as the tenant's admin, and returns what it printed. @returns {Promise<string>} */
  async cli(/** @type {string[]} */ ...args) {
    const child = spawn(binary, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, SALLYPORT_SERVER: this.dev.control_plane.url, SALLYPORT_TENANT: this.dev.tenant, SALLYPORT_TOKEN: this.dev.control_plane.admin_token },
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => { said += text; });
    const [status] = await once(child, "close");
    if (status !== 0) throw new Error(`sallyport ${args.join(" ")}: status ${status}\n${said}`);
    return said;
  }
}

/** @returns {Promise<number[]>} */
async function freePorts(/** @type {number} */ count) {
  // Below those that the system gives to outgoing connections: one of these could take a port before it is used.
  const ports = [];
  for (let port = 12_000 + Math.floor(Math.random() * 17_000); ports.length < count; port++) {
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

/** @returns {Promise<boolean>} */
function isFree(/** @type {number} */ port) {
  return new Promise((resolve) => {
    const server = createServer().once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

function runs(/** @type {number} */ pid) {
  try {
    process.kill(pid, 0); // asks only
    return true;
  } catch {
    return false;
  }
}

/**
 * Asks until the answer is there, for what happens in another process.
 * @template T
 * @param {string} what
 * @param {() => Promise<T | undefined | false>} ask
 * @returns {Promise<T>}
 */
export async function eventually(what, ask, within = 5_000) {
  const deadline = Date.now() + within;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${within} ms`);
    await after(20);
  }
}
