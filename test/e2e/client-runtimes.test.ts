/** The client as it is installed, in whatever runs JavaScript without a page: Node, Deno, Bun, and a Worker. */
import { execFile } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Deployment } from "../support/deployment.ts";
import { bun, deno, otherNode } from "../support/from-registry.ts";
import { ALL, deployOrders, type Installed, installClient, newOrder } from "../support/installed-client.ts";
import { ifLong } from "../support/long.ts";
import { startRawWorkerd } from "../support/runtimes.ts";

const root = join(import.meta.dirname, "../..");
const run = promisify(execFile);
/** Where something can't be had, that is the reason why it isn't tested. */
const unless = (had: string | undefined) => test.skipIf(had === undefined && process.env.CI !== "true");
const reason = (had: string | undefined) => (had === undefined ? " (the registry can't be reached)" : "");

let client: Installed;
let deployment: Deployment;

beforeAll(async () => {
  client = await installClient();
  deployment = await deployOrders();
}, 300_000);
afterAll(async () => {
  await deployment?.stop();
  client?.remove();
});

/** Runs the application, which ends by itself: no timer and no socket is left. */
async function runIn(command: readonly string[], specifier: string, key: string): Promise<unknown> {
  const path = newOrder(deployment, key);
  const file = join(client.project, `${key}.mjs`);
  writeFileSync(
    file,
    `import * as client from "${specifier}";
import { followAndPublish } from "./application.mjs";
console.log(JSON.stringify(await followAndPublish(client, ...process.argv.slice(2))));
`,
  );
  const [binary = "none", ...args] = command;
  const env = { ...process.env, DENO_NO_UPDATE_CHECK: "1", DENO_DIR: join(client.project, "deno") };
  const { stdout } = await run(binary, [...args, file, deployment.url, path], { cwd: client.project, env });
  return JSON.parse(stdout);
}

const CORE = "@distributary/client";

test.each([CORE, `${CORE}/node`])(
  "in Node 24, by %s, an application subscribes, publishes and resumes, and the process ends",
  async (specifier) => {
    expect(await runIn([process.execPath], specifier, `node-24-${specifier.length}`)).toEqual(ALL);
  },
);

const [node22, node20] = ["22.23.3", "20.20.2"].map(otherNode);

unless(node22)(`in Node 22 it does${reason(node22)}`, async () => {
  expect(await runIn([node22 ?? "none"], CORE, "node-22")).toEqual(ALL);
});

unless(node20)(
  `in Node 20, which has no WebSocket, it does with the package ws, and without it by event streams${reason(node20)}`,
  async () => {
    const node = [node20 ?? "none"];
    expect(await runIn(node, `${CORE}/node`, "without-ws")).toEqual(ALL);
    symlinkSync(join(root, "node_modules/ws"), join(client.project, "node_modules/ws"));

    expect(await runIn(node, `${CORE}/node`, "with-ws")).toEqual(ALL);
  },
);

test("in a Worker on workerd it does", async () => {
  const path = newOrder(deployment, "worker");
  const worker = await startRawWorkerd({ main: join(client.project, "worker.mjs"), objects: {} });
  try {
    const answer = await fetch(`${worker.url}/?${new URLSearchParams({ url: deployment.url, path })}`);
    const text = await answer.text();

    expect({ status: answer.status, text, logs: worker.logs() }).toEqual({
      status: 200,
      text: JSON.stringify(ALL),
      logs: [],
    });
  } finally {
    await worker.close();
  }
});

// A hundred megabytes each.
for (const [name, had, args] of ifLong<readonly [string, () => string | undefined, readonly string[]]>(
  ["Deno", () => deno("2.9.6"), ["run", "--allow-all", "--node-modules-dir=manual", "--no-lock"]],
  ["Bun", () => bun("1.4.5"), ["run"]],
)) {
  const binary = had();
  unless(binary)(`in ${name} it does, and the process ends${reason(binary)}`, async () => {
    expect(await runIn([binary ?? "none", ...args], CORE, name)).toEqual(ALL);
  });
}
