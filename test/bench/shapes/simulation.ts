/**
 * One object and its links in virtual time: updates come by chance, their shards gather them, and the object fans out what
 * a message brings, one message after the other. What layouts.ts reckons must come out here, and how long updates wait. Pure.
 */
import { MEASURED } from "../estimate-measured.ts";
import { leavesAt } from "./gathering.ts";

export interface SimulatedObject {
  readonly links: number;
  /** Endpoints that it watches, each of one link. */
  readonly watches: number;
  /** Updates of each in a second. */
  readonly rate: number;
  readonly gatherMs: number;
  readonly connections: number;
  /** Endpoints of each connection. */
  readonly each: number;
}

export interface Wait {
  readonly p50: number;
  readonly p99: number;
}

export interface Observed {
  /** In a second. */
  readonly messages: number;
  readonly deliveries: number;
  /** Share of the time. */
  readonly busy: number;
  /** Milliseconds that an update waits at its shard; and until the object has fanned out what came before it. */
  readonly gathered: Wait;
  readonly queued: Wait;
}

interface LinkMessage {
  readonly at: number;
  /** When each of its updates came to the shard, and of which endpoint it is. */
  readonly came: number[];
  readonly endpoints: number[];
}

/** Connections whose endpoints are drawn one by one; they stand for all. */
const SAMPLE = 400;

/** `random`: in [0, 1). `times`: CPU of the object. */
export function simulate(
  object: SimulatedObject,
  seconds: number,
  random: () => number,
  times: (typeof MEASURED)["handlers" | "everything"] = MEASURED.everything,
): Observed {
  const messages = linkMessages(object, seconds * 1_000, random);
  const reach = reachOf(object, random);
  const gathered: number[] = [];
  const queued: number[] = [];
  let free = 0;
  let busy = 0;
  let deliveries = 0;
  for (const { at, came, endpoints } of messages) {
    const reached = reach(endpoints);
    const work = times.updateMs + (endpoints.length - 1) * times.batchedUpdateMs + reached * times.deliveryMs;
    const begins = Math.max(at, free);
    free = begins + work;
    busy += work;
    deliveries += reached;
    for (const then of came) {
      gathered.push(at - then);
      queued.push(begins - at);
    }
  }
  return {
    messages: messages.length / seconds,
    deliveries: deliveries / seconds,
    busy: busy / (seconds * 1_000),
    gathered: waitOf(gathered),
    queued: waitOf(queued),
  };
}

function linkMessages(
  { links, watches, rate, gatherMs }: SimulatedObject,
  ms: number,
  random: () => number,
): LinkMessage[] {
  const all: LinkMessage[] = [];
  const perLink = watches / links;
  const meanMs = 1_000 / (perLink * rate);
  for (let link = 0; link < links; link++) {
    let message: LinkMessage = { at: Number.NEGATIVE_INFINITY, came: [], endpoints: [] };
    for (let now = next(0, meanMs, random); now < ms; now = next(now, meanMs, random)) {
      if (now > message.at) {
        message = { at: leavesAt(now, message.at, gatherMs), came: [], endpoints: [] };
        all.push(message);
      }
      message.came.push(now);
      message.endpoints.push(Math.floor((link + random()) * perLink));
    }
  }
  return all.sort((a, b) => a.at - b.at);
}

function next(now: number, meanMs: number, random: () => number): number {
  return now - meanMs * Math.log(1 - random());
}

/** How many connections a message is for. */
function reachOf(
  { watches, connections, each }: SimulatedObject,
  random: () => number,
): (endpoints: readonly number[]) => number {
  if (each === 1) return (endpoints) => (new Set(endpoints).size * connections) / watches;
  const followers = new Map<number, number[]>();
  for (let connection = 0; connection < SAMPLE; connection++)
    for (let i = 0; i < each; i++) {
      const endpoint = Math.floor(random() * watches);
      const theirs = followers.get(endpoint) ?? [];
      theirs.push(connection);
      followers.set(endpoint, theirs);
    }
  return (endpoints) => {
    const reached = new Set<number>();
    for (const endpoint of endpoints) for (const one of followers.get(endpoint) ?? []) reached.add(one);
    return (reached.size * connections) / SAMPLE;
  };
}

function waitOf(all: number[]): Wait {
  const sorted = all.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}
