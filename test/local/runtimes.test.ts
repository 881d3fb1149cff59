/** The edge on Node as `npm run edge -- --runtime node` runs it. */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { Child } from "../support/deployment.ts";
import { EDGE_KEYS } from "../support/edge-harness.ts";
import { freePort } from "../support/ports.ts";
import { allGone, descendants } from "../support/product.ts";

const folder = mkdtempSync(join(tmpdir(), "runtimes-"));
const begun: Child[] = [];
afterEach(async () => {
  await Promise.all(begun.splice(0).map((child) => child.stop()));
  rmSync(folder, { recursive: true, force: true });
});

async function begin(
  runtime: string,
  more: Readonly<Record<string, string>> = {},
): Promise<{ edge: Child; url: string }> {
  const port = await freePort();
  const own = { RUNTIME: runtime, PORT: String(port), DATA_DIR: folder, UPLINK_KEYS: EDGE_KEYS };
  const edge = new Child("edge/local/serve.ts", { ...process.env, ...own, ...more });
  begun.push(edge);
  return { edge, url: `http://127.0.0.1:${port}` };
}

const listens = (edge: Child, times = 1) =>
  eventually(
    () => edge.output.split("the edge listens on").length > times,
    () => `listening\n${edge.output}`,
  );

/** The process that serves. */
function serving(edge: Child): number {
  const found = descendants(edge.process.pid ?? 0).find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("runtime/node/main.ts"),
  );
  if (found === undefined) throw new Error("nothing serves");
  return found;
}

test.each([
  ["bun", {}, "RUNTIME must be workerd or node, not bun"],
  ["workerd", { WORKERS: "2" }, "WORKERS: on workerd an edge is one process; several need `--runtime node`"],
  ["node", { WORKERS: "65" }, "WORKERS must be a whole number from 1 to 64, not 65"],
  [
    "node",
    { WORKERS: "2", CONNECTIONS_PER_ADDRESS: "9" },
    "CONNECTIONS_PER_ADDRESS: nothing counts them before several WORKERS: limit them in a proxy",
  ],
])("on %s, with %j: it says what can't be, and ends", async (runtime, more, problem) => {
  const { edge } = await begin(runtime, more);
  await once(edge.process, "close");

  expect(edge.process.exitCode).toBe(1);
  expect(edge.output).toBe(`${problem}\n`);
});

test("a process that ends by itself, as with a full heap, is said to have and started again", async () => {
  const { edge, url } = await begin("node");
  await listens(edge);
  expect((await fetch(`${url}/$/`)).status).toBe(200);

  process.kill(serving(edge), "SIGABRT");

  await listens(edge, 2);
  expect(edge.output).toContain(
    "the edge on Node was ended by SIGABRT, as when its memory is full; it is started again in 0.25 s",
  );
  expect((await fetch(`${url}/$/`)).status).toBe(200);
});

test("it ends with its starter, however that ends", async () => {
  const { edge } = await begin("node");
  await listens(edge);
  const pid = serving(edge);

  await edge.stop("SIGKILL");

  await allGone([pid]);
});
