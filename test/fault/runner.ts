/** Injects what the schedule says, and measures how long it takes until every subscriber has all there is. */

import { allCame } from "./awaited.ts";
import { Calm } from "./calm.ts";
import type { Happening } from "./history.ts";
import { type Injected, tookPlace } from "./injected.ts";
import { type Kind, pause } from "./kinds/kind.ts";
import { NotInjected } from "./not-injected.ts";
import { seeded } from "./random.ts";
import { RECOVERIES, type Recovery, readRecoveries } from "./recoveries.ts";
import type { Rig, Target } from "./rig.ts";
import type { Alone, Plan } from "./schedule.ts";
import { TOPIC_NAMES } from "./topics.ts";
import { Turns } from "./turns.ts";

const LOOK_MS = 25;
const COUNT_MS = 250;
/** In which a fault that hinders anybody has hindered something. */
const MOMENT_MS = 1_000;
/** A stall that is told of while the run goes on. */
const TOLD_MS = 10_000;
/** With --verbose so is what came so late, to whomever, at most once a second. */
const LATE_MS = 5_000;
/** A run whose subscribers don't have all by then has lost it. */
const SETTLE_MS = 90_000;
/** After the time that a plan has: faults that take longer than planned make others late. What is later doesn't come. */
const LATENESS_MS = 60_000;

interface Unsettled {
  readonly injected: Injected;
  /** undefined until the moment has passed. */
  targets: Target[] | undefined;
}

export class Runner {
  readonly #rig: Rig;
  readonly #kinds: ReadonlyMap<string, Kind>;
  readonly #say: (line: string) => void;
  readonly #verbose: boolean;
  #toldLateAt = 0;
  readonly injected: Injected[] = [];
  #unsettled: Unsettled[] = [];
  readonly #turns = new Turns();
  readonly #running = new Set<Promise<void>>();
  readonly #calm = new Calm(performance.now());
  /** How each edge counts them, by its URL, since its last start. */
  readonly #counted = new Map<string, ReadonlyMap<Recovery, number>>();
  /** Over the whole run. */
  readonly recovered = new Map<Recovery, number>();

  constructor(rig: Rig, kinds: readonly Kind[], say: (line: string) => void, verbose: boolean) {
    this.#rig = rig;
    this.#verbose = verbose;
    this.#kinds = new Map(kinds.map((kind) => [kind.name, kind]));
    this.#say = say;
    rig.population.heard = (happening) => this.#heard(happening);
  }

  /** Resolves when all were injected, their causes are gone, and every subscriber has all there is. */
  async run({ together, togetherMs, alone, endMs }: Plan): Promise<void> {
    const began = performance.now();
    const look = setInterval(() => this.#look(), LOOK_MS);
    const count = setInterval(() => void this.#count(), COUNT_MS);
    try {
      for (const injection of together) {
        await pause(Math.max(0, began + injection.atMs - performance.now()));
        const running: Promise<void> = this.#begin(injection, began + togetherMs).finally(() =>
          this.#running.delete(running),
        );
        this.#running.add(running);
      }
      await pause(Math.max(0, began + togetherMs - performance.now()));
      await Promise.all(this.#running);
      for (const injection of alone) {
        await this.#allSettled(began + endMs + LATENESS_MS);
        await this.#begin(injection, began + endMs);
      }
      await this.#settle();
      await this.#count();
    } finally {
      clearInterval(look);
      clearInterval(count);
    }
  }

  /** Waits for its parts, but not for long after the end. */
  async #begin({ kind: name, seed }: Alone, endsAt: number): Promise<void> {
    const kind = this.#kinds.get(name);
    if (kind === undefined) throw new Error(`there is no kind ${name}`);
    await this.#turns.take(kind.parts);
    try {
      if (performance.now() < endsAt + LATENESS_MS) await this.#inject(kind, seed);
      else this.#isTooLate(name);
    } finally {
      this.#turns.free(kind.parts);
    }
  }

  #isTooLate(kind: string): void {
    const notInjected = "the time was up before its turn came";
    const now = performance.now();
    this.injected.push({ ...this.#new(kind), goneAt: now, settledAt: now, notInjected });
    this.#say(`${kind}: ${notInjected}`);
  }

  #new(kind: string): Injected {
    const firstId = this.#rig.ledger.producedAt.length;
    return {
      kind,
      startedAt: performance.now(),
      goneAt: undefined,
      settledAt: undefined,
      stallMs: 0,
      waitMs: 0,
      calmMs: 0,
      failure: undefined,
      notInjected: undefined,
      combined: false,
      firstId,
      lastId: firstId,
      announced: 0,
      recovered: new Map(),
    };
  }

  async #inject(kind: Kind, seed: number): Promise<void> {
    const open = this.injected.filter(
      ({ goneAt, settledAt }) => goneAt === undefined || settledAt === undefined,
    );
    const injected = { ...this.#new(kind.name), combined: open.length > 0 };
    for (const other of open) other.combined = true;
    this.injected.push(injected);
    if (this.#verbose) this.#say(`${kind.name} begins`);
    this.#calm.begins(injected.startedAt);
    const gone = () => {
      if (injected.goneAt !== undefined) return;
      injected.goneAt = performance.now();
      this.#calm.ends(injected.goneAt);
      if (this.#verbose)
        this.#say(`${kind.name}: gone after ${Math.round(injected.goneAt - injected.startedAt)} ms`);
      this.#unsettled.push({ injected, targets: undefined });
    };
    const late = (problem: string) => {
      if (injected.combined) throw new NotInjected(`among other faults ${problem}`);
      this.#rig.wrong.push(`${kind.name}: ${problem}`);
    };
    try {
      await kind.inject(this.#rig, seeded(seed), gone, late);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (error instanceof NotInjected) injected.notInjected = why;
      else injected.failure = why;
      this.#say(`${kind.name}: ${why}`);
    }
    gone();
    if (this.#verbose)
      this.#say(`${kind.name}: over after ${Math.round(performance.now() - injected.startedAt)} ms`);
  }

  #look(): void {
    const momentAgo = performance.now() - MOMENT_MS;
    for (const one of this.#unsettled) {
      if ((one.injected.goneAt ?? 0) > momentAgo) continue;
      one.targets ??= this.#rig.targets();
      if (!allCame(one.targets, (target) => this.#rig.isReached(target))) continue;
      one.injected.settledAt = performance.now();
      one.injected.lastId = this.#rig.ledger.producedAt.length;
      const { kind, stallMs } = one.injected;
      if (stallMs > TOLD_MS || this.#verbose)
        this.#say(`${kind}: ${(stallMs / 1_000).toFixed(1)} s until an update came`);
    }
    this.#unsettled = this.#unsettled.filter(({ injected }) => injected.settledAt === undefined);
  }

  #arrived(id: number): void {
    const now = performance.now();
    const producedAt = this.#rig.ledger.producedAt[id] ?? now;
    if (this.#verbose && now - producedAt > LATE_MS && now - this.#toldLateAt > MOMENT_MS) {
      this.#toldLateAt = now;
      this.#say(`late by ${((now - producedAt) / 1_000).toFixed(1)} s: ${this.#rig.endpointOf(id) ?? id}`);
    }
    for (const injected of this.#open()) {
      injected.waitMs = Math.max(injected.waitMs, now - Math.max(producedAt, injected.startedAt));
      const from = Math.max(producedAt, injected.goneAt ?? now);
      injected.stallMs = Math.max(injected.stallMs, now - from);
      if (now - from > injected.calmMs)
        injected.calmMs = Math.max(injected.calmMs, this.#calm.longest(from, now));
    }
  }

  #heard({ kind, ...rest }: Happening): void {
    if ("id" in rest) this.#arrived(rest.id);
    else if (kind === "reset" || (kind === "verdict" && "recovered" in rest && rest.recovered === false))
      for (const injected of this.#open()) injected.announced++;
  }

  #open(): Injected[] {
    return this.injected.filter((one) => one.settledAt === undefined && tookPlace(one));
  }

  async #count(): Promise<void> {
    await Promise.all(this.#rig.edges.map(({ url }) => this.#countAt(url)));
  }

  /** An edge counts from nothing whenever it starts. */
  async #countAt(url: string): Promise<void> {
    const counted = await readRecoveries(url).catch(() => undefined);
    // It isn't there just now.
    if (counted === undefined) return;
    const before = this.#counted.get(url) ?? new Map<Recovery, number>();
    const isNew = RECOVERIES.some((one) => (counted.get(one) ?? 0) < (before.get(one) ?? 0));
    this.#counted.set(url, counted);
    for (const [recovery, times] of counted) {
      const more = times - (isNew ? 0 : (before.get(recovery) ?? 0));
      for (const counts of [this.recovered, ...this.#open().map(({ recovered }) => recovered)])
        counts.set(recovery, (counts.get(recovery) ?? 0) + more);
    }
  }

  /** Every fault so far. */
  async #allSettled(untilAt: number): Promise<void> {
    const deadline = Math.min(performance.now() + SETTLE_MS, untilAt);
    while (this.#unsettled.length > 0 && performance.now() < deadline) await pause(LOOK_MS);
  }

  /** Nothing is published or written any more, and every subscriber comes to have all that was. */
  async #settle(): Promise<void> {
    await this.#rig.healthy().catch((error: Error) => this.#rig.wrong.push(error.message));
    await this.#rig.publishers.stop();
    for (const topic of TOPIC_NAMES) await this.#rig.writer(topic).stop();
    const deadline = performance.now() + SETTLE_MS;
    const isReached = (target: Target) => this.#rig.isReached(target);
    const awaited = this.#rig.targets();
    while (!(allCame(awaited, isReached) && this.#unsettled.length === 0) && performance.now() < deadline)
      await pause(LOOK_MS);
    const late = awaited.filter((target) => !isReached(target));
    if (late.length === 0) return;
    this.#say(`${late.length} subscribers don't have all ${SETTLE_MS / 1_000} s after the last fault`);
    for (const { subscriber, epoch, offset } of late.slice(0, 5))
      this.#say(
        `  ${subscriber.name} of ${subscriber.endpoint}: at ${subscriber.position?.get(epoch)} of ${epoch}:${offset}`,
      );
  }
}
