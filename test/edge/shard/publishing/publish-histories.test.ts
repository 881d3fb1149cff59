/**
 * Whatever origins, their uplinks and time do: each publish is answered once and in time, with a position only if it is in the
 * log, and with a failure only if it isn't and nobody still has it in hand. Histories are made up; a failing one is printed.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { PublishOutcome } from "../../../../edge/shard/publishing/outcome.ts";
import { Publishing } from "../../../../edge/shard/publishing/publishing.ts";
import { decodePublish, type Published, type PublishRequest } from "../../../../shared/protocol/publish.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

/** What an origin does with a request. `keep`: it says that it doesn't know, and may append it later. */
const DEEDS = ["append", "appendInSilence", "lose", "refuse", "notWriter", "busy", "keep"] as const;

const ERRORS: Readonly<Partial<Record<(typeof DEEDS)[number], string>>> = {
  refuse: "too_large",
  notWriter: "not_writer",
  busy: "unavailable",
  keep: "unknown",
};

type Event =
  | { readonly kind: "publish"; readonly path: string }
  | { readonly kind: "deed"; readonly origin: number; readonly deed: (typeof DEEDS)[number] }
  | { readonly kind: "late"; readonly origin: number }
  | { readonly kind: "die" | "silence" | "wake"; readonly origin: number }
  | { readonly kind: "writes"; readonly origin: number; readonly epoch: number | undefined }
  | { readonly kind: "pass"; readonly ms: number };

const ORIGINS = 2;
const DEADLINE_MS = 10_000;
const LOOK_MS = 100;
/** That passes at once: an answer is heard of after it. */
const PASSED_MS = 3_000;

class Uplink {
  bufferedAmount = 0;
  open = true;
  heard = true;
  readonly inbox: PublishRequest[] = [];
  /** Of which it said nothing, or that it doesn't know: any may yet be appended. */
  readonly kept: PublishRequest[] = [];
  send(): void {}
  close(): void {}
}

class World {
  readonly clock = new FakeClock();
  readonly log: string[] = [];
  readonly outcomes = new Map<string, { outcome: PublishOutcome; at: number }[]>();
  readonly began = new Map<string, number>();
  /** All that ever were, dead ones too. */
  readonly all: Uplink[] = [];
  readonly uplinks: Uplink[];
  readonly shard: Publishing<Uplink>;
  readonly violations: string[] = [];

  constructor() {
    this.uplinks = Array.from({ length: ORIGINS }, () => this.#origin());
    this.shard = new Publishing<Uplink>({
      now: () => this.clock.now(),
      wall: () => this.clock.now(),
      random: () => 0,
      after: (ms, run) => this.clock.after(ms, run),
      actives: () => [this.uplinks[0]],
      isOpen: ({ open }) => open,
      isHeard: ({ open, heard }) => open && heard,
      mayTopic: () => true,
      send: (uplink, frame) => {
        const read = decodePublish(frame);
        if (read.ok && uplink.open) uplink.inbox.push(read.value);
      },
    });
  }

  async play(event: Event): Promise<void> {
    this.#apply(event);
    // What was answered is heard of.
    await Promise.resolve();
  }

  #apply(event: Event): void {
    if (event.kind === "publish") this.#publish(event.path);
    else if (event.kind === "pass") this.clock.pass(event.ms);
    else this.#happen(event, this.uplinks[event.origin] ?? new Uplink());
  }

  #happen(event: Exclude<Event, { readonly kind: "publish" | "pass" }>, uplink: Uplink): void {
    switch (event.kind) {
      case "deed":
        this.#do(uplink, event.deed);
        return;
      case "late": {
        const request = uplink.kept.shift();
        if (request !== undefined) this.#append(request);
        return;
      }
      case "die":
        uplink.open = false;
        uplink.kept.push(...uplink.inbox.splice(0));
        this.uplinks[event.origin] = this.#origin();
        this.shard.lost(uplink);
        return;
      case "silence":
      case "wake":
        uplink.heard = event.kind === "wake";
        return;
      case "writes": {
        const number = event.epoch === undefined ? undefined : { id: 1, epoch: event.epoch };
        this.shard.writes(uplink, { topic: "t", partition: 0, partitions: 1, number });
        return;
      }
    }
  }

  #origin(): Uplink {
    const uplink = new Uplink();
    this.all.push(uplink);
    return uplink;
  }

  #publish(path: string): void {
    const key = String(this.began.size);
    this.began.set(key, this.clock.now());
    const publish = { endpoint: path, issuer: "", subject: "", key, by: "edge", headers: [], value: null };
    void this.shard.publish({ ...publish, by: "edge" }).then((outcome) => this.#answered(key, outcome));
  }

  #do(uplink: Uplink, deed: (typeof DEEDS)[number]): void {
    const request = uplink.inbox.shift();
    if (request === undefined) return;
    const say = (result: Published) => this.shard.published(uplink, request.id, result);
    if (deed === "append") say({ position: this.#append(request) });
    if (deed === "appendInSilence") this.#append(request);
    if (deed === "lose" || deed === "keep") uplink.kept.push(request);
    const code = ERRORS[deed];
    if (code !== undefined) say({ error: { code, message: "" } });
  }

  /** The log has each publish once. */
  #append({ key }: PublishRequest): string {
    if (!this.log.includes(key)) this.log.push(key);
    return `e:${this.log.indexOf(key)}`;
  }

  #answered(key: string, outcome: PublishOutcome): void {
    const at = this.clock.now();
    this.outcomes.set(key, [...(this.outcomes.get(key) ?? []), { outcome, at }]);
    const where = this.log.indexOf(key);
    const hands = this.all.flatMap(({ inbox, kept }) => [...inbox, ...kept]);
    if (outcome.kind === "position") {
      if (outcome.position !== `e:${where}`) this.violations.push(`${key} isn't at ${outcome.position}`);
    } else if (outcome.code !== "unknown_outcome") {
      if (where >= 0) this.violations.push(`${key} is in the log, and was told to be ${outcome.code}`);
      if (hands.some((request) => request.key === key))
        this.violations.push(`${key} may yet be appended, and was told to be ${outcome.code}`);
    }
  }
}

const origin = fc.nat({ max: ORIGINS - 1 });
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("publish" as const), path: fc.constantFrom("/t/a", "/t/b") }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant("deed" as const), origin, deed: fc.constantFrom(...DEEDS) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("late" as const), origin }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("die", "silence", "wake"), origin }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("writes" as const),
      origin,
      epoch: fc.option(fc.nat({ max: 3 }), { nil: undefined }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(10, 150, PASSED_MS) }),
  },
);

test("[W9] a publish is answered once, in time, with a position only if it has it, and with a failure only if nobody will publish it any more", async () => {
  let positions = 0;
  let failures = 0;
  let unknown = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 10, maxLength: 80 }), async (events) => {
      const world = new World();
      for (const one of events) await world.play(one);
      for (let ms = 0; ms <= DEADLINE_MS; ms += LOOK_MS) await world.play({ kind: "pass", ms: LOOK_MS });

      expect(world.violations).toEqual([]);
      for (const [key, began] of world.began) {
        const told = world.outcomes.get(key) ?? [];
        expect([key, told.length]).toEqual([key, 1]);
        for (const { outcome, at } of told) {
          expect(at - began).toBeLessThanOrEqual(DEADLINE_MS + LOOK_MS + PASSED_MS);
          if (outcome.kind === "position") positions++;
          else if (outcome.code === "unknown_outcome") unknown++;
          else failures++;
        }
      }
      expect(world.clock.pending).toBe(0);
    }),
    { numRuns: 2_000 },
  );
  // It was no empty exercise.
  expect(Math.min(positions, failures, unknown)).toBeGreaterThan(500);
}, 60_000);
