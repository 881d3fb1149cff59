/** What is refused, as programs see it that can see no HTTP status: a page in a real browser, and the product's client. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type SubscriptionEvents, subscribe } from "../../shared/client/client.ts";
import { launchBrowser } from "../support/browser.ts";
import { Deployment } from "../support/deployment.ts";

let deployment: Deployment;
let browser: Browser;
let page: Page;
let website: Server;

beforeAll(async () => {
  deployment = await Deployment.start({ topics: { flights: { stream: {} } } });
  browser = await launchBrowser();
  page = await browser.newPage();
  // Of another origin, as most pages are, and of this machine: others' are refused here (H11).
  website = createServer((_, response) => response.end()).listen(0, "127.0.0.1");
  await once(website, "listening");
  await page.goto(`http://127.0.0.1:${(website.address() as AddressInfo).port}/`);
}, 90_000);

afterAll(async () => {
  await browser?.close();
  website?.close();
  await deployment?.stop();
});

/** How a WebSocket in the page ends. */
function dialled(path: string, protocols: string[]) {
  return page.evaluate(
    ([url, protocols]) =>
      new Promise((resolve) => {
        const socket = new WebSocket(url, protocols);
        socket.onmessage = ({ data }) => resolve(`served: ${data}`);
        socket.onclose = ({ code, reason }) => resolve({ code, reason });
      }),
    [deployment.url.replace("http", "ws") + path, protocols] as const,
  );
}

test.each([
  ["/secret/ATL", 4507, "unknown_topic: no such topic is exposed"],
  ["/flights/%zz", 4508, "bad_address: the path holds no topic name, or a malformed %"],
  ["/flights/ATL?from=here", 4509, "bad_position: from is not a position"],
  ["/flights/gate:7", 4511, "not_canonical: dial /flights/gate%3A7"],
  ["/$/streams", 4512, "bad_upgrade: no WebSocket is served here"],
])("[H9] a page in a browser hears why %s is refused, whatever it offered", async (path, code, reason) => {
  for (const offered of [[], ["distributary.v1"], ["chat", "distributary.v1"]])
    expect(await dialled(path, offered)).toEqual({ code, reason });
});

test("[H9] [V1] a page that speaks other versions only hears that", async () => {
  expect(await dialled("/flights/ATL", ["distributary.v2"])).toEqual({
    code: 4502,
    reason: "unsupported_version: this edge speaks distributary.v1",
  });
});

test("[H8] [H6] a page of another origin can read why a GET fails", async () => {
  const read = (url: string) => fetch(url).then(async (answer) => [answer.status, await answer.json()]);

  expect(await page.evaluate(read, `${deployment.url}/secret/ATL`)).toMatchObject([
    404,
    { error: { code: "unknown_topic", retry: false } },
  ]);
});

test("[H9] [C3] the product's client is told in so many words, ends, and doesn't dial again", async () => {
  const subscription = subscribe(`${deployment.url}/secret/ATL`, { backoff: { baseMs: 1, maxMs: 1 } });
  const states: string[] = [];
  subscription.on("connection", ({ state }) => states.push(state));
  const error = new Promise<SubscriptionEvents["error"]>((resolve) => subscription.on("error", resolve));
  const closed = new Promise<SubscriptionEvents["connection"]>((resolve) =>
    subscription.on("connection", (change) => change.state === "closed" && resolve(change)),
  );

  expect(await error).toEqual({
    code: "unknown_topic",
    message: "no such topic is exposed",
    retry: false,
  });
  expect(await closed).toMatchObject({ code: 4507 });
  expect(states).toEqual(["open", "closed"]);
});
