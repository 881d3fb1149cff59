/**
 * Event streams as those read them that share no code with us: curl, a browser's own EventSource, and the examples of
 * docs/subscribing.md in their languages.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser } from "../support/browser.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment, utf8 } from "../support/deployment.ts";
import { root } from "../support/product.ts";
import { RawEvents } from "../support/raw-events.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

const document = readFileSync(join(root, "docs/subscribing.md"), "utf8");
const exampleIn = (language: string) =>
  new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "m").exec(document)?.[1] ?? "";

interface Heard {
  readonly values: readonly number[];
  readonly verdicts: readonly { readonly recovered?: boolean }[];
  readonly opened: number;
}

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
  await page.evaluate(`
    const heard = { values: [], verdicts: [], opened: 0 };
    const source = new EventSource("/quotes/MSFT");
    source.onopen = () => heard.opened++;
    source.onmessage = ({ data }) => heard.values.push(JSON.parse(data).v);
    source.addEventListener("verdict", ({ data }) => heard.verdicts.push(JSON.parse(data)));
    window.heard = heard;
    undefined;`);
  const heard = () => page.evaluate<Heard>("window.heard");
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

test("[E1] [E3] the example for pages says what comes, and nothing of losses where there are none", async () => {
  const proxy = await TcpProxy.open(Number(new URL(deployment.url).port));
  const page = await browser.newPage();
  const said: string[] = [];
  page.on("console", (message) => said.push(`${message.type()} ${message.text()}`));
  await page.goto(`http://127.0.0.1:${proxy.port}/$/streams`);
  produce("PAGE", "1");
  await page.evaluate(
    exampleIn("js").replace(
      "http://127.0.0.1:8787/flights/ATL",
      `http://127.0.0.1:${proxy.port}/quotes/PAGE`,
    ),
  );
  await eventually(() => said.some((line) => line.endsWith(" 1")), "the latest");
  proxy.cut();
  const [position] = produce("PAGE", "2");
  const last = `log ${position?.epoch}:${position?.offset} 2`;
  await eventually(() => said.includes(last), "the next");

  expect(said.filter((line) => line.startsWith("warning"))).toEqual([]);
  await page.close();
  await proxy.close();
}, 60_000);

/** What an example prints for a key; it is cut off, and comes back by itself. */
async function followsThroughACut(key: string, run: (url: string) => ChildProcess): Promise<void> {
  const proxy = await TcpProxy.open(Number(new URL(deployment.url).port));
  produce(key, "1");
  const example = run(`http://127.0.0.1:${proxy.port}/quotes/${key}`);
  let said = "";
  for (const output of [example.stdout, example.stderr])
    output?.on("data", (data) => {
      said += String(data);
    });
  await eventually(() => /^message .*1\}?$/m.test(said), "the latest", 60_000);
  proxy.cut();
  produce(key, "2");
  produce(key, '"three\\nlines"');
  await eventually(() => said.includes("three"), "what came meanwhile");
  example.kill();
  await once(example, "close");

  expect(said.match(/^message /gm)).toHaveLength(3);
  expect(said.match(/^verdict .*"recovered": ?true/gm)).toHaveLength(1);
  await proxy.close();
}

/** Skipped, with the reason in its name, where the language isn't there. */
const present = (command: string, ...args: string[]) => spawnSync(command, args).status === 0;

test.skipIf(!present("python3", "-c", "import requests"))(
  "[E1] [E3] the example in Python follows through a cut (needs Python with requests)",
  () => followsThroughACut("PYTHON", (url) => spawn("python3", ["-c", exampleIn("py"), url])),
  90_000,
);

test.skipIf(!present("go", "version"))(
  "[E1] [E3] the example in Go follows through a cut (needs Go)",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "distributary-go-"));
    const program = join(folder, "follow");
    writeFileSync(`${program}.go`, exampleIn("go"));
    const env = { ...process.env, GOTOOLCHAIN: "local" };
    const built = spawnSync("go", ["build", "-o", program, `${program}.go`], { cwd: folder, env });
    expect([built.status, String(built.stderr)]).toEqual([0, ""]);
    await followsThroughACut("GO", (url) => spawn(program, [url]));
    rmSync(folder, { recursive: true, force: true });
  },
  150_000,
);

test("[E1] [E5] an HTTP/1.1 proxy that speaks for its clients passes events on as they come", async () => {
  const proxy = createServer((asked, answer) => {
    const { method, headers } = asked;
    const passed = request(new URL(asked.url ?? "", deployment.url), { method, headers, agent: false });
    passed.on("response", (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    answer.on("close", () => passed.destroy());
    passed.end();
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const address = proxy.address();
  const port = typeof address === "object" ? address?.port : undefined;
  produce("PROXY", "1");
  const events = new RawEvents(`http://127.0.0.1:${port}/quotes/PROXY`);
  await events.until(({ updates }) => updates.length === 1, "the latest");
  produce("PROXY", "2");
  await events.until(({ updates }) => updates.length === 2, "the next");

  expect(events.headers["cache-control"]).toBe("no-store, no-transform");
  events.cut();
  proxy.close();
});
