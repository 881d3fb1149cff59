/** The process that publishes by a schedule. Commands come from the one who started it: see rpc.ts. */
import { nowUs, sleepUntil } from "../clock.ts";
import { seeded } from "./chance.ts";
import { Payloads } from "./payload.ts";
import { answer } from "./rpc.ts";
import { Schedule } from "./schedule.ts";
import { type Outgoing, openSink, type Sink, type Target } from "./sinks.ts";

export interface Open {
  readonly target: Target;
  readonly endpoints: number;
  readonly payload: number;
  readonly json: boolean;
  readonly run: number;
}

/** Publishes `rate` updates per second of each endpoint within an interval, in microseconds. */
export interface Publish {
  readonly rate: number;
  readonly from: number;
  readonly until: number;
  readonly seed: number;
  /** What falls due within so many milliseconds is sent together. */
  readonly lingerMs: number;
}

export interface Published {
  readonly updates: number;
  /** Updates that were not acknowledged. */
  readonly failed: number;
  readonly problem: string | undefined;
  /** How many updates each endpoint has had since the start. */
  readonly ends: Uint32Array;
  /** The longest that an update waited for its turn to be sent, in milliseconds. */
  readonly behindMs: number;
}

/** As many as Kafka's own producer has unanswered; what falls due meanwhile goes with the next, and counts as late. */
const IN_FLIGHT = 5;
const BATCH_UPDATES = 5_000;
const BATCH_BYTES = 512 * 1024;

let sink: Sink | undefined;
let payloads: Payloads | undefined;
let ends = new Uint32Array(0);
let batchUpdates = 1;

const handlers = {
  async open({ target, endpoints, payload, json, run }: Open): Promise<void> {
    payloads = new Payloads(payload, json, run);
    batchUpdates = Math.max(1, Math.min(BATCH_UPDATES, Math.floor(BATCH_BYTES / payload)));
    ends = new Uint32Array(endpoints);
    sink = await openSink(target, endpoints);
  },

  /** Resolves when the last update is acknowledged. */
  async publish({ rate, from, until, seed, lingerMs }: Publish): Promise<Published> {
    const schedule = new Schedule({ endpoints: ends.length, rate, from, until, random: seeded(seed) });
    const inFlight = new Set<Promise<void>>();
    let updates = 0;
    let failed = 0;
    let problem: string | undefined;
    let behind = 0;
    const send = async (batch: readonly Outgoing[]) => {
      try {
        await sink?.send(batch);
      } catch (error) {
        failed += batch.length;
        problem ??= error instanceof Error ? error.message : String(error);
      }
    };
    for (let turn = from; !schedule.done; turn = Math.max(turn + lingerMs * 1_000, nowUs())) {
      await sleepUntil(turn);
      for (;;) {
        const now = nowUs();
        const due = schedule.take(now, batchUpdates);
        const [first] = due;
        if (first === undefined) break;
        behind = Math.max(behind, now - first.at);
        updates += due.length;
        const sending = send(due.map(({ endpoint, at }) => outgoing(endpoint, at)));
        inFlight.add(sending);
        void sending.then(() => inFlight.delete(sending));
        while (inFlight.size >= IN_FLIGHT) await Promise.race(inFlight);
      }
    }
    await Promise.all(inFlight);
    return { updates, failed, problem, ends, behindMs: behind / 1_000 };
  },

  async close(): Promise<void> {
    await sink?.close();
  },
};

function outgoing(endpoint: number, due: number): Outgoing {
  const sequence = ends[endpoint] ?? 0;
  ends[endpoint] = sequence + 1;
  if (payloads === undefined) throw new Error("open was not called");
  return { endpoint, sequence, payload: payloads.encode({ due, sequence }) };
}

export type PublisherHandlers = typeof handlers;

answer(handlers);
