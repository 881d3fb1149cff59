/** `npm run edge` with its real processes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { Child } from "../support/deployment.ts";
import { freePort } from "../support/ports.ts";
import { allGone, commandOf, descendants, endLeft } from "../support/product.ts";

let dataDir: string;
let port: number;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "distributary-serve-"));
  port = await freePort();
});

afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

function serve(env: Readonly<Record<string, string>> = {}): Child {
  const child = new Child("edge/local/serve.ts", {
    ...process.env,
    PORT: String(port),
    DATA_DIR: dataDir,
    UPLINK_KEYS: `test:test:${"s".repeat(32)}`,
    ...env,
  });
  onTestFinished(() => child.stop("SIGKILL"));
  return child;
}

async function listening(env?: Readonly<Record<string, string>>): Promise<Child> {
  const child = serve(env);
  await eventually(
    () => child.output.includes("the edge listens on"),
    () => `listening\n${child.output}`,
  );
  return child;
}

const below = (child: Child) => descendants(child.process.pid ?? 0);
const workerdOf = (child: Child) => below(child).find((pid) => commandOf(pid).includes("workerd serve")) ?? 0;

test("it answers once it says that it listens, without an origin: not healthy, and the page", async () => {
  await listening();

  expect((await fetch(`http://127.0.0.1:${port}/$/health`)).status).toBe(503);
  expect((await fetch(`http://127.0.0.1:${port}/$/`)).status).toBe(200);
  expect((await fetch(`http://127.0.0.1:${port}/$/operations`)).status).toBe(404);
}, 60_000);

test("a SIGKILL of it takes workerd along", async () => {
  const child = await listening();
  const all = below(child);
  expect(all.length).toBe(2);

  await child.stop("SIGKILL");

  await allGone(all);
}, 60_000);

const guardOf = (child: Child) => below(child).find((pid) => commandOf(pid).includes("guard.ts")) ?? 0;

test.each([
  ["its guard, then it", ["guard", "serve"]],
  ["it, then its guard", ["serve", "guard"]],
  ["its guard, then workerd", ["guard", "workerd"]],
  ["workerd, then its guard", ["workerd", "guard"]],
] as const)(
  "a SIGKILL of %s leaves nothing behind",
  async (_, order) => {
    const child = await listening();
    const all = below(child);
    const serve = child.process.pid ?? 0;
    onTestFinished(() => endLeft(all));
    const pids = { serve, guard: guardOf(child), workerd: workerdOf(child) };
    expect(Object.values(pids)).not.toContain(0);

    // At once: whoever would notice has no time to.
    for (const name of order) process.kill(pids[name], "SIGKILL");

    await allGone([serve, ...all]);
    await eventually(() => child.exited, "its end");
    expect(below(child)).toEqual([]);
  },
  60_000,
);

test("where the kernel can't be told to end workerd with it, a guard that was killed is replaced, and does so", async () => {
  const child = await listening({ PATH: "/nowhere" });
  const workerd = workerdOf(child);
  onTestFinished(() => endLeft([workerd]));
  const first = guardOf(child);

  process.kill(first, "SIGKILL");
  const second = await eventually(
    () => [guardOf(child)].find((pid) => pid !== 0 && pid !== first),
    "another",
  );
  // The new one may not even have begun to run its code.
  await child.stop("SIGKILL");

  await allGone([workerd, second ?? 0]);
}, 60_000);

test("where workerd ends by itself, it says so and ends with exit code 1", async () => {
  const child = await listening();
  const all = below(child);

  process.kill(workerdOf(child), "SIGKILL");

  await eventually(() => child.exited, "its end");
  await allGone(all);
  expect(child.process.exitCode).toBe(1);
  expect(child.output).toMatch(/^workerd was ended by SIGKILL$/m);
}, 60_000);

test("without uplink keys, or with ones that can't be used, it doesn't start, and shows no secret", async () => {
  const none = serve({ UPLINK_KEYS: "" });
  const short = serve({ UPLINK_KEYS: "test:test:hush", DATA_DIR: join(dataDir, "other") });

  await eventually(() => none.exited && short.exited, "the end of both");

  expect([none.process.exitCode, none.output]).toEqual([
    1,
    expect.stringMatching(/^UPLINK_KEYS must be .+\n$/),
  ]);
  expect([short.process.exitCode, short.output]).toEqual([1, expect.stringMatching(/^UPLINK_KEYS: .+\n$/)]);
  expect(short.output).not.toContain("hush");
});
