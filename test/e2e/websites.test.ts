/** What a website can do to an edge on the machine whose browser shows it: in a real browser. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CLOSE } from "../../shared/protocol/codes.ts";
import { launchBrowser } from "../support/browser.ts";
import { Deployment, utf8 } from "../support/deployment.ts";

/** Names that an attacker's DNS server gives out: each leads here. */
const EVIL = "evil.example";

let deployment: Deployment;
let browser: Browser;
let website: Server;

beforeAll(async () => {
  deployment = await Deployment.start({
    topics: { quotes: { stream: { compacted: true } } },
    edgeEnv: { OPERATIONS: "on" },
  });
  deployment.produce("quotes", [{ key: utf8("A"), value: utf8('{"a":"secret"}') }]);
  website = createServer((_, response) => {
    response.setHeader("Content-Type", "text/html");
    response.end("<!doctype html><title>a website</title><body>");
  }).listen(0, "127.0.0.1");
  await once(website, "listening");
  browser = await launchBrowser([`--host-resolver-rules=MAP *.${EVIL} 127.0.0.1,MAP ${EVIL} 127.0.0.1`]);
});
afterAll(async () => {
  await browser?.close();
  website?.close();
  await deployment?.stop();
});

const PATHS = ["/quotes/A", "/$/streams", "/$/health", "/$/operations", "/$/"];

/** What a script of the page reads, or why it can't; and how a subscribe of it ends. */
function tries(page: Page, base: string) {
  return page.evaluate(
    async ({ base, paths }) => {
      const read = (path: string) =>
        fetch(`${base}${path}`).then(
          async (answer) => `${answer.status} ${await answer.text()}`,
          (error: Error) => error.name,
        );
      const closed = await new Promise<number>((resolve) => {
        const socket = new WebSocket(`${base.replace("http", "ws")}/quotes/A`, ["distributary.v1"]);
        socket.onmessage = () => resolve(0);
        socket.onclose = ({ code }) => resolve(code);
      });
      return { read: await Promise.all(paths.map(read)), closed };
    },
    { base, paths: PATHS },
  );
}

test("[H11] a website reads nothing of an edge on this machine, and subscribes to nothing", async () => {
  const page = await browser.newPage();
  const { port } = website.address() as AddressInfo;
  await page.goto(`http://${EVIL}:${port}/`);

  const { read, closed } = await tries(page, deployment.url);

  expect(read).toEqual(PATHS.map(() => "TypeError"));
  expect(closed).toBe(CLOSE.forbidden_origin);
  await page.close();
}, 60_000);

test("[H11] nor does one whose name suddenly leads to this machine (DNS rebinding)", async () => {
  const page = await browser.newPage();
  const base = `http://${EVIL}:${new URL(deployment.url).port}`;
  const answer = await page.goto(`${base}/nowhere`);
  expect(answer?.status()).toBe(421);

  const { read, closed } = await tries(page, base);

  for (const text of read) expect(text).toMatch(/^421 .*"wrong_host"/);
  expect(closed).toBe(CLOSE.wrong_host);
  await page.close();
}, 60_000);

test("[H10] nor can it show the edge's page in a frame", async () => {
  const page = await browser.newPage();
  const { port } = website.address() as AddressInfo;
  await page.goto(`http://${EVIL}:${port}/`);
  const refused = page.waitForEvent("console", (message) => message.text().includes("frame-ancestors"));
  // As text: the test's own code has no document.
  const framed = `<iframe src="${deployment.url}/$/"></iframe>`;
  await page.evaluate(`document.body.innerHTML = ${JSON.stringify(framed)}`);

  await refused;
  await page.close();
}, 60_000);

test("[H11] a page of this machine, on another port, reads records and subscribes", async () => {
  const page = await browser.newPage();
  const { port } = website.address() as AddressInfo;
  await page.goto(`http://localhost:${port}/`);

  const { read, closed } = await tries(page, deployment.url);

  expect(read[0]).toBe('200 {"a":"secret"}');
  expect(read.slice(1)).toEqual(PATHS.slice(1).map(() => "TypeError"));
  expect(closed).toBe(0);
  await page.close();
}, 60_000);
