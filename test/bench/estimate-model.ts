/**
 * What Cloudflare bills for what a deployment does in a month: events → operations → usage → dollars. Pure. Where the bill
 * depends on something that nobody has proved, an assumption says which way (estimate-assumptions.ts).
 */
import type { Operation } from "../../edge/operations.ts";
import type { Assumptions } from "./estimate-assumptions.ts";
import {
  type Events,
  eventsOf,
  layoutOfPlan,
  MONTH_SECONDS,
  operationsOf,
  type Plan,
  watchedOf,
} from "./estimate-events.ts";
import { MEASURED } from "./estimate-measured.ts";
import { MESSAGES_PER_REQUEST, monthlyBill, NO_USAGE, OBJECT_GB, type Usage } from "./prices.ts";
import type { Layout } from "./shapes/layouts.ts";

/** One reason to be billed. */
export interface Item {
  readonly what: string;
  /** How often, or how many seconds. */
  readonly quantity: number;
  readonly billedAs: keyof Usage;
  /** In the units of the price list. */
  readonly units: number;
}

/** Everything that is billed in a month. */
export function itemsOf(plan: Plan, assumptions: Assumptions): Item[] {
  const layout = layoutOfPlan(plan);
  if (layout === undefined) return [];
  const events = eventsOf(plan, assumptions);
  const operations = operationsOf(events);
  const count = (name: Operation) => operations[name] ?? 0;
  const items: Item[] = [];
  const add = (what: string, billedAs: keyof Usage, quantity: number, perUnit = 1) =>
    items.push({ what, quantity, billedAs, units: quantity * perUnit });
  const message = 1 / MESSAGES_PER_REQUEST;
  const linkMessage = assumptions.links === "20:1" ? message : 1;
  const ping = assumptions.pings === "20:1" ? message : 0;
  const { streamMs } = MEASURED[assumptions.activity];

  add("requests of subscribers, readers, origins and administrators", "workerRequests", count("worker_request"));
  add("the Worker's CPU for requests, ms", "workerCpuMs", count("worker_request") * MEASURED.workerRequestMs);
  add("the Worker's CPU for event streams, ms", "workerCpuMs", events.events * streamMs);
  add("subscribes, GETs that wait, and dialled links", "objectRequests", count("object_request.endpoint"));
  add("uplinks", "objectRequests", count("object_request.shard"));
  add("calls of shards: attaches, GETs, publishes and revocations", "objectRequests", count("rpc.shard"));
  add("messages, origin to shard", "objectRequests", count("websocket_message_in.shard_uplink"), message);
  const sessions = plan.carriers === "sessions";
  const down = count("websocket_message_in.endpoint_link");
  const up = count("websocket_message_in.shard_link");
  add("messages, shard to object", "objectRequests", sessions ? 0 : down, linkMessage);
  add("messages, object to shard", "objectRequests", sessions ? 0 : up, linkMessage);
  add("sessions of links", "objectRequests", sessions ? (layout.links * MONTH_SECONDS) / SESSION_SECONDS : 0);
  add("pings of subscribers", "objectRequests", events.subscriberPings, ping);
  add("pings of origins", "objectRequests", events.originPings, ping);
  const awake = watchedOf(plan) > 0 ? layout.shards * MONTH_SECONDS : 0;
  add("shards, awake all month, s", "objectGbSeconds", awake, OBJECT_GB);
  const active = activeSeconds(plan, assumptions, events, layout);
  add("objects of subscribers, active or kept awake, s", "objectGbSeconds", active, OBJECT_GB);
  add("rows: who is attached, and what was revoked", "rowsWritten", count("rows_written"));
  add("rows read by shards that begin anew", "rowsRead", plan.restarts * (layout.links + layout.shards));
  const databases = layout.shards + (assumptions.storage === "empty" ? layout.objects : 0);
  add("databases of objects", "storageGbMonths", databases, MEASURED.emptyDatabaseGb);
  return items;
}

/** A call that keeps an object awake does so for 15 minutes at most; then there is another one. */
const SESSION_SECONDS = 900;

/** Shards not included: they are awake in any case, and so is the object at the other end of a session. */
function activeSeconds(
  plan: Plan,
  { activity, absence }: Assumptions,
  events: Events,
  layout: Layout,
): number {
  const { updateMs, batchedUpdateMs, deliveryMs, subscribeMs, wakeMs, seekSeconds } = MEASURED[activity];
  const holders = layout.objects + (layout.links === 0 ? layout.shards : 0);
  const perHolder = holders === 0 ? 0 : layout.connections / holders;
  const work =
    (events.linkMessages + events.revocationsTold) * updateMs +
    (events.linkUpdates - events.linkMessages) * batchedUpdateMs +
    (layout.links === 0 ? events.updates * updateMs : 0) +
    events.deliveries * deliveryMs +
    (events.subscribes + events.polls) * subscribeMs +
    events.wakes * (wakeMs.object + wakeMs.subscriber * perHolder);
  const active = work / 1_000 + events.attaches * (absence === "long" ? seekSeconds : 0);
  if (layout.objects === 0) return Math.max(0, active - layout.shards * MONTH_SECONDS);
  return plan.carriers === "sessions" ? Math.max(active, layout.objects * MONTH_SECONDS) : active;
}

export function usageOfItems(items: readonly Item[]): Usage {
  const usage = { ...NO_USAGE };
  for (const { billedAs, units } of items) usage[billedAs] += units;
  return usage;
}

export interface PricedItem extends Item {
  /** Its share of what its kind costs, after what the plan includes. */
  readonly dollars: number;
}

export interface Estimate {
  readonly items: readonly PricedItem[];
  readonly usage: Usage;
  /** A month, at list price. */
  readonly dollars: number;
}

export function estimate(plan: Plan, assumptions: Assumptions): Estimate {
  const items = itemsOf(plan, assumptions);
  const usage = usageOfItems(items);
  const bill = monthlyBill(usage);
  const priced = items.map((item) => {
    const all = usage[item.billedAs];
    return { ...item, dollars: all === 0 ? 0 : (bill[item.billedAs] * item.units) / all };
  });
  return { items: priced, usage, dollars: bill.total };
}
