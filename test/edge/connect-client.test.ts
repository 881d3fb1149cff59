/** The client's connection of many endpoints against the real edge, over a line that breaks. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Connection, connect, type SharedSubscription, subscribe } from "../../shared/client/client.ts";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { LONG } from "../support/long.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

const ENDPOINTS = LONG ? 900 : 300;
/** The machine may be busy with much else. */
const PATIENCE_MS = 120_000;
const CUTS = LONG ? 100 : 6;
const OPTIONS = { backoff: { baseMs: 50, maxMs: 500 } };

let edge: TestEdge;
let origin: ScriptedOrigin;
let proxy: TcpProxy;
let connection: Connection;

beforeAll(async () => {
  edge = await startEdge();
  origin = await new ScriptedOrigin({ url: edge.url }).connect();
  proxy = await TcpProxy.open(Number(new URL(edge.url).port));
  connection = connect(`ws://127.0.0.1:${proxy.port}`, OPTIONS);
}, 60_000);
afterAll(async () => {
  connection.close();
  await proxy.close();
  origin.cut();
  await edge.close();
});

interface Followed {
  readonly subscription: SharedSubscription;
  readonly values: number[];
  /** What was told besides. */
  readonly told: string[];
}

function follow(path: string, from?: string): Followed {
  const subscription = connection.subscribe(path, { from });
  const values: number[] = [];
  const told: string[] = [];
  subscription.on("update", (update) => values.push(Number(update.text())));
  subscription.on("gap", ({ cause }) => told.push(`gap ${cause}`));
  subscription.on("error", ({ code }) => told.push(code));
  return { subscription, values, told };
}

test(`[M2] [M3] [M11] ${ENDPOINTS} endpoints on one connection miss nothing and get nothing twice through ${CUTS} cuts`, async () => {
  const paths = Array.from({ length: ENDPOINTS }, (_, i) => `/quotes/many-${i}`);
  const written = new Map(paths.map((path) => [path, 1]));
  for (const path of paths) origin.append(path, 1);
  const followed = new Map(paths.map((path) => [path, follow(path)]));
  const isLive = () => [...followed.values()].every(({ subscription }) => subscription.phase === "live");
  await eventually(async () => isLive(), "all are live", PATIENCE_MS);
  let at = 0;
  const write = () => {
    for (let i = 0; i < 5; i++) {
      at = (at + 7) % ENDPOINTS;
      const path = paths[at] ?? "";
      const value = (written.get(path) ?? 0) + 1;
      written.set(path, value);
      origin.append(path, value);
    }
  };
  const writer = setInterval(write, 50);

  for (let cut = 0; cut < CUTS; cut++) {
    // Some leave and come back meanwhile, from where they were.
    for (let i = cut; i < ENDPOINTS; i += 29) {
      const path = paths[i] ?? "";
      const before = followed.get(path);
      before?.subscription.close();
      const after = follow(path, before?.subscription.position);
      after.values.push(...(before?.values ?? []));
      followed.set(path, after);
    }
    const opened = new Promise<void>((resolve) => {
      const off = connection.on("connection", ({ state }) => {
        if (state !== "open") return;
        off();
        resolve();
      });
    });
    proxy.cut();
    await opened;
    if (cut % 2 === 0) await eventually(async () => isLive(), "all are live again", PATIENCE_MS);
  }
  clearInterval(writer);
  await eventually(
    async () => [...followed].every(([path, { values }]) => values.at(-1) === written.get(path)),
    "all have everything",
    PATIENCE_MS,
  );

  for (const [path, { values, told }] of followed) {
    expect([path, values]).toEqual([path, Array.from({ length: written.get(path) ?? 0 }, (_, i) => i + 1)]);
    expect([path, told]).toEqual([path, []]);
  }
  expect(connection.state.state).toBe("open");
}, 600_000);

test("[M3] [M5] [M9] what is refused to one, and one that leaves, doesn't touch the others", async () => {
  const good = follow("/quotes/good");
  const bad = follow("/nothing/here");
  const left = follow("/quotes/left");
  await eventually(async () => bad.subscription.connection.state === "closed", "it is refused", PATIENCE_MS);
  await eventually(async () => left.subscription.phase === "live", "the other is live", PATIENCE_MS);
  left.subscription.close();
  origin.append("/quotes/left", 1);
  origin.append("/quotes/good", 1);
  await eventually(async () => good.values.length === 1, "the update", PATIENCE_MS);

  expect(bad.told).toEqual(["unknown_topic"]);
  expect([left.values, good.told]).toEqual([[], []]);
  expect(connection.state.state).toBe("open");
}, 400_000);

test("[O4] [O3] whoever asks for it is told how many subscribers there are, on a connection as on a socket of its own, and nobody else", async () => {
  const path = "/quotes/counted";
  origin.append(path, 1);
  const counted: Record<string, number[]> = { shared: [], own: [], other: [] };
  const count = (name: string, one: SharedSubscription) => {
    one.on("occupancy", ({ subscribers }) => counted[name]?.push(subscribers));
    return one;
  };
  const shared = count("shared", connection.subscribe(path, { occupancy: true }));
  const saidLast = (name: string, subscribers: number) =>
    eventually(async () => counted[name]?.at(-1) === subscribers, `${name}: ${subscribers}`, PATIENCE_MS);
  await saidLast("shared", 1);
  const own = count("own", subscribe(`ws://127.0.0.1:${proxy.port}${path}`, { ...OPTIONS, occupancy: true }));
  const other = connect(`ws://127.0.0.1:${proxy.port}`, OPTIONS);
  count("other", other.subscribe(path));
  await Promise.all([saidLast("shared", 3), saidLast("own", 3)]);
  other.close();
  await Promise.all([saidLast("shared", 2), saidLast("own", 2)]);
  own.close();
  await saidLast("shared", 1);
  shared.close();

  expect(counted.other).toEqual([]);
}, 400_000);
