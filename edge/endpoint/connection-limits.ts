/**
 * How much a connection may ask, and how many of them a principal may have at one object: S20 of PROTOCOL.md. What is used
 * up is kept in memory only: an object that sleeps was asked little. What all sockets of one sender may is in sender-spending.ts.
 */
import { LIMITS } from "../../shared/protocol/limits.ts";
import { Bucket, type Rate } from "../access/rate.ts";
import type { SenderSpending } from "./sender-spending.ts";

export interface ConnectionLimits {
  /** All frames that the runtime doesn't answer by itself. */
  readonly messages: Rate;
  /** Of these, those that cost others something: subscribes, and tokens that are renewed. */
  readonly asks: Rate;
  /** Those that publish, if their socket may; they are none of the others. */
  readonly publishes: Rate;
  /** Sockets of one principal that isn't public. */
  readonly perPrincipal: number;
  /** Of all that subscribers of an isolate were sent and haven't taken. */
  readonly unsentBytes: number;
}

/** Of connections that follow many endpoints (M10): what such a one may ask is more, and other things. */
export interface ConnectLimits extends ConnectionLimits {
  /** Of a connection. */
  readonly subscriptions: number;
}

/** Whole numbers. A client that means well says far less. */
export const CONNECTION_SETTINGS = {
  CONNECTION_MESSAGES_PER_SECOND: {
    means: "How many frames a client may send on a connection in a second.",
    default: "20",
  },
  CONNECTION_MESSAGES_BURST: { means: "How many of these at once.", default: "100" },
  CONNECTION_SUBSCRIBES_PER_SECOND: {
    means: "How many of these in a second may be subscribes, or renew a token.",
    default: "5",
  },
  CONNECTION_SUBSCRIBES_BURST: { means: "How many of those at once.", default: "20" },
  SUBSCRIPTIONS_PER_CONNECTION: {
    means: "How many endpoints a connection of many may follow.",
    default: "1000",
  },
  CONNECT_SUBSCRIBES_PER_SECOND: {
    means: "How often such a connection may subscribe, unsubscribe or renew a token in a second.",
    default: "100",
  },
  CONNECT_SUBSCRIBES_BURST: { means: "How often at once.", default: "2000" },
  CONNECTION_PUBLISHES_PER_SECOND: {
    means: "How many frames in a second may publish; a large one counts as several.",
    default: "100",
  },
  CONNECTION_PUBLISHES_BURST: { means: "How many of those at once.", default: "200" },
  CONNECTIONS_PER_SUBJECT: {
    means: "How many connections to one endpoint the subject of tokens may have.",
    default: "100",
  },
  SUBSCRIBERS_PER_OBJECT: {
    means: "How many subscribers of one endpoint an object takes; for more there are others of it.",
    // At an update a second, with what a delivery costs at its dearest (35 µs), that is 0.7 of an object's core.
    default: "20000",
  },
  UNSENT_MEGABYTES: {
    means: "How many MB may be sent and not taken, by all clients, before large first answers are refused.",
    // An isolate of the platform has 128 MB.
    default: "96",
  },
} as const;

export type ConnectionSettings = {
  readonly [Name in keyof typeof CONNECTION_SETTINGS]?: string;
};

/** Throws, with what is wrong, if a setting isn't as it must be. */
function settingOf(settings: ConnectionSettings, name: keyof ConnectionSettings, most = 1_000_000): number {
  const limit = Number(settings[name] || CONNECTION_SETTINGS[name].default);
  if (!Number.isInteger(limit) || limit < 1 || limit > most)
    throw new Error(`${name} must be a whole number from 1 to ${most.toLocaleString("en-US")}`);
  return limit;
}

/** How many the object of an endpoint takes, or one of its relays. Throws as the others do. */
export function subscribersPerObject(settings: ConnectionSettings): number {
  return settingOf(settings, "SUBSCRIBERS_PER_OBJECT", LIMITS.subscribersPerObject);
}

export function connectLimits(settings: ConnectionSettings): ConnectLimits {
  return {
    ...connectionLimits(settings),
    asks: {
      perSecond: settingOf(settings, "CONNECT_SUBSCRIBES_PER_SECOND"),
      burst: settingOf(settings, "CONNECT_SUBSCRIBES_BURST"),
    },
    subscriptions: settingOf(settings, "SUBSCRIPTIONS_PER_CONNECTION"),
  };
}

export function connectionLimits(settings: ConnectionSettings): ConnectionLimits {
  const setting = (name: keyof ConnectionSettings) => settingOf(settings, name);
  return {
    messages: {
      perSecond: setting("CONNECTION_MESSAGES_PER_SECOND"),
      burst: setting("CONNECTION_MESSAGES_BURST"),
    },
    asks: {
      perSecond: setting("CONNECTION_SUBSCRIBES_PER_SECOND"),
      burst: setting("CONNECTION_SUBSCRIBES_BURST"),
    },
    publishes: {
      perSecond: setting("CONNECTION_PUBLISHES_PER_SECOND"),
      burst: setting("CONNECTION_PUBLISHES_BURST"),
    },
    perPrincipal: setting("CONNECTIONS_PER_SUBJECT"),
    unsentBytes: setting("UNSENT_MEGABYTES") * 1_000_000,
  };
}

/** Whoever goes on all the same is closed: a connection that is refused more often than this. */
const REFUSALS: Rate = { perSecond: 1, burst: 100 };

/** Whose sockets are counted together. */
export interface Senders<S> {
  /** undefined if that is nobody, or isn't known. */
  senderOf(socket: S): string | undefined;
  readonly spending: SenderSpending;
}

interface Used {
  readonly messages: Bucket;
  readonly asks: Bucket;
  readonly publishes: Bucket;
  readonly refusals: Bucket;
}

export class Spending<S extends object> {
  readonly #limits: ConnectionLimits;
  readonly #senders: Senders<S> | undefined;
  /** Of sockets that have said anything. */
  readonly #used = new WeakMap<S, Used>();

  /** @param senders undefined: no sockets are counted together. */
  constructor(limits: ConnectionLimits, senders?: Senders<S>) {
    this.#limits = limits;
    this.#senders = senders;
  }

  /** 0 if one more, or one that counts as several, may pass now; else the milliseconds until it may. */
  take(socket: S, what: "messages" | "asks" | "publishes", now: number, count = 1): number {
    const own = this.#of(socket)[what].take(now, count);
    const sender = this.#senders?.senderOf(socket);
    if (own > 0 || sender === undefined) return own;
    return this.#senders?.spending.take(sender, what, count) ?? 0;
  }

  /** Notes that something was refused. False if that was too often. */
  bears(socket: S, now: number): boolean {
    const own = this.#of(socket).refusals.take(now) === 0;
    const sender = this.#senders?.senderOf(socket);
    return sender === undefined ? own : this.#senders?.spending.bears(sender) !== false && own;
  }

  #of(socket: S): Used {
    const known = this.#used.get(socket);
    if (known !== undefined) return known;
    const { messages, asks, publishes } = this.#limits;
    const used = {
      messages: new Bucket(messages),
      asks: new Bucket(asks),
      publishes: new Bucket(publishes),
      refusals: new Bucket(REFUSALS),
    };
    this.#used.set(socket, used);
    return used;
  }
}
