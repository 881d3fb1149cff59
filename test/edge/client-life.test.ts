/** The client in a page whose network goes and comes: a real browser, and the real runtime. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { build, stop } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { launchBrowser } from "../support/browser.ts";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

/** What the page keeps of what its client told. */
interface Seen {
  readonly values: number[];
  readonly told: string[];
}

/** Of itself its client would ask for no sign of life before an hour is over. */
const PAGE = `<!doctype html><title>page</title><script type="module">
  import { Client } from "/client.js";
  const query = new URLSearchParams(location.search);
  const client = new Client(query.get("edge"), { timeouts: { quietMs: 3_600_000 } });
  const subscription = client.subscribe(query.get("path"));
  globalThis.seen = { values: [], told: [] };
  subscription.on("update", ({ value }) => seen.values.push(value));
  for (const name of ["recovered", "gap", "live"]) subscription.on(name, () => seen.told.push(name));
  client.on("connection", ({ state, reason }) => seen.told.push(reason ? state + ": " + reason : state));
</script>`;

let edge: TestEdge;
let origin: ScriptedOrigin;
let browser: Browser;
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
  browser = await launchBrowser();
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
  page = await browser.newPage();
  const query = new URLSearchParams({ edge: `http://127.0.0.1:${proxy.port}`, path });
  await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/?${query}`);
  await until(({ told }) => told.includes("live"));
  return async () => {
    await page.close();
    await proxy.close();
  };
}, 240_000);

const seen = (): Promise<Seen> => page.evaluate("seen");
const until = (is: (seen: Seen) => boolean) =>
  eventually(async () => is(await seen()), "what the page is to see", PATIENCE_MS);

test("[S26] a page whose network comes back has a verdict, and all that came meanwhile", async () => {
  proxy.silence();
  origin.append(path, 2);
  await page.context().setOffline(true);
  await until(({ told }) => told.includes("backingOff: nothing was heard"));
  proxy.speak();
  await page.context().setOffline(false);
  await until(({ told }) => told.at(-1) === "live" && told.includes("recovered"));

  expect((await seen()).values).toEqual([1, 2]);
}, 300_000);
