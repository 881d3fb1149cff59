/**
 * A connection of many endpoints against a model of the edge: subscriptions begin and end, connections break, answers come in
 * any order, are refused or don't come, and updates get lost. However that plays together, none is told anything once it was
 * closed, each goes on from where it was and nowhere else, and in the end each is live, or was told why not.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Connection, connect, type SharedSubscription } from "../../../shared/client/client.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { parsePosition } from "../../../shared/protocol/position.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ModelEdge } from "../../support/model-edge.ts";

const ENDPOINTS = Array.from({ length: 8 }, (_, i) => `/flights/${i}`);

/** A subscription, and what it should be at by what it was told. */
interface Followed {
  readonly endpoint: string;
  readonly subscription: SharedSubscription;
  /** As text, as it resumes. */
  believed: string | undefined;
  isClosed: boolean;
  errors: number;
}

class World {
  readonly clock = new FakeClock();
  readonly edge: ModelEdge;
  readonly connection: Connection;
  readonly present = new Map<string, Followed>();
  readonly seen = { updates: 0, verdicts: 0, gaps: 0, resumes: 0, holes: 0, errors: 0, unsubs: 0, dials: 0 };

  constructor() {
    this.edge = new ModelEdge(ENDPOINTS, (said, bytes) => {
      expect(bytes).toBeLessThanOrEqual(LIMITS.subscriberMessageBytes);
      for (const { sub, unsub, from } of said) {
        if (unsub !== undefined) this.seen.unsubs++;
        // None resumes from where it never was.
        if (sub !== undefined) expect(from, sub).toBe(this.present.get(sub)?.believed);
      }
    });
    this.connection = connect("ws://edge.example", { transport: this.edge, clock: this.clock });
  }

  subscribe(endpoint: string, from: string | undefined): void {
    if (this.present.has(endpoint)) return;
    const subscription = this.connection.subscribe(endpoint, { from });
    const followed: Followed = { endpoint, subscription, believed: from, isClosed: false, errors: 0 };
    this.present.set(endpoint, followed);
    const open = () => expect(followed.isClosed, `${endpoint} was closed`).toBe(false);
    subscription.on("update", ({ offset, previous, position }) => {
      open();
      this.#check(followed, offset, previous);
      followed.believed = position;
    });
    subscription.on("verdict", ({ position, recovered }) => {
      open();
      this.seen.verdicts++;
      if (recovered === true) expect(position).toBe(followed.believed);
      if (recovered === undefined) followed.believed ??= position;
    });
    subscription.on("gap", ({ from: before, position }) => {
      open();
      this.seen.gaps++;
      expect(before).toBe(followed.believed);
      followed.believed = position;
    });
    subscription.on("live", open);
    subscription.on("wait", open);
    subscription.on("error", () => {
      open();
      followed.errors++;
      this.seen.errors++;
    });
    subscription.on("connection", ({ state }) => {
      open();
      if (state !== "closed") return;
      followed.isClosed = true;
      this.#part(followed);
    });
  }

  close(endpoint: string): void {
    this.present.get(endpoint)?.subscription.close();
  }

  /** No more faults, and as much time as it takes. */
  settle(): void {
    for (let second = 0; second < 300; second++) {
      this.edge.open();
      for (let i = 0; i < 30; i++) {
        this.edge.hear();
        this.edge.answer(i, "verdict");
        this.edge.deliver(1_000);
      }
      if (
        this.edge.isQuiet &&
        [...this.present.values()].every(({ subscription: { phase } }) => phase === "live")
      )
        return;
      this.clock.pass(1_000);
    }
  }

  checkEnd(): void {
    // A connection that lost its last updates shows it with the next ones.
    for (const endpoint of ENDPOINTS) this.edge.append(endpoint, 0);
    this.settle();

    expect(this.connection.state.state).toBe("open");
    for (const { endpoint, subscription, believed } of this.present.values()) {
      expect([endpoint, subscription.phase]).toEqual([endpoint, "live"]);
      expect(subscription.position).toBe(believed);
      expect(parsePosition(believed ?? "-")?.get("a")).toBe(this.edge.logs.get(endpoint)?.head);
    }
    expect(this.edge.followed).toEqual([...this.present.keys()].sort());
    this.seen.dials += this.edge.dials;
    for (const followed of [...this.present.values()]) followed.subscription.close();
    this.clock.pass(0);
    this.settle();
    expect(this.edge.followed).toEqual([]);
    this.connection.close();
    expect(this.clock.pending).toBe(0);
  }

  /** It is the first of its endpoint after what was believed: none left out, none again. */
  #check({ endpoint, believed }: Followed, offset: number, previous: number | undefined): void {
    this.seen.updates++;
    const at = parsePosition(believed ?? "-")?.get("a") ?? -1;
    const next = this.edge.logs.get(endpoint)?.updates.find((update) => update.offset > at);
    expect([endpoint, offset, previous]).toEqual([endpoint, next?.offset, next?.previous]);
  }

  /** The next to its endpoint isn't this one. */
  #part(followed: Followed): void {
    this.present.delete(followed.endpoint);
    const { statistics, connection } = followed.subscription;
    this.seen.resumes += statistics.resumes;
    this.seen.holes += statistics.holes;
    if (connection.reason !== "closed by the subscriber") expect(followed.errors).toBeGreaterThan(0);
  }
}

const which = fc.nat(ENDPOINTS.length - 1);
const action = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("subscribe" as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("close", "reopen" as const), which }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom("hear", "open" as const), which }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("deliver" as const), which }) },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant("answer" as const),
      which,
      how: fc.oneof(
        { weight: 5, arbitrary: fc.constant("verdict" as const) },
        {
          weight: 2,
          arbitrary: fc.constantFrom("wait", "rate_limited", "unavailable", "forbidden" as const),
        },
      ),
    }),
  },
  { weight: 10, arbitrary: fc.record({ do: fc.constant("append" as const), which, sparse: fc.nat(2) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("end" as const),
      which,
      how: fc.constantFrom("unavailable", "forbidden" as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("lose", "forget" as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("cut", "cut", "overload" as const), which }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("pass" as const),
      which,
      ms: fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom(0, 0, 300, 600) },
        { weight: 1, arbitrary: fc.constantFrom(2_000, 12_000, 31_000) },
      ),
      chance: fc.double({ min: 0, max: 0.999, noNaN: true }),
    }),
  },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

function act(world: World, action: Action): void {
  const { edge } = world;
  const endpoint = ENDPOINTS[action.which] ?? "";
  switch (action.do) {
    case "subscribe":
      world.subscribe(endpoint, undefined);
      break;
    case "close":
      world.close(endpoint);
      break;
    case "reopen": {
      const from = world.present.get(endpoint)?.subscription.position;
      world.close(endpoint);
      world.subscribe(endpoint, from);
      break;
    }
    case "hear":
      for (let i = 0; i <= action.which; i++) edge.hear();
      break;
    case "open":
      edge.open();
      break;
    case "deliver":
      edge.deliver(action.which + 1);
      break;
    case "answer":
      edge.answer(action.which, action.how);
      break;
    case "append":
      edge.append(endpoint, action.sparse);
      break;
    case "end":
      edge.end(action.which, action.how);
      break;
    case "lose":
      edge.lose(action.which);
      break;
    case "forget":
      edge.forget(endpoint);
      break;
    case "cut":
      edge.cut();
      break;
    case "overload":
      edge.cut(4005);
      break;
    case "pass":
      world.clock.chance = action.chance;
      world.clock.pass(action.ms);
  }
}

test("[M2] [M3] [M4] [M5] [M6] [M8] [M11] [P5] each subscription has its verdict or its error, in order, and nothing after its end", () => {
  const total = { updates: 0, verdicts: 0, gaps: 0, resumes: 0, holes: 0, errors: 0, unsubs: 0, dials: 0 };
  fc.assert(
    fc.property(fc.array(action, { minLength: 50, maxLength: 300, size: "max" }), (actions) => {
      const world = new World();
      world.edge.open();
      for (const action of actions) act(world, action);

      world.settle();
      world.checkEnd();
      for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += world.seen[name];
    }),
    { numRuns: 500 },
  );
  // Not in vain: everything that can go wrong went wrong.
  for (const [name, count] of Object.entries(total)) expect(count, name).toBeGreaterThan(100);
});
