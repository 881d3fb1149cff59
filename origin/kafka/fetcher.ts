/**
 * Fetches from one broker for all partitions that it leads. A broker answers the requests of a connection one
 * after another, and holds one that finds nothing until something comes, so partitions are asked for together:
 * each request is for all that want more just then.
 *
 * One that wants more while a request is being held would wait for it: a second connection asks for that one,
 * with short waits, until both can be asked for together again. So a slow reader costs no other any time, and
 * two connections serve any number of partitions.
 */
import { TIME_LIMITS } from "../time-limits.ts";
import { BrokerLine } from "./broker-line.ts";
import { type BrokerConnection, OtherWayError, TooSlowError } from "./connection.ts";
import { SilentError } from "./hearing.ts";
import { Holding } from "./holding.ts";
import { telling } from "./patience.ts";
import { type Fetched, type FetchFrom, fetchRequest, KAFKA_ERROR } from "./requests.ts";

/** How long a broker holds a request while another is held, too. */
const SHORT_WAIT_MS = TIME_LIMITS.fetchHeldShortMs;
/** While nothing else is to be told, that more or less is held back is told no sooner than this. */
const HELD_NEWS_MS = TIME_LIMITS.heldBackNewsMs;

/** Wants one answer. */
interface Ask {
  readonly from: FetchFrom;
  readonly askedAt: number;
  /** How much was held back when it was told last. */
  readonly knownHeld: number;
  mood: Mood;
  /** Nobody waits any more. */
  over: boolean;
  readonly resolve: (fetched: Fetched) => void;
  readonly reject: (error: unknown) => void;
  readonly alive: () => void;
}

/**
 * - `first`: is to be answered at once, even with nothing.
 * - `flowing`: was answered with records just now.
 * - `idle`: was answered with none.
 */
export type Mood = "first" | "flowing" | "idle";

interface Lane {
  connection: BrokerConnection | undefined;
  /** For how long its present request may be held; undefined when it has none. */
  waitMs: number | undefined;
}

export class Fetcher {
  readonly #connect: () => BrokerConnection;
  readonly #failed: (error: Error) => void;
  #lanes: readonly [Lane, Lane] = newLanes();
  readonly #asks = new Set<Ask>();
  /** Those that wait, by the signal that ends that: a listener serves all fetches of a read. */
  readonly #waiting = new WeakMap<AbortSignal, Set<Ask>>();
  #scheduled = false;
  readonly #line = new BrokerLine();
  readonly #holding = new Holding();
  #closed = false;

  /** @param failed Called when a request has failed: the broker may be gone. */
  constructor(connect: () => BrokerConnection, failed: (error: Error) => void) {
    this.#connect = connect;
    this.#failed = failed;
  }

  /**
   * One answer for one partition: records from an offset on, or an error of its own; nothing, only to a `first`
   * one, or if not as much is held back as is known. Rejects when the signal aborts, and if the broker can't be
   * reached.
   * @param alive Called now and then while an answer is coming, or the broker wants to be left alone, or has nothing.
   */
  fetch(
    from: FetchFrom,
    mood: Mood,
    knownHeld: number,
    signal: AbortSignal,
    alive: () => void,
  ): Promise<Fetched> {
    const { promise, resolve, reject } = Promise.withResolvers<Fetched>();
    if (this.#closed) reject(new Error("the source is closed"));
    else if (signal.aborted) reject(signal.reason);
    else {
      const waiting = this.#waitingUntil(signal);
      const settle = <T>(how: (value: T) => void) => {
        return (value: T) => {
          waiting.delete(ask);
          how(value);
        };
      };
      const askedAt = performance.now();
      const settled = { resolve: settle(resolve), reject: settle(reject) };
      const ask: Ask = { from, askedAt, knownHeld, mood, over: false, ...settled, alive };
      waiting.add(ask);
      this.#asks.add(ask);
      this.#schedule();
    }
    return promise;
  }

  /** Connections on which nothing is under way are made anew when they are needed. */
  dropIdle(): void {
    for (const { connection, waitMs } of this.#lanes) if (waitMs === undefined) connection?.close();
  }

  /** Nothing that was under way is trusted any more: it fails, and what is asked for next goes another way. */
  renew(): void {
    const before = this.#lanes;
    this.#lanes = newLanes();
    for (const { connection } of before) connection?.close();
  }

  close(): void {
    this.#closed = true;
    for (const { connection } of this.#lanes) connection?.close();
    for (const { reject } of this.#asks) reject(new Error("the source is closed"));
    this.#asks.clear();
  }

  #waitingUntil(signal: AbortSignal): Set<Ask> {
    const known = this.#waiting.get(signal);
    if (known !== undefined) return known;
    const waiting = new Set<Ask>();
    this.#waiting.set(signal, waiting);
    const abort = () => {
      for (const ask of waiting) {
        ask.over = true;
        this.#asks.delete(ask);
        ask.reject(signal.reason);
      }
    };
    signal.addEventListener("abort", abort, { once: true });
    return waiting;
  }

  /** Most partitions have nothing most of the time: their reads sleep through that. */
  #again(ask: Ask, mood: Mood = "idle"): void {
    if (ask.over) return;
    ask.mood = mood;
    if (this.#closed) ask.reject(new Error("the source is closed"));
    else this.#asks.add(ask);
  }

  /** All who were answered together shall be asked for together again. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    const [one, two] = this.#lanes;
    const lane = one.waitMs === undefined ? one : two;
    if (this.#asks.size === 0 || lane.waitMs !== undefined) return;
    const others = lane === one ? two.waitMs : one.waitMs;
    const asks = onePerPartition(this.#asks);
    // The other's answer is near: then all are asked for together, by which the lanes become one again.
    if (others !== undefined && others <= SHORT_WAIT_MS && asks.every(({ mood }) => mood === "idle")) return;
    for (const ask of asks) this.#asks.delete(ask);
    const alone = others === undefined && this.#asks.size === 0;
    const first = asks.some(({ mood }) => mood === "first");
    void this.#poll(lane, asks, first ? 0 : alone ? this.#holding.waitMs(asks.length) : SHORT_WAIT_MS);
    if (this.#asks.size > 0) this.#schedule();
  }

  /** Never rejects. */
  async #poll(lane: Lane, asks: readonly Ask[], waitMs: number): Promise<void> {
    lane.waitMs = waitMs;
    // A partition that got nothing comes first: a broker gives a record larger than the bounds only to the first that it finds.
    const ordered = asks.toSorted((a, b) => Number(a.mood === "flowing") - Number(b.mood === "flowing"));
    if (lane.connection === undefined || lane.connection.closed) lane.connection = this.#connect();
    const { connection } = lane;
    const alive = () => {
      // Those in the queue wait for this lane, too.
      for (const ask of [...ordered, ...this.#asks]) ask.alive();
    };
    const { bounds } = this.#line;
    try {
      const request = fetchRequest(
        ordered.map(({ from }) => from),
        { waitMs, ...bounds, giveUp: (heard, bytes) => BrokerLine.isHopeless(heard, bounds.maxBytes, bytes) },
      );
      const answers = new Map<string, Fetched>();
      const askedAt = performance.now();
      const answer = telling(connection.send(request), () => connection.signs, alive);
      for (const fetched of await answer) answers.set(nameOf(fetched), fetched);
      this.#line.answered(connection.heard);
      if (answers.size > 0 && [...answers.values()].every(isNothing))
        this.#holding.answeredNothing(answers.size, waitMs, performance.now() - askedAt);
      for (const ask of ordered) {
        const fetched = answers.get(nameOf(ask.from));
        const isNews = (of: Fetched) => ask.mood === "first" || !isNothing(of) || isHeldNews(of, ask);
        if (fetched !== undefined && isNews(fetched)) ask.resolve(ownBytes(fetched, answers.size));
        else if (fetched !== undefined) {
          // Compaction may have left nothing before the end: that there is nothing is an answer, too.
          ask.alive();
          this.#again(ask);
        }
        // A broker that throttles may answer without naming anything; the next request waits as long as it wants.
        else if (answers.size === 0 && connection.isThrottled) this.#again(ask, ask.mood);
        else ask.reject(new Error("the broker's answer leaves out a partition"));
      }
    } catch (error) {
      this.#end(ordered, connection, error instanceof Error ? error : new Error(String(error)));
    } finally {
      lane.waitMs = undefined;
      this.#schedule();
    }
  }

  #end(asks: readonly Ask[], { heard }: BrokerConnection, why: Error): void {
    if (why instanceof TooSlowError) this.#line.gaveUp(heard);
    if (why instanceof OtherWayError) {
      for (const ask of asks) this.#again(ask, ask.mood);
      return;
    }
    if (why instanceof SilentError) this.#line.silent();
    this.#failed(why);
    // Those in the queue would go the same way: another broker may lead their partitions by now.
    for (const { reject } of [...asks, ...this.#asks]) reject(why);
    this.#asks.clear();
  }
}

const newLanes = (): readonly [Lane, Lane] => [
  { connection: undefined, waitMs: undefined },
  { connection: undefined, waitMs: undefined },
];

/** Of two topics that had one name, one after the other, too: a broker that is told names can't tell them apart. */
const nameOf = ({ topic, partition }: { topic: string; partition: number }) => `${topic}/${partition}`;

const isNothing = ({ error, diverging, records }: Fetched) =>
  error === KAFKA_ERROR.none && !diverging && records.length === 0;

/** How many offsets are taken, but lie behind a transaction that is open. */
export const heldBackIn = ({ highWatermark, lastStableOffset }: Fetched) =>
  Math.max(0, highWatermark - lastStableOffset);

const isHeldNews = (fetched: Fetched, { knownHeld, askedAt }: Ask) =>
  heldBackIn(fetched) !== knownHeld && performance.now() - askedAt >= HELD_NEWS_MS;

/** A request names a partition once: of two reads of one, the other goes with the next request. */
function onePerPartition(asks: Iterable<Ask>): Ask[] {
  const chosen = new Map<string, Ask>();
  for (const ask of asks) {
    const name = nameOf(ask.from);
    const before = chosen.get(name);
    if (before === undefined || (before.mood !== "first" && ask.mood === "first")) chosen.set(name, ask);
  }
  return [...chosen.values()];
}

/** A slow reader must not keep what others were answered with in memory. */
function ownBytes(fetched: Fetched, partitions: number): Fetched {
  return partitions === 1 ? fetched : { ...fetched, records: Buffer.from(fetched.records) };
}
