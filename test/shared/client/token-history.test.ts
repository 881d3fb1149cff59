/**
 * The client against an edge that wants tokens, in virtual time: connections break, sources are slow, hang, fail, cache or have
 * nothing more, the client sleeps, clocks differ, and tokens expire and are revoked.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { subscribe, type TokenSource } from "../../../shared/client/client.ts";
import { GuardedEdge, writeToken } from "../../support/guarded-edge.ts";
import { SleepingClock } from "../../support/sleeping-clock.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** What the client gives a source. */
const SOURCE_MS = 30 * SECOND;

/** What becomes of the source in the course of a history; with the first four there is always another token. */
const SOURCES = [
  "quick",
  "slow",
  "troubled",
  "caching",
  "constant",
  "signedOut",
  "elsewhere",
  "failing",
  "hanging",
] as const;
type Kind = (typeof SOURCES)[number];

const GOES_ON: ReadonlySet<Kind> = new Set(["quick", "slow", "troubled", "caching"]);
/** One that keeps its token may have none but what was revoked. */
const OUTLIVES_REVOCATION: ReadonlySet<Kind> = new Set(["quick", "slow", "troubled"]);

interface Case {
  readonly seed: number;
  readonly source: Kind;
  readonly lifetimeMs: number;
  readonly skewMs: number;
  readonly byStatus: boolean;
  readonly stands: boolean;
  readonly revokes: boolean;
}

const cases: fc.Arbitrary<Case> = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  source: fc.constantFrom(...SOURCES),
  lifetimeMs: fc.constantFrom(90 * SECOND, 3 * MINUTE, 10 * MINUTE),
  skewMs: fc.constantFrom(-45 * SECOND, -20 * SECOND, 0, 0, 20 * SECOND, 45 * SECOND),
  byStatus: fc.boolean(),
  stands: fc.boolean(),
  revokes: fc.boolean(),
});

/** mulberry32 */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Issuer {
  readonly #clock: SleepingClock;
  readonly #random: () => number;
  readonly #case: Case;
  #serial = 0;
  #cached: { readonly token: string; readonly expiresAt: number } | undefined;
  #since: number | undefined;
  /** From now on it is what its case says; before it is quick. */
  spoilt = false;
  readonly asked: number[] = [];
  readonly violations: string[] = [];

  constructor(clock: SleepingClock, random: () => number, of: Case) {
    this.#clock = clock;
    this.#random = random;
    this.#case = of;
  }

  get source(): TokenSource {
    return this.#case.source === "constant" ? this.#mint() : () => this.#ask();
  }

  #mint(audience: "here" | "elsewhere" = "here"): string {
    const issuedAt = this.#clock.now;
    const expiresAt = issuedAt + this.#case.lifetimeMs;
    const token = writeToken({ serial: ++this.#serial, audience, issuedAt, expiresAt });
    this.#cached = { token, expiresAt };
    return token;
  }

  async #ask(): Promise<string> {
    // What was asked before a sleep that took as long has failed.
    const { now } = this.#clock;
    if (this.#since !== undefined && now - this.#since < SOURCE_MS)
      this.violations.push("two questions at once");
    this.#since = now;
    this.asked.push(this.#clock.now);
    const answer = await this.#answer(this.spoilt ? this.#case.source : "quick");
    this.#since = undefined;
    return answer;
  }

  #answer(kind: Kind): string | Promise<string> {
    const chance = this.#random();
    switch (kind) {
      case "slow":
        return this.#later(chance * 45 * SECOND, this.#mint());
      case "troubled":
        if (chance < 0.2) return this.#never();
        if (chance < 0.5) return this.#fail();
        return this.#later(chance * 5 * SECOND, this.#mint());
      case "caching": {
        const fresh = this.#cached !== undefined && this.#cached.expiresAt - this.#clock.now > 30 * SECOND;
        return fresh ? (this.#cached?.token ?? "") : this.#mint();
      }
      case "signedOut":
        return "";
      case "elsewhere":
        return this.#mint("elsewhere");
      case "failing":
        return this.#fail();
      case "hanging":
        return this.#never();
      default:
        return this.#later(chance * SECOND, this.#mint());
    }
  }

  #later(ms: number, token: string): Promise<string> {
    return new Promise((resolve) => this.#clock.tell(ms, () => resolve(token)));
  }

  #never(): Promise<string> {
    return new Promise(() => undefined);
  }

  #fail(): never {
    this.#since = undefined;
    throw new Error("no network");
  }
}

/** The most that happened within any minute. */
function busiest(times: readonly number[]): number {
  let [from, most] = [0, 0];
  for (const [to, time] of times.entries()) {
    while (time - (times[from] ?? 0) > MINUTE) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

async function play(of: Case) {
  const random = randomOf(of.seed);
  const clock = new SleepingClock(random, of.stands);
  const faults = { ...of, dialFails: 0.1, renewalLost: 0.1, renewalLimited: 0.1 };
  const edge = new GuardedEdge(clock, random, faults);
  const issuer = new Issuer(clock, random, of);
  const subscription = subscribe("wss://edge.example/quotes/AAPL", {
    transport: edge,
    clock: clock.client,
    token: issuer.source,
  });
  const received: number[] = [];
  const errors: { readonly code: string; readonly retry: boolean }[] = [];
  let gaps = 0;
  let closed = 0;
  subscription.on("update", ({ offset }) => received.push(offset));
  subscription.on("gap", () => gaps++);
  subscription.on("error", (error) => errors.push(error));
  subscription.on("connection", ({ state }) => {
    if (state === "closed") closed++;
  });

  for (let i = 0; i < 60; i++) {
    if (i === 20) issuer.spoilt = true;
    edge.produce();
    const chance = random();
    if (chance < 0.15) edge.drop();
    else if (chance < 0.2) clock.sleep(Math.ceil(random() * (random() < 0.3 ? 480 : 5) * MINUTE));
    else if (chance < 0.3 && of.revokes) edge.revoke(Math.floor(random() * 4) * 10 * SECOND);
    await clock.run(random() * 40 * SECOND);
  }
  faults.dialFails = faults.renewalLost = faults.renewalLimited = 0;
  if (GOES_ON.has(of.source)) issuer.spoilt = false;
  await clock.run(clock.asleepMs);
  const isOver = () => subscription.connection.state === "closed";
  const isSettled = () => isOver() || (subscription.phase === "live" && received.at(-1) === edge.head);
  // A source that never answers again is given up after some hours; for all others minutes will do.
  for (let i = 0; i < 60 && !isOver() && !(i > 20 && GOES_ON.has(of.source) && isSettled()); i++) {
    edge.produce();
    await clock.run(i < 20 || GOES_ON.has(of.source) ? 20 * SECOND : 10 * MINUTE);
  }
  const made = [edge.dials.length, issuer.asked.length];
  if (isOver()) await clock.run(60 * MINUTE);

  expect([...edge.violations, ...issuer.violations]).toEqual([]);
  expect(gaps).toBe(0);
  expect(received).toEqual(Array.from(received, (_, i) => (received[0] ?? 0) + i));
  if (isOver()) {
    // After the last word there is nothing more: no dial, no question, no timer.
    expect([edge.dials.length, issuer.asked.length]).toEqual(made);
    expect([clock.pending, closed]).toEqual([0, 1]);
    expect(errors.at(-1)?.retry).toBe(false);
  } else {
    expect(subscription.phase).toBe("live");
    expect(received.at(-1)).toBe(edge.head);
  }
  const end = isOver() ? (errors.at(-1)?.code ?? "untold") : "live";
  subscription.close();
  return { end, seen: edge.seen, dials: busiest(edge.dials), asked: busiest(issuer.asked) };
}

/** With full jitter several dials may follow one another quickly, but not for long. */
const MOST_A_MINUTE = 25;

test("[S22] [S23] [S24] in 1,000 histories there is one question and one socket at a time, and each update once; in the end it is live, or over with an error that says why", async () => {
  const total = { renewed: 0, expired: 0, revoked: 0, refused: 0 };
  const ends = new Set<string>();
  await fc.assert(
    fc.asyncProperty(cases, async (of) => {
      const { end, seen, dials, asked } = await play(of);

      ends.add(end);
      const isApart = Math.abs(of.skewMs) > 30 * SECOND;
      if (!GOES_ON.has(of.source)) expect(end).not.toBe("live");
      else if (!isApart && (!of.revokes || OUTLIVES_REVOCATION.has(of.source))) expect(end).toBe("live");
      expect(Math.max(dials, asked)).toBeLessThan(MOST_A_MINUTE);
      for (const name of ["renewed", "expired", "revoked", "refused"] as const) total[name] += seen[name];
    }),
    { numRuns: 1_000 },
  );
  // Not in vain: everything that can happen to a token happened.
  for (const count of Object.values(total)) expect(count).toBeGreaterThan(100);
  expect([...ends].sort()).toEqual([
    "expired",
    "live",
    "no_token",
    "not_yet_valid",
    "revoked",
    "token_source",
    "wrong_audience",
  ]);
}, 120_000);

test("[S22] [S25] a client renews within the margin of a revocation, though what is issued next was revoked, too", async () => {
  const seeds = fc.record({ seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }), atMs: fc.nat(5 * MINUTE) });
  await fc.assert(
    fc.asyncProperty(seeds, async ({ seed, atMs }) => {
      const random = randomOf(seed);
      const clock = new SleepingClock(random, false);
      const steady = { skewMs: 0, byStatus: false, dialFails: 0, renewalLost: 0, renewalLimited: 0 };
      const edge = new GuardedEdge(clock, random, steady);
      const of: Case = {
        ...steady,
        seed,
        source: "quick",
        lifetimeMs: 10 * MINUTE,
        stands: false,
        revokes: true,
      };
      const subscription = subscribe("wss://edge.example/quotes/AAPL", {
        transport: edge,
        clock: clock.client,
        token: new Issuer(clock, random, of).source,
      });
      await clock.run(MINUTE + atMs);
      edge.revokeIssued(2 * MINUTE);
      await clock.run(5 * MINUTE);

      expect([subscription.phase, edge.dials.length]).toEqual(["live", 1]);
      subscription.close();
    }),
    { numRuns: 200 },
  );
});
