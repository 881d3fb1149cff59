/**
 * Random histories of relays, a room among them, and their clients, with the product's shard, origin and relays: whatever is said in whatever
 * order, and whatever is lost, each subscribe is answered once, nothing is lost, doubled or unannounced, nothing is said of
 * what was left, and in the end exactly what is followed is watched.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Position } from "../../../shared/protocol/position.ts";
import { WHOLE } from "../../../shared/protocol/slice.ts";
import { figure, HISTORIES, SEED } from "../../support/long.ts";
import { lossesOf } from "../../support/losses.ts";
import type { ModelConnection } from "../../support/model-connection.ts";
import type { ModelReceiver } from "../../support/model-receiver.ts";
import { SimulatedEdge } from "../../support/simulated-edge.ts";
import { textOf } from "../../support/written-log.ts";

const PATHS = ["A", "B", "C", "D", "E"].map((key) => `/quotes/${key}`);
const ROOM = "room-0";
const RELAYS = ["weur-0", "weur-1", ROOM];
const EPOCHS = ["t0.0", "t0.1"];

type Step =
  | { do: "append"; path: number; epoch: number; times: number }
  | { do: "connect"; relay: number }
  | {
      do: "sub" | "unsub" | "flip";
      who: number;
      path: number;
      from: { back: number; epochs: number } | undefined;
    }
  | { do: "all"; who: number }
  | { do: "enter"; path: number; from: { back: number; epochs: number } | undefined }
  | { do: "again"; who: number; from: { back: number; epochs: number } | undefined }
  | { do: "exit"; who: number }
  | { do: "publish"; who: number; path: number; times: number; order: "wait" | "reject" | "none" }
  | { do: "leave" | "slow" | "cut"; who: number }
  | { do: "deliver"; choice: number; times: number }
  | { do: "pass"; ms: number }
  | { do: "sleep" | "crash" | "cutLinks"; relay: number }
  | { do: "crashShard" | "kill" | "start" | "lag" | "readAll" | "cutUplink" | "hush" | "refuse" | "recover" }
  | { do: "drop"; epoch: number; keep: number };

const from = fc.option(
  fc.record({ back: fc.integer({ min: -2, max: 8 }), epochs: fc.integer({ min: 1, max: 3 }) }),
  { nil: undefined },
);
const [who, path, relay] = [fc.nat(5), fc.nat(PATHS.length - 1), fc.nat(RELAYS.length - 1)];
const is = <T extends string>(...kinds: T[]) => fc.constantFrom(...kinds);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: is("append"), path, epoch: fc.nat(1), times: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: is("connect"), relay: fc.nat(1) }) },
  { weight: 3, arbitrary: fc.record({ do: is("enter"), path, from }) },
  { weight: 2, arbitrary: fc.record({ do: is("again"), who, from }) },
  { weight: 1, arbitrary: fc.record({ do: is("exit"), who }) },
  { weight: 10, arbitrary: fc.record({ do: is("sub", "sub", "unsub", "flip"), who, path, from }) },
  { weight: 2, arbitrary: fc.record({ do: is("all"), who }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: is("publish"),
      ...{ who, path, times: fc.integer({ min: 1, max: 4 }), order: is("wait", "wait", "reject", "none") },
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: is("leave", "slow", "cut"), who }) },
  {
    weight: 12,
    arbitrary: fc.record({ do: is("deliver"), choice: fc.nat(20), times: fc.integer({ min: 1, max: 12 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: is("pass"), ms: fc.constantFrom(10, 1_000, 6_000, 40_000) }) },
  { weight: 3, arbitrary: fc.record({ do: is("sleep", "sleep", "crash", "cutLinks"), relay }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: is("crashShard", "kill", "start", "lag", "readAll", "cutUplink") }),
  },
  { weight: 2, arbitrary: fc.record({ do: is("hush", "refuse", "recover", "recover") }) },
  { weight: 1, arbitrary: fc.record({ do: is("drop"), epoch: fc.nat(1), keep: fc.nat(8) }) },
);

function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function play(history: readonly Step[], seed: number) {
  const edge = new SimulatedEdge({
    window: { updates: 5, ageMs: 30_000, bytes: 40_000 },
    log: { window: 4, page: 3 },
    origins: [WHOLE],
    random: mulberry(seed),
    epochs: EPOCHS,
  });
  const [origin] = edge.origins;
  origin?.start();
  const connections: ModelConnection[] = [];
  /** Of those in the room. */
  const alone: ModelReceiver[] = [];
  let value = 0;
  const positionOf = (wanted: { back: number; epochs: number } | undefined): Position | undefined => {
    if (wanted === undefined) return undefined;
    const position = new Map<string, number>();
    for (const [bit, epoch] of EPOCHS.entries()) {
      const offset = edge.log.endOf(epoch) - 1 - wanted.back;
      if (wanted.epochs & (1 << bit) && offset >= 0) position.set(epoch, offset);
    }
    return position;
  };
  const connection = (which: number) => connections[which % Math.max(1, connections.length)];
  const relayOf = (which: number) => edge.relay(RELAYS[which] ?? "");
  for (const step of history) {
    switch (step.do) {
      case "append":
        for (let i = 0; i < step.times; i++) {
          value++;
          const json = value % 4 === 0 ? new Uint8Array([value % 256, 0xff]) : { value };
          edge.append(PATHS[step.path] ?? "", json, EPOCHS[step.epoch] ?? "");
        }
        break;
      case "connect":
        connections.push(edge.connect(RELAYS[step.relay] ?? ""));
        break;
      case "sub":
        connection(step.who)?.sub(PATHS[step.path] ?? "", positionOf(step.from));
        break;
      case "enter":
        alone.push(edge.subscribeIn(ROOM, PATHS[step.path] ?? "", positionOf(step.from)));
        break;
      case "again": {
        const one = alone[step.who % Math.max(1, alone.length)];
        if (one !== undefined) edge.resubscribe(one, positionOf(step.from));
        break;
      }
      case "exit": {
        const one = alone[step.who % Math.max(1, alone.length)];
        if (one !== undefined) edge.leave(one);
        break;
      }
      case "unsub":
        connection(step.who)?.unsub(PATHS[step.path] ?? "");
        break;
      case "flip": {
        // Faster than any answer.
        const one = connection(step.who);
        one?.sub(PATHS[step.path] ?? "", positionOf(step.from));
        one?.unsub(PATHS[step.path] ?? "");
        one?.sub(PATHS[step.path] ?? "", undefined);
        break;
      }
      case "all":
        for (const path of PATHS) connection(step.who)?.sub(path, undefined);
        break;
      case "publish":
        for (let i = 0; i < step.times; i++) {
          const published = JSON.stringify({ published: ++value });
          connection(step.who)?.publish(PATHS[step.path] ?? "", published, step.order);
        }
        break;
      case "leave":
        connection(step.who)?.leave();
        break;
      case "slow":
        for (const relay of RELAYS) {
          const end = connection(step.who)?.end;
          if (end !== undefined) edge.relay(relay).slow(end);
        }
        break;
      case "cut": {
        const end = connection(step.who)?.end;
        if (end !== undefined) edge.cut(end);
        break;
      }
      case "deliver":
        for (let i = 0; i < step.times; i++) await edge.deliver(step.choice + i);
        break;
      case "pass":
        edge.pass(step.ms);
        break;
      case "sleep":
        // Long enough for the rows to be written, and to be idle.
        await edge.quiet();
        edge.pass(15_000);
        await edge.quiet();
        edge.pass(12_000);
        relayOf(step.relay).sleep();
        break;
      case "crash":
        relayOf(step.relay).crash();
        break;
      case "cutLinks":
        relayOf(step.relay).cutLinks();
        break;
      case "crashShard":
        edge.crashShard();
        break;
      case "drop": {
        const epoch = EPOCHS[step.epoch] ?? "";
        origin?.index.dropBefore(Math.max(0, origin.index.endOf(epoch) - step.keep), epoch);
        break;
      }
      default:
        origin?.[step.do]();
    }
  }
  origin?.recover();
  await edge.quiet();
  // Longer than an endpoint stays attached after its last subscriber has gone (L5).
  edge.pass(40_000);
  await edge.quiet();
  return { edge, connections, alone };
}

/** What must hold in the end, whatever happened. */
function judge({ edge, connections, alone }: Awaited<ReturnType<typeof play>>, wasDropped: boolean): void {
  expect(edge.problems).toEqual([]);
  const followed = new Set<string>();
  for (const one of connections) {
    expect(one.violations).toEqual([]);
    expect(one.left ? 0 : one.unanswered, "subscribes without an answer").toBe(0);
    expect(one.left ? 0 : one.publisher.unanswered, "publishes without an answer").toBe(0);
    expect(one.publisher.judge(edge.log)).toEqual([]);
    for (const path of one.wanted) followed.add(path);
  }
  for (const { left, path } of alone) if (!left) followed.add(path);
  const { rows, shard, origins } = edge.watched();
  const relays = RELAYS.filter((name) => edge.relay(name).links > 0);
  expect(rows).toEqual([...relays].sort());
  expect(shard).toEqual([`${followed.size} endpoints`, `${relays.length} links`]);
  expect([...new Set(origins)]).toEqual([...followed].sort());
  for (const name of RELAYS) expect(edge.relay(name).isAwake, `${name} can sleep`).toBe(false);
  for (const receiver of edge.receivers) {
    expect(receiver.violations).toEqual([]);
    if (wasDropped) expect(lossesOf(edge, receiver)).toEqual([]);
    // Who claims to have what an origin has dropped may get it again (P5).
    const doubled = receiver.duplicates.filter(
      ({ epoch, offset }) => !wasDropped || offset > (receiver.claimed.get(epoch) ?? -1),
    );
    expect(doubled).toEqual([]);
    expect(receiver.updates.filter((frame) => !edge.log.produced.has(textOf(frame)))).toEqual([]);
    if (receiver.left) continue;
    expect(receiver.answered).toBe(true);
    if (wasDropped) continue;
    expect(receiver.resets).toEqual([]);
    const position = receiver.position ?? new Map<string, number>();
    const lacking = edge.log
      .records(receiver.path)
      .filter(({ epoch, offset }) => offset > (position.get(epoch) ?? -1));
    expect(lacking).toEqual([]);
  }
}

/** Histories that once went wrong, and the seeds of their chance. */
const ONCE_WRONG: [Step[], number][] = [
  // A relay had forgotten endpoints, slept, and took them for watched when it woke.
  [
    [
      { do: "connect", relay: 1 },
      { do: "all", who: 0 },
      { do: "connect", relay: 0 },
      { do: "crash", relay: 0 },
      { do: "connect", relay: 1 },
      { do: "sub", who: 5, path: 0, from: undefined },
      { do: "leave", who: 0 },
      { do: "connect", relay: 0 },
      { do: "deliver", choice: 0, times: 6 },
      { do: "sleep", relay: 1 },
      { do: "all", who: 2 },
      { do: "append", path: 0, epoch: 0, times: 1 },
      { do: "deliver", choice: 0, times: 1 },
    ],
    0,
  ],
];

test(
  "[M3] [M4] [M5] [M6] [M11] [L12] [L13] [L14] [L16] [S2] [S6] [P5] [W24] [W26] [W27] [W28] in random histories each subscribe is answered once, nothing is lost, doubled or unannounced, exactly what is followed is watched, and each publish is one record, in order, where it was said to be",
  async () => {
    const seen = { answers: 0, superseded: 0, updates: 0, alone: 0, wakes: 0, recovered: 0, resets: 0 };
    const outcomes = { published: 0, unknown: 0 };
    let steps = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 120, size: "max" }),
        fc.nat(),
        async (history, seed) => {
          const played = await play(history, seed);
          judge(
            played,
            history.some((step) => step.do === "drop"),
          );
          const { edge, connections, alone } = played;
          steps += history.length;
          for (const one of connections) {
            seen.answers += one.answers;
            seen.superseded += one.superseded;
            for (const { outcome } of one.publisher.all) {
              if (outcome?.includes(":")) outcomes.published++;
              if (outcome === "unknown_outcome") outcomes.unknown++;
            }
          }
          for (const { updates } of alone) seen.alone += updates.length;
          for (const name of RELAYS) seen.wakes += edge.relay(name).wakes;
          for (const { updates, verdicts, resets } of edge.receivers) {
            seen.updates += updates.length;
            seen.resets += resets.length;
            seen.recovered += verdicts.filter(({ recovered }) => recovered === true).length;
          }
        },
      ),
      { numRuns: HISTORIES / 4, seed: SEED, examples: ONCE_WRONG },
    );
    for (const [what, times] of Object.entries({ ...seen, ...outcomes }))
      expect(times, what).toBeGreaterThan(20);
    figure(`${steps} random steps of relays and their clients`);
    expect(steps).toBeGreaterThan(HISTORIES * 5);
  },
  60_000 + HISTORIES * 400,
);
