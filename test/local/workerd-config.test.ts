/** What raw workerd is given comes from wrangler.toml, all of it, and reaches the Worker as it stands there. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse } from "smol-toml";
import { describe, expect, onTestFinished, test } from "vitest";
import { runWorkerd } from "../../edge/local/workerd.ts";
import { readEdgeConfig, workerdConfig } from "../../edge/local/workerd-config.ts";
import { freePort } from "../support/ports.ts";
import { root } from "../support/product.ts";

const wranglerToml = () => parse(readFileSync(join(root, "wrangler.toml"), "utf8"));
const settings = {
  module: "/data/edge/worker.js",
  storage: "/data/edge/objects",
  host: "127.0.0.1",
  port: 8787,
};

/** Of each service that runs the Worker: name → kind and value, from the generated text. */
function bindingsOf(config: string): Record<string, string>[] {
  const binding =
    /^\(name = "(\w+)", (durableObjectNamespace|text|json|fromEnvironment|service) = (?:\(className = )?"(.*?)"(?:, serviceName = "\w+"\))?\)[,\]]?/gm;
  return config
    .split("worker = ")
    .slice(1)
    .map((service) =>
      Object.fromEntries(
        [...service.matchAll(binding)].map(([, name, kind, value]) => [name, `${kind} ${value}`]),
      ),
    );
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "distributary-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe("the bindings of raw workerd", () => {
  const edge = readEdgeConfig(wranglerToml());
  const config = workerdConfig(edge, { ...settings, vars: { OPERATIONS: "off" } });
  const [{ STORING, ...bindings } = {}, ofShards] = bindingsOf(config);

  test("are those of wrangler.toml, OPERATIONS, and secrets that may be unset", () => {
    const toml = wranglerToml() as {
      vars: Record<string, string>;
      secrets: { required: string[] };
      durable_objects: { bindings: { name: string; class_name: string }[] };
    };
    const expected: Record<string, string> = {
      OPERATIONS: "text off",
      AUTH_ISSUERS: "fromEnvironment AUTH_ISSUERS",
    };
    for (const { name, class_name } of toml.durable_objects.bindings)
      expected[name] = `durableObjectNamespace ${class_name}`;
    for (const [name, value] of Object.entries(toml.vars)) expected[name] = `text ${value}`;
    for (const name of toml.secrets.required) expected[name] = `fromEnvironment ${name}`;

    expect(bindings).toEqual(expected);
    expect(ofShards).toEqual(expected);
    expect(STORING).toBe("service storing");
    expect(Object.keys(expected)).toEqual(expect.arrayContaining(["SHARD", "ENDPOINT", "UPLINK_KEYS"]));
  });

  test("are those that a deployment has: wrangler deploy --dry-run passes and prints the same", async () => {
    const { stdout } = await promisify(execFile)(
      join(root, "node_modules/.bin/wrangler"),
      ["deploy", "--dry-run", "--outdir", temporaryFolder()],
      { cwd: root, env: { ...process.env, WRANGLER_SEND_METRICS: "false", NO_COLOR: "1", CI: "1" } },
    );

    const deployed = [...stdout.matchAll(/^env\.(\w+) /gm)].map(([, name]) => name);
    // Secrets are not part of a deployment, and OPERATIONS is ours.
    const expected = Object.keys(bindings).filter(
      (name) => name !== "OPERATIONS" && !bindings[name]?.startsWith("fromEnvironment"),
    );
    // What Cloudflare counts by, the Worker counts by itself on workerd.
    const limiters = ["FRAMES", "PUBLISHES", "READS", "REPLAYED", "REPLAYS", "SUBSCRIBES"];
    expect(deployed.sort()).toEqual([...expected, ...limiters].sort());
    for (const { binding, className } of edge.objects)
      expect(stdout).toMatch(new RegExp(`^env\\.${binding} \\(${className}\\) +Durable Object`, "m"));
  }, 120_000);
});

test("every text reaches the Worker as it is: quotes, backslashes, control characters, other scripts", async () => {
  const folder = temporaryFolder();
  const texts = {
    QUOTES: `"'\`\\"`,
    CONTROL: String.fromCharCode(...Array.from({ length: 0x1f }, (_, i) => i + 1), 0x7f, 0x85),
    SCRIPTS: "žluťoučký 東京 🛬 \u2028",
    DOLLAR: "$HOME $(id) %PATH%",
    EMPTY: "",
  };
  const vars = { ...texts, NUMBER: 1.5, LIST: [true, null, '"'] };
  const edge = { ...readEdgeConfig(wranglerToml()), objects: [], vars };
  const port = await freePort();
  const storage = join(folder, `ob"je\\cts`);
  mkdirSync(storage);
  writeFileSync(join(folder, "worker.js"), "export default { fetch: (request, env) => Response.json(env) };");
  writeFileSync(
    join(folder, "workerd.capnp"),
    workerdConfig(edge, { ...settings, port, module: join(folder, "worker.js"), storage, vars: {} }),
  );
  const secrets = { UPLINK_KEYS: `k:"\\$ecret`, AUTH_ISSUERS: '[{"issuer":"\\n"}]' };
  const said: string[] = [];
  const workerd = runWorkerd(join(folder, "workerd.capnp"), secrets, (line) => said.push(line));
  onTestFinished(() => workerd.stop());
  await Promise.race([workerd.listening, workerd.ended.then(() => expect(said).toEqual([]))]);

  const env = await (await fetch(`http://127.0.0.1:${port}/`)).json();

  expect(env).toEqual({ ...vars, ...secrets });
});

describe("a wrangler.toml that would run otherwise here than deployed is refused", () => {
  const valid = {
    name: "edge",
    main: "edge/worker.ts",
    compatibility_date: "2026-10-01",
    durable_objects: { bindings: [{ name: "A", class_name: "AObject" }] },
    migrations: [{ tag: "v1", new_sqlite_classes: ["AObject"] }],
  };

  test.each([
    [
      "a kind of binding that isn't generated",
      { kv_namespaces: [{ binding: "KV", id: "1" }] },
      "kv_namespaces",
    ],
    ["a class that no migration creates", { migrations: [] }, "AObject"],
    ["a class that is renamed", { migrations: [{ tag: "v2", renamed_classes: [] }] }, "renamed_classes"],
    [
      "an object of another Worker",
      { durable_objects: { bindings: [{ name: "A", class_name: "AObject", script_name: "b" }] } },
      "script_name",
    ],
    ["no entry", { main: undefined }, "main"],
    ["a date that is none", { compatibility_date: "soon" }, "compatibility_date"],
  ])("%s", (_, change, named) => {
    expect(() => readEdgeConfig(valid)).not.toThrow();
    expect(() => readEdgeConfig({ ...valid, ...change })).toThrow(named);
  });
});

test("an address of IPv6 stands in brackets", () => {
  const config = workerdConfig(readEdgeConfig(wranglerToml()), { ...settings, host: "::1", vars: {} });

  expect(config).toContain('address = "[::1]:8787"');
});
