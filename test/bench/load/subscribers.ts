/** A process full of clients. Commands come from the one who started it: see rpc.ts. */
import { nowUs } from "../clock.ts";
import { Latencies } from "../histogram.ts";
import { CentrifugoClient } from "./centrifugo-client.ts";
import { seeded } from "./chance.ts";
import { Client } from "./client.ts";
import type { Dialect } from "./dialect.ts";
import type { Stamp } from "./payload.ts";
import { answer } from "./rpc.ts";
import type { Observer, Subscriber } from "./subscriber.ts";

export interface Connect {
  /** The server's address without a path. */
  readonly url: string;
  /** What an endpoint is called there, without its number at the end: a path, or a channel. */
  readonly name: string;
  /** The endpoint of each client. */
  readonly endpoints: readonly number[];
  /** The token of each, where the stream wants one. */
  readonly tokens: readonly string[];
  readonly first: number | undefined;
  readonly dialect: Dialect;
  /** Where the clients come from: see local-addresses.ts. */
  readonly localAddress: string | undefined;
  /** Handshakes that are under way at once. */
  readonly atOnce: number;
}

/** Microseconds. */
export interface Interval {
  readonly from: number;
  readonly until: number;
}

export interface Counts {
  /** Within the interval: updates and bytes that arrived, with all their framing. */
  readonly received: number;
  readonly bytes: number;
  /** Of all updates that were due within the interval, whenever they arrived. */
  readonly latencies: string;
  /** Since the start, not only of the interval. */
  readonly live: number;
  readonly duplicated: number;
  readonly violations: number;
  /** One of them, in words. */
  readonly violation: string | undefined;
  /** Connections that ended without being asked to, and attempts that failed. */
  readonly closes: number;
  readonly close: string | undefined;
}

/** Within the interval so far, and now. */
export interface Progress {
  readonly received: number;
  readonly live: number;
}

export interface Storm {
  /** Milliseconds from the cut until each client was live again and had caught up, ascending. */
  readonly backMs: readonly number[];
  /** Verdicts that said so. */
  readonly recovered: number;
}

const RETRY_MS = 50;
const RETRY_MAX_MS = 1_000;
const TRIES = 20;

let clients: Subscriber[] = [];
/** Who joins in the middle may be on another machine than the publisher. */
let oneClock = true;
let interval: Interval = { from: Number.POSITIVE_INFINITY, until: 0 };
const latencies = new Latencies();
const random = seeded(process.pid);
let received = 0;
let bytes = 0;
let live = 0;
let violations = 0;
let violation: string | undefined;
let closes = 0;
let close: string | undefined;

const observer: Observer = {
  delivered({ due }: Stamp, wire: number): void {
    const now = nowUs();
    if (due > now && oneClock)
      observer.violated("an update came before it was due: publisher and client have two clocks");
    if (now >= interval.from && now < interval.until) {
      received++;
      bytes += wire;
    }
    if (due >= interval.from && due < interval.until) latencies.record(now - due);
  },
  violated(what: string): void {
    violations++;
    violation ??= what;
  },
  closed(client: Subscriber, code: number | undefined, problem: string): void {
    live--;
    noteClose(code === undefined ? problem : `${code} ${problem}`);
    void bring(client).catch(() => {});
  },
};

function noteClose(problem: string): void {
  closes++;
  close ??= problem;
}

/** Connects until it works, with backoff and jitter, up to an end. */
async function bring(client: Subscriber): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      const { recovered } = await client.connect();
      live++;
      return recovered;
    } catch (error) {
      noteClose(error instanceof Error ? error.message : String(error));
      if (tries === TRIES) throw error;
      const most = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** tries);
      await new Promise((resolve) => setTimeout(resolve, most * random()));
    }
  }
}

async function bringAll(atOnce: number): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let client = clients[next++]; client !== undefined; client = clients[next++]) await bring(client);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

const handlers = {
  /** Resolves when every client is live. */
  async connect(connect: Connect): Promise<void> {
    const { url, name, endpoints, tokens, first, dialect, localAddress, atOnce } = connect;
    oneClock = first !== undefined;
    clients = endpoints.map((endpoint, i) => {
      if (dialect === "centrifugo")
        return new CentrifugoClient(
          { url, channel: `${name}${endpoint}`, endpoint, first, localAddress },
          observer,
        );
      const verdicts = dialect === "distributary";
      const token = tokens[i];
      return new Client(
        { url: `${url}${name}${endpoint}`, endpoint, first, verdicts, token, localAddress },
        observer,
      );
    });
    await bringAll(atOnce);
  },

  /** Cuts every connection, and brings them back by position as `connect` brought them. */
  async redial({ atOnce }: Pick<Connect, "atOnce">): Promise<void> {
    for (const client of clients) client.cut();
    live = 0;
    await bringAll(atOnce);
  },

  /** From now on this interval is measured, which may lie ahead. */
  measure(next: Interval): void {
    interval = next;
    latencies.reset();
    received = 0;
    bytes = 0;
  },

  /** A glance that costs next to nothing. */
  progress(): Progress {
    return { received, live };
  },

  counts(): Counts {
    const duplicated = clients.reduce((sum, { tally }) => sum + tally.duplicated, 0);
    const encoded = latencies.encode();
    return { received, bytes, latencies: encoded, live, duplicated, violations, violation, closes, close };
  },

  /** How many updates have not come, where each endpoint has had `ends` of them. */
  lost(ends: Uint32Array): number {
    return clients.reduce((sum, { endpoint, tally }) => sum + tally.lost(ends[endpoint] ?? 0), 0);
  },

  /** Cuts every connection; all come back by position, and nobody waits for another. */
  async storm(): Promise<Storm> {
    const backMs: number[] = [];
    let recovered = 0;
    const since = nowUs();
    for (const client of clients) client.cut();
    live = 0;
    const back = async (client: Subscriber) => {
      if (await bring(client)) recovered++;
      backMs.push((nowUs() - since) / 1_000);
    };
    await Promise.all(clients.map(back));
    return { backMs, recovered };
  },
};

export type SubscriberHandlers = typeof handlers;

answer(handlers);
