/** The page as a person sees it, in a real browser. */
import type { Browser, WebSocket } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser } from "../support/browser.ts";
import { Deployment, utf8 } from "../support/deployment.ts";

let deployment: Deployment;
let browser: Browser;

beforeAll(async () => {
  const compacted = { stream: { compacted: true } };
  deployment = await Deployment.start({
    topics: {
      flights: compacted,
      earthquakes: compacted,
      quotes: { stream: { compacted: true, publish: "public" } },
    },
    originEnv: { PUBLISH_SECRET: "a secret of the tests of 32 bytes or more" },
  });
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await deployment?.stop();
});

const produce = (topic: string, key: string, value: string) =>
  deployment.produce(topic, [{ key: utf8(key), value: utf8(value) }]);

test("[S10] [M2] the page shows updates with their position; after its one connection is cut all resume and show that nothing was lost", async () => {
  produce("flights", "ATL", '{"to":"LAX","delay":-3}');
  const page = await browser.newPage();
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on(
    "response",
    (response) => response.status() >= 400 && problems.push(`${response.status()} ${response.url()}`),
  );
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  const sockets: WebSocket[] = [];
  const said: string[] = [];
  page.on("websocket", (socket) => {
    sockets.push(socket);
    socket.on("framesent", ({ payload }) => said.push(String(payload)));
  });
  await page.goto(`${deployment.url}/`);
  expect(page.url()).toBe(`${deployment.url}/$/`);
  const tile = page.locator('[data-endpoint="/flights/ATL"]');
  const field = (name: string) => tile.locator(`[data-field="${name}"]`);

  await field("value").getByText("LAX").first().waitFor();
  const [position] = produce("flights", "ATL", '{"to":"JFK","delay":12}');
  await field("value").getByText("JFK").first().waitFor();
  expect(await field("position").textContent()).toContain(`${position?.epoch}:${position?.offset}`);

  await page.locator('[data-field="state"]:not(:text("live"))').first().waitFor({ state: "detached" });

  await page.locator("#cut").click();
  await tile.locator('[data-field="state"]:not(:text("live"))').first().waitFor();
  for (const to of ["SEA", "SFO", "DEN"]) produce("flights", "ATL", JSON.stringify({ to, delay: 1 }));
  await field("value").getByText("DEN").first().waitFor();
  await field("proof").getByText("3").first().waitFor();

  expect(await field("proof").textContent()).toMatch(/recovered/i);
  expect(await field("state").textContent()).toMatch(/live/i);
  // One for all tiles, and another one after the cut.
  expect(sockets.map((socket) => new URL(socket.url()).pathname)).toEqual(Array(2).fill("/$/connect"));
  expect(new Set(sockets.map((socket) => socket.url())).size).toBe(1);
  said.length = 0;
  await tile.locator('[data-field="remove"]').click();
  await expect.poll(() => said).toContainEqual(expect.stringContaining('"unsub":"/flights/ATL"'));
  expect(problems.filter((problem) => !problem.includes("WebSocket"))).toEqual([]);
  await page.close();
}, 90_000);

test("[W1] [W5] what somebody publishes on the page, its tile shows, at the position of the acknowledgement", async () => {
  const page = await browser.newPage();
  await page.goto(`${deployment.url}/$/`);
  const tile = page.locator('[data-endpoint="/quotes/AAPL"]');
  const field = (name: string) => tile.locator(`[data-field="${name}"]`);
  await field("state").getByText("live").waitFor();
  await tile.locator("input").fill('{"bid":17}');
  await tile.getByText("Send").click();
  await field("value").getByText('{"bid":17}').first().waitFor();
  await field("published").getByText("published at").waitFor();

  expect(await field("published").textContent()).toBe(
    `published at ${await field("position").textContent()}`,
  );
  expect(await page.locator('[data-endpoint="/flights/ATL"] form').isVisible()).toBe(false);
  await page.close();
}, 60_000);

test("what a record holds is text to the page, never markup", async () => {
  const page = await browser.newPage();
  await page.goto(`${deployment.url}/$/`);
  const tile = page.locator('[data-endpoint="/quotes/AAPL"]');
  await tile.waitFor();

  produce("quotes", "AAPL", '{"bid":"<img src=x onerror=document.title=1>"}');
  await tile.locator('[data-field="value"]').getByText("<img").first().waitFor();

  expect(await page.locator("img").count()).toBe(0);
  await page.close();
}, 60_000);

test("where nothing is public, the page says that a token is needed", async () => {
  const subscribe = "token";
  const closed = await Deployment.start({ topics: { flights: { stream: { subscribe } } } });
  const page = await browser.newPage();
  try {
    await page.goto(`${closed.url}/`);
    await page.getByRole("alert").getByText("Nothing here is public").waitFor();
    expect(await page.locator("[data-endpoint]").count()).toBe(0);
  } finally {
    await page.close();
    await closed.stop();
  }
}, 60_000);
