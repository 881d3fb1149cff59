/**
 * What Cloudflare asks for what the edge uses: list prices of Workers Paid, and what a month costs by them. The one
 * price table of the project; whoever prices a run or a plan imports it. Pure.
 */

/** US dollars. `included` is a month's, for the whole account. */
interface Price {
  readonly perUnit: number;
  readonly included: number;
}

const MILLION = 1e6;
const BILLION = 1e9;

const perMillion = (dollars: number, included: number): Price => ({ perUnit: dollars / MILLION, included });

export const PRICES = {
  /** When the list was read: year and month. */
  asOf: "2026-10",
  plan: "Workers Paid",
  /** What a month costs at least. */
  minimum: 5,
  workerRequests: perMillion(0.3, 10 * MILLION),
  workerCpuMs: perMillion(0.02, 30 * MILLION),
  /** HTTP requests, RPC sessions, alarms, and incoming WebSocket messages by `messagesPerRequest`. */
  objectRequests: perMillion(0.15, MILLION),
  objectGbSeconds: perMillion(12.5, 400_000),
  rowsRead: perMillion(0.001, 25 * BILLION),
  rowsWritten: perMillion(1, 50 * MILLION),
  storageGbMonths: { perUnit: 0.2, included: 5 },
} as const satisfies Record<string, Price | number | string>;

/** Incoming WebSocket messages that are billed as one request to an object; outgoing ones are free. */
export const MESSAGES_PER_REQUEST = 20;

/** An object is billed as if it held this much, in GB, while it runs or can't hibernate. */
export const OBJECT_GB = 0.128;

/** What is billed, in the units of the list. */
export interface Usage {
  readonly workerRequests: number;
  readonly workerCpuMs: number;
  readonly objectRequests: number;
  readonly objectGbSeconds: number;
  readonly rowsRead: number;
  readonly rowsWritten: number;
  readonly storageGbMonths: number;
}

export const NO_USAGE: Usage = {
  workerRequests: 0,
  workerCpuMs: 0,
  objectRequests: 0,
  objectGbSeconds: 0,
  rowsRead: 0,
  rowsWritten: 0,
  storageGbMonths: 0,
};

export type Bill = Readonly<Record<keyof Usage, number>> & {
  /** Of the items; a month costs this, or the plan's minimum. */
  readonly total: number;
};

/** US dollars for a month's usage, item by item, after what the plan includes. */
export function monthlyBill(usage: Usage): Bill {
  const over = (name: keyof Usage) => Math.max(0, usage[name] - PRICES[name].included) * PRICES[name].perUnit;
  return billed(over);
}

/** US dollars for usage beyond what the plan includes: what more of the same costs. */
export function marginalBill(usage: Usage): Bill {
  return billed((name) => usage[name] * PRICES[name].perUnit);
}

function billed(dollars: (name: keyof Usage) => number): Bill {
  const names = Object.keys(NO_USAGE) as (keyof Usage)[];
  const items = Object.fromEntries(names.map((name) => [name, dollars(name)])) as Record<keyof Usage, number>;
  return { ...items, total: names.reduce((sum, name) => sum + items[name], 0) };
}

/**
 * Usage as the edge's own counters tell it (`/$/operations`, by its names). What they can't tell stays 0: duration,
 * CPU and storage. Messages on sockets that a shard dialled count as if they were billed, which nobody has confirmed.
 */
export function usageOf(operations: Readonly<Record<string, number>>): Usage {
  const of = (name: string) => operations[name] ?? 0;
  const sum = (prefix: string) =>
    Object.keys(operations).reduce((total, name) => (name.startsWith(prefix) ? total + of(name) : total), 0);
  return {
    ...NO_USAGE,
    workerRequests: of("worker_request"),
    objectRequests:
      sum("object_request.") +
      sum("rpc.") +
      of("alarm") +
      sum("websocket_message_in.") / MESSAGES_PER_REQUEST,
    rowsRead: of("rows_read"),
    rowsWritten: of("rows_written"),
  };
}
