import { expect, test } from "vitest";
import { SteadyClock } from "../../edge/surroundings.ts";

test("a steady clock goes on from where it was when the machine's is set back, and forward with it", () => {
  let wall = 1_000_000;
  const clock = new SteadyClock(() => wall);
  wall += 500;
  expect(clock.now()).toBe(1_000_500);

  wall -= 3_600_000;
  expect(clock.now()).toBe(1_000_500);
  wall += 20;
  expect(clock.now()).toBe(1_000_520);
  expect(clock.at(wall - 5), "of what the runtime noted since").toBe(1_000_515);

  wall -= 1_900;
  expect(clock.now(), "that may be another event's time").toBe(1_000_520);
  wall += 1_900 + 10;
  expect(clock.now()).toBe(1_000_530);

  wall += 3_600_000;
  expect(clock.now()).toBe(4_600_530);
});
