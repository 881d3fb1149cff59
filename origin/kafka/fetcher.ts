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
import { Ask, type Mood, nameOf, type Standing, type Take } from "./ask.ts";
import { OtherWayError, TooSlowError } from "./broken-off.ts";
import { BrokerLine } from "./broker-line.ts";
import type { BrokerConnection } from "./connection.ts";
import { type Fetched, type FetchFrom, fetchRequest } from "./fetch-request.ts";
import { FetchSession } from "./fetch-session.ts";
import { SilentError } from "./hearing.ts";
import { Holding } from "./holding.ts";
import { Waiting } from "./patience.ts";
import type { Request } from "./request.ts";
import { KAFKA_ERROR } from "./requests.ts";

/** How long a broker holds a request while another is held, too. */
const SHORT_WAIT_MS = TIME_LIMITS.fetchHeldShortMs;
/** While nothing else is to be told, that more or less is held back is told no sooner than this. */
const HELD_NEWS_MS = TIME_LIMITS.heldBackNewsMs;

/** As far as it is used here. */
export type FetchConnection = Pick<
  BrokerConnection,
  "ask" | "close" | "closed" | "heard" | "signs" | "isThrottled"
>;

interface Lane {
  connection: FetchConnection | undefined;
  /** Those that are asked for on it. */
  asks: readonly Ask[];
  /** For the answer to its present request, if it has one. */
  readonly waiting: Waiting;
  /** What the broker keeps of what is asked for on it; over another connection, too. */
  readonly session: FetchSession;
  /** Whether its last answer may have been cut short: then it matters who is asked for first, which a session doesn't tell. */
  isFilled: boolean;
  /** For how long its present request may be held; undefined when it has none. */
  waitMs: number | undefined;
}

export class Fetcher {
  readonly #connect: () => FetchConnection;
  readonly #failed: (error: Error) => void;
  #lanes: readonly [Lane, Lane] = this.#newLanes();
  readonly #asks = new Set<Ask>();
  /** Those that wait, by the signal that ends that: a listener serves all fetches of a read. */
  readonly #waiting = new WeakMap<AbortSignal, Set<Ask>>();
  #scheduled = false;
  readonly #line = new BrokerLine();
  readonly #holding = new Holding();
  #closed = false;

  /** @param failed Called when a request has failed: the broker may be gone. */
  constructor(connect: () => FetchConnection, failed: (error: Error) => void) {
    this.#connect = connect;
    this.#failed = failed;
  }

  /**
   * One answer for one partition: records from an offset on, or an error of its own; nothing, only to a `first`
   * one, or if not as much is held back as is known. Rejects when the signal aborts, and if the broker can't be
   * reached.
   * @param alive Called now and then while an answer is coming, or the broker wants to be left alone, or has nothing.
   * @param take Is given answers first, unless they are large: the promise is for one that it doesn't take.
   */
  fetch(
    from: FetchFrom,
    standing: Standing,
    signal: AbortSignal,
    alive: () => void,
    take?: Take,
  ): Promise<Fetched> {
    if (this.#closed) return Promise.reject(new Error("the source is closed"));
    if (signal.aborted) return Promise.reject(signal.reason);
    const fill = this.#line.bounds.partitionMaxBytes;
    const ask = new Ask(from, standing, fill, alive, this.#waitingUntil(signal), take);
    this.#asks.add(ask);
    this.#schedule();
    return ask.answer;
  }

  /** Connections on which nothing is under way are made anew when they are needed. */
  dropIdle(): void {
    for (const { connection, waitMs } of this.#lanes) if (waitMs === undefined) connection?.close();
  }

  /** Nothing that was under way is trusted any more: it fails, and what is asked for next goes another way. */
  renew(): void {
    const before = this.#lanes;
    this.#lanes = this.#newLanes();
    for (const { connection } of before) connection?.close();
  }

  close(): void {
    this.#closed = true;
    for (const { connection } of this.#lanes) connection?.close();
    for (const ask of this.#asks) ask.reject(new Error("the source is closed"));
    this.#asks.clear();
  }

  #newLanes(): readonly [Lane, Lane] {
    return [this.#newLane(), this.#newLane()];
  }

  #newLane(): Lane {
    const waiting = new Waiting(
      () => lane.connection?.signs ?? 0,
      () => {
        // Those in the queue wait for this lane, too.
        for (const ask of [...lane.asks, ...this.#asks]) ask.alive();
      },
    );
    const session = new FetchSession();
    const lane: Lane = {
      connection: undefined,
      asks: [],
      waiting,
      session,
      isFilled: false,
      waitMs: undefined,
    };
    return lane;
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
    ask.mood = mood;
    this.#wants(ask);
  }

  #wants(ask: Ask): void {
    if (ask.over) return;
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
    this.#poll(
      lane,
      longestFirst(asks),
      first ? 0 : alone ? this.#holding.waitMs(asks.length) : SHORT_WAIT_MS,
    );
    if (this.#asks.size > 0) this.#schedule();
  }

  #poll(lane: Lane, asks: readonly Ask[], waitMs: number): void {
    lane.waitMs = waitMs;
    if (lane.connection === undefined || lane.connection.closed) lane.connection = this.#connect();
    const { connection, session } = lane;
    lane.asks = asks;
    lane.waiting.begin();
    const askedAt = performance.now();
    const failed = (why: Error) => {
      session.failed();
      this.#end(asks, connection, why);
      this.#polled(lane);
    };
    // In the step in which the answer comes: a promise for each would have to be waited for.
    const answered = (answers: readonly Fetched[]) => {
      try {
        this.#line.answered(connection.heard);
        if (session.wasRefused) for (const ask of asks) this.#again(ask, ask.mood);
        else this.#answer(asks, answers, lane, { waitMs, askedAt });
      } catch (error) {
        return failed(error instanceof Error ? error : new Error(String(error)));
      }
      this.#polled(lane);
    };
    // Whoever closes the connection isn't to meet in the same step what that leads to.
    connection.ask(this.#request(asks, waitMs, lane), answered, (why) => queueMicrotask(() => failed(why)));
  }

  #polled(lane: Lane): void {
    lane.waiting.end();
    lane.asks = [];
    lane.waitMs = undefined;
    this.#schedule();
  }

  #request(asks: readonly Ask[], waitMs: number, lane: Lane): Request<readonly Fetched[]> {
    const { session } = lane;
    const { maxBytes, partitionMaxBytes, silenceMs } = this.#line.bounds;
    // Without `...`, which is slow, and this is done for each answer.
    return fetchRequest(
      asks.map(({ from }) => from),
      {
        maxBytes,
        partitionMaxBytes,
        silenceMs,
        waitMs,
        giveUp: (heard, bytes) => BrokerLine.isHopeless(heard, maxBytes, bytes),
        session: {
          request: (maxBytes, byId) =>
            lane.isFilled ? session.outside(asks) : session.request(asks, maxBytes, byId),
          answered: (id, error) => session.answered(id, error),
        },
      },
    );
  }

  #answer(
    asks: readonly Ask[],
    answers: readonly Fetched[],
    lane: Lane,
    { waitMs, askedAt }: { readonly waitMs: number; readonly askedAt: number },
  ): void {
    const { connection, session } = lane;
    // A broker that throttles may answer without naming anything; the next request waits as long as it wants.
    if (answers.length === 0 && connection?.isThrottled === true) {
      for (const ask of asks) this.#again(ask, ask.mood);
      return;
    }
    const now = performance.now();
    if (answers.every(isNothing)) this.#holding.answeredNothing(asks.length, waitMs, now - askedAt);
    const answerOf = answersOf(answers);
    let bytes = 0;
    for (const { records } of answers) bytes += records.length;
    const isShared = answers.length === 1 || bytes <= SHARED_BYTES;
    lane.isFilled = bytes > this.#line.bounds.maxBytes / FILLED_PART;
    const fill = this.#line.bounds.partitionMaxBytes;
    let i = 0;
    for (const ask of asks) {
      const answer = answerOf(ask, i++);
      if (answer !== undefined) {
        session.learn(ask.name, answer);
        ask.turn.given(answer.records.length, answer.lastStableOffset);
      }
      const fetched = answer ?? session.unchanged(ask.name);
      if (fetched === undefined) ask.reject(new Error("the broker's answer leaves out a partition"));
      else if (ask.mood === "first" || !isNothing(fetched) || isHeldNews(fetched, ask, now)) {
        if (isShared && ask.takes(fetched, now, fill)) this.#wants(ask);
        else ask.resolve(isShared ? fetched : withOwnBytes(fetched));
      } else {
        // Compaction may have left nothing before the end: that there is nothing is an answer, too.
        ask.alive();
        this.#again(ask);
      }
    }
  }

  #end(asks: readonly Ask[], { heard }: FetchConnection, why: Error): void {
    if (why instanceof TooSlowError) this.#line.gaveUp(heard);
    if (why instanceof OtherWayError) {
      for (const ask of asks) this.#again(ask, ask.mood);
      return;
    }
    if (why instanceof SilentError) this.#line.silent();
    this.#failed(why);
    // Those in the queue would go the same way: another broker may lead their partitions by now.
    for (const ask of [...asks, ...this.#asks]) ask.reject(why);
    this.#asks.clear();
  }
}

const isNothing = ({ error, diverging, records }: Fetched) =>
  error === KAFKA_ERROR.none && !diverging && records.length === 0;

/** How many offsets are taken, but lie behind a transaction that is open. */
export const heldBackIn = ({ highWatermark, lastStableOffset }: Fetched) =>
  Math.max(0, highWatermark - lastStableOffset);

const isHeldNews = (fetched: Fetched, { knownHeld, askedAt }: Ask, now: number) =>
  heldBackIn(fetched) !== knownHeld && now - askedAt >= HELD_NEWS_MS;

/** A request names a partition once: of two reads of one, the other goes with the next request. */
function onePerPartition(asks: Iterable<Ask>): Ask[] {
  const chosen = new Map<string, Ask>();
  for (const ask of asks) {
    const before = chosen.get(ask.name);
    if (before === undefined || (before.mood !== "first" && ask.mood === "first")) chosen.set(ask.name, ask);
  }
  return [...chosen.values()];
}

/** By who has waited longest for its turn. */
const longestFirst = (asks: readonly Ask[]) => asks.toSorted((a, b) => a.since - b.since);

/** Among so few answers one is found sooner by looking at each. */
const FEW = 8;

/** What answers an ask, which was the i-th of the request: a broker that names all mostly keeps their order. */
function answersOf(answers: readonly Fetched[]): (ask: Ask, i: number) => Fetched | undefined {
  let byName: Map<string, Fetched> | undefined;
  return ({ from, name }, i) => {
    if (answers.length <= FEW) {
      for (const one of answers) if (isOf(one, from)) return one;
      return undefined;
    }
    const likely = answers[i];
    if (likely !== undefined && isOf(likely, from)) return likely;
    byName ??= new Map(answers.map((fetched) => [nameOf(fetched), fetched]));
    return byName.get(name);
  };
}

const isOf = (fetched: Fetched, from: FetchFrom) =>
  fetched.partition === from.partition && fetched.topic === from.topic;

/** So much of one answer may be kept by each of those that were answered. */
const SHARED_BYTES = 16 * 1024;

/** An answer of more than this part of what was asked for may be less than there was. */
const FILLED_PART = 4;

/** A slow reader must not keep in memory what others were answered with. */
const withOwnBytes = (fetched: Fetched): Fetched => ({ ...fetched, records: Buffer.from(fetched.records) });
