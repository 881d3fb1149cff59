/**
 * The client in a page that is frozen, and in one whose network goes: a real browser, and the real runtime. For seconds; in
 * `npm run test:long` for ten minutes each. Of itself the client would ask for a sign of life only after an hour, so if it is back,
 * it was not its usual signs that brought it.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { build, stop } from "esbuild";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { launchBrowserOfAPerson } from "../support/browser.ts";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { figure, LONG } from "../support/long.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

/** What the page keeps of what its client told, and of what happened to itself. */
interface Seen {
  readonly values: number[];
  readonly told: Told[];
}

interface Told {
  readonly name: string;
  /** In milliseconds since 1970. */
  readonly at: number;
  /** Of a connection that broke. */
  readonly reason?: string;
  readonly retryMs?: number;
  /** Of one that opened. */
  readonly way?: string;
}

const PAGE = `<!doctype html><title>page</title><script type="module">
  import { Client } from "/client.js";
  const query = new URLSearchParams(location.search);
  globalThis.seen = { values: [], told: [] };
  const tell = (name, more) => seen.told.push({ name, at: Date.now(), ...more });
  for (const name of ["online", "offline"]) addEventListener(name, () => tell(name));
  for (const name of ["freeze", "resume"]) document.addEventListener(name, () => tell(name));
  const client = new Client(query.get("edge"), { timeouts: { quietMs: 3_600_000 } });
  const subscription = client.subscribe(query.get("path"));
  subscription.on("update", ({ value }) => seen.values.push(value));
  for (const name of ["recovered", "gap", "live"]) subscription.on(name, () => tell(name));
  client.on("connection", ({ state, reason, retryMs, way }) => tell(state, { reason, retryMs, way }));
</script>`;

/** For so long each of it lasts. */
const AWAY_MS = LONG ? 10 * 60_000 : 2_000;

let edge: TestEdge;
let origin: ScriptedOrigin;
let browser: { context: BrowserContext; close(): Promise<void> };
let site: Server;
let proxy: TcpProxy;
let page: Page;
let keys = 0;
let path: string;
/** The machine may be busy with much else. */
const PATIENCE_MS = 120_000;

beforeAll(async () => {
  edge = await startEdge();
  origin = await new ScriptedOrigin({ url: edge.url }).connect();
  const entryPoints = [join(import.meta.dirname, "../../shared/client/index.ts")];
  const { outputFiles } = await build({ entryPoints, bundle: true, format: "esm", write: false }).finally(
    stop,
  );
  site = createServer(({ url }, response) => {
    const isScript = url === "/client.js";
    response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? outputFiles[0]?.contents : PAGE);
  });
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  browser = await launchBrowserOfAPerson();
}, 240_000);
afterAll(async () => {
  await browser.close();
  site.close();
  origin.cut();
  await edge.close();
});

/** A page that follows an endpoint over the proxy. */
beforeEach(async () => {
  proxy = await TcpProxy.open(Number(new URL(edge.url).port));
  path = `/quotes/life-${++keys}`;
  origin.append(path, 1);
  page = await browser.context.newPage();
  const query = new URLSearchParams({ edge: `http://127.0.0.1:${proxy.port}`, path });
  await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/?${query}`);
  await until(({ told }) => told.some(({ name }) => name === "live"));
  return async () => {
    await page.close();
    await proxy.close();
  };
}, 240_000);

const seen = (): Promise<Seen> => page.evaluate("seen");
const until = (is: (seen: Seen) => boolean) =>
  eventually(async () => is(await seen()), "what the page is to see", PATIENCE_MS);
const away = () => new Promise((resolve) => setTimeout(resolve, AWAY_MS));

/** What was told from the last event of this name on, when it is live again after that. */
async function backAfter(event: string): Promise<readonly Told[]> {
  const since = (told: readonly Told[]) => told.slice(told.findLastIndex(({ name }) => name === event));
  await until(({ told }) => {
    const [first, ...others] = since(told);
    return first?.name === event && others.some(({ name }) => name === "live");
  });
  const told = since((await seen()).told);
  const [first] = told;
  const last = told.find(({ name }) => name === "live");
  const tookMs = (last?.at ?? Number.NaN) - (first?.at ?? Number.NaN);
  const line = `live again ${tookMs} ms after "${event}", over ${told.find(({ way }) => way)?.way}; the page had been without the edge for ${AWAY_MS / 1_000} s`;
  console.log(line);
  figure(line);
  return told;
}

/** What it said of the connection, and of its verdict. */
const names = (told: readonly Told[]) => told.map(({ name }) => name).filter((name) => name !== "backingOff");

/** Before each dial, as it was told. */
const waits = (told: readonly Told[]) => told.flatMap(({ retryMs }) => retryMs ?? []);

test("[S26] a page that was frozen dials as soon as it is thawed, and has a verdict and all that came meanwhile", async () => {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
  origin.append(path, 2);
  await away();
  await devtools.send("Page.setWebLifecycleState", { state: "active" });
  const told = await backAfter("resume");

  expect(names(told)).toEqual(["resume", "connecting", "open", "recovered", "live"]);
  expect(waits(told)).toEqual([0]);
  const { values, told: all } = await seen();
  expect(values).toEqual([1, 2]);
  // It was frozen indeed: nothing reached it.
  const frozen = all.findIndex(({ name }) => name === "freeze");
  expect(all.slice(frozen, frozen + 2).map(({ name }) => name)).toEqual(["freeze", "resume"]);
}, 1_200_000);

test("[S26] a page whose network comes back tries at once, whatever it waits for, and has a verdict and all that came meanwhile", async () => {
  proxy.silence();
  origin.append(path, 2);
  await page.context().setOffline(true);
  await until(({ told }) => told.some(({ reason }) => reason === "nothing was heard"));
  await away();
  proxy.speak();
  await page.context().setOffline(false);
  const told = await backAfter("online");

  // A dial that was under way may still fail by what was before.
  expect(names(told).slice(-4)).toEqual(["connecting", "open", "recovered", "live"]);
  expect(Math.max(0, ...waits(told))).toBeLessThanOrEqual(1_000);
  expect((await seen()).values).toEqual([1, 2]);
}, 1_200_000);
