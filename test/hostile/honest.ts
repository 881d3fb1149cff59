/**
 * Those who mean well, while others attack: one writes, some subscribe and check each frame, some come back from far or near,
 * some ask by GET, and a probe asks whether the origin lives. What each waited for is told for a stretch of time.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Appended, EmbeddedLog, NewRecord } from "../../origin/embedded/log.ts";
import { Latencies, type Latency } from "../bench/histogram.ts";
import { seeded } from "../bench/load/chance.ts";
import { check, isClean } from "../fault/checker.ts";
import type { Logged, LoggedEpoch } from "../fault/history.ts";
import { withValue } from "../fault/record.ts";
import { HASTY } from "../fault/scale.ts";
import { RawResuming } from "../fault/subscriber.ts";
import { eventually } from "../support/deadline.ts";
import { utf8 } from "../support/deployment.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { HONEST_TOPIC } from "./attack.ts";

const KEYS = Array.from({ length: 20 }, (_, i) => `k${i}`);
/** Of each key: what comes back from far comes from before what the edge keeps at hand. */
const BEFORE = 500;
const PADDING = 60;
const WRITE_EVERY_MS = 10;
const GET_EVERY_MS = 50;
const RESUME_EVERY_MS = 250;
const PROBE_EVERY_MS = 1_000;
/** Longer than the product asks anybody to wait, on a machine that has more to do than it can. */
const PATIENCE_MS = 60_000;
const SEED = 20261126;

export interface Waited {
  readonly updates: Latency;
  readonly gets: Latency;
  readonly resumes: Latency;
  /** Requests, resumes and probes that weren't served, and by what. */
  readonly failed: readonly string[];
}

interface Kept extends Logged {
  readonly epoch: string;
}

/** What an honest client needs of a deployment, of whichever version. */
export interface Reached {
  readonly url: string;
  readonly statusPort: number;
  produce(topic: string, records: readonly NewRecord[]): readonly Appended[];
}

export class Honest {
  readonly #written = new Map<string, Kept[]>(KEYS.map((key) => [key, []]));
  readonly #at: number[] = [];
  readonly #subscribers: RawResuming[] = [];
  readonly #wrong: string[] = [];
  readonly #random = seeded(SEED);
  readonly #busy = new Set<Promise<unknown>>();
  /** Of subscribers, by the product: code → how often. Known in the end. */
  readonly closes = new Map<number, number>();
  #failed: string[] = [];
  #latencies = { updates: new Latencies(), gets: new Latencies(), resumes: new Latencies() };
  #on = true;

  /** What was written long before. */
  preload(log: EmbeddedLog): void {
    const all = Array.from({ length: BEFORE * KEYS.length }, (_, i) => KEYS[i % KEYS.length] ?? "");
    for (let at = 0; at < all.length; at += 1_000)
      this.#write(all.slice(at, at + 1_000), (records) => log.append(HONEST_TOPIC, records));
  }

  /** Resolves when each subscriber has its verdict. */
  async begin(reached: Reached): Promise<void> {
    for (const [i, key] of KEYS.entries())
      this.#subscribers.push(
        new RawResuming({
          name: `honest-${i}`,
          edge: reached.url.replace("http", "ws"),
          endpoint: pathOf(key),
          random: this.#random,
          patience: HASTY,
          heard: (happening) => {
            if (happening.kind === "update") this.#record("updates", this.#at[happening.id]);
          },
          written: () => this.#at.length,
        }),
      );
    const areThere = () => this.#subscribers.every(({ position }) => position !== undefined);
    await eventually(areThere, "a verdict of each honest subscriber", PATIENCE_MS);
    this.#every(WRITE_EVERY_MS, async (n) => {
      const key = KEYS[n % KEYS.length] ?? "";
      this.#write([key], (records) => reached.produce(HONEST_TOPIC, records));
    });
    this.#every(GET_EVERY_MS, () => this.#get(reached));
    this.#every(RESUME_EVERY_MS, (n) => this.#resume(reached, n));
    this.#every(PROBE_EVERY_MS, () => this.#probe(reached));
  }

  /** What was waited for since this was last asked. */
  take(): Waited {
    const { updates, gets, resumes } = this.#latencies;
    const waited = {
      updates: updates.summary(),
      gets: gets.summary(),
      resumes: resumes.summary(),
      failed: this.#failed,
    };
    for (const one of [updates, gets, resumes]) one.reset();
    this.#failed = [];
    return waited;
  }

  /** Nobody writes or asks any more; resolves, with all that was wrong, when what was written has arrived or should have. */
  async end(): Promise<readonly string[]> {
    this.#on = false;
    await Promise.all(this.#busy);
    const until = performance.now() + PATIENCE_MS;
    while (!this.#haveArrived() && performance.now() < until) await sleep(50);
    const wrong = this.#subscribers.flatMap(({ name, endpoint, from, happenings }) => {
      const key = endpoint.slice(endpoint.lastIndexOf("/") + 1);
      const log = logOf(endpoint, this.#written.get(key) ?? []);
      const findings = check({ subscriber: name, endpoint, from, happenings }, log);
      return isClean(findings) ? [] : findings.problems;
    });
    for (const { closes } of this.#subscribers)
      for (const [code, times] of closes) this.closes.set(code, (this.closes.get(code) ?? 0) + times);
    return [...this.#wrong, ...wrong];
  }

  /** Whether or not it has ended: nothing goes on. */
  async leave(): Promise<void> {
    this.#on = false;
    await Promise.all(this.#subscribers.map((one) => one.close()));
  }

  get records(): number {
    return this.#at.length;
  }

  #haveArrived(): boolean {
    return this.#subscribers.every(({ endpoint, position }) => {
      const last = this.#written.get(endpoint.slice(endpoint.lastIndexOf("/") + 1))?.at(-1);
      return last === undefined || (position?.get(last.epoch) ?? -1) >= last.offset;
    });
  }

  #write(keys: readonly string[], append: (records: readonly NewRecord[]) => readonly Appended[]): void {
    const first = this.#at.length;
    const records = keys.map((key, i) => ({
      key: utf8(key),
      value: utf8(withValue(first + i, key, 0, PADDING).value ?? ""),
    }));
    const now = performance.now();
    for (const _ of keys) this.#at.push(now);
    for (const [i, { epoch, offset }] of append(records).entries())
      this.#written.get(keys[i] ?? "")?.push({ epoch, offset, id: first + i });
  }

  /** On time, whatever the one before takes. */
  #every(ms: number, one: (n: number) => Promise<void>): void {
    let n = 0;
    const again = async () => {
      const began = performance.now();
      while (this.#on) {
        const doing = one(n++)
          .catch((error: Error) => void this.#failed.push(String(error.message)))
          .finally(() => this.#busy.delete(doing));
        this.#busy.add(doing);
        await sleep(Math.max(0, began + n * ms - performance.now()));
      }
    };
    const running = again().finally(() => this.#busy.delete(running));
    this.#busy.add(running);
  }

  #key(): string {
    return KEYS[Math.floor(this.#random() * KEYS.length)] ?? "k0";
  }

  async #get({ url }: Reached): Promise<void> {
    const key = this.#key();
    const began = performance.now();
    const answer = await fetch(`${url}${pathOf(key)}`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const text = await answer.text();
    this.#record("gets", began);
    if (answer.status !== 200) this.#failed.push(`GET ${answer.status}`);
    else if (!this.#written.get(key)?.some(({ id }) => text.startsWith(`{"id":${id},`)))
      this.#wrong.push(`GET of ${key} answered what was never written: ${text.slice(0, 40)}`);
  }

  /** Of one that stood near, at the last record but two, or far, at one of the first, in turn; every eighth is of one key. */
  async #resume({ url }: Reached, n: number): Promise<void> {
    const key = n % 8 === 0 ? "k0" : this.#key();
    const records = this.#written.get(key) ?? [];
    const standing = n % 2 === 0 ? Math.floor(this.#random() * 100) : records.length - 3;
    const from = records[standing];
    if (from === undefined) return;
    const due = records.slice(standing + 1).map(({ offset }) => offset);
    const began = performance.now();
    const ws = url.replace("http", "ws");
    const one = new RawSubscriber(`${ws}${pathOf(key)}?from=${from.epoch}:${from.offset}`);
    try {
      await one.until(
        ({ verdicts, closed }) => verdicts.length > 0 || closed !== undefined,
        "a verdict",
        PATIENCE_MS,
      );
      const [verdict] = one.verdicts;
      if (verdict === undefined) throw new Error(`resume closed with ${one.closed?.code}`);
      this.#record("resumes", began);
      if (verdict.recovered !== true) {
        this.#wrong.push(`a resume of ${key} wasn't recovered: ${verdict.cause}`);
        return;
      }
      await one.until(
        ({ updates, closed }) => updates.length >= due.length || closed !== undefined,
        `what ${key} had since`,
        PATIENCE_MS,
      );
      if (one.closed !== undefined) throw new Error(`resume closed with ${one.closed.code}`);
      const got = one.updates.slice(0, due.length).map(({ offset }) => offset);
      const isWhole = got.every((offset, i) => offset === due[i]);
      if (!isWhole || one.violations.length > 0)
        this.#wrong.push(`a resume of ${key}: ${one.violations[0] ?? "other records than were written"}`);
    } finally {
      one.cut();
    }
  }

  async #probe({ statusPort }: Reached): Promise<void> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const { status } = await fetch(`http://127.0.0.1:${statusPort}/healthz`, {
      signal,
      headers: { Connection: "close" },
    });
    if (status !== 200) this.#failed.push(`probe ${status}`);
  }

  #record(what: "updates" | "gets" | "resumes", since: number | undefined): void {
    if (since !== undefined) this.#latencies[what].record((performance.now() - since) * 1_000);
  }
}

const pathOf = (key: string) => `/${HONEST_TOPIC}/${key}`;

function logOf(endpoint: string, records: readonly Kept[]): Map<string, LoggedEpoch> {
  const log = new Map<string, LoggedEpoch>();
  for (const epoch of new Set(records.map((record) => record.epoch)))
    log.set(epoch, {
      isVoid: false,
      isForgotten: false,
      records: new Map([[endpoint, records.filter((record) => record.epoch === epoch)]]),
    });
  return log;
}
