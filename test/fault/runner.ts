/** Injects what the schedule says, and measures how long it takes until every subscriber has all there is. */
import type { Happening } from "./history.ts";
import { type Kind, pause } from "./kinds/kind.ts";
import { seeded } from "./random.ts";
import { isReached, type Rig, type Target } from "./rig.ts";
import type { Injection, Part } from "./schedule.ts";
import { TOPIC_NAMES } from "./topics.ts";

const LOOK_MS = 25;
/** A run whose subscribers don't have all by then has lost it. */
const SETTLE_MS = 90_000;

/** One fault, as it went. Times are of the monotonic clock, in milliseconds. */
export interface Injected {
  readonly kind: string;
  readonly startedAt: number;
  /** When its cause was gone. */
  goneAt: number | undefined;
  /** When every subscriber had all that had been acknowledged by then. */
  settledAt: number | undefined;
  /** Why it didn't take place. */
  failure: string | undefined;
  /** Others were at work between its beginning and its settling. */
  combined: boolean;
  /** Ids of records that were produced meanwhile: from, and up to without. */
  readonly firstId: number;
  lastId: number;
  /** What subscribers were told while it was the latest fault. */
  resumed: number;
  announced: number;
  answers: number;
}

interface Unsettled {
  readonly injected: Injected;
  targets: Target[];
}

export class Runner {
  readonly #rig: Rig;
  readonly #kinds: ReadonlyMap<string, Kind>;
  readonly #say: (line: string) => void;
  readonly injected: Injected[] = [];
  #unsettled: Unsettled[] = [];
  readonly #busy = new Map<Part, Promise<void>>();
  readonly #running = new Set<Promise<void>>();
  /** How the edge counts answers to objects, since its last start. */
  #answers = 0;
  answers = 0;
  verdicts = { first: 0, resumed: 0 };

  constructor(rig: Rig, kinds: readonly Kind[], say: (line: string) => void) {
    this.#rig = rig;
    this.#kinds = new Map(kinds.map((kind) => [kind.name, kind]));
    this.#say = say;
    rig.population.heard = (happening) => this.#heard(happening);
  }

  /** Resolves when all were injected, their causes are gone, and every subscriber has all there is. */
  async run(schedule: readonly Injection[]): Promise<void> {
    const began = performance.now();
    const look = setInterval(() => this.#look(), LOOK_MS);
    const count = setInterval(() => void this.#countAnswers(), 1_000);
    try {
      for (const injection of schedule) {
        await pause(Math.max(0, began + injection.atMs - performance.now()));
        const running: Promise<void> = this.#begin(injection).finally(() => this.#running.delete(running));
        this.#running.add(running);
      }
      await Promise.all(this.#running);
      await this.#settle();
      await this.#countAnswers();
    } finally {
      clearInterval(look);
      clearInterval(count);
    }
  }

  /** Waits for its parts, in the order of the schedule. */
  async #begin({ kind: name, seed }: Injection): Promise<void> {
    const kind = this.#kinds.get(name);
    if (kind === undefined) throw new Error(`there is no kind ${name}`);
    const before = kind.parts.map((part) => this.#busy.get(part));
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const part of kind.parts) this.#busy.set(part, promise);
    await Promise.all(before);
    try {
      await this.#inject(kind, seed);
    } finally {
      resolve();
    }
  }

  async #inject(kind: Kind, seed: number): Promise<void> {
    const firstId = this.#rig.ledger.producedAt.length;
    const open = this.injected.filter(
      ({ goneAt, settledAt }) => goneAt === undefined || settledAt === undefined,
    );
    const injected: Injected = {
      kind: kind.name,
      startedAt: performance.now(),
      goneAt: undefined,
      settledAt: undefined,
      failure: undefined,
      combined: open.length > 0,
      firstId,
      lastId: firstId,
      resumed: 0,
      announced: 0,
      answers: 0,
    };
    for (const other of open) other.combined = true;
    this.injected.push(injected);
    try {
      await kind.inject(this.#rig, seeded(seed));
    } catch (error) {
      injected.failure = error instanceof Error ? error.message : String(error);
      this.#say(`${kind.name}: ${injected.failure}`);
    }
    injected.goneAt = performance.now();
    this.#unsettled.push({ injected, targets: this.#rig.targets() });
  }

  #look(): void {
    for (const one of this.#unsettled) {
      one.targets = one.targets.filter((target) => !isReached(target));
      if (one.targets.length === 0) this.#settled(one.injected);
    }
    this.#unsettled = this.#unsettled.filter(({ targets }) => targets.length > 0);
  }

  #settled(injected: Injected): void {
    injected.settledAt = performance.now();
    injected.lastId = this.#rig.ledger.producedAt.length;
    const stallMs = injected.settledAt - (injected.goneAt ?? 0);
    if (stallMs > 10_000) this.#say(`${injected.kind}: ${Math.round(stallMs / 1_000)} s until all had all`);
  }

  #heard({ kind, ...rest }: Happening): void {
    const latest = this.injected.at(-1);
    if (kind === "reset" || ("recovered" in rest && rest.recovered === false)) {
      if (latest !== undefined) latest.announced++;
    } else if ("recovered" in rest && rest.recovered === true) {
      this.verdicts.resumed++;
      if (latest !== undefined) latest.resumed++;
    } else if (kind === "verdict") this.verdicts.first++;
  }

  /** The edge counts from nothing whenever it starts. */
  async #countAnswers(): Promise<void> {
    try {
      const { answers } = (await (await this.#rig.edge.hook("answers")).json()) as {
        readonly answers: number;
      };
      const more = answers >= this.#answers ? answers - this.#answers : answers;
      this.#answers = answers;
      this.answers += more;
      const latest = this.injected.at(-1);
      if (latest !== undefined) latest.answers += more;
    } catch {
      // It isn't there just now.
    }
  }

  /** Nothing is written any more, and every subscriber comes to have all that was. */
  async #settle(): Promise<void> {
    await this.#rig.healthy();
    for (const topic of TOPIC_NAMES) await this.#rig.writer(topic).stop();
    const deadline = performance.now() + SETTLE_MS;
    while (!this.#rig.isCaughtUp() && performance.now() < deadline) await pause(LOOK_MS);
    this.#look();
    if (this.#rig.isCaughtUp()) return;
    const late = this.#rig.targets().filter((target) => !isReached(target));
    this.#say(`${late.length} subscribers don't have all ${SETTLE_MS / 1_000} s after the last fault`);
    for (const { subscriber, epoch, offset } of late.slice(0, 5))
      this.#say(
        `  ${subscriber.name} of ${subscriber.endpoint}: at ${subscriber.position?.get(epoch)} of ${epoch}:${offset}`,
      );
  }
}
