/**
 * Clients that publish over HTTP, each on a connection of its own, one after another, and subscribers of some of their keys:
 * in one process, so that one clock tells how long both take.
 */
import { Agent, request } from "node:http";
import { WebSocket } from "ws";
import { nowUs, sleepUntil } from "../clock.ts";
import { Latencies } from "../histogram.ts";
import { answer } from "../load/rpc.ts";
import type { Paced } from "./producer.ts";

export interface OpenClients {
  readonly url: string;
  readonly topic: string;
  readonly clients: number;
  readonly keys: number;
  /** Of these so many have a subscriber. */
  readonly watched: number;
}

export interface Heard {
  readonly published: number;
  readonly failed: number;
  readonly wallUs: number;
  /** From when each was due, or sent: until it was acknowledged, and until a subscriber had it. */
  readonly acknowledged: string;
  readonly delivered: string;
}

const SEPARATOR = "\u001e";
const CREATED = 201;
/** Subscribers have what was acknowledged by then. */
const LAST_MS = 500;

let opened: OpenClients | undefined;
let agent: Agent | undefined;
let delivered = new Latencies();
const subscribers: WebSocket[] = [];
let made = 0;

async function subscribe(url: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = new WebSocket(url.replace("http", "ws"), ["distributary.v1"], { perMessageDeflate: false });
  subscribers.push(socket);
  socket.on("message", (data) => {
    const now = nowUs();
    for (const text of data.toString().split(SEPARATOR)) {
      const frame = JSON.parse(text) as { readonly v?: { readonly at: number }; readonly ok?: unknown };
      if (frame.v !== undefined) delivered.record(now - frame.v.at);
      else if (frame.ok !== undefined) resolve();
    }
  });
  socket.on("error", reject);
  await promise;
}

/** Resolves with whether it was acknowledged. */
function publish(at: number, bytes: number): Promise<boolean> {
  const { url = "", topic = "", keys = 1 } = opened ?? {};
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const head = `{"at":${at},"pad":"`;
  const body = `${head}${"a".repeat(Math.max(0, bytes - head.length - 2))}"}`;
  const path = `${url}/${topic}/key-${made % keys}`;
  const headers = {
    "Content-Length": Buffer.byteLength(body),
    "Idempotency-Key": `bench-${process.pid}-${made++}`,
  };
  const asked = request(path, { method: "POST", agent, headers }, (response) => {
    response.resume();
    response.on("end", () => resolve(response.statusCode === CREATED));
  });
  asked.on("error", reject);
  asked.end(body);
  return promise;
}

async function measured(run: (take: (at: number, ok: boolean) => void) => Promise<void>): Promise<Heard> {
  const acknowledged = new Latencies();
  delivered = new Latencies();
  let published = 0;
  let failed = 0;
  const from = nowUs();
  await run((at, ok) => {
    if (ok) {
      published++;
      acknowledged.record(nowUs() - at);
    } else failed++;
  });
  const wallUs = nowUs() - from;
  await new Promise((resolve) => setTimeout(resolve, LAST_MS));
  return {
    published,
    failed,
    wallUs,
    acknowledged: acknowledged.encode(),
    delivered: delivered.encode(),
  };
}

const handlers = {
  async open(given: OpenClients): Promise<void> {
    opened = given;
    agent = new Agent({ keepAlive: true, maxSockets: given.clients });
    const { url, topic, watched } = given;
    await Promise.all(Array.from({ length: watched }, (_, i) => subscribe(`${url}/${topic}/key-${i}`)));
    // The partitions have a writer from here on.
    while (!(await publish(nowUs(), 1)));
  },

  /** Each client as fast as it is answered. */
  async closed({ seconds, bytes }: { readonly seconds: number; readonly bytes: number }): Promise<Heard> {
    const { clients = 1 } = opened ?? {};
    const until = nowUs() + seconds * 1e6;
    return measured(async (take) => {
      const run = async () => {
        for (let at = nowUs(); at < until; at = nowUs()) take(at, await publish(at, bytes));
      };
      await Promise.all(Array.from({ length: clients }, run));
    });
  },

  /** By a schedule that waits for nobody. */
  async paced({ bytes, perSecond, seconds }: Paced): Promise<Heard> {
    const from = nowUs();
    return measured(async (take) => {
      const underWay: Promise<void>[] = [];
      for (let i = 0; i < perSecond * seconds; i++) {
        const at = from + (i / perSecond) * 1e6;
        await sleepUntil(at);
        underWay.push(publish(at, bytes).then((ok) => take(at, ok)));
      }
      await Promise.all(underWay);
    });
  },

  async close(): Promise<void> {
    for (const socket of subscribers) socket.terminate();
    agent?.destroy();
  },
};

export type ClientsHandlers = typeof handlers;

answer(handlers);
