/** More connections than workerd can open files for, on `npm run edge` as it runs. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { Child } from "../support/deployment.ts";
import { EDGE_KEYS } from "../support/edge-harness.ts";
import { freePort } from "../support/ports.ts";
import { commandOf, descendants } from "../support/product.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

const PATH = "/quotes/key";
const OPEN_FILES = 400;

let dataDir: string;
let port: number;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "distributary-gate-"));
  port = await freePort();
});

afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

/** An edge whose processes may open few files. */
async function listening(env: Readonly<Record<string, string>> = {}, openFiles = OPEN_FILES): Promise<Child> {
  const settings = { PORT: String(port), DATA_DIR: dataDir, UPLINK_KEYS: EDGE_KEYS, ...env };
  const child = new Child("edge/local/serve.ts", { ...process.env, ...settings }, [], openFiles);
  onTestFinished(() => child.stop("SIGKILL"));
  await eventually(
    () => child.output.includes("the edge listens on"),
    () => `listening\n${child.output}`,
  );
  return child;
}

const workerdOf = (child: Child) =>
  descendants(child.process.pid ?? 0).find((pid) => commandOf(pid).includes("workerd serve")) ?? 0;

/** Connections that say nothing, or what they are told to, and stay. */
async function idle(count: number, says = "", from = "127.0.0.1"): Promise<Socket[]> {
  const all = Array.from({ length: count }, () => {
    const socket = connect({ port, host: "127.0.0.1", localAddress: from });
    socket.on("error", () => undefined);
    if (says !== "") socket.write(says);
    return socket;
  });
  onTestFinished(() => {
    for (const socket of all) socket.destroy();
  });
  await Promise.all(
    all.map((socket) => new Promise((resolve) => socket.once("connect", resolve).once("close", resolve))),
  );
  return all;
}

async function originOf(): Promise<ScriptedOrigin> {
  const origin = await new ScriptedOrigin({ url: `http://127.0.0.1:${port}` }).connect();
  onTestFinished(() => origin.cut());
  return origin;
}

test("more idle connections than workerd may open files: it goes on, with its uplinks, subscribers and health", async () => {
  const child = await listening({ CONNECTIONS_PER_ADDRESS: "50" });
  const workerd = workerdOf(child);
  const origin = await originOf();
  origin.append(PATH, 0);
  const subscriber = new RawSubscriber(`ws://127.0.0.1:${port}${PATH}`);
  await subscriber.until(({ verdicts }) => verdicts.length === 1, "a verdict");

  await idle(2 * OPEN_FILES);
  await idle(OPEN_FILES, "GET /quotes/key HTTP/1.1\r\nHost: 127.0.0.1\r\nUnfinished: ");
  await idle(OPEN_FILES, "GET /$/uplink HTTP/1.1\r\nHost: 127.0.0.1\r\nUnfinished: ");

  expect((await fetch(`http://127.0.0.1:${port}/$/health`)).status).toBe(200);
  origin.append(PATH, 1);
  await subscriber.until(({ updates }) => updates.length === 2, "the update");
  await originOf();
  expect(workerdOf(child)).toBe(workerd);
  expect(subscriber.violations).toEqual([]);
}, 120_000);

test("behind the gate, a request of any size is answered, and one too many of an address is told so and closed", async () => {
  await listening({ CONNECTIONS_PER_ADDRESS: "3" });
  const said = (socket: Socket) =>
    new Promise<string>((resolve) => {
      let text = "";
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
      socket.once("close", () => resolve(text));
    });
  const [short] = await idle(1, "GET / HTTP/1.1\nHost: x\n\n");
  if (short === undefined) throw new Error("no connection");
  await new Promise((resolve) => short.once("data", resolve));
  short.destroy();

  await idle(3, "GET /quotes/key HTTP/1.1\r\nUnfinished: ", "127.200.0.1");
  const [fourth] = await idle(1, "GET /$/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "127.200.0.1");
  const [other] = await idle(1, "GET /$/ HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", "127.200.0.2");
  if (fourth === undefined || other === undefined) throw new Error("no connection");
  expect(await said(fourth)).toMatch(/^HTTP\/1\.1 503 .*\r\nRetry-After: 1\r\n.*"overloaded"/s);
  expect(await said(other)).toMatch(/^HTTP\/1\.[01] 200 /);
}, 60_000);

/** Opens connections until workerd has ended: how many it takes is a matter of what else it has open. */
async function exhaust(child: Child): Promise<void> {
  const workerd = workerdOf(child);
  expect(commandOf(workerd)).toContain("workerd serve");
  let opened = 0;
  await eventually(
    async () => {
      if (opened < 4 * OPEN_FILES) opened += (await idle(OPEN_FILES / 2)).length;
      for (let look = 0; look < 50 && commandOf(workerd) !== ""; look++) await setTimeout(20);
      return commandOf(workerd) === "";
    },
    () =>
      `the end of a workerd with ${filesOf(workerd)} open files after ${opened} connections\n${child.output}`,
    60_000,
  );
}

const filesOf = (pid: number) => {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
};

/** A connection takes two files of workerd's: if one is left over, it doesn't end but drops whatever else comes. */
test.each([OPEN_FILES, OPEN_FILES + 1])(
  "workerd that ran out of %i open files is started again, behind the gate, and then it goes on",
  async (openFiles) => {
    const child = await listening({}, openFiles);
    await exhaust(child);
    await eventually(
      () => child.exited || child.output.split("the edge listens on").length === 3,
      () => `another start\n${child.output}`,
      60_000,
    );
    expect(child.output).toMatch(
      /^workerd (ended with exit code 1|dropped each new connection); it is started again in /m,
    );
    expect(child.output).toMatch(/^workerd could open no more files: from now on/m);
    const workerd = workerdOf(child);

    await idle(2 * OPEN_FILES);

    expect((await fetch(`http://127.0.0.1:${port}/$/health`)).status).toBe(503);
    expect((await fetch(`http://127.0.0.1:${port}/$/`)).status).toBe(200);
    expect(workerdOf(child)).toBe(workerd);
  },
  180_000,
);
