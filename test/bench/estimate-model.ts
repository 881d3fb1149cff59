/**
 * What Cloudflare bills for what a deployment does in a month: events → operations → usage → dollars. Pure. Where the bill
 * depends on something that nobody has proved, an assumption says which way (estimate-assumptions.ts).
 */
import type { Operation } from "../../edge/operations.ts";
import type { Assumptions } from "./estimate-assumptions.ts";
import {
  type Events,
  eventsOf,
  MONTH_SECONDS,
  operationsOf,
  type Plan,
  requireLayout,
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

/** What costs, however little happens. */
export interface Standing {
  /** What goes to objects goes as calls within so many sessions; undefined: as messages. */
  readonly sessions: number | undefined;
  /** Seconds for which shards are awake, and objects of subscribers. */
  readonly shardSeconds: number;
  readonly objectSeconds: number;
  readonly rowsRead: number;
  readonly databases: number;
}

/** Everything that is billed for some events. */
export function itemsOf(events: Events, assumptions: Assumptions, standing: Standing): Item[] {
  // By whatever name: a message to an object costs the same, however many endpoints that holds.
  const operations = operationsOf(events);
  const count = (name: Operation) => operations[name] ?? 0;
  const items: Item[] = [];
  const add = (what: string, billedAs: keyof Usage, quantity: number, perUnit = 1) =>
    items.push({ what, quantity, billedAs, units: quantity * perUnit });
  const message = 1 / MESSAGES_PER_REQUEST;
  const linkMessage = assumptions.links === "20:1" ? message : 1;
  const ping = assumptions.pings === "20:1" ? message : 0;
  const { streamMs } = MEASURED[assumptions.activity];
  const { sessions } = standing;
  const onLinks = (messages: number) => (sessions === undefined ? messages : 0);

  add(
    "requests of subscribers, readers, origins and administrators",
    "workerRequests",
    count("worker_request"),
  );
  add("the Worker's CPU for requests, ms", "workerCpuMs", count("worker_request") * MEASURED.workerRequestMs);
  add("the Worker's CPU for event streams, ms", "workerCpuMs", events.events * streamMs);
  add("subscribes, GETs that wait, and dialled links", "objectRequests", count("object_request.endpoint"));
  add("uplinks", "objectRequests", count("object_request.shard"));
  add("calls of shards: attaches, GETs, publishes and revocations", "objectRequests", count("rpc.shard"));
  add("messages, origin to shard", "objectRequests", count("websocket_message_in.shard_uplink"), message);
  const down = onLinks(count("websocket_message_in.endpoint_link"));
  add("messages, shard to object", "objectRequests", down, linkMessage);
  const up = onLinks(count("websocket_message_in.shard_link"));
  add("messages, object to shard", "objectRequests", up, linkMessage);
  add("sessions of links", "objectRequests", sessions ?? 0);
  add(
    "messages of subscribers",
    "objectRequests",
    count("websocket_message_in.endpoint_subscriber"),
    message,
  );
  add("pings of subscribers", "objectRequests", events.subscriberPings, ping);
  add("pings of origins", "objectRequests", events.originPings, ping);
  add("shards, awake all month, s", "objectGbSeconds", standing.shardSeconds, OBJECT_GB);
  add(
    "objects of subscribers, active or kept awake, s",
    "objectGbSeconds",
    standing.objectSeconds,
    OBJECT_GB,
  );
  add("rows: who is attached, and what was revoked", "rowsWritten", count("rows_written"));
  add("rows read by shards that begin anew", "rowsRead", standing.rowsRead);
  add("databases of objects", "storageGbMonths", standing.databases, MEASURED.emptyDatabaseGb);
  return items;
}

/** A call that keeps an object awake does so for 15 minutes at most; then there is another one. */
const SESSION_SECONDS = 900;

function standingOf(plan: Plan, layout: Layout, events: Events, assumptions: Assumptions): Standing {
  const { objects, shards, links } = layout;
  const hasSessions = plan.carriers === "sessions";
  const holders = links === 0 ? shards : objects;
  const perHolder = holders === 0 ? 0 : layout.connections / holders;
  const active = activeSeconds(events, assumptions, perHolder);
  // Shards that hold subscribers have their updates at once.
  const own = links === 0 ? (events.updates * MEASURED[assumptions.activity].updateMs) / 1_000 : 0;
  const awake = watchedOf(plan) > 0 ? shards * MONTH_SECONDS : 0;
  return {
    sessions: hasSessions ? (links * MONTH_SECONDS) / SESSION_SECONDS : undefined,
    shardSeconds: Math.max(awake, links === 0 ? active + own : 0),
    objectSeconds: links === 0 ? 0 : hasSessions ? Math.max(active, objects * MONTH_SECONDS) : active,
    rowsRead: plan.restarts * (links + shards),
    databases: shards + (assumptions.storage === "empty" ? objects : 0),
  };
}

/** Of objects that hold so many subscribers each. */
export function activeSeconds(events: Events, { activity, absence }: Assumptions, perObject: number): number {
  const { updateMs, batchedUpdateMs, deliveryMs, subscribeMs, wakeMs, seekSeconds } = MEASURED[activity];
  const work =
    (events.linkMessages + events.revocationsTold) * updateMs +
    (events.linkUpdates - events.linkMessages) * batchedUpdateMs +
    events.deliveries * deliveryMs +
    (events.subscribes + events.polls) * subscribeMs +
    events.said * updateMs +
    events.wakes * (wakeMs.object + wakeMs.subscriber * perObject);
  return work / 1_000 + events.attaches * (absence === "long" ? seekSeconds : 0);
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

/** A month. Throws if the plan's shape can't hold its subscribers. */
export function estimate(plan: Plan, assumptions: Assumptions): Estimate {
  const events = eventsOf(plan, assumptions);
  const layout = requireLayout(plan);
  const items = itemsOf(events, assumptions, standingOf(plan, layout, events, assumptions));
  const usage = usageOfItems(items);
  const bill = monthlyBill(usage);
  const priced = items.map((item) => {
    const all = usage[item.billedAs];
    return { ...item, dollars: all === 0 ? 0 : (bill[item.billedAs] * item.units) / all };
  });
  return { items: priced, usage, dollars: bill.total };
}
