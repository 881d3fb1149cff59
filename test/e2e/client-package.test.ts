/** The client as it is installed: what its package has, and what it does in pages of a browser. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build, stop } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser } from "../support/browser.ts";
import type { Deployment } from "../support/deployment.ts";
import { fromRegistry } from "../support/from-registry.ts";
import { ALL, deployOrders, type Installed, installClient, newOrder } from "../support/installed-client.ts";
import { LONG } from "../support/long.ts";

const root = join(import.meta.dirname, "../..");
const run = promisify(execFile);
/** Where something can't be had, that is the reason why it isn't tested. */
const unless = (had: string | undefined) => test.skipIf(had === undefined && process.env.CI !== "true");
const reason = (had: string | undefined) => (had === undefined ? " (the registry can't be reached)" : "");

let client: Installed;
let project: string;
let installed: string;
let deployment: Deployment;

beforeAll(async () => {
  client = await installClient();
  ({ project, installed } = client);
  deployment = await deployOrders();
}, 300_000);
afterAll(async () => {
  await deployment?.stop();
  client?.remove();
});

describe("the tarball", () => {
  test("has the core, each further entry, their types and their source maps, and nothing else is installed with it", () => {
    const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as {
      exports: Record<string, string | Record<string, string>>;
    };
    const files = Object.values(exports).flatMap((entry) =>
      typeof entry === "string" ? [entry] : Object.values(entry),
    );

    expect(files.length).toBeGreaterThan(4);
    expect(files.filter((file) => !existsSync(join(installed, file)))).toEqual([]);
    for (const file of files.filter((file) => /^\.\/dist\/.*\.js$/.test(file))) {
      const map = JSON.parse(readFileSync(join(installed, `${file}.map`), "utf8")) as {
        sourcesContent: string[];
      };
      expect(
        map.sourcesContent.every((content) => content.length > 0),
        file,
      ).toBe(true);
    }
    const { packages } = JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8")) as {
      packages: object;
    };
    expect(Object.keys(packages)).toEqual(["", "node_modules/@distributary/client"]);
  });

  test("has a core of 20 KiB, compressed, and of 9 KiB what goes by requests, which is loaded when it is needed", () => {
    const [core, requests] = ["index.js", "requests.js"].map((file) =>
      readFileSync(join(installed, "dist", file)),
    );
    const size = (bytes = Buffer.alloc(0)) => gzipSync(bytes, { level: 9 }).length;

    expect(size(core)).toBeLessThan(20.4 * 1024);
    expect(size(requests)).toBeLessThan(9.5 * 1024);
    // All of it: there are no other imports.
    const imports = [core, requests].map((bytes) =>
      String(bytes).match(/\b(?:import|require)\s*[("'{*][^;)]*|(?<!["'])\bfrom\s*["']/g),
    );
    expect(imports).toEqual([['import("./requests.js"'], null]);
  });

  test("has types that a strict project takes as they are", async () => {
    writeFileSync(
      join(project, "typed.ts"),
      `import { Client, ClientError, type Latest, type Update, textCodec } from "@distributary/client";
interface Quote { readonly bid: number }
const client = new Client("https://edge.example", { token: async () => "", idleMs: 5_000 });
const { signal } = new AbortController();
export async function follow(): Promise<number> {
  const subscription = client.subscribe<Quote>("/quotes/AAPL", { signal, buffer: { size: 10, whenFull: "conflate" } });
  subscription.on("gap", ({ cause }) => console.warn(cause));
  for await (const update of subscription) if (!update.deleted) return update.value.bid;
  const latest: Latest<Quote> | undefined = await client.get<Quote>({ topic: "quotes", key: "AAPL" });
  return latest?.value.bid ?? Number.NaN;
}
export const parsed = client.subscribe("/quotes/AAPL", { schema: { parse: (value: unknown): Quote => ({ bid: Number(value) }) } });
export const text: Update<string>["value"] = client.subscribe("/quotes/AAPL", { codec: textCodec }).latest?.value;
export const bid: number | undefined = parsed.latest?.value?.bid;
// @ts-expect-error: a position is text.
client.subscribe("/quotes/AAPL", { from: 1 });
// @ts-expect-error: there is no such event.
parsed.on("message", () => {});
export const isOver = (error: unknown) => error instanceof ClientError && !error.retry;
`,
    );
    writeFileSync(
      join(project, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          strict: true,
          exactOptionalPropertyTypes: true,
          noEmit: true,
          target: "es2022",
          module: "nodenext",
          types: [],
          lib: ["es2022", "dom", "dom.asynciterable"],
        },
        files: ["typed.ts"],
      }),
    );
    const checked = run(join(root, "node_modules/.bin/tsc"), ["-p", project]).catch(({ stdout }) => ({
      stdout,
    }));

    expect((await checked).stdout).toBe("");
  });
});

describe("in Chromium", () => {
  let browser: Browser;
  let server: Server;
  let site: string;

  beforeAll(async () => {
    browser = await launchBrowser();
    // Of another origin than the edge, like an application's pages.
    server = createServer(({ url = "" }, response) => {
      const file = join(project, url.split("?", 1)[0] ?? "");
      if (!existsSync(file) || extname(file) === "") response.writeHead(404).end();
      else
        response
          .writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "text/plain" })
          .end(readFileSync(file));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    site = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  const TYPES: Readonly<Record<string, string>> = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".map": "application/json",
  };

  /** What goes wrong on it comes to the list. */
  async function openPage(page: Page, name: string, html: string): Promise<readonly string[]> {
    writeFileSync(join(project, `${name}.html`), `<!doctype html><title>application</title>${html}`);
    return openBuilt(page, name);
  }

  /** The same of a page that is there. */
  async function openBuilt(page: Page, name: string): Promise<readonly string[]> {
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    const query = new URLSearchParams({
      url: deployment.url,
      path: newOrder(deployment, name.replaceAll("/", "-")),
    });
    await page.goto(`${site}/${name}.html?${query}`);
    return problems;
  }

  async function inPage(name: string, html: string): Promise<unknown> {
    const page = await browser.newPage();
    const problems = await openPage(page, name, html);
    await expect
      .poll(async () => problems.length > 0 || page.evaluate(() => "seen" in globalThis))
      .toBe(true);
    const seen = await page.evaluate(() => (globalThis as { seen?: unknown }).seen);
    await page.close();
    return problems.length > 0 ? problems : seen;
  }

  const USE = `
    import { followAndPublish } from "./application.mjs";
    const query = new URLSearchParams(location.search);
    globalThis.seen = await followAndPublish(distributary, query.get("url"), query.get("path"));`;

  test("a page with modules subscribes, publishes and resumes", async () => {
    const imported = 'import * as distributary from "./node_modules/@distributary/client/dist/index.js";';

    expect(await inPage("module", `<script type="module">${imported}${USE}</script>`)).toEqual(ALL);
  }, 90_000);

  test("[H16] a page of another origin loads the client from the edge, the same as in the package, and holds it to its hash", async () => {
    const address = `${deployment.url}/$/client.js`;
    const answer = await fetch(address, { headers: { Origin: site } });
    const served = await answer.text();
    const packed = readFileSync(join(installed, "dist/client.js"), "utf8");
    const { version } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as {
      version: string;
    };
    expect(served).toBe(packed.replace(/\/\/# sourceMappingURL=.*\n/, ""));
    expect(served.split("\n", 1)[0]).toBe(`/* @distributary/client ${version} */`);
    expect(answer.headers.get("Access-Control-Allow-Origin")).toBe("*");

    const hash = createHash("sha384").update(served).digest("base64");
    const page = (integrity: string) => `
      <script type="importmap">${JSON.stringify({
        imports: { "@distributary/client": address },
        integrity: { [address]: integrity },
      })}</script>
      <script type="module">import * as distributary from "@distributary/client";${USE}</script>`;
    expect(await inPage("served", page(`sha384-${hash}`))).toEqual(ALL);
    expect(await inPage("forged", page(`sha384-${hash.toLowerCase()}`))).toEqual([
      expect.stringContaining("integrity"),
    ]);
  }, 90_000);

  test("a page with a script does, too", async () => {
    const script = '<script src="./node_modules/@distributary/client/dist/script.js"></script>';

    expect(await inPage("script", `${script}<script type="module">${USE}</script>`)).toEqual(ALL);
  }, 90_000);

  const react18 = fromRegistry("react@18.3.1", "react-dom@18.3.1");

  /** Within the application's project, as a bundler does it: React is where it is said to be. */
  async function bundleReact(name: string, modules: string): Promise<string> {
    await build({
      absWorkingDir: project,
      entryPoints: ["react-page.mjs"],
      outfile: join(project, `${name}.js`),
      bundle: true,
      format: "esm",
      logLevel: "silent",
      nodePaths: [modules],
      // StrictMode does everything twice.
      define: { "process.env.NODE_ENV": '"development"' },
    }).finally(stop);
    return `<body></body><script type="module" src="./${name}.js"></script>`;
  }

  const versions: readonly [string, string | undefined][] = [
    ["19", root],
    ["18", react18],
  ];
  for (const [version, at] of versions)
    unless(at)(
      `React ${version}: in StrictMode components share one socket and one subscription, publish, and leave nothing behind${reason(at)}`,
      async () => {
        const name = `react-${version}`;
        const html = await bundleReact(name, join(at ?? "none", "node_modules"));
        const page = await browser.newPage();
        const sockets: { closed: boolean; said: string[] }[] = [];
        page.on("websocket", (socket) => {
          const seen = { closed: false, said: [] as string[] };
          sockets.push(seen);
          socket.on("framesent", ({ payload }) => seen.said.push(String(payload)));
          socket.on("close", () => {
            seen.closed = true;
          });
        });
        const problems = await openPage(page, name, html);
        const text = (id: string) => page.locator(`#${id}`).textContent();
        await expect.poll(() => text("one")).toMatch(/^0 \S+ true$/);
        await page.locator("#send").click();
        await expect.poll(() => text("updates")).toBe("0,1");
        const position = await text("send");
        for (const id of ["one", "two"]) await expect.poll(() => text(id)).toBe(`1 ${position} true`);

        await expect.poll(() => text("occupancy")).toBe("1");

        expect(sockets.length).toBe(1);
        expect(sockets[0]?.said.filter((frame) => frame.includes('"sub":')).length).toBe(1);
        await page.locator("#toggle").click();
        await expect.poll(() => sockets[0]?.closed).toBe(true);
        await page.locator("#toggle").click();
        await expect.poll(() => text("two")).toBe(`1 ${position} true`);
        expect([sockets.length, problems]).toEqual([2, []]);
        await page.close();
      },
      90_000,
    );

  if (LONG)
    test("what Vite builds of React 19 for production does, in StrictMode, too", async () => {
      const site = join(project, "vite");
      mkdirSync(join(site, "node_modules/@distributary"), { recursive: true });
      cpSync(installed, join(site, "node_modules/@distributary/client"), { recursive: true });
      for (const name of ["react", "react-dom", "scheduler"])
        symlinkSync(join(root, "node_modules", name), join(site, "node_modules", name));
      cpSync(join(import.meta.dirname, "client-package"), site, { recursive: true });
      writeFileSync(join(site, "package.json"), '{"private":true,"type":"module"}');
      writeFileSync(
        join(site, "index.html"),
        '<!doctype html><title>application</title><body><script type="module" src="/vite-page.jsx"></script></body>',
      );
      await run(process.execPath, [viteOfVitest(), "build", "--base", "./", "--outDir", "built"], {
        cwd: site,
      });
      const page = await browser.newPage();
      const problems = await openBuilt(page, "vite/built/index");
      const text = (id: string) => page.locator(`#${id}`).textContent();
      await expect.poll(() => page.evaluate("globalThis.seen")).toEqual(ALL);
      await expect.poll(() => text("updates")).toBe("1,2");
      await page.locator("#send").click();
      await expect.poll(() => text("updates")).toBe("2,1");
      for (const id of ["one", "two"]) await expect.poll(() => text(id)).toBe(`1 ${await text("send")} true`);

      expect(problems).toEqual([]);
      await page.close();
    });
});

/** The one that Vitest brings. */
function viteOfVitest(): string {
  const ofVitest = createRequire(createRequire(import.meta.url).resolve("vitest/package.json"));
  return join(dirname(ofVitest.resolve("vite/package.json")), "bin/vite.js");
}

test("React renders on a server, and connects to nothing there", async () => {
  for (const name of ["react", "react-dom", "scheduler"])
    symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name));
  const { stdout } = await run(process.execPath, [join(project, "react-server.mjs")]);

  expect(JSON.parse(stdout)).toEqual({
    html: expect.stringContaining('<p id="one">undefined undefined false</p>'),
    connection: null,
  });
});
