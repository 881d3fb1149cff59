/** Event streams as those read them that share no code with us: curl, and a browser's own EventSource. */
import { spawn } from "node:child_process";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser } from "../support/browser.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment, utf8 } from "../support/deployment.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

let deployment: Deployment;
let browser: Browser;

beforeAll(async () => {
  deployment = await Deployment.start({ topics: { quotes: {} } });
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await deployment?.stop();
});

const produce = (key: string, value: string) =>
  deployment.produce("quotes", [{ key: utf8(key), value: utf8(value) }]);

test("[E1] [E2] curl follows an endpoint line by line", async () => {
  produce("AAPL", '{"bid":1}');
  const curl = spawn("curl", ["-sN", "-H", "Accept: text/event-stream", `${deployment.url}/quotes/AAPL`]);
  let said = "";
  curl.stdout.on("data", (data) => {
    said += String(data);
  });
  await eventually(() => said.includes('"v":{"bid":1}'), "the latest");
  const [position] = produce("AAPL", '{"bid":2}');
  await eventually(() => said.includes('"v":{"bid":2}}\n\n'), "the next");
  curl.kill();

  expect(said).toMatch(/^retry: \d+\n\nevent: verdict\nid: \S+\ndata: \{"position":/);
  expect(said).toContain(`\nid: ${position?.epoch}:${position?.offset}\ndata: {"e":"/quotes/AAPL"`);
});

test("[E1] [E3] a browser's EventSource comes back by itself after cuts, and misses nothing", async () => {
  const proxy = await TcpProxy.open(Number(new URL(deployment.url).port));
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${proxy.port}/$/streams`);
  produce("MSFT", "0");
  await page.evaluate((url) => {
    const heard: { values: number[]; verdicts: unknown[]; opened: number } = {
      values: [],
      verdicts: [],
      opened: 0,
    };
    Object.assign(window, { heard });
    const source = new EventSource(url);
    source.onopen = () => heard.opened++;
    source.onmessage = ({ data }) => heard.values.push(JSON.parse(data).v);
    source.addEventListener("verdict", ({ data }) => heard.verdicts.push(JSON.parse(data)));
  }, `http://127.0.0.1:${proxy.port}/quotes/MSFT`);
  const heard = () =>
    page.evaluate(
      () =>
        (
          window as unknown as {
            heard: { values: number[]; verdicts: { recovered?: boolean }[]; opened: number };
          }
        ).heard,
    );
  let written = 0;
  for (let cut = 0; cut < 4; cut++) {
    await eventually(async () => (await heard()).values.at(-1) === written, "all so far");
    proxy.cut();
    for (let i = 0; i < 3; i++) produce("MSFT", String(++written));
  }
  await eventually(async () => (await heard()).values.at(-1) === written, "all");
  const { values, verdicts, opened } = await heard();

  expect(values).toEqual(Array.from({ length: written + 1 }, (_, i) => i));
  expect(opened).toBe(5);
  expect(verdicts.slice(1).map(({ recovered }) => recovered)).toEqual([true, true, true, true]);
  await page.close();
  await proxy.close();
}, 90_000);
