import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  FORWARDING,
  type Forwarding,
  type ForwardingEvent,
  ON,
  stepForwarding,
} from "../../../origin/watch/forwarding.ts";

const at = (offset: number) => new Map([["e.0", offset]]);
const event: fc.Arbitrary<ForwardingEvent> = fc.oneof(
  fc.nat(9).map((n) => ({ kind: "congested", from: at(n) }) as const),
  fc.tuple(fc.nat(9), fc.boolean()).map(([n, whole]) => ({ kind: "caughtUp", to: at(n), whole }) as const),
  fc
    .tuple(fc.nat(9), fc.constantFrom("horizon", "epoch"), fc.constantFrom(undefined, "e.0", "e.1"))
    .map(([n, cause, until]) => ({ kind: "lost", at: at(n), cause, until }) as const),
  fc.constantFrom({ kind: "told" } as const, { kind: "left" } as const),
);
const stateAfter = (...events: readonly ForwardingEvent[]) => events.reduce<Forwarding>(stepForwarding, ON);

describe("[U10] the live links of an endpoint", () => {
  test("are what the table says, whatever happens, but behind as long as there is more to catch up with", () => {
    fc.assert(
      fc.property(fc.array(event), (events) => {
        let state = ON;
        for (const one of events) {
          const next = stepForwarding(state, one);
          const hasMore = state.kind === "behind" && one.kind === "caughtUp" && !one.whole;
          expect(next.kind).toBe(hasMore ? "behind" : FORWARDING[state.kind][one.kind]);
          state = next;
        }
      }),
    );
  });

  test("stand where they first missed something, whatever is missed after that", () => {
    const events = [3, 5, 7].map((n) => ({ kind: "congested", from: at(n) }) as const);
    expect(stateAfter(...events)).toEqual({ kind: "behind", from: at(3) });
    const lost = { kind: "lost", at: at(9), cause: "horizon", until: undefined } as const;
    expect(stateAfter(...events, lost)).toEqual({ kind: "lost", from: at(3), cause: "horizon", until: [] });
  });

  test("are told of a loss once all partitions are ready that it waits for, and of the last cause", () => {
    const lost = (cause: "horizon" | "epoch", until?: string) =>
      ({ kind: "lost", at: at(1), cause, until }) as const;
    const twice = stateAfter(lost("horizon", "e.0"), lost("horizon", "e.1"), lost("epoch", "e.0"));
    expect(twice).toEqual({ kind: "lost", from: at(1), cause: "epoch", until: ["e.0", "e.1"] });
    expect(stepForwarding(twice, { kind: "told" })).toBe(ON);
  });

  test("get on page by page", () => {
    const behind = stateAfter(
      { kind: "congested", from: at(3) },
      { kind: "caughtUp", to: at(6), whole: false },
    );
    expect(behind).toEqual({ kind: "behind", from: at(6) });
    expect(stepForwarding(behind, { kind: "caughtUp", to: at(9), whole: true })).toBe(ON);
  });
});
