import { expect, test } from "vitest";
import { Silence } from "../../../origin/uplink/silence.ts";

const newSilence = () => new Silence({ baseMs: 5_000, maxMs: 30_000 });

test("[U9] each time that an uplink was given up it may be silent for twice as long, up to the longest", () => {
  const silence = newSilence();
  const given = [silence.ms];
  for (let times = 0; times < 4; times++) {
    silence.gaveUp(1_000);
    given.push(silence.ms);
  }
  expect(given).toEqual([5_000, 10_000, 20_000, 30_000, 30_000]);
});

test("[U9] it may be silent for as long as before when its line has carried as much again in that time, and no sooner", () => {
  const silence = newSilence();
  silence.gaveUp(1_000);
  silence.carried(999, 1_000);
  expect(silence.ms).toBe(10_000);
  silence.carried(1_000, 1_000);
  expect(silence.ms).toBe(5_000);
});

test("[U9] a line that took longer is given twice that, and no more than before", () => {
  const silence = newSilence();
  silence.gaveUp(1_000);
  silence.carried(1_000, 7_000);
  expect(silence.ms).toBe(10_000);
  silence.gaveUp(1_000);
  silence.carried(1_000, 7_000);
  expect(silence.ms).toBe(14_000);
});
