/**
 * How often each thing happens that a deployment does: plan → events → operations. Pure. The operations have the names under
 * which the edge counts them (edge/operations.ts), and test/e2e/estimate.test.ts holds what is predicted here against what a
 * real run counted.
 */
import type { Operation } from "../../edge/operations.ts";
import type { Assumptions } from "./estimate-assumptions.ts";
import { MEASURED } from "./estimate-measured.ts";
import { type Choice, type Layout, layoutOf } from "./shapes/layouts.ts";
import type { Popularity } from "./shapes/popularity.ts";

/** 30 days. */
export const MONTH_SECONDS = 30 * 86_400;
const DAY_SECONDS = 86_400;

export interface Plan extends Choice {
  /** Keys that exist. */
  readonly endpoints: number;
  /** Which share of them has subscribers, 0 to 1. */
  readonly watched: number;
  /** Updates of each endpoint in a second. */
  readonly rate: number;
  /** Of each endpoint that is watched, on average. */
  readonly subscribers: number;
  /** Endpoints of each connection: so many subscribers are one. */
  readonly each: number;
  readonly popularity: Popularity;
  /** In how many regions subscribers are. */
  readonly regions: number;
  /** What goes to an object of many endpoints goes as messages on a link, or as calls within a session. */
  readonly carriers: "messages" | "sessions";
  /** Which share of the connections are event streams, and which GETs that wait for the next state; all others are WebSockets. */
  readonly streams: number;
  readonly polls: number;
  /** Of each connection in a day; each resumes from its position. */
  readonly reconnects: number;
  /** How often all objects begin anew in a month, with all their sockets: deploys, and updates of the runtime. */
  readonly restarts: number;
  /** GET requests of endpoints in a second. */
  readonly gets: number;
  /** Which share of these is answered from the cache of the place where they arrive, 0 to 1. */
  readonly cached: number;
  /** Questions how many subscribers an endpoint has, in a second. */
  readonly occupancy: number;
  /** Publishes in a second. What they update is counted with the updates. */
  readonly publishes: number;
  /** Of an update as subscribers get it. */
  readonly messageBytes: number;
  /** After so long a silence a subscriber sends a ping; 0: never. */
  readonly pingSeconds: number;
  /** For how long updates are batched before they leave the origin together: its own 2 ms, and what the log adds. */
  readonly batchMs: number;
  /** Of tokens, in a day. If there are any, all subscribers are taken to have tokens, and some revocation always to stand. */
  readonly revocations: number;
}

/** How often each thing happens, within some time. */
export interface Events {
  /** Updates of endpoints that are watched: only these leave the origin. */
  readonly updates: number;
  /** Messages that carry updates, by the hop. */
  readonly uplinkMessages: number;
  readonly linkMessages: number;
  /** Updates in the messages of links. */
  readonly linkUpdates: number;
  /** Messages of an uplink that carry answers: several may be given in one step. */
  readonly answers: number;
  /** Messages that carry updates to connections, and those of them that the Worker passes on as events of a stream. */
  readonly deliveries: number;
  readonly events: number;
  /** Connections that come. */
  readonly subscribes: number;
  /** GETs that wait. */
  readonly polls: number;
  /** Messages of connections that aren't pings: they wake their object. */
  readonly said: number;
  /** Messages of objects that ask the origin on behalf of those who come, and those that answer. */
  readonly asks: number;
  readonly asked: number;
  /** Links that are dialled; messages on them by which objects ask first, and those that answer that. */
  readonly attaches: number;
  readonly firstAsks: number;
  readonly firstAnswers: number;
  /** Questions of objects that have nobody yet, whether their key has a record. */
  readonly recordAsks: number;
  /** Subscribes that such an object, or one that is full, sends on to another one. */
  readonly led: number;
  /** Times that a relay asks its shard for the word on which it writes down what it must know when it wakes; and writes it. */
  readonly keeps: number;
  readonly kept: number;
  /** Objects that nobody watches any more. */
  readonly detaches: number;
  /** GETs that reach a shard. */
  readonly questions: number;
  readonly gets: number;
  /** Questions how many subscribers there are; numbers that objects are asked for because of that, and say. */
  readonly occupancyGets: number;
  readonly counts: number;
  readonly counted: number;
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

/** None of it. */
export const NO_EVENTS: Events = {
  updates: 0,
  uplinkMessages: 0,
  linkMessages: 0,
  linkUpdates: 0,
  answers: 0,
  deliveries: 0,
  events: 0,
  subscribes: 0,
  polls: 0,
  said: 0,
  asks: 0,
  asked: 0,
  attaches: 0,
  firstAsks: 0,
  firstAnswers: 0,
  recordAsks: 0,
  led: 0,
  keeps: 0,
  kept: 0,
  detaches: 0,
  questions: 0,
  gets: 0,
  occupancyGets: 0,
  counts: 0,
  counted: 0,
  publishes: 0,
  uplinks: 0,
  subscriberPings: 0,
  originPings: 0,
  wakes: 0,
  revocations: 0,
  revocationsStored: 0,
  revocationsTold: 0,
  checks: 0,
};

export function watchedOf({ endpoints, watched }: Plan): number {
  return endpoints * watched;
}

/** undefined if the plan's shape can't hold its subscribers. */
export function layoutOfPlan(plan: Plan): Layout | undefined {
  const { popularity, rate, each, regions, messageBytes } = plan;
  const endpoints = watchedOf(plan);
  const connections = (endpoints * plan.subscribers) / each;
  return layoutOf({ endpoints, popularity, rate, connections, each, regions, messageBytes }, plan);
}

export function requireLayout(plan: Plan): Layout {
  const layout = layoutOfPlan(plan);
  if (layout === undefined) throw new Error(`the shape ${plan.shape} can't hold these subscribers`);
  return layout;
}

/** Updates of one endpoint that leave together, and updates of all endpoints in one message of an uplink. */
export function batched(
  plan: Plan,
  { arrival }: Assumptions,
  shards = plan.shards,
): { endpoint: number; uplink: number } {
  const perShard = (watchedOf(plan) * plan.rate) / shards;
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
  const layout = requireLayout(plan);
  const { connections, shards, links, watches } = layout;
  const watched = watchedOf(plan);
  const updates = watched * plan.rate * seconds;
  const restarts = (plan.restarts * seconds) / MONTH_SECONDS;
  const polling = connections * plan.polls;
  const lasting = connections - polling;
  const returns = (lasting * plan.reconnects * seconds) / DAY_SECONDS;
  const together = batched(plan, assumptions, shards);
  const how = assumptions.arrival === "together" ? "expected" : "most";
  // Where each endpoint has an object of its own, what leaves the origin together is all that is gathered.
  const gathers = plan.shape === "direct" ? 1 / together.endpoint : 1;
  const linkMessages = layout.linkMessages[how] * gathers * seconds;
  const polls = polling * pollsPerSecond(plan) * seconds;
  const deliveries = layout.deliveries[how] * gathers * seconds * (1 - plan.polls);
  const away = assumptions.absence === "long";
  const left = away && plan.shape === "direct" && plan.subscribers <= 1 ? returns : 0;
  const back = away && plan.shape !== "shards" ? returns : 0;
  const each = plan.shape === "direct" ? 1 : plan.each;
  // A connection's questions to one shard leave in one message; answers come one by one.
  const asks = back * Math.min(each, shards);
  const asked = back * each;
  const attaches = links * restarts + left;
  const answers = watches * restarts + left + asked;
  const subscribes = returns + lasting * restarts;
  const occupancyGets = plan.occupancy * seconds;
  // Asked within a minute, objects say it by themselves; at worst each question goes to all that watch the endpoint.
  const asksAnew = away && watched > 0 ? (occupancyGets * watches) / watched : 0;
  // And each comes and goes while it is wanted, two within half a second: the second is told of, and asked for, by itself.
  const comings = away && plan.occupancy > 0 ? 2 * returns + 2 * polls + lasting * restarts : 0;
  // What a relay asks or is answered at once travels together, or, at worst, by the endpoint.
  const anew = watches * restarts + left;
  const first =
    assumptions.arrival === "together" ? Math.max(attaches, anew / MEASURED.answersPerStep) : anew;
  // At best it is never so busy, or so quiet, that this is due.
  const isRelay = holderOf(plan) === "relay";
  const keeps = isRelay && away ? (layout.objects * seconds) / MEASURED.relayQuietSeconds : 0;
  const isBusy = linkMessages * MEASURED.relayQuietSeconds > 10 * layout.objects * seconds;
  const revocations = (plan.revocations * seconds) / DAY_SECONDS;
  const revocationsTold = revocations * links;
  const connectionRate = plan.rate * each;
  return {
    updates,
    uplinkMessages: updates / together.uplink,
    linkMessages,
    linkUpdates: Math.max(linkMessages, watches * plan.rate * seconds * gathers),
    answers: answers / (assumptions.arrival === "together" ? MEASURED.answersPerStep : 1),
    deliveries,
    events: deliveries * (lasting === 0 ? 0 : (connections * plan.streams) / lasting),
    subscribes,
    polls,
    // Who follows many endpoints says which, in one message or in several.
    said: isRelay ? subscribes * (assumptions.arrival === "together" ? 1 : each) : 0,
    asks,
    asked,
    attaches,
    firstAsks: first,
    firstAnswers: first,
    // All of them have; each object asks before it takes the first that comes.
    recordAsks: isRelay ? 0 : attaches,
    led: 0,
    keeps,
    kept: isBusy ? 0 : keeps,
    detaches: left,
    questions: plan.gets * (1 - plan.cached) * seconds + polls,
    gets: plan.gets * seconds,
    occupancyGets,
    counts: asksAnew + comings / 2,
    counted: asksAnew + 1.5 * comings,
    publishes: plan.publishes * seconds,
    uplinks: shards * restarts,
    subscriberPings: plan.pingSeconds === 0 ? 0 : pings(plan, connectionRate, seconds) * lasting + subscribes,
    originPings: shards * seconds,
    wakes: linkMessages < (links * seconds) / MEASURED.idleSeconds ? linkMessages + revocationsTold : 0,
    revocations,
    revocationsStored: revocations * shards,
    revocationsTold,
    checks: plan.revocations === 0 ? 0 : subscribes,
  };
}

/** A connection's, beside the one that it sends when it has come: none while it hears something often enough (S11). */
function pings({ pingSeconds }: Plan, rate: number, seconds: number): number {
  // Of a silence that lasts for so long by chance, one for each whole time.
  return rate === 0 ? seconds / pingSeconds : (rate * seconds) / Math.expm1(rate * pingSeconds);
}

/** Whoever waits for the next state asks again when it has come, or when nothing came for as long as it would wait. */
function pollsPerSecond({ rate }: Plan): number {
  return rate === 0 ? 1 / MEASURED.pollSeconds : rate / -Math.expm1(-rate * MEASURED.pollSeconds);
}

/** The objects that hold connections, by the name that the edge's counters have for them. */
export type Holder = "endpoint" | "relay";

/** That of a plan. Where there are both, nearly all messages are those of endpoints. */
export function holderOf({ shape, each }: Plan): Holder {
  return shape === "relays" || (shape === "both" && each > 1) ? "relay" : "endpoint";
}

const NAMES = {
  endpoint: {
    requests: "object_request.endpoint",
    fromShards: "websocket_message_in.endpoint_link",
    fromClients: "websocket_message_in.endpoint_subscriber",
    toClients: "websocket_message_out.endpoint",
  },
  relay: {
    requests: "object_request.relay",
    fromShards: "websocket_message_in.relay_link",
    fromClients: "websocket_message_in.relay_connection",
    toClients: "websocket_message_out.relay",
  },
} as const satisfies Record<Holder, Record<string, Operation>>;

/** What the edge counts while such events happen. */
export function operationsOf(
  events: Events,
  holder: Holder = "endpoint",
): Partial<Record<Operation, number>> {
  const { subscribes, polls, asks, asked, attaches, detaches, publishes, uplinks } = events;
  // Each is passed on by one call of a shard, and answered by one message of an origin.
  const questions = events.questions + events.recordAsks + publishes;
  const { linkMessages, uplinkMessages, answers, deliveries, occupancyGets, counts, counted } = events;
  const { revocations, revocationsStored, revocationsTold, checks, firstAsks, firstAnswers } = events;
  const names = NAMES[holder];
  // A link begins with the shard's hello.
  const down =
    linkMessages + attaches + firstAnswers + asked + counts + events.keeps + revocationsTold + checks;
  return {
    // An origin asks how many shards there are before it dials.
    worker_request: subscribes + polls + events.gets + occupancyGets + publishes + 2 * uplinks + revocations,
    [names.requests]: subscribes + events.led + polls + attaches,
    "object_request.shard": uplinks,
    // A revocation's own token is asked about before it is stored.
    "rpc.shard": attaches + questions + occupancyGets + 2 * revocationsStored,
    [names.fromShards]: down,
    [names.fromClients]: events.said,
    "websocket_message_in.shard_uplink": uplinkMessages + answers + questions + 2 * uplinks,
    "websocket_message_in.shard_link": firstAsks + asks + detaches + counted + events.keeps + checks,
    "websocket_message_out.shard": down,
    // Each subscribe has its verdict.
    [names.toClients]: deliveries + subscribes + 2 * polls,
    // That of a revocation goes when it lapses.
    rows_written: attaches + detaches + uplinks + events.kept * MEASURED.relayRows + 2 * revocationsStored,
    alarm: 0,
  };
}
