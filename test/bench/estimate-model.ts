/**
 * What a deployment does in a month and what Cloudflare bills for it: plan → events → operations → usage → dollars.
 * Pure. The operations have the names under which the edge counts them (edge/operations.ts), and
 * test/e2e/estimate.test.ts holds what is predicted here against what a real run counted.
 *
 * Where the bill depends on something that nobody has proved, an assumption says which way; the two bounds of an
 * estimate are the model under the kindest and under the harshest of them.
 */
import type { Operation } from "../../edge/operations.ts";
import { MEASURED } from "./estimate-measured.ts";
import { MESSAGES_PER_REQUEST, monthlyBill, NO_USAGE, OBJECT_GB, type Usage } from "./prices.ts";

/** 30 days. */
export const MONTH_SECONDS = 30 * 86_400;
const DAY_SECONDS = 86_400;

export interface Plan {
  /** Keys that exist. */
  readonly endpoints: number;
  /** Which share of them has subscribers, 0 to 1. */
  readonly watched: number;
  /** Updates of each endpoint in a second. */
  readonly rate: number;
  /** Of each endpoint that is watched. */
  readonly subscribers: number;
  /** Of each subscriber in a day; each resumes from its position. */
  readonly reconnects: number;
  /** How often all objects begin anew in a month, with all their sockets: deploys, and updates of the runtime. */
  readonly restarts: number;
  /** GET requests of endpoints in a second. */
  readonly gets: number;
  /** Publishes in a second. What they update is counted with the updates. */
  readonly publishes: number;
  /** Of an update as subscribers get it. */
  readonly messageBytes: number;
  /** Between two pings of a subscriber; 0: it sends none. */
  readonly pingSeconds: number;
  readonly shards: number;
  /** For how long updates are batched before they leave the origin together: its own 2 ms, and what the log adds. */
  readonly batchMs: number;
  /** Of tokens, in a day. If there are any, all subscribers are taken to have tokens, and some revocation always to stand. */
  readonly revocations: number;
}

/** What no bill has shown yet. Each in its kinder form first. */
export const ASSUMPTIONS = {
  links: {
    choices: ["20:1", "1:1"],
    means:
      "messages from a shard to an object are billed 20:1, as those from outside are, or each as a request",
  },
  pings: {
    choices: ["free", "20:1"],
    means: "pings that the runtime answers by itself are free, or billed as other messages",
  },
  activity: {
    choices: ["handlers", "everything"],
    means: "an object is active while its handlers run, or for all CPU time that an update costs the machine",
  },
  arrival: {
    choices: ["together", "apart"],
    means:
      "updates of one endpoint that come within a few milliseconds travel in one message, or each in its own; and those of all endpoints, or only as many as must",
  },
  absence: {
    choices: ["short", "long"],
    means:
      "who comes back is served from its object's window, or the origin must be asked; an endpoint that only one watched is still attached, or must be attached again",
  },
  storage: {
    choices: ["none", "empty"],
    means: "an object that stores nothing takes no room, or that of an empty database",
  },
} as const satisfies Record<string, { readonly choices: readonly [string, string]; readonly means: string }>;

export type Assumption = keyof typeof ASSUMPTIONS;
export type Assumptions = { readonly [A in Assumption]: (typeof ASSUMPTIONS)[A]["choices"][number] };

const ALL = Object.keys(ASSUMPTIONS) as Assumption[];
const choose = (which: 0 | 1) =>
  Object.fromEntries(ALL.map((name) => [name, ASSUMPTIONS[name].choices[which]])) as Assumptions;
export const KINDEST: Assumptions = choose(0);
export const HARSHEST: Assumptions = choose(1);

/** The kindest assumptions with one of them turned into its harsher form. */
export function turned(name: Assumption): Assumptions {
  return { ...KINDEST, [name]: HARSHEST[name] };
}

/** How often each thing happens, within some time. */
export interface Events {
  /** Updates of endpoints that are watched: only these leave the origin. */
  readonly updates: number;
  /** Messages that carry updates, by the hop. */
  readonly uplinkMessages: number;
  readonly linkMessages: number;
  /** Messages of an uplink that carry answers: several may be given in one step. */
  readonly answers: number;
  /** Messages to subscribers that carry updates. */
  readonly deliveries: number;
  /** Subscribers that connect. */
  readonly subscribes: number;
  /** Of these, those for whom the origin must be asked. */
  readonly asks: number;
  /** Objects that get a link. */
  readonly attaches: number;
  /** Objects that nobody watches any more. */
  readonly detaches: number;
  readonly gets: number;
  readonly publishes: number;
  /** Uplinks that an origin opens. */
  readonly uplinks: number;
  /** Pings that the runtime answers. */
  readonly subscriberPings: number;
  readonly originPings: number;
  /** Times that an object begins to run because of a message from its shard: it had hibernated. */
  readonly wakes: number;
  /** Of tokens; and of these what each shard stores. */
  readonly revocations: number;
  readonly revocationsStored: number;
  /** Objects that are told of one. */
  readonly revocationsTold: number;
  /** Questions of objects whether tokens count. */
  readonly checks: number;
}

export function watchedOf({ endpoints, watched }: Plan): number {
  return endpoints * watched;
}

/** Updates of one endpoint that leave together, and updates of all endpoints in one message of an uplink. */
export function batched(plan: Plan, { arrival }: Assumptions): { endpoint: number; uplink: number } {
  const perShard = (watchedOf(plan) * plan.rate) / plan.shards;
  const perMessage = Math.max(1, MEASURED.batchBytes / plan.messageBytes);
  // However they arrive, an origin sends a shard no more messages than that.
  const batch = Math.max(1, perShard / MEASURED.messagesPerShardSecond);
  if (arrival === "apart") return { endpoint: 1, uplink: Math.min(batch, perMessage) };
  const seconds = plan.batchMs / 1_000;
  // Beside the one that there must be, those that the same time brings.
  return {
    endpoint: Math.min(1 + plan.rate * seconds, perMessage),
    uplink: Math.min(Math.max(batch, 1 + perShard * seconds), perMessage),
  };
}

export function eventsOf(plan: Plan, assumptions: Assumptions, seconds = MONTH_SECONDS): Events {
  const watched = watchedOf(plan);
  const subscribers = watched * plan.subscribers;
  const updates = watched * plan.rate * seconds;
  const restarts = (plan.restarts * seconds) / MONTH_SECONDS;
  const returns = (subscribers * plan.reconnects * seconds) / DAY_SECONDS;
  const together = batched(plan, assumptions);
  const linkMessages = updates / together.endpoint;
  const away = assumptions.absence === "long";
  const left = away && plan.subscribers <= 1 ? returns : 0;
  const asks = away ? returns : 0;
  const attaches = watched * restarts + left;
  const subscribes = returns + subscribers * restarts;
  const revocations = (plan.revocations * seconds) / DAY_SECONDS;
  const revocationsTold = revocations * watched;
  return {
    updates,
    uplinkMessages: updates / together.uplink,
    linkMessages,
    answers: (attaches + asks) / (assumptions.arrival === "together" ? MEASURED.answersPerStep : 1),
    deliveries: linkMessages * plan.subscribers,
    subscribes,
    asks,
    attaches,
    detaches: left,
    gets: plan.gets * seconds,
    publishes: plan.publishes * seconds,
    uplinks: plan.shards * restarts,
    subscriberPings: plan.pingSeconds === 0 ? 0 : (subscribers * seconds) / plan.pingSeconds,
    originPings: plan.shards * seconds,
    wakes: plan.rate * MEASURED.idleSeconds < 1 ? linkMessages + revocationsTold : 0,
    revocations,
    revocationsStored: revocations * plan.shards,
    revocationsTold,
    checks: plan.revocations === 0 ? 0 : subscribes,
  };
}

/** What the edge counts while such events happen. */
export function operationsOf(events: Events): Partial<Record<Operation, number>> {
  const { subscribes, asks, attaches, detaches, gets, publishes, uplinks } = events;
  // Each is passed on by one call of a shard, and answered by one message of an origin.
  const questions = gets + publishes;
  const { linkMessages, uplinkMessages, answers, deliveries } = events;
  const { revocations, revocationsStored, revocationsTold, checks } = events;
  return {
    // An origin asks how many shards there are before it dials.
    worker_request: subscribes + questions + 2 * uplinks + revocations,
    "object_request.endpoint": subscribes + attaches,
    "object_request.shard": uplinks,
    // A revocation's own token is asked about before it is stored.
    "rpc.shard": attaches + questions + 2 * revocationsStored,
    // A link begins with the shard's hello and the answer to the object's first question.
    "websocket_message_in.endpoint_link": linkMessages + 2 * attaches + asks + revocationsTold + checks,
    "websocket_message_in.endpoint_subscriber": 0,
    "websocket_message_in.shard_uplink": uplinkMessages + answers + questions + 2 * uplinks,
    "websocket_message_in.shard_link": attaches + asks + detaches + checks,
    "websocket_message_out.shard": linkMessages + 2 * attaches + asks + revocationsTold + checks,
    // Each subscribe has its verdict.
    "websocket_message_out.endpoint": deliveries + subscribes,
    // That of a revocation goes when it lapses.
    rows_written: attaches + detaches + uplinks + 2 * revocationsStored,
    alarm: 0,
  };
}

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
  const events = eventsOf(plan, assumptions);
  const operations = operationsOf(events);
  const count = (name: Operation) => operations[name] ?? 0;
  const items: Item[] = [];
  const add = (what: string, billedAs: keyof Usage, quantity: number, perUnit = 1) =>
    items.push({ what, quantity, billedAs, units: quantity * perUnit });
  const message = 1 / MESSAGES_PER_REQUEST;
  const linkMessage = assumptions.links === "20:1" ? message : 1;
  const ping = assumptions.pings === "20:1" ? message : 0;

  add(
    "requests of subscribers, readers, origins and administrators",
    "workerRequests",
    count("worker_request"),
  );
  add("the Worker's CPU, ms", "workerCpuMs", count("worker_request") * MEASURED.workerRequestMs);
  add("subscribes and dialled links", "objectRequests", count("object_request.endpoint"));
  add("uplinks", "objectRequests", count("object_request.shard"));
  add("calls of shards: attaches, GETs, publishes and revocations", "objectRequests", count("rpc.shard"));
  add("messages, origin to shard", "objectRequests", count("websocket_message_in.shard_uplink"), message);
  add(
    "messages, shard to object",
    "objectRequests",
    count("websocket_message_in.endpoint_link"),
    linkMessage,
  );
  add("messages, object to shard", "objectRequests", count("websocket_message_in.shard_link"), linkMessage);
  add("pings of subscribers", "objectRequests", events.subscriberPings, ping);
  add("pings of origins", "objectRequests", events.originPings, ping);
  const awake = watchedOf(plan) > 0 ? plan.shards * MONTH_SECONDS : 0;
  add("shards, awake all month, s", "objectGbSeconds", awake, OBJECT_GB);
  const active = activeSeconds(plan, assumptions, events);
  add("endpoint objects, active, s", "objectGbSeconds", active, OBJECT_GB);
  add("rows: who is attached, and what was revoked", "rowsWritten", count("rows_written"));
  add("rows read by shards that begin anew", "rowsRead", plan.restarts * (watchedOf(plan) + plan.shards));
  const databases = assumptions.storage === "empty" ? watchedOf(plan) + plan.shards : plan.shards;
  add("databases of objects", "storageGbMonths", databases, MEASURED.emptyDatabaseGb);
  return items;
}

/** Shards not included: they are awake in any case. */
function activeSeconds(plan: Plan, { activity, absence }: Assumptions, events: Events): number {
  const { updateMs, deliveryMs, subscribeMs, wakeMs, seekSeconds } = MEASURED[activity];
  const wake = events.wakes * (wakeMs.object + wakeMs.subscriber * plan.subscribers);
  const work =
    (events.linkMessages + events.revocationsTold) * updateMs +
    events.deliveries * deliveryMs +
    events.subscribes * subscribeMs +
    wake;
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
