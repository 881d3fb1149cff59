/**
 * Keeps one uplink to each shard of an edge. Learns how many there are, dials, and dials again for ever (redial.ts).
 */
import { setTimeout } from "node:timers/promises";
import * as v from "valibot";
import type { UplinkKey } from "../../shared/config/uplink-key.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import type { Writing } from "../../shared/protocol/publish.ts";
import type { Revocation } from "../../shared/protocol/revocation.ts";
import { type Slice, WHOLE } from "../../shared/protocol/slice.ts";
import { readChallenge, TOKEN_FAULTS } from "../../shared/protocol/uplink-token-fault.ts";
import { ROUTES, VERSION } from "../../shared/protocol/version.ts";
import type { OccupancyExchange } from "../occupancy/exchange.ts";
import type { Log } from "../operate/log.ts";
import type { PublishDoor } from "../publish/door.ts";
import type { RevocationSpreading } from "../revocations/spreading.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { WatchList } from "../watch/watch-list.ts";
import { isRefusal, UplinkConnection } from "./connection.ts";
import type { ConnectionTiming, Ended } from "./connection-options.ts";
import { Redial, type RedialTiming } from "./redial.ts";
import { Silence } from "./silence.ts";
import { bearerToken } from "./token.ts";
import { tooMany } from "./too-many.ts";

export interface UplinksOptions {
  readonly edgeUrl: URL;
  /** What the edge is called. */
  readonly name?: string;
  /** Which edge it is of those at that address. */
  readonly number?: number;
  /** How many there are, each time that it was asked. */
  readonly learned?: (edges: number) => void;
  /** It says what the edge calls this origin. */
  readonly key: UplinkKey;
  /** The key for a request that is about to be made, if it may have changed: of the same name. Never rejects. */
  readonly currentKey?: () => Promise<UplinkKey>;
  /** Of the partitions that it reads. */
  readonly slice?: Slice;
  readonly watchList: WatchList;
  /** Where publishes go. */
  readonly publishes?: PublishDoor;
  /** What is known of revocations, and where they go. */
  readonly revocations?: Pick<RevocationSpreading, "known" | "spread">;
  /** Where numbers of subscribers go. */
  readonly occupancy?: OccupancyExchange;
  readonly log: Log;
  /** In [0, 1). */
  readonly random: () => number;
  /** The watch list threw. */
  readonly failed: (error: unknown) => void;
  readonly timing?: UplinksTiming;
  readonly backlogBytes?: number;
}

export interface UplinksTiming extends ConnectionTiming, RedialTiming {
  /** The longest that an uplink over a slow line may be silent. */
  readonly deadLongestMs: number;
  /** How long a shard is waited for that was told that this origin leaves. */
  readonly leaveMs: number;
}

const TIMING: UplinksTiming = {
  pingMs: TIME_LIMITS.uplinkPingMs,
  deadMs: TIME_LIMITS.uplinkSilentMs,
  deadLongestMs: TIME_LIMITS.uplinkSilentLongestMs,
  batchMs: TIME_LIMITS.uplinkBatchMs,
  retry: TIME_LIMITS.uplinkAgain,
  replaced: TIME_LIMITS.uplinkReplacedAgain,
  refused: TIME_LIMITS.uplinkRefusedAgain,
  leaveMs: TIME_LIMITS.uplinkLeaveMs,
};

const ShardsSchema = v.object({
  version: v.number(),
  shards: v.pipe(v.number(), v.integer(), v.minValue(1)),
  edges: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(LIMITS.edgesAtAddress)), 1),
});

interface Dialling {
  readonly stop: AbortController;
  readonly done: Promise<void>;
  connection: UplinkConnection | undefined;
  /** How the one before ended, or why it never began. */
  ended: Ended | undefined;
}

/** The uplink to one shard. */
export interface UplinkFacts {
  readonly shard: number;
  /**
   * What this origin is there (U12), once the uplink is open. `refused`: the edge won't have it as it is, which only
   * people can change; it is dialled again all the same.
   */
  readonly state: "active" | "standby" | "dialling" | "refused";
  /** Why it isn't open, in words, if that is known. */
  readonly reason: string | undefined;
  /** Whether so much is unsent that forwarding pauses (U10). */
  readonly congested: boolean;
  readonly backlogBytes: number;
}

export class Uplinks {
  readonly #options: UplinksOptions;
  readonly #timing: UplinksTiming;
  /** No uplink is dialled any more. */
  readonly #leaving = new AbortController();
  readonly #stopping = new AbortController();
  readonly #shards = new Map<number, Dialling>();
  #learning: Promise<Ended | undefined> | undefined;
  #ready = false;
  /** On connections that are over. */
  #sentBytes = 0;

  constructor(options: UplinksOptions) {
    this.#options = options;
    this.#timing = options.timing ?? TIMING;
  }

  start(): void {
    // Shard 0 is always there; it learns of the others.
    this.#begin(0, false);
  }

  /** Tells every shard, now and when it connects (U9). Returns whether that is new. */
  setReady(ready: boolean): boolean {
    if (ready === this.#ready) return false;
    this.#ready = ready;
    for (const { connection } of this.#shards.values()) connection?.setReady(ready);
    return true;
  }

  /** Tells every shard; one that connects later is told then (W8). */
  tellWriting(writing: Writing): void {
    for (const { connection } of this.#shards.values()) connection?.tellWriting(writing);
  }

  /** Resolves with whether every shard has stored it in time (D4). Never rejects. */
  async tellRevocation(revocation: Revocation): Promise<boolean> {
    const told = Array.from(this.#shards.values(), ({ connection }) =>
      connection?.tellRevocation(revocation),
    );
    const late = setTimeout(TIME_LIMITS.uplinkSpreadMs, [false], { ref: false });
    return (await Promise.race([Promise.all(told), late])).every((stored) => stored === true);
  }

  /**
   * Hands over to who stands by, while what is watched is still forwarded (U15). Resolves when every shard has let
   * go, or has had its time; no uplink is dialled again.
   */
  async leave(): Promise<void> {
    this.#leaving.abort();
    const left = [...this.#shards.values()].flatMap(({ connection }) =>
      connection?.leave() ? [connection.ended] : [],
    );
    const late = setTimeout(this.#timing.leaveMs, undefined, { ref: false });
    await Promise.race([Promise.all(left), late]);
  }

  /** In order of the shards; as long as none was learnt of, only the first. */
  facts(): readonly UplinkFacts[] {
    const facts = Array.from(this.#shards, ([shard, { connection, ended }]): UplinkFacts => {
      const congested = connection?.congested ?? false;
      const backlogBytes = connection?.backlogBytes ?? 0;
      const state = connection?.role ?? (ended?.how === "refused" ? "refused" : "dialling");
      const reason = connection?.role === undefined ? ended?.reason : undefined;
      return { shard, state, reason, congested, backlogBytes };
    });
    return facts.sort((a, b) => a.shard - b.shard);
  }

  /** Whether the first dial of one of its shards is still under way. */
  get isOpening(): boolean {
    return [...this.#shards.values()].some(
      ({ connection, ended }) => connection?.role === undefined && ended === undefined,
    );
  }

  /** On all uplinks since the start, as bytes on the wire. */
  get sentBytes(): number {
    let bytes = this.#sentBytes;
    for (const { connection } of this.#shards.values()) bytes += connection?.sentBytes ?? 0;
    return bytes;
  }

  /** Resolves when all are closed. */
  async stop(): Promise<void> {
    this.#leaving.abort();
    this.#stopping.abort();
    await Promise.all([...this.#shards.values()].map(({ done }) => done));
  }

  #begin(shard: number, learned: boolean): void {
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#stopping.signal]);
    const done = Promise.resolve().then(() => this.#keep(shard, learned, signal));
    this.#shards.set(shard, { stop, done, connection: undefined, ended: undefined });
  }

  /** Dials a shard again and again. `isKnown`: the number of shards was learned just now. */
  async #keep(shard: number, isKnown: boolean, signal: AbortSignal): Promise<void> {
    const { random, log } = this.#options;
    const redial = new Redial(this.#timing, random);
    const silence = new Silence({ baseMs: this.#timing.deadMs, maxMs: this.#timing.deadLongestMs });
    const leaving = AbortSignal.any([signal, this.#leaving.signal]);
    let skipLearning = isKnown;
    while (!leaving.aborted) {
      const since = performance.now();
      let ended = skipLearning ? undefined : await this.#learn();
      if (leaving.aborted) return;
      ended ??= await this.#dial(shard, silence, signal);
      if (leaving.aborted) return;
      const state = this.#shards.get(shard);
      if (state !== undefined) state.ended = ended;
      skipLearning = false;
      const retryMs = redial.after(ended, performance.now() - since);
      log(`uplink_${ended.how}`, { shard, reason: ended.reason, retryMs });
      await setTimeout(retryMs, undefined, { signal: leaving }).catch(() => undefined);
    }
  }

  async #dial(shard: number, silence: Silence, signal: AbortSignal): Promise<Ended> {
    const { key, name = "", slice = WHOLE, watchList, publishes, revocations, occupancy } = this.#options;
    const { log, failed, backlogBytes } = this.#options;
    const url = this.#url();
    url.searchParams.set("shard", String(shard));
    url.protocol = url.protocol.replace("http", "ws");
    const connection = new UplinkConnection({
      url,
      shard,
      authorization: await this.#authorization(),
      origin: key.name,
      slice,
      watchList,
      publishes,
      revocations,
      edge: name,
      occupancy,
      log,
      timing: this.#timing,
      silence,
      backlogBytes: backlogBytes ?? LIMITS.uplinkBacklogBytes,
      isReady: () => this.#ready,
      greeted: ({ shards, generation, role = "active" }) => {
        log("uplink_open", { shard, generation, role });
        if (this.#ready) connection.setReady(true);
        this.#adapt(shards);
      },
      failed,
    });
    const state = this.#shards.get(shard);
    if (state !== undefined) state.connection = connection;
    const close = () => connection.close("going_away", TIME_LIMITS.uplinkCloseMs);
    if (signal.aborted) close();
    signal.addEventListener("abort", close);
    const ended = await connection.ended;
    signal.removeEventListener("abort", close);
    this.#sentBytes += connection.sentBytes;
    if (state !== undefined) state.connection = undefined;
    return ended;
  }

  #url(): URL {
    const { edgeUrl, number = 0 } = this.#options;
    const url = new URL(ROUTES.uplink, edgeUrl);
    // The first of several is meant if nothing is said, and so is one that is alone.
    if (number > 0) url.searchParams.set("edge", String(number));
    return url;
  }

  async #authorization(): Promise<string> {
    const { key, currentKey } = this.#options;
    return bearerToken((await currentKey?.()) ?? key);
  }

  /** Dials shards that have come, and leaves those that have gone. */
  #adapt(shards: number): void {
    if (this.#leaving.signal.aborted || shards === this.#shards.size) return;
    this.#options.log("shards_changed", { shards });
    for (let shard = 0; shard < shards; shard++) if (!this.#shards.has(shard)) this.#begin(shard, true);
    for (const [shard, { stop }] of this.#shards) {
      if (shard < shards) continue;
      stop.abort();
      this.#shards.delete(shard);
    }
  }

  /** Learns the number of shards, once for all that are about to be dialled. Returns why that failed, if it did. */
  #learn(): Promise<Ended | undefined> {
    this.#learning ??= this.#ask()
      .then((learned) => {
        if ("reason" in learned) return { ...learned, greeted: false };
        this.#adapt(learned.shards);
        this.#options.learned?.(learned.edges);
        return undefined;
      })
      .finally(() => {
        this.#learning = undefined;
      });
    return this.#learning;
  }

  async #ask(): Promise<{ readonly shards: number; readonly edges: number } | Omit<Ended, "greeted">> {
    const { edgeUrl } = this.#options;
    try {
      const response = await fetch(this.#url(), {
        headers: { authorization: await this.#authorization() },
        redirect: "error",
        signal: AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(this.#timing.deadMs)]),
      });
      const { status } = response;
      if (status !== 200) {
        await response.body?.cancel();
        const fault = readChallenge(response.headers.get("www-authenticate"));
        const why = fault === undefined ? "" : ` (${fault}: ${TOKEN_FAULTS[fault]})`;
        return {
          how: isRefusal(status) ? "refused" : "closed",
          reason: `the edge answers with status ${status} when asked for its shards${why}`,
          mayPass: fault === "bad_time",
        };
      }
      const body = v.safeParse(ShardsSchema, await response.json());
      if (!body.success) return { how: "refused", reason: `${edgeUrl.origin} is no edge of this software` };
      const { version, shards, edges } = body.output;
      if (version !== VERSION)
        return { how: "refused", reason: `the edge speaks version ${version}, this origin ${VERSION}` };
      const reason = tooMany(shards);
      return reason === undefined ? { shards, edges } : { how: "refused", reason };
    } catch (error) {
      return { how: "closed", reason: `the edge can't be reached: ${messageOf(error)}` };
    }
  }
}

/** With the cause, if `fetch` has one: its own message only says that it failed. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}
