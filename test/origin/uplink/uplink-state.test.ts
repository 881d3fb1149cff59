import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  stepUplink,
  UPLINK_STATES,
  type UplinkEvent,
  type UplinkState,
} from "../../../origin/uplink/uplink-state.ts";

const hello = { version: 1, shard: 0, shards: 1, generation: 1 };
const events: readonly UplinkEvent[] = [
  { kind: "opened" },
  { kind: "standby", hello },
  { kind: "active", hello },
  { kind: "activated" },
  { kind: "ended" },
];
const stateAfter = (...all: readonly UplinkEvent[]) =>
  all.reduce<UplinkState>(stepUplink, { kind: "dialling" });

describe("an uplink", () => {
  test("is in the state that its table says, with what belongs to it, after whatever happens", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...events)), (all) => {
        let state: UplinkState = { kind: "dialling" };
        for (const event of all) {
          const next = stepUplink(state, event);
          expect(next.kind).toBe(UPLINK_STATES[state.kind][event.kind]);
          expect("hello" in next).toBe(next.kind === "standby" || next.kind === "active");
          state = next;
        }
      }),
    );
  });

  test("[U2] is of use from the shard's hello on, and not before this end has said its own", () => {
    expect(stateAfter({ kind: "active", hello }).kind).toBe("dialling");
    expect(stateAfter({ kind: "opened" }, { kind: "active", hello })).toEqual({ kind: "active", hello });
    expect(stateAfter({ kind: "opened" }, { kind: "activated" }).kind).toBe("greeting");
  });

  test("[U14] one that stands by is active once it was granted that, and never stands by again", () => {
    const activated = stateAfter({ kind: "opened" }, { kind: "standby", hello }, { kind: "activated" });
    expect(activated).toEqual({ kind: "active", hello });
    expect(stepUplink(activated, { kind: "standby", hello })).toBe(activated);
  });

  test("is over for good, and knows whether the shard had greeted it", () => {
    for (const greeted of [true, false]) {
      const before: UplinkEvent[] = [{ kind: "opened" }];
      if (greeted) before.push({ kind: "standby", hello });
      const over = stateAfter(...before, { kind: "ended" });
      expect(over).toEqual({ kind: "over", greeted });
      for (const event of events) expect(stepUplink(over, event)).toBe(over);
    }
  });
});
