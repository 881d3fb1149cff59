/**
 * Shapes of fan-out: which objects hold the subscribers, and what their shards send them. As many objects as the limits of
 * the platform ask for, and one core of each, by the highest times that were measured. Pure.
 */
import { subscribersPerObject } from "../../../edge/endpoint/connection-limits.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { MEASURED } from "../estimate-measured.ts";
import { messagesFor, messagesPerSecond, mostMessagesPerSecond } from "./gathering.ts";
import { type Popular, type Popularity, popularityOf, REGIONS, watchedBy } from "./popularity.ts";

export const SHAPES = {
  direct: "an object for each endpoint, and a connection for each subscription",
  relays: "objects that hold many endpoints, for the connections of a region",
  both: "direct, with relays of an endpoint in each region when its object is full; relays for connections of many",
  buckets: "objects that hold the endpoints of one part of a shard, for connections of one endpoint",
  shards: "shards that hold the connections of their own endpoints, of which each has one; no links",
} as const;

export type Shape = keyof typeof SHAPES;

export interface Audience {
  /** That have subscribers. */
  readonly endpoints: number;
  readonly popularity: Popularity;
  /** Updates of each endpoint in a second. */
  readonly rate: number;
  readonly connections: number;
  /** Endpoints of each connection. */
  readonly each: number;
  /** In how many regions they are. */
  readonly regions: number;
  /** Of an update. */
  readonly messageBytes: number;
}

export interface Choice {
  readonly shape: Shape;
  readonly shards: number;
  /** For how long a shard gathers what goes to an object of many endpoints. */
  readonly gatherMs: number;
}

/** How often in a second: if updates come by chance, and however they come. */
export interface Often {
  readonly expected: number;
  readonly most: number;
}

/** The fullest object that holds subscribers. */
export interface Fullest {
  readonly sockets: number;
  readonly subscriptions: number;
  /** That wake it, in a second. */
  readonly messages: number;
  readonly bytes: number;
  /** By the highest times that were measured. */
  readonly cores: number;
}

export interface Layout {
  readonly connections: number;
  /** That hold subscribers, and aren't shards. */
  readonly objects: number;
  readonly shards: number;
  readonly links: number;
  /** Endpoints on all links together. */
  readonly watches: number;
  readonly linkMessages: Often;
  readonly deliveries: Often;
  readonly fullest: Fullest;
}

/** Objects of one kind. */
interface Part {
  readonly objects: number;
  /** To so many shards; 0 if they are shards themselves. */
  readonly links: number;
  /** Endpoints that each of them watches. */
  readonly watches: number;
  /** Of all of them. */
  readonly connections: number;
  /** Of the fullest. */
  readonly most: number;
  readonly each: number;
  readonly gatherMs: number;
}

/** More of a core isn't planned for: what waits for it would wait for long. */
const BUSY = 0.7;
/** Endpoints that the connections of one object may have together. */
const SUBSCRIPTIONS = 200_000;
/** Bounds of an object's windows, together and each; and how many updates one keeps by default. */
const WINDOWS_BYTES = 32 * 1024 * 1024;
const WINDOW_BYTES = 4 * 1024 * 1024;
const WINDOW_UPDATES = 100;

/** undefined if a shape can't hold such an audience, however many objects it has. */
export function layoutOf(audience: Audience, choice: Choice): Layout | undefined {
  const { rate } = audience;
  const popularity = popularityOf(audience.endpoints, audience.popularity);
  const parts = audience.connections === 0 ? [] : PARTS[choice.shape](audience, choice, popularity);
  if (parts === undefined) return undefined;
  const sum = (of: (part: Part) => number) => parts.reduce((total, part) => total + of(part), 0);
  const hosts = choice.shape === "shards";
  return {
    connections: sum(({ connections }) => connections),
    objects: hosts ? 0 : sum(({ objects }) => objects),
    shards: hosts
      ? Math.max(
          choice.shards,
          sum(({ objects }) => objects),
        )
      : choice.shards,
    links: sum(({ objects, links }) => objects * links),
    watches: sum(({ objects, links, watches }) => (links === 0 ? 0 : objects * watches)),
    linkMessages: {
      expected: sum((part) => part.objects * messagesTo(part, rate).expected),
      most: sum((part) => part.objects * messagesTo(part, rate).most),
    },
    deliveries: {
      expected: sum((part) => part.connections * deliveriesTo(part, rate).expected),
      most: sum((part) => part.connections * deliveriesTo(part, rate).most),
    },
    fullest: fullestOf(parts.map((part) => fullest(part, audience))),
  };
}

/** An object. */
function messagesTo({ links, watches, gatherMs }: Part, rate: number): Often {
  const updates = links === 0 ? 0 : (watches * rate) / links;
  return {
    expected: links * messagesPerSecond(updates, gatherMs),
    most: links * mostMessagesPerSecond(updates, gatherMs),
  };
}

/** A connection. What one message brings for it leaves in one. */
function deliveriesTo(part: Part, rate: number): Often {
  const updates = part.each * rate;
  if (part.gatherMs === 0 || part.links === 0) return { expected: updates, most: updates };
  const messages = messagesTo(part, rate);
  return {
    expected: part.watches <= part.each ? messages.expected : messagesFor(updates, messages.expected),
    most: Math.min(updates, messages.most),
  };
}

function fullest(part: Part, { rate, messageBytes }: Audience): Fullest {
  const { updateMs, batchedUpdateMs, deliveryMs } = MEASURED.everything;
  const updates = part.watches * rate;
  // A shard has them from an origin, which batches them.
  const messages =
    part.links === 0 ? Math.min(updates, MEASURED.messagesPerShardSecond) : messagesTo(part, rate).most;
  const subscriptions = part.most * part.each;
  const work =
    messages * updateMs +
    (updates - messages) * batchedUpdateMs +
    part.most * deliveriesTo(part, rate).most * deliveryMs;
  return {
    sockets: part.most,
    subscriptions,
    messages,
    bytes:
      (part.most + (part.each > 1 ? subscriptions : 0)) * MEASURED.heapBytes.subscriber +
      Math.min(WINDOWS_BYTES, part.watches * Math.min(WINDOW_BYTES, WINDOW_UPDATES * messageBytes)),
    cores: work / 1_000,
  };
}

function fullestOf(all: readonly Fullest[]): Fullest {
  const most = (name: keyof Fullest) => Math.max(0, ...all.map((one) => one[name]));
  return {
    sockets: most("sockets"),
    subscriptions: most("subscriptions"),
    messages: most("messages"),
    bytes: most("bytes"),
    cores: most("cores"),
  };
}

type Parts = (
  audience: Audience,
  choice: Choice,
  popularity: readonly Popular[],
) => readonly Part[] | undefined;

const PARTS: Readonly<Record<Shape, Parts>> = {
  direct({ endpoints, connections, each }, _, [first]) {
    const sockets = connections * each;
    return [{ ...OF_ONE, objects: endpoints, connections: sockets, most: sockets * (first?.share ?? 0) }];
  },
  relays: (audience, choice, popularity) => [relaysFor(audience, choice, popularity)],
  both(audience, choice, popularity) {
    const { endpoints, connections, each, regions } = audience;
    if (each > 1) return [relaysFor(audience, choice, popularity)];
    const isCrowded = ({ share }: Popular) => share * connections > FULL;
    const crowded = popularity.filter(isCrowded).map((group) => {
      const subscribers = group.share * connections;
      const relays = relaysOf(subscribers - FULL, regions);
      return {
        ...OF_ONE,
        objects: group.endpoints * (1 + relays),
        connections: group.endpoints * subscribers,
        most: FULL,
      };
    });
    const others = popularity.filter((group) => !isCrowded(group));
    if (crowded.length === 0) return PARTS.direct(audience, choice, popularity);
    const calm = endpoints - popularity.filter(isCrowded).reduce((sum, group) => sum + group.endpoints, 0);
    const held = crowded.reduce((sum, part) => sum + part.connections, 0);
    const most = connections * Math.max(0, ...others.map(({ share }) => share));
    return [...crowded, { ...OF_ONE, objects: calm, connections: connections - held, most }];
  },
  buckets({ rate, connections, each }, { gatherMs }, popularity) {
    if (each > 1) return undefined;
    const room = roomFor(rate);
    // An endpoint that fills an object, or half of one, shares it with nobody, and has as many as it needs.
    const isHot = ({ share }: Popular) => share * connections > room / 2;
    const hot = popularity.filter(isHot).map(({ endpoints, share }) => {
      const objects = Math.ceil((share * connections) / room);
      const held = endpoints * share * connections;
      return {
        ...OF_ONE,
        objects: endpoints * objects,
        connections: held,
        most: (share * connections) / objects,
      };
    });
    const others = popularity.filter((group) => !isHot(group));
    const endpoints = others.reduce((sum, group) => sum + group.endpoints, 0);
    if (endpoints === 0) return hot;
    const rest = connections * others.reduce((sum, group) => sum + group.endpoints * group.share, 0);
    const objects = Math.min(endpoints, Math.max(1, Math.ceil(rest / room)));
    const watches = endpoints / objects;
    const most = uneven(rest / objects, watches);
    return [...hot, { objects, links: 1, watches, connections: rest, most, each: 1, gatherMs }];
  },
  shards({ endpoints, rate, connections, each }, { shards }, [first]) {
    const room = roomFor(rate);
    // An endpoint has one shard.
    if (each > 1 || (first?.share ?? 0) * connections > room) return undefined;
    const objects = Math.max(shards, Math.ceil(connections / room));
    const watches = endpoints / objects;
    const most = uneven(connections / objects, watches);
    return [{ objects, links: 0, watches, connections, most, each: 1, gatherMs: 0 }];
  },
};

/** Nothing is gathered for one endpoint: an object of its own gets each update at once. */
const OF_ONE = { links: 1, watches: 1, each: 1, gatherMs: 0 } as const;

/** Subscribers of one endpoint that an object takes, unless another number is set. */
const FULL = subscribersPerObject({});

/** Objects that subscribers are led to for whom an endpoint's own has no room: in each region as many as it takes. */
function relaysOf(subscribers: number, regions: number): number {
  const places = Object.values(REGIONS).slice(0, regions);
  const people = places.reduce((sum, share) => sum + share, 0);
  return places.reduce((sum, share) => sum + Math.ceil((subscribers * share) / people / FULL), 0);
}

/** Connections of one endpoint each that an object has room for. */
function roomFor(rate: number): number {
  return Math.min(LIMITS.subscribersPerObject, (BUSY * 1_000) / (MEASURED.everything.deliveryMs * rate));
}

/** By a hash some objects have more endpoints than others: the fullest of a hundred about so many more. */
function uneven(mean: number, endpoints: number): number {
  return mean * (1 + 2.5 / Math.sqrt(Math.max(1, endpoints)));
}

/** As few as the limits allow: each has a link to every shard, and work with all that one of its connections wants. */
function relaysFor(audience: Audience, choice: Choice, popularity: readonly Popular[]): Part {
  const { connections, each, regions } = audience;
  const places = Object.values(REGIONS).slice(0, regions);
  const people = places.reduce((sum, share) => sum + share, 0);
  const partOf = (wanted: number): Part => {
    // A region has at least one.
    const counts = places.map((share) => Math.max(1, Math.ceil((wanted * share) / people)));
    const objects = counts.reduce((sum, count) => sum + count, 0);
    const held = places.map((share, i) => (connections * share) / people / (counts[i] ?? 1));
    const watches = watchedBy((connections * each) / objects, popularity);
    const links = Math.min(choice.shards, Math.max(1, Math.ceil(watches)));
    const most = Math.max(...held);
    return { objects, links, watches, connections, most, each, gatherMs: choice.gatherMs };
  };
  for (let wanted = 1; ; ) {
    const part = partOf(wanted);
    const { sockets, subscriptions, cores } = fullest(part, audience);
    const times = Math.max(
      sockets / LIMITS.subscribersPerObject,
      subscriptions / SUBSCRIPTIONS,
      // Not all of that is shared by more of them: what they all watch is work for each.
      Math.min(cores / BUSY, 2),
    );
    if (times <= 1 || wanted >= connections) return part;
    wanted = Math.max(wanted + 1, Math.floor(wanted * times));
  }
}
