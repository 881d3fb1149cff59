/**
 * The subscription machine against a model: a log of several epochs, an edge that answers by the rules, and a
 * channel that loses, repeats, reorders and breaks. However they play together, between two announced gaps a
 * receiver gets every update of each epoch once and in order, and in the end it has everything.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  initialSubscription,
  type SubscriptionEvent,
  type SubscriptionState,
  stepSubscription,
} from "../../../shared/client/subscription.ts";
import type { Verdict } from "../../../shared/protocol/down.ts";
import type { Chained } from "../../../shared/protocol/position.ts";
import { NOTHING, type Position, reaches, withComponent } from "../../../shared/protocol/position.ts";

type Event = SubscriptionEvent<Chained>;

const EPOCHS = ["a", "b"];

/** A log, what of it is still held, and the one subscriber of its edge. */
class World {
  /** In the order in which the edge received them. */
  log: Chained[] = [];
  /** The same of all generations. */
  readonly history: Chained[] = [];
  /** Offsets that no longer can be asked for, by epoch: those at or below. */
  forgotten: Position = NOTHING;
  generation = 0;
  head: Position = NOTHING;
  connected = false;
  readonly channel: Event[] = [];
  state: SubscriptionState = initialSubscription(undefined);
  /** What the receiver should be at, told from announcements and deliveries alone. */
  believed: Position | undefined;
  readonly seen = { delivered: 0, gaps: 0, resumes: 0, holes: 0, duplicates: 0 };

  epoch(index: number): string {
    return `${EPOCHS[index % EPOCHS.length]}${this.generation}`;
  }

  produce(index: number, sparse: number): void {
    const epoch = this.epoch(index);
    const previous = this.head.get(epoch);
    const update = { epoch, offset: (previous ?? -1) + 1 + sparse, previous };
    this.log.push(update);
    this.history.push(update);
    this.head = withComponent(this.head, epoch, update.offset);
    if (this.connected) this.channel.push({ kind: "update", update });
  }

  /** The topic was deleted and created again: everyone who listens is told so. */
  startOver(index: number): void {
    this.generation++;
    this.forgotten = NOTHING;
    this.head = NOTHING;
    this.log = [];
    this.produce(index, 0);
    this.channel.pop();
    if (this.connected) this.begin((verdict) => ({ kind: "reset", verdict: { ...verdict, cause: "epoch" } }));
  }

  forget(): void {
    this.forgotten = this.head;
  }

  connect(): void {
    if (this.connected) return;
    this.connected = true;
    this.ask(0);
  }

  ask(id: number): void {
    const from = this.state.position;
    this.perform({ kind: "asked", id });
    this.answer(id, from);
  }

  cut(): void {
    this.connected = false;
    this.channel.length = 0;
    this.perform({ kind: "lost" });
  }

  answer(id: number, from: Position | undefined): void {
    const epochs = [...(from?.keys() ?? [])];
    const cause = epochs.some((epoch) => !epoch.endsWith(String(this.generation)))
      ? ("epoch" as const)
      : reaches(from ?? NOTHING, this.forgotten)
        ? undefined
        : ("horizon" as const);
    if (from === undefined || cause !== undefined) {
      const recovered = from === undefined ? undefined : false;
      this.begin((verdict) => ({ kind: "verdict", id, verdict: { ...verdict, recovered, cause } }));
      return;
    }
    const verdict: Verdict = { position: from, head: this.head, recovered: true, cause: undefined };
    this.channel.push({ kind: "verdict", id, verdict });
    for (const update of this.log)
      if (update.offset > (from.get(update.epoch) ?? -1)) this.channel.push({ kind: "update", update });
  }

  /** From just before the latest update, which follows. */
  begin(say: (verdict: Verdict) => Event): void {
    const latest = this.log.at(-1);
    const position =
      latest === undefined ? this.head : withComponent(this.head, latest.epoch, latest.previous);
    this.channel.push(say({ position, head: this.head, recovered: undefined, cause: undefined }));
    if (latest !== undefined) this.channel.push({ kind: "update", update: latest });
  }

  /** No more faults, and connections for as long as they are needed. */
  settle(): void {
    for (let i = 0; i < 10 && (this.state.phase !== "live" || this.channel.length > 0); i++) {
      this.connect();
      while (this.channel.length > 0) this.deliver();
    }
  }

  deliver(): void {
    const event = this.channel.shift();
    if (event !== undefined) this.perform(event);
  }

  perform(event: Event): void {
    const before = this.state;
    const { state, effects } = stepSubscription(before, event, { answerMs: 1 });
    this.state = state;
    for (const effect of effects) {
      switch (effect.kind) {
        case "deliver":
          this.check(effect.update);
          break;
        case "gap":
          this.seen.gaps++;
          expect(effect.from).toEqual(before.position);
          this.believed = effect.position;
          break;
        case "verdict":
          this.believed ??= effect.verdict.position;
          break;
        case "ask":
          this.ask(this.state.id + 1);
          break;
        case "retry":
          this.cut();
          break;
        default:
          break;
      }
    }
    expect(this.state.position).toEqual(this.believed);
  }

  /** It is the first of its epoch after what was believed: none left out, none again. */
  check(update: Chained): void {
    this.seen.delivered++;
    const at = this.believed?.get(update.epoch) ?? -1;
    expect(update).toBe(this.history.find(({ epoch, offset }) => epoch === update.epoch && offset > at));
    this.believed = withComponent(this.believed ?? NOTHING, update.epoch, update.offset);
  }
}

const index = fc.nat(5);
const action = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("deliver" as const), times: fc.integer({ min: 1, max: 6 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("produce" as const), epoch: index, sparse: fc.nat(3) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("lose", "repeat", "garble" as const), at: index }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("swap" as const), at: index, with: index }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("cut", "connect", "forget" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("startOver" as const), epoch: index }) },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

/** Control frames are never lost alone: the channel is a WebSocket, only updates can be missed by their sender. */
function tamper(world: World, action: Action): void {
  const updates = world.channel.flatMap(({ kind }, i) => (kind === "update" ? [i] : []));
  const pick = (n: number) => updates[n % updates.length] ?? 0;
  if (updates.length === 0) return;
  if (action.do === "lose") world.channel.splice(pick(action.at), 1);
  if (action.do === "garble") world.channel[pick(action.at)] = { kind: "unreadable" };
  if (action.do === "repeat") {
    const event = world.channel[pick(action.at)];
    if (event !== undefined) world.channel.splice(pick(action.at + 1), 0, event);
  }
  if (action.do === "swap") {
    const [a, b] = [pick(action.at), pick(action.with)];
    const [first, second] = [world.channel[a], world.channel[b]];
    if (first !== undefined && second !== undefined) [world.channel[a], world.channel[b]] = [second, first];
  }
}

function act(world: World, action: Action): void {
  switch (action.do) {
    case "deliver":
      for (let i = 0; i < action.times; i++) world.deliver();
      break;
    case "produce":
      world.produce(action.epoch, action.sparse);
      break;
    case "startOver":
      world.startOver(action.epoch);
      break;
    case "cut":
    case "connect":
    case "forget":
      world[action.do]();
      break;
    default:
      tamper(world, action);
  }
}

test("[P5] [S3] [S5] [P6] between announced gaps a receiver gets every update of each epoch, once and in order", () => {
  const total = { delivered: 0, gaps: 0, resumes: 0, holes: 0, duplicates: 0 };
  fc.assert(
    fc.property(fc.array(action, { minLength: 20, maxLength: 150, size: "max" }), (actions) => {
      const world = new World();
      world.connect();
      for (const action of actions) act(world, action);

      world.settle();
      // A channel that lost its last update shows it with the next one.
      for (const epoch of EPOCHS.keys()) world.produce(epoch, 0);
      world.settle();

      expect(world.state.phase).toBe("live");
      expect(reaches(world.state.position ?? NOTHING, world.head)).toBe(true);
      expect(world.state.statistics).toMatchObject({ received: world.seen.delivered, gaps: world.seen.gaps });
      total.delivered += world.seen.delivered;
      for (const name of ["gaps", "resumes", "holes", "duplicates"] as const)
        total[name] += world.state.statistics[name];
    }),
    { numRuns: 300 },
  );
  // Not in vain: everything that can go wrong went wrong.
  for (const count of Object.values(total)) expect(count).toBeGreaterThan(30);
});
