/** Relays that are evicted, that crash or lose their links, and lines that are cut: connections of many endpoints, with an origin that a test plays. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { EDGE_KEYS } from "../support/edge-harness.ts";
import { RUNTIME } from "../support/runtimes.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { check, isClean } from "./checker.ts";
import { EdgeProcess, RELAYS } from "./edge-process.ts";
import type { Logged, WrittenLog } from "./history.ts";
import { oneOf, seeded } from "./random.ts";
import { ResumingConnection } from "./resuming-connection.ts";
import { HASTY } from "./scale.ts";

const SEED = 14;
const CONNECTIONS = 4;
const EACH = 60;
const PATHS = Array.from({ length: 100 }, (_, i) => `/t/key-${i}`);
const EPOCH = "e.0";
const HOOKS = ["evict", "crash", "cut-links"];

let folder: string;
let edge: EdgeProcess;
let origin: ScriptedOrigin;
let proxy: TcpProxy;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "relays-"));
  const streams = join(folder, "streams.json");
  writeFileSync(streams, JSON.stringify({ streams: { t: { title: "t", subscribe: "public" } } }));
  edge = await EdgeProcess.start({
    runtime: RUNTIME,
    folder: join(folder, "edge"),
    streams,
    uplinkKeys: EDGE_KEYS,
    hear: () => {},
  });
  origin = await new ScriptedOrigin({ url: edge.url }).connect();
  proxy = await TcpProxy.open(edge.port);
});
afterAll(async () => {
  await proxy.close();
  origin.cut();
  await edge.kill();
  rmSync(folder, { recursive: true, force: true });
});

test(`[M3] [M4] [M5] [M11] [L12] [L14] whatever befalls relays, ${CONNECTIONS} connections of ${EACH} endpoints miss nothing, get nothing twice, and are told of nothing that they don't follow (seed ${SEED})`, async () => {
  const random = seeded(SEED);
  const records = new Map<string, Logged[]>(PATHS.map((path) => [path, []]));
  let written = 0;
  const write = () => {
    const path = oneOf(random, PATHS);
    const id = written++;
    records.get(path)?.push({ offset: origin.append(path, { id }, EPOCH).offset, id });
  };
  for (const _ of PATHS) write();
  const wrong: string[] = [];
  const connections = Array.from(
    { length: CONNECTIONS },
    (_, i) =>
      new ResumingConnection({
        name: `connection-${i}`,
        edge: `ws://127.0.0.1:${proxy.port}`,
        endpoints: Array.from({ length: EACH }, (_, j) => PATHS[(i * 20 + j) % PATHS.length] ?? ""),
        random,
        patience: HASTY,
        wanders: 5,
        heard: () => {},
        written: () => written,
        wrong: (problem) => wrong.push(problem),
      }),
  );
  const all = () => connections.flatMap(({ endpoints }) => [...endpoints]);
  const late = (those = all()) =>
    those.filter(({ endpoint, position }) => {
      const last = records.get(endpoint)?.at(-1)?.offset ?? -1;
      return position === undefined || (position.get(EPOCH) ?? -1) < last;
    });
  const writer = setInterval(() => {
    for (let i = 0; i < 4; i++) write();
  }, 20);
  await eventually(() => all().every(({ position }) => position !== undefined), "a verdict for each", 60_000);

  const took: string[] = [];
  const befalls: (() => Promise<unknown>)[] = Array.from({ length: RELAYS }, (_, relay) =>
    HOOKS.map((hook) => async () => {
      await edge.hook(hook, { relay: String(relay) });
      took.push(hook);
    }),
  ).flat();
  befalls.push(async () => proxy.cut());
  const before = written;
  for (let round = 0; round < 3; round++)
    for (const befall of befalls) {
      const now = written;
      // A relay that has just ended may refuse what is asked of it.
      await befall().catch(() => undefined);
      await eventually(() => written > now + 20, "some more is written");
      // Some faults come upon what the one before has left.
      if (random() < 0.5)
        await eventually(
          () => late(all().filter(({ isWanderer }) => !isWanderer)).length < 20,
          "nearly all have nearly all",
          60_000,
        );
    }
  clearInterval(writer);
  for (const connection of connections) connection.recall();
  await eventually(
    () => late().length === 0,
    () => `all have everything; ${late().map(({ name, endpoint }) => `${name} of ${endpoint}`)}`,
    60_000,
  );
  await Promise.all(connections.map((connection) => connection.close()));

  const log: WrittenLog = new Map([[EPOCH, { isVoid: false, isForgotten: false, records }]]);
  const findings = all().map(({ name, endpoint, happenings }) =>
    check({ subscriber: name, endpoint, happenings }, log),
  );
  expect(findings.filter((one) => !isClean(one)).flatMap(({ problems }) => problems)).toEqual([]);
  expect(wrong).toEqual([]);
  expect(written).toBeGreaterThan(before + 400);
  for (const hook of HOOKS) expect(took.filter((one) => one === hook).length, hook).toBeGreaterThan(1);
  expect(connections.every(({ closes }) => closes > 2)).toBe(true);
}, 240_000);
