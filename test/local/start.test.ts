/** `npm start` with its real processes: ready, what it prints, and that nothing of it stays. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { freePort } from "../support/ports.ts";
import { allGone, commandOf, descendants, endLeft, Product, root } from "../support/product.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { AUTH_ISSUERS, tokenOf } from "../support/tokens.ts";

let dataDir: string;
let port: number;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "distributary-start-"));
  port = await freePort();
});

afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

async function start(...args: readonly string[]): Promise<Product> {
  const product = new Product(["--port", String(port), "--data-dir", dataDir, ...args]);
  onTestFinished(async () => {
    product.process.kill("SIGKILL");
    await product.exit();
  });
  await product.ready();
  return product;
}

/** Runs a line in a shell, as a person pastes it, in the project's folder. */
function paste(line: string): { lines: () => string[] } {
  const shell = spawn("sh", ["-c", line], { cwd: root, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [shell.stdout, shell.stderr])
    stream.on("data", (data: Buffer) => {
      output += data.toString();
    });
  onTestFinished(() => {
    if (shell.exitCode === null && shell.pid !== undefined) process.kill(-shell.pid, "SIGKILL");
  });
  return { lines: () => output.split("\n").filter((one) => one !== "") };
}

/** What runs below `npm start`, by the last part of each script's or binary's name. */
const running = (product: Product) =>
  descendants(product.pid)
    .map((pid) => /(\w+)(?:\.ts\b| serve)/.exec(commandOf(pid))?.[1])
    .sort();

describe("what it prints", () => {
  test("every line can be pasted: page, latest record, stream, and a record of one's own that reaches a subscriber", async () => {
    const product = await start();
    const url = `http://127.0.0.1:${port}`;
    expect(product.stdout.split("\n")[0]).toBe(`ready ${url}`);

    const page = await fetch(product.line("page"));
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);

    expect(product.line("latest")).toBe(`curl -i ${url}/flights/ATL`);
    const latest = await fetch(`${url}/flights/ATL`);
    expect([latest.status, Object.keys((await latest.json()) as object)]).toEqual([
      200,
      ["to", "delay", "distance", "departed"],
    ]);

    const stream = paste(product.line("stream"));
    await eventually(
      () => stream.lines().length >= 2,
      () => `a verdict and an update: ${stream.lines()}`,
    );
    const [verdict, update] = stream.lines().map((line) => JSON.parse(line));
    expect([verdict, update]).toMatchObject([{ id: 0, ok: {} }, { e: "/flights/ATL" }]);

    const subscriber = new RawSubscriber(`ws://127.0.0.1:${port}/quotes/AAPL`);
    await subscriber.verdict();
    const produce = paste(product.line("produce"));
    await subscriber.until((s) => s.updates.length === 1, "the record that was produced");
    const [made] = subscriber.updates;
    expect(made?.value?.toString()).toBe('{"bid":229.1}');
    await eventually(
      () => produce.lines().includes(`${made?.epoch}:${made?.offset} /quotes/AAPL`),
      "the position that npm run produce prints",
    );
    const publish = paste(product.line("publish"));
    await subscriber.until((s) => s.updates.length === 2, "the record that was published");
    const published = subscriber.updates[1];
    expect(published?.value?.toString()).toBe('{"bid":229.1}');
    await eventually(
      () => publish.lines().join("").includes(`{"position":"${published?.epoch}:${published?.offset}"}`),
      "the position that the edge answers with",
    );
    await subscriber.close();
    await product.stop();
  }, 60_000);

  test("with streams of one's own: no feed that nobody could read, and lines that fit", async () => {
    const file = join(dataDir, "my streams.json");
    writeFileSync(file, JSON.stringify({ streams: { orders: { title: "Orders", subscribe: "public" } } }));
    const product = await start("--streams", file);
    expect(running(product)).toEqual(["guard", "main", "serve", "workerd"]);
    const latest = product.line("latest").replace("curl -i ", "");

    const produce = paste(product.line("produce"));

    await eventually(
      async () => (await fetch(latest)).status === 200,
      () => `the record\n${produce.lines()}`,
    );
    expect(await (await fetch(latest)).text()).toBe('{"hello":"world"}');
    await product.stop();
  }, 60_000);
});

test("--private: nothing is readable without a token, and the lines that it prints carry one", async () => {
  const product = await start("--private");
  const url = `http://127.0.0.1:${port}`;
  const get = async (path: string, token?: string) => {
    const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const answer = await fetch(`${url}${path}`, { headers });
    return { status: answer.status, text: await answer.text() };
  };

  for (const topic of ["flights", "earthquakes", "quotes", "unknown"])
    expect(await get(`/${topic}/ATL`), topic).toMatchObject({
      status: 401,
      text: expect.stringContaining('"no_token"'),
    });
  expect(JSON.parse((await get("/$/streams")).text)).toEqual({ streams: [] });
  const page = await fetch(product.line("page"));
  expect(page.status).toBe(200);
  expect(product.stdout).toContain("needs a token, which it has none of");

  const [, token = "", latest = ""] =
    /^curl -i -H "Authorization: Bearer (\S+)" (\S+)$/.exec(product.line("latest")) ?? [];
  expect(latest).toBe(`${url}/flights/ATL`);
  expect((await get("/flights/ATL", token)).status).toBe(200);
  expect((await get("/$/streams", token)).text).toContain('"flights"');
  const stream = paste(product.line("stream"));
  await eventually(
    () => stream.lines().length >= 2,
    () => `a verdict and an update: ${stream.lines()}`,
  );
  expect(JSON.parse(stream.lines()[1] ?? "")).toMatchObject({ e: "/flights/ATL" });
  expect(product.line("wscat")).toContain(`-s "distributary.bearer.${token}"`);

  const minted = paste(
    `npm run -s token -- --data-dir '${dataDir}' --subject alice --subscribe '/earthquakes/*'`,
  );
  const [own = ""] = await eventually(() => minted.lines().length === 1 && minted.lines(), "a token");
  expect((await get("/flights/ATL", own)).status).toBe(404);
  expect((await get("/earthquakes/none", own)).text).toContain('"unknown_key"');
  await product.stop();
}, 60_000);

test("with issuers of others, none is made here, and the lines have a place for a token of theirs", async () => {
  const product = new Product(["--port", String(port), "--data-dir", dataDir, "--private"], { AUTH_ISSUERS });
  onTestFinished(() => void product.process.kill("SIGKILL"));
  await product.ready();
  const read = async (token: string) =>
    (await fetch(`http://127.0.0.1:${port}/flights/ATL`, { headers: { Authorization: `Bearer ${token}` } }))
      .status;

  expect(product.line("latest")).toContain('"Authorization: Bearer $TOKEN"');
  expect(readdirSync(dataDir).filter((name) => name.includes("issuer"))).toEqual([]);
  const token = await tokenOf({ subscribe: ["/flights/*"] });
  await eventually(async () => (await read(token)) === 200, "the latest record");
  await product.stop();
}, 60_000);

test.each([
  ["an issuer's entry that is wrong", { AUTH_ISSUERS: "[{}]" }, /^AUTH_ISSUERS/],
  ["an origin that is none", { WEB_ORIGINS: "app" }, /^WEB_ORIGINS: app is no origin/],
])("%s is told before anything is started", async (_, env, said) => {
  const product = new Product(["--port", String(port), "--data-dir", dataDir], env);

  expect(await product.exit()).toBe(1);
  expect(product.stderr).toMatch(said);
  expect(product.stdout).toBe("");
});

test("with one of the topics that are fed it is ready, whichever that is", async () => {
  const file = join(dataDir, "streams.json");
  writeFileSync(file, JSON.stringify({ streams: { earthquakes: { title: "E", subscribe: "public" } } }));
  const product = await start("--streams", file);

  expect(running(product)).toContain("feed");
  await product.stop();
}, 60_000);

describe("how it ends", () => {
  test("SIGTERM ends every process, open connections or not, with exit code 0", async () => {
    const product = await start();
    const subscriber = new RawSubscriber(`ws://127.0.0.1:${port}/flights/ATL`);
    await subscriber.verdict();
    expect(running(product)).toEqual(["feed", "guard", "main", "serve", "workerd"]);
    const all = descendants(product.pid);

    product.process.kill("SIGTERM");

    expect(await product.exit()).toBe(0);
    await allGone(all);
    expect(product.stderr).toBe("");
  }, 60_000);

  test("SIGTERM to npm itself does the same", async () => {
    const npm = spawn("npm", ["start", "--", "--port", String(port), "--data-dir", dataDir, "--no-feed"], {
      cwd: root,
      stdio: ["ignore", "pipe", "ignore"],
    });
    let output = "";
    npm.stdout.on("data", (data: Buffer) => {
      output += data.toString();
    });
    await eventually(() => output.includes("\nready "), "ready", 60_000);
    const all = descendants(npm.pid ?? 0);
    expect(all.length).toBe(5);

    npm.kill("SIGTERM");

    await eventually(() => npm.exitCode !== null || npm.signalCode !== null, "the end of npm", 20_000);
    await allGone(all);
    expect(npm.exitCode).toBe(0);
  }, 60_000);

  test("SIGTERM while it still starts ends every process, with exit code 0", async () => {
    for (const name of ["feed", "serve", "main"]) {
      const product = new Product(["--port", String(port), "--data-dir", dataDir]);
      const all = await eventually(() => {
        const pids = descendants(product.pid);
        return pids.some((pid) => commandOf(pid).includes(`${name}.ts`)) && pids;
      }, `${name} to be started`);

      product.process.kill("SIGTERM");

      expect(await product.exit()).toBe(0);
      await allGone(all);
      expect(product.stderr).toBe("");
    }
  }, 60_000);

  test("a Ctrl-C, which reaches the whole process group, ends every process with exit code 0", async () => {
    const product = await start();
    const all = descendants(product.pid);

    process.kill(-product.pid, "SIGINT");

    expect(await product.exit()).toBe(0);
    await allGone(all);
    expect(product.stderr).toBe("");
  }, 60_000);

  test("a SIGKILL of it leaves no process behind, and a new start on the same folder works at once", async () => {
    const product = await start();
    const all = descendants(product.pid);
    expect(all.length).toBe(5);

    product.process.kill("SIGKILL");
    const next = await start();

    await allGone(all);
    await next.stop();
  }, 60_000);

  test.each([
    [["guard", "serve", "start"]],
    [["guard", "start", "serve"]],
    [["serve", "start", "guard"]],
    [["start", "guard", "serve"]],
    [["start", "serve", "guard", "main", "feed"]],
    [["workerd", "start", "guard"]],
  ])(
    "a SIGKILL of %s at once, in that order, leaves no process behind",
    async (order) => {
      const product = await start();
      const all = [product.pid, ...descendants(product.pid)];
      const named = (name: string) =>
        all.find((pid) => new RegExp(`\\b${name}(\\.ts\\b| serve)`).test(commandOf(pid))) ?? 0;
      const pids = order.map(named);
      expect(pids).not.toContain(0);
      onTestFinished(() => endLeft(all));

      for (const pid of pids) process.kill(pid, "SIGKILL");

      await allGone(all);
    },
    60_000,
  );

  test.each(["main.ts", "serve.ts", "feed.ts", "workerd serve"])(
    "where %s ends by itself, all ends, with exit code 1 and a line that says what ended",
    async (part) => {
      const product = await start();
      const all = descendants(product.pid);
      const [pid] = all.filter((one) => commandOf(one).includes(part));

      process.kill(pid ?? 0, "SIGKILL");

      expect(await product.exit()).toBe(1);
      await allGone(all);
      const name = { "main.ts": "origin", "feed.ts": "feed" }[part] ?? "edge";
      expect(product.stderr).toMatch(new RegExp(`^the ${name} .+; stopping everything$`, "m"));
      if (part === "workerd serve") expect(product.stderr).toMatch(/^workerd was ended by SIGKILL$/m);
    },
    60_000,
  );
});

test("a second start goes on where the first stopped: the same positions, and new ones after them", async () => {
  const latest = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/quotes/AAPL`);
    return { etag: response.headers.get("etag") ?? "", body: await response.text() };
  };
  const positionOf = (etag: string) => /^"(.+):(\d+)"$/.exec(etag)?.slice(1) ?? [];
  const produceAndSee = async (product: Product) => {
    const subscriber = new RawSubscriber(`ws://127.0.0.1:${port}/quotes/AAPL`);
    await subscriber.verdict();
    const seen = subscriber.updates.length;
    paste(product.line("produce"));
    await subscriber.until((s) => s.updates.length > seen, "the record that was produced");
    await subscriber.close();
  };
  const first = await start("--no-feed");
  expect(running(first)).toEqual(["guard", "main", "serve", "workerd"]);
  await produceAndSee(first);
  const before = await latest();
  await first.stop();

  const second = await start("--no-feed");

  expect(await latest()).toEqual(before);
  await produceAndSee(second);
  const [epoch, offset] = positionOf((await latest()).etag);
  const [epochBefore, offsetBefore] = positionOf(before.etag);
  expect(epoch).toBe(epochBefore);
  expect(Number(offset)).toBeGreaterThan(Number(offsetBefore));
  await second.stop();
}, 60_000);
