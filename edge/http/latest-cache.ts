/**
 * Latest records as the data centre's cache has them, so that many GETs of one key cost its shard one question in a while (H15).
 * Only answers that are everybody's come here, and none is older than whoever asks may be given.
 *
 * The cache knows nothing of questions that are under way, so those of one isolate are shared here. Where a runtime has no
 * cache, as workerd by itself, each GET is asked for.
 */
import type { LatestValue } from "../../shared/protocol/uplink.ts";
import type { LatestResult } from "../shard/answering/latest.ts";
import { TIME_LIMITS } from "../time-limits.ts";

/** What it needs of `caches.default`. */
export interface DataCentreCache {
  match(url: string): Promise<Response | undefined>;
  put(url: string, response: Response): Promise<void>;
}

/** How old an answer is: for how long its question had been put. */
export interface Aged {
  readonly latest: LatestResult;
  readonly ageMs: number;
}

/** Keeps the work of a request alive when that ends. */
type KeepAlive = (work: Promise<unknown>) => void;

interface UnderWay {
  readonly askedAt: number;
  readonly answer: Promise<LatestResult>;
}

export class LatestCache {
  readonly #cache: DataCentreCache;
  readonly #now: () => number;
  /** By URL, brief questions apart. */
  readonly #underWay = new Map<string, UnderWay>();
  /** Until then there is none. */
  #missingUntil = Number.NEGATIVE_INFINITY;

  /** @param now Milliseconds since 1970: other isolates read what this one notes. */
  constructor(cache: DataCentreCache, now: () => number) {
    this.#cache = cache;
    this.#now = now;
  }

  /** False for a while once it has failed: by that a runtime says that it has none. */
  get isThere(): boolean {
    return this.#now() >= this.#missingUntil;
  }

  /** What is no older than that; undefined if nothing is. */
  async find(url: string, maxAgeMs: number): Promise<Aged | undefined> {
    if (!this.isThere) return undefined;
    try {
      // Also if it is of no use: this tells whether there is a cache.
      const response = await this.#cache.match(url);
      const found = response && (await read(response));
      const ageMs = found === undefined ? 0 : Math.max(0, this.#now() - found.askedAt);
      return found !== undefined && ageMs < maxAgeMs ? { latest: found.latest, ageMs } : undefined;
    } catch {
      this.#missingUntil = this.#now() + TIME_LIMITS.cacheAgainMs;
      return undefined;
    }
  }

  /**
   * The answer to a question, or to one that is under way and was put no longer ago than that.
   *
   * @param isBrief A large value isn't asked for.
   */
  async ask(
    url: string,
    maxAgeMs: number,
    isBrief: boolean,
    question: () => Promise<LatestResult>,
    keepAlive: KeepAlive,
  ): Promise<Aged> {
    if (!this.isThere) return { latest: await question(), ageMs: 0 };
    const subject = isBrief ? `?${url}` : url;
    const now = this.#now();
    const before = this.#underWay.get(subject);
    const ageMs = before === undefined ? 0 : Math.max(0, now - before.askedAt);
    if (before !== undefined && ageMs < maxAgeMs) {
      const latest = await inTime(before.answer);
      if (latest !== undefined) return { latest, ageMs: Math.max(0, this.#now() - before.askedAt) };
    }
    const asked = { askedAt: now, answer: question() };
    this.#underWay.set(subject, asked);
    keepAlive(this.#keep(url, subject, isBrief, asked));
    return { latest: await asked.answer, ageMs: 0 };
  }

  /** Never rejects: whoever asked hears what goes wrong. */
  async #keep(url: string, subject: string, isBrief: boolean, asked: UnderWay): Promise<void> {
    try {
      const latest = await asked.answer;
      if (isWhole(latest, isBrief)) await this.#cache.put(url, written(latest, asked.askedAt));
    } catch {
      // Nothing is kept.
    } finally {
      if (this.#underWay.get(subject) === asked) this.#underWay.delete(subject);
    }
  }
}

type Kept = Exclude<LatestResult, { readonly kind: "error" }>;

/** Of a frame. */
const KEPT_BYTES = 64 * 1024;

/** Large answers would have to be budgeted for when they are read; and what was left out isn't there. */
function isWhole(latest: LatestResult, isBrief: boolean): latest is Kept {
  if (latest.kind !== "update") return latest.kind === "none";
  return latest.frame.length <= KEPT_BYTES && !(isBrief && latest.value !== undefined);
}

const NOTES = "Distributary-Latest";

interface Notes {
  readonly askedAt: number;
  readonly position: string;
  readonly oldest: string | undefined;
  /** undefined: there is no record. */
  readonly form: "text" | "bytes" | undefined;
  readonly value: LatestValue | undefined;
}

/** Longer than any answer may be reused: how old it is says `askedAt`. */
const KEPT_SECONDS = 3_600;

function written(latest: Kept, askedAt: number): Response {
  const { position, oldest } = latest;
  const isUpdate = latest.kind === "update";
  const form = isUpdate ? (typeof latest.frame === "string" ? "text" : "bytes") : undefined;
  const notes: Notes = { askedAt, position, oldest, form, value: isUpdate ? latest.value : undefined };
  const headers = { "Cache-Control": `max-age=${KEPT_SECONDS}`, [NOTES]: JSON.stringify(notes) };
  return new Response(isUpdate ? latest.frame : "", { headers });
}

/** This code alone writes there, though perhaps in another version. */
async function read(response: Response): Promise<{ latest: Kept; askedAt: number } | undefined> {
  const notes = JSON.parse(response.headers.get(NOTES) ?? "null") as Notes | null;
  if (notes === null) return undefined;
  const { askedAt, position, oldest, form, value } = notes;
  if (form === undefined) return { latest: { kind: "none", position, oldest }, askedAt };
  const frame = form === "text" ? await response.text() : new Uint8Array(await response.arrayBuffer());
  return { latest: { kind: "update", position, oldest, frame, value }, askedAt };
}

/** undefined if it doesn't come soon: its request may have ended, and it with that. */
async function inTime(answer: Promise<LatestResult>): Promise<LatestResult | undefined> {
  const { promise: over, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), TIME_LIMITS.questionUnderWayMs);
  try {
    return await Promise.race([answer, over]);
  } finally {
    clearTimeout(timer);
  }
}
