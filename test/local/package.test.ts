/** The package `distributary` as it is installed: packed, put into an empty folder, and used there by its command. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { COMMANDS } from "../../shared/node/commands.ts";
import { eventually } from "../support/deadline.ts";
import { otherNode } from "../support/from-registry.ts";
import { freePort } from "../support/ports.ts";
import { allGone, commandOf, descendants, root } from "../support/product.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";

const run = promisify(execFile);
const MEGABYTE = 1024 * 1024;

interface Manifest {
  readonly version: string;
  readonly license: string;
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
}
const readJson = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const manifest = readJson(join(root, "package.json")) as Manifest;
/** The oldest that is promised. */
const OLDEST = manifest.engines.node.replace(">=", "");
const [oldest, tooOld] = [OLDEST, "20.20.2"].map(otherNode);
const unless = (had: string | undefined) => test.skipIf(had === undefined && process.env.CI !== "true");
const reason = (had: string | undefined) => (had === undefined ? " (the registry can't be reached)" : "");

let folder: string;
/** Where a person uses it. */
let project: string;
/** Of its files. */
let installed: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "distributary-package-"));
  project = join(folder, "project");
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{"private":true}');
  const pack = async (...packages: readonly string[]) => {
    const flags = ["--json", "--loglevel=error", "--pack-destination", folder];
    const { stdout } = await run("npm", ["pack", ...flags, ...packages], { maxBuffer: 64 * MEGABYTE });
    return (JSON.parse(stdout) as { filename: string }[]).map(({ filename }) => join(folder, filename));
  };
  const own = await pack(root);
  // From what is installed here, so that no registry is asked.
  const needed = await pack(
    "--ignore-scripts",
    ...neededPackages().map((name) => join(root, "node_modules", name)),
  );
  await run("npm", ["install", "--offline", "--ignore-scripts", ...own, ...needed], { cwd: project });
  installed = join(project, "node_modules/distributary");
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** All that npm would install, by the lockfile. */
function neededPackages(): readonly string[] {
  const { packages } = readJson(join(root, "package-lock.json")) as {
    packages: Record<string, { dependencies?: Record<string, string> }>;
  };
  const needed = Object.keys(manifest.dependencies);
  for (const name of needed)
    for (const below of Object.keys(packages[`node_modules/${name}`]?.dependencies ?? {}))
      if (!needed.includes(below)) needed.push(below);
  return needed.sort();
}

const script = () => join(installed, "dist/npm/package/main.js");

interface Ran {
  readonly out: string;
  readonly err: string;
  readonly code: number | null;
}

/** What the command says, in the folder of the person, whose Node is this one or another. */
async function distributary(args: readonly string[], node = process.execPath): Promise<Ran> {
  const child = spawn(node, [script(), ...args], {
    cwd: project,
    env: { PATH: dirname(node) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number | null]>,
  ]);
  return { out, err, code };
}

/** `npx distributary`, with the given Node. */
function npx(args: readonly string[], env: NodeJS.ProcessEnv = {}, node = process.execPath) {
  return begin("npx", ["distributary", ...args], {
    ...env,
    PATH: `${dirname(node)}:${process.env.PATH}`,
  });
}

/** Runs until the test is over, and so does whatever it starts. */
function begin(program: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(program, args, {
    cwd: project,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "exit");
  const said = { out: "", err: "" };
  child.stdout.on("data", (data: Buffer) => {
    said.out += data.toString();
  });
  child.stderr.on("data", (data: Buffer) => {
    said.err += data.toString();
  });
  const below = () => [child.pid ?? 0, ...descendants(child.pid ?? 0)];
  const stop = async () => {
    const all = below();
    child.kill("SIGTERM");
    await allGone(all);
  };
  onTestFinished(() => {
    for (const pid of below()) if (commandOf(pid) !== "") process.kill(pid, "SIGKILL");
  });
  const says = (what: RegExp) =>
    eventually(
      () => {
        if (what.test(said.out)) return true;
        if (child.exitCode !== null) throw new Error(`it has ended: ${said.err}`);
        return false;
      },
      () => `it says ${what}: ${said.out}${said.err}`,
      60_000,
    );
  return { process: child, ended, said, stop, says, below };
}

describe("the tarball", () => {
  test("needs the packages that its code imports and no other, none of which has workerd, in 25 MB", () => {
    const { packages } = readJson(join(project, "package-lock.json")) as { packages: object };
    const names = Object.keys(packages).map((path) => path.replace("node_modules/", ""));
    expect(names.sort()).toEqual(["", ...neededPackages(), "distributary"].sort());

    const code = globSync("dist/npm/**/*.js", { cwd: installed }).map((file) =>
      readFileSync(join(installed, file), "utf8"),
    );
    const imported = code.flatMap((script) =>
      [...script.matchAll(/\b(?:from|import\(|import) ?"((?:@[\w-]+\/)?[\w-]+)[^":]*"/g)].map(
        ([, name]) => name,
      ),
    );
    expect([...new Set(imported)].sort()).toEqual(Object.keys(manifest.dependencies).sort());

    const sizes = globSync("node_modules/**", { cwd: project, withFileTypes: true })
      .filter((file) => file.isFile())
      .map((file) => statSync(join(file.parentPath, file.name)).size);
    expect(sizes.length).toBeGreaterThan(300);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(25 * MEGABYTE);
  });

  test("is the top level's package: its version and licence, nothing to strip types from, and a changelog that ends with it", () => {
    expect(readJson(join(installed, "package.json"))).toMatchObject({
      name: "distributary",
      version: manifest.version,
      license: "Apache-2.0",
    });
    expect(readFileSync(join(installed, "LICENSE"), "utf8")).toContain("Apache License");
    expect(globSync("**/*.{ts,tsx}", { cwd: installed })).toEqual([]);
    const [, newest] = /^## (\S+)/m.exec(readFileSync(join(installed, "CHANGELOG.md"), "utf8")) ?? [];
    expect(newest).toBe(manifest.version);
  });

  test("names no script of npm, which a user of it hasn't", () => {
    const naming = globSync("dist/npm/**/*.js", { cwd: installed }).filter((file) =>
      /\bnpm (run|start)\b/.test(readFileSync(join(installed, file), "utf8")),
    );

    // In which both are.
    expect(naming).toEqual(["dist/npm/shared/node/commands.js"]);
  });
});

describe("the command", () => {
  test("without anything, and with --help, tells of all commands", async () => {
    const told = await distributary([]);

    expect(told).toEqual({ out: expect.stringMatching(/^npx distributary COMMAND/), err: "", code: 0 });
    for (const [name, { does }] of Object.entries(COMMANDS)) {
      expect(told.out).toMatch(new RegExp(`^ {2}${name} `, "m"));
      expect(told.out).toContain(does);
    }
    expect(await distributary(["--help"])).toEqual(told);
    expect(await distributary(["--version"])).toEqual({ out: `${manifest.version}\n`, err: "", code: 0 });
  });

  test.concurrent.each(Object.keys(COMMANDS))(
    "%s tells of itself, as it is typed, and refuses a flag that it hasn't",
    async (name) => {
      const help = await distributary([name, "--help"]);
      expect(help).toEqual({
        out: expect.stringMatching(new RegExp(`^npx distributary ${name}\\b`)),
        err: "",
        code: 0,
      });

      expect(await distributary([name, "--no-such-flag"])).toEqual({
        out: "",
        err: expect.stringMatching(/^.*Unknown option '--no-such-flag'.*\n$/),
        code: 2,
      });
    },
  );

  test("that there is none of is refused with a sentence, and with exit code 2", async () => {
    expect(await distributary(["subscribe", "--help"])).toEqual({
      out: "",
      err: expect.stringMatching(/^There is no command "subscribe", but start, origin, .+\n$/),
      code: 2,
    });
  });

  unless(tooOld)(`says which Node it needs, in one that lacks what it uses${reason(tooOld)}`, async () => {
    expect(await distributary(["start"], tooOld)).toEqual({
      out: "",
      err: `distributary needs Node >=${OLDEST}, and this is 20.20.2\n`,
      code: 1,
    });
  });

  test("without workerd, start and edge name the package, and what to do without it", async () => {
    for (const name of ["start", "edge"]) {
      const { out, err, code } = await distributary([name, "--port", String(await freePort())]);

      expect([out, code], name).toEqual(["", 1]);
      expect(err).toMatch(
        /^RUNTIME: .*`npm install workerd`.*`npx -p workerd -p distributary distributary`.*`--runtime node`/,
      );
    }
  });
});

/** With the oldest Node, which the machine of a person may well have. */
test(`npx distributary start --runtime node, on Node ${oldest === undefined ? process.versions.node : OLDEST}: page, latest record, stream, publish and produce as it says them, and nothing stays`, async () => {
  const port = await freePort();
  const dataDir = mkdtempSync(join(folder, "data-"));
  const product = npx(
    ["start", "--runtime", "node", "--port", String(port), "--data-dir", dataDir],
    {},
    oldest ?? process.execPath,
  );
  await product.says(/^ready .*\n\n$/ms);
  const line = (name: string) => new RegExp(`^  ${name} +(.+)$`, "m").exec(product.said.out)?.[1] ?? name;
  const pasted = (name: string, more = "") =>
    run("sh", ["-c", line(name) + more], { cwd: project }).then(({ stdout }) => stdout);

  expect((await fetch(line("page"))).status).toBe(200);
  expect(await pasted("latest", " -s")).toContain('"departed"');
  const streaming = spawn("sh", ["-c", line("stream")], { stdio: ["ignore", "pipe", "inherit"] });
  const [verdict] = (await once(streaming.stdout, "data")) as [Buffer];
  streaming.kill("SIGKILL");
  expect(verdict.toString()).toMatch(/^\{"id":0,"ok":/);
  const subscriber = new RawSubscriber(`ws://127.0.0.1:${port}/quotes/AAPL`);
  await subscriber.verdict();
  await pasted("publish", " -s");
  await subscriber.until(({ updates }) => updates.length === 1, "what was published");
  const said = await pasted("produce");
  await subscriber.until(({ updates }) => updates.length === 2, "what was produced");
  const [published, produced] = subscriber.updates;
  expect([published?.value, produced?.value].map(String)).toEqual(['{"bid":229.1}', '{"bid":229.1}']);
  expect(said).toBe(`${produced?.epoch}:${produced?.offset} /quotes/AAPL\n`);
  await subscriber.close();

  await product.stop();
  // Of Node.
  expect(product.said.err).not.toContain("Warning");
});

test("edge, on workerd that is installed beside it, origin, doctor and token, each by itself; and estimate", async () => {
  for (const name of ["workerd", "@cloudflare"]) {
    symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name));
    onTestFinished(() => rmSync(join(project, "node_modules", name)));
  }
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  // In the folder of the person, which is where it counts.
  const streams = { orders: { title: "Orders", subscribe: "public", publish: "public" } };
  writeFileSync(join(project, "streams.json"), JSON.stringify({ streams }));
  onTestFinished(() => rmSync(join(project, "streams.json")));
  const key = `a:first:${"k".repeat(43)}`;
  const env = {
    RUNTIME: "workerd",
    DATA_DIR: mkdtempSync(join(folder, "data-")),
    EDGE_URL: url,
    UPLINK_KEY: key,
    UPLINK_KEYS: key,
    PUBLISH_SECRET: "a secret of the tests of 32 bytes or more",
  };
  const edge = npx(["edge", "--port", String(port)], env);
  await edge.says(/^the edge listens on/m);
  expect(edge.below().map(commandOf).join("\n")).toContain("workerd serve");
  const origin = begin(process.execPath, [script(), "origin"], env);
  await eventually(
    async () => {
      const answer = await fetch(`${url}/orders/1`, { method: "POST", body: "1" });
      await answer.arrayBuffer();
      return answer.status === 201;
    },
    () => `a publish is answered: ${origin.said.err}`,
    30_000,
  );
  expect(await (await fetch(`${url}/orders/1`)).text()).toBe("1");

  const token = npx(["token", "--subject", "alice"], env);
  await token.says(/^\S+\.\S+\.\S+\n$/);
  const doctor = npx(["doctor", "--token", token.said.out.trim()], env);
  await doctor.says(/^ok {5}token: is accepted: alice of local/m);
  expect(doctor.said.out).not.toMatch(/^wrong/m);
  expect((await distributary(["estimate"])).out).toMatch(/^10,000 endpoints/);

  // As of a Ctrl-C, which reaches it from the terminal and again from npx.
  const processes = origin.below();
  origin.process.kill("SIGINT");
  await eventually(
    () => origin.said.err.includes('"event":"stopping"'),
    () => `it stops: ${origin.said.err}`,
  );
  origin.process.kill("SIGINT");
  await allGone(processes);
  expect(await origin.ended).toEqual([0, null]);
  await edge.stop();
});
