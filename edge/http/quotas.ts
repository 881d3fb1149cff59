/**
 * How much one address, or the subject of tokens, may ask of the Worker in a minute. Cloudflare counts by its rate-limit
 * bindings, for each of its locations; elsewhere each isolate counts for itself, and forgets those that asked least recently.
 * Who is at its quota is refused and told when to come back; nothing that it has is taken from it. H14 of PROTOCOL.md.
 *
 * Where all that is asked for shares one machine, reads that come too fast wait for one another: a minute's quota that is used up
 * within seconds stands in the way of everybody else, and their own are answered no sooner by that.
 */
import { Buckets } from "../access/rate.ts";
import { logProblem } from "../answers.ts";
import { SteadyClock } from "../surroundings.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { Sender } from "./sender.ts";

/** Each of these is counted by itself. A subscribe from a position is both a subscribe and a replay. */
export type Counted = "subscribe" | "replay" | "read" | "publish";

export const QUOTA_SETTINGS = {
  SUBSCRIBES_PER_MINUTE: {
    means: "How often one address, or the subject of tokens, may begin to subscribe in a minute.",
    default: "6000",
  },
  REPLAYS_PER_MINUTE: { means: "How many of these may ask for what was before.", default: "6000" },
  READS_PER_MINUTE: { means: "How often it may GET or HEAD.", default: "12000" },
  PUBLISHES_PER_MINUTE: { means: "How often it may POST or DELETE.", default: "6000" },
} as const;

const SETTING_OF = {
  subscribe: "SUBSCRIBES_PER_MINUTE",
  replay: "REPLAYS_PER_MINUTE",
  read: "READS_PER_MINUTE",
  publish: "PUBLISHES_PER_MINUTE",
} as const satisfies Record<Counted, keyof typeof QUOTA_SETTINGS>;

const BINDING_OF = {
  subscribe: "SUBSCRIBES",
  replay: "REPLAYS",
  read: "READS",
  publish: "PUBLISHES",
} as const satisfies Record<Counted, string>;

export type QuotaSettings = {
  readonly [Name in keyof typeof QUOTA_SETTINGS]?: string | undefined;
};

/** A rate-limit binding of Cloudflare's; its limit is in wrangler.toml. */
export interface RateLimiter {
  limit(asked: { readonly key: string }): Promise<{ readonly success: boolean }>;
}

export type QuotaEnv = QuotaSettings & {
  readonly [Name in (typeof BINDING_OF)[Counted] | "FRAMES" | "REPLAYED"]?: RateLimiter;
};

const MINUTE_SECONDS = 60;
/** So many reads at once don't wait for one another; more are served so many times as fast as their quota comes back. */
const READS_AT_ONCE = 100;
const READS_PACE = 2;
/** Cloudflare doesn't say when. */
const LATER_SECONDS = 10;

interface Quota {
  readonly perMinute: number;
  /** Set by hand, and so for this machine's own addresses, too. */
  readonly isSet: boolean;
}

/** Throws, with what is wrong, if a setting isn't as it must be. */
export function readQuotas(settings: QuotaSettings): Readonly<Record<Counted, Quota>> {
  const quota = (counted: Counted): Quota => {
    const name = SETTING_OF[counted];
    const perMinute = Number(settings[name] || QUOTA_SETTINGS[name].default);
    if (!Number.isInteger(perMinute) || perMinute < 1 || perMinute > 1_000_000)
      throw new Error(`${name} must be a whole number from 1 to 1,000,000`);
    return { perMinute, isSet: Boolean(settings[name]) };
  };
  return {
    subscribe: quota("subscribe"),
    replay: quota("replay"),
    read: quota("read"),
    publish: quota("publish"),
  };
}

/** What senders have asked, in memory. */
export class Counts {
  readonly #quotas: Readonly<Record<Counted, Quota>>;
  readonly #buckets: Readonly<Record<Counted, Buckets>>;
  readonly #paced: Buckets;

  constructor(quotas: Readonly<Record<Counted, Quota>>) {
    this.#quotas = quotas;
    const buckets = ({ perMinute }: Quota) =>
      new Buckets({ perSecond: perMinute / MINUTE_SECONDS, burst: perMinute });
    this.#buckets = {
      subscribe: buckets(quotas.subscribe),
      replay: buckets(quotas.replay),
      read: buckets(quotas.read),
      publish: buckets(quotas.publish),
    };
    const perSecond = (READS_PACE * quotas.read.perMinute) / MINUTE_SECONDS;
    this.#paced = new Buckets({ perSecond, burst: READS_AT_ONCE });
  }

  /** 0 if this may pass; else the seconds until it may. */
  take(counted: Counted, { key, isOwn }: Sender, now: number): number {
    if (isOwn && !this.#quotas[counted].isSet) return 0;
    return Math.ceil(this.#buckets[counted].take(key, now) / 1_000);
  }

  /** The same of a read that may wait for its turn: in so many milliseconds, unless it is refused. */
  takeTurn(sender: Sender, now: number): { readonly seconds: number; readonly turnMs: number } {
    const turnMs = this.#paced.waitMs(sender.key, now);
    const isTooLong = turnMs > TIME_LIMITS.quotaPatienceMs;
    const seconds = isTooLong ? Math.ceil(turnMs / 1_000) : this.take("read", sender, now);
    const isCounted = !sender.isOwn || this.#quotas.read.isSet;
    if (seconds === 0 && isCounted) this.#paced.spend(sender.key, now, 1);
    return { seconds, turnMs };
  }
}

const clock = new SteadyClock(() => Date.now());
let counts: Counts | undefined;

/** 0 if all of these may pass; else how many seconds to wait. */
export async function quotaWait(
  env: QuotaEnv,
  sender: Sender | undefined,
  ...all: readonly Counted[]
): Promise<number> {
  if (sender === undefined) return 0;
  for (const counted of all) {
    const binding = env[BINDING_OF[counted]];
    const asked = binding === undefined ? here(env, counted, sender) : there(binding, sender);
    const wait = typeof asked === "number" ? asked : await asked;
    if (wait > 0) return wait;
  }
  return 0;
}

function here(env: QuotaEnv, counted: Counted, sender: Sender): number | Promise<number> {
  counts ??= new Counts(readQuotas(env));
  if (counted !== "read") return counts.take(counted, sender, clock.now());
  const { seconds, turnMs } = counts.takeTurn(sender, clock.now());
  if (seconds > 0 || turnMs === 0) return seconds;
  return new Promise((resolve) => setTimeout(() => resolve(seconds), turnMs));
}

/** Whoever can't be counted may pass. */
async function there(binding: RateLimiter, { key }: Sender): Promise<number> {
  try {
    return (await binding.limit({ key })).success ? 0 : LATER_SECONDS;
  } catch (error) {
    logProblem("a quota", error);
    return 0;
  }
}
