/** The example of examples/rooms: a board on which what one says in a browser is seen in another. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serveSite } from "../../examples/rooms/site.ts";
import example from "../../examples/rooms/streams.json" with { type: "json" };
import { launchBrowser } from "../support/browser.ts";
import { Deployment, utf8 } from "../support/deployment.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

let deployment: Deployment;
let browser: Browser;
/** Between the pages and the edge. */
let proxy: TcpProxy;
let site: Server;

beforeAll(async () => {
  deployment = await Deployment.start({
    topics: { rooms: { stream: example.streams.rooms } },
    originEnv: { PUBLISH_SECRET: "a secret of the tests of 32 bytes or more" },
  });
  deployment.produce("rooms", [{ key: utf8("Curie"), value: utf8('{"by":"Marie <b>"}') }]);
  proxy = await TcpProxy.open(Number(new URL(deployment.url).port));
  site = await serveSite(`http://127.0.0.1:${proxy.port}`, 0);
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  site?.close();
  await proxy?.close();
  await deployment?.stop();
});

async function open(problems: string[]): Promise<Page> {
  const page = await browser.newPage();
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
  return page;
}

/** What a card says of a room. */
const card = (page: Page, room: string) => page.locator("li", { has: page.getByText(room, { exact: true }) });
const says = (page: Page, room: string) => card(page, room).locator("p").textContent();

test("two who have it open see what either does, at once and after a connection that broke meanwhile, each click once", async () => {
  const problems: string[] = [];
  const [ada, grace] = [await open(problems), await open(problems)];
  for (const page of [ada, grace]) await expect.poll(() => says(page, "Curie")).toBe("Marie <b> is in");
  await grace.locator("#me").fill("Grace");

  await ada.getByText("Take it").first().click();
  await expect.poll(() => says(grace, "Ampere")).toBe("Ada is in");
  await card(grace, "Curie").getByRole("button").click();
  await expect.poll(() => says(ada, "Curie")).toBe("free");

  await proxy.refuse();
  await card(grace, "Hopper").getByRole("button").click();
  expect(await says(grace, "Hopper")).toBe("free");
  await proxy.listen();
  for (const page of [ada, grace]) await expect.poll(() => says(page, "Hopper")).toBe("Grace is in");

  const hopper = await fetch(`${deployment.url}/rooms/Hopper`);
  expect(await hopper.json()).toEqual({ by: "Grace" });
  expect((await fetch(`${deployment.url}/rooms/Curie`)).status).toBe(404);
  for (const page of [ada, grace]) {
    expect(await page.locator("#problem").textContent()).toBe("");
    expect(await page.locator("li[data-sending]").count()).toBe(0);
  }
  expect(problems).toEqual([]);
});
