/**
 * The client over sleeps, in virtual time: its clock stands still meanwhile or doesn't, and its socket lives on, has gone without a
 * word, or was closed; its token may have ended.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { subscribe } from "../../../shared/client/client.ts";
import { GuardedEdge, writeToken } from "../../support/guarded-edge.ts";
import { SleepingClock } from "../../support/sleeping-clock.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** What is promised of a wake. */
const BACK_MS = 2 * SECOND;
/** The most that its source takes for a token. */
const SOURCE_MS = SECOND;

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

const cases = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  stands: fc.boolean(),
  lifetimeMs: fc.constantFrom(3 * MINUTE, 24 * 60 * MINUTE),
  /** What becomes of the socket in each sleep. */
  fates: fc.array(fc.constantFrom("lives", "vanishes", "closes"), { minLength: 1, maxLength: 4 }),
});

test("[S10] [S11] [S23] [S26] in 1,000 histories a client that wakes is live within 2 s, with one socket and one question at a time, and nothing lost", async () => {
  const seen = { kept: 0, resumed: 0, ended: 0 };
  await fc.assert(
    fc.asyncProperty(cases, async ({ seed, stands, lifetimeMs, fates }) => {
      const random = randomOf(seed);
      const clock = new SleepingClock(random, stands);
      const steady = { skewMs: 0, byStatus: false, dialFails: 0, renewalLost: 0, renewalLimited: 0 };
      const edge = new GuardedEdge(clock, random, steady);
      let [questions, serial, endsAt] = [0, 0, 0];
      const problems: string[] = [];
      const token = async () => {
        if (questions++ > 0) problems.push("two questions at once");
        await new Promise<void>((resolve) => clock.tell(random() * SOURCE_MS, resolve));
        questions--;
        endsAt = clock.now + lifetimeMs;
        return writeToken({ serial: ++serial, audience: "here", issuedAt: clock.now, expiresAt: endsAt });
      };
      const subscription = subscribe("wss://edge.example/quotes/AAPL", {
        transport: edge,
        clock: clock.client,
        token,
      });
      const received: number[] = [];
      subscription.on("update", ({ offset }) => received.push(offset));
      subscription.on("gap", () => problems.push("a gap"));
      subscription.on("connection", ({ state }) => {
        if (state === "closed") problems.push("closed");
      });
      edge.produce();
      await clock.run(30 * SECOND);

      for (const fate of fates) {
        const verdicts = subscription.statistics.resumes;
        clock.sleep(Math.ceil(random() * (random() < 0.5 ? MINUTE : 480 * MINUTE)) + 3 * SECOND);
        if (fate === "vanishes") edge.vanish();
        if (fate === "closes") edge.drop();
        edge.produce();
        await clock.run(clock.asleepMs);
        const hasEnded = endsAt <= clock.now + BACK_MS;
        edge.produce();
        // One that ends just now is looked after from then on.
        if (hasEnded) await clock.run(Math.max(0, endsAt - clock.now));
        await clock.run(BACK_MS + (hasEnded ? SOURCE_MS : 0));

        expect([subscription.phase, received.at(-1)]).toEqual(["live", edge.head]);
        const isResumed = subscription.statistics.resumes > verdicts;
        if (hasEnded) seen.ended++;
        else if (isResumed) seen.resumed++;
        else seen.kept++;
        await clock.run(random() * 2 * MINUTE);
      }

      expect([...problems, ...edge.violations]).toEqual([]);
      expect(received).toEqual(Array.from(received, (_, i) => (received[0] ?? 0) + i));
      subscription.close();
      expect(clock.pending).toBe(0);
    }),
    { numRuns: 1_000 },
  );
  // Not in vain: some sockets were good still, some had gone, and some tokens, too.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(100);
}, 120_000);
