import { describe, expect, test } from "vitest";
import { Turn } from "../../../origin/kafka/turn.ts";

const FILL = 1_000;

/** One that has waited since 5. */
function waiting(): Turn {
  const turn = new Turn();
  turn.waits(5, 0, FILL);
  return turn;
}

describe("a partition waits for its turn", () => {
  test("since it was first asked for, as long as it is given nothing", () => {
    const turn = waiting();
    turn.given(0, 90);
    expect([turn.waits(6, 0, FILL), turn.waits(7, 0, FILL)]).toEqual([5, 5]);
  });

  test("anew when it was given all that there was", () => {
    const turn = waiting();
    turn.given(10, 3);
    expect([turn.waits(6, 3, FILL), turn.waits(7, 3, FILL)]).toEqual([6, 6]);
  });

  test("anew when it was given its fill, at once or bit by bit", () => {
    const turn = waiting();
    turn.given(1_000, 90);
    expect(turn.waits(6, 10, FILL)).toBe(6);
    turn.given(999, 90);
    expect(turn.waits(7, 20, FILL)).toBe(6);
    turn.given(1, 90);
    expect(turn.waits(8, 21, FILL)).toBe(8);
  });

  test("no longer when it was given only a part of what there was", () => {
    const turn = waiting();
    turn.given(999, 90);
    expect(turn.waits(6, 10, FILL)).toBe(5);
  });
});
