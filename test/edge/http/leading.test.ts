/** Where a subscriber is led, as objects answer one after the other. */
import { expect, test } from "vitest";
import { type LeadingPorts, lead } from "../../../edge/http/leading.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";

/** What becomes of one, and who was asked. */
async function led(more: Partial<LeadingPorts<string>>) {
  const asked: string[] = [];
  const ports: LeadingPorts<string> = {
    own: async () => "taken",
    room: async () => "waits",
    isCrowded: (answer) => answer === "crowded",
    isForARoom: (answer) => answer === "room",
    full: 0,
    isFull: (full) => asked.push(`full ${full}`),
    isGuess: false,
    missed: () => asked.push("missed"),
    ...more,
  };
  const answer = await lead({
    ...ports,
    own: (full, isSure) => {
      asked.push(isSure ? `own ${full} for sure` : `own ${full}`);
      return ports.own(full, isSure);
    },
    room: () => {
      asked.push("room");
      return ports.room();
    },
  });
  return { answer, asked };
}

test("[L16] an endpoint's own object is asked, and the key's room if that says so", async () => {
  expect(await led({})).toEqual({ answer: "taken", asked: ["own 0"] });
  expect(await led({ own: async () => "room" })).toEqual({
    answer: "waits",
    asked: ["own 0", "missed", "room"],
  });
});

test("[L16] if the room is full the object is asked again, to take it whatever the key has", async () => {
  const own = async (_: number, isSure: boolean) => (isSure ? "taken" : "room");
  expect(await led({ own, room: async () => "crowded" })).toEqual({
    answer: "taken",
    asked: ["own 0", "missed", "room", "own 0 for sure"],
  });
  // It has filled up meanwhile.
  const filled = async (full: number, isSure: boolean) => (full > 0 ? "taken" : isSure ? "crowded" : "room");
  expect(await led({ own: filled, room: async () => "crowded" })).toEqual({
    answer: "taken",
    asked: ["own 0", "missed", "room", "own 0 for sure", "full 1", "own 1"],
  });
});

test("[L16] whoever makes keys up is sent to the room at once, and is told if that is full", async () => {
  expect(await led({ isGuess: true, room: async () => "crowded" })).toEqual({
    answer: undefined,
    asked: ["room"],
  });
});

test("[A11] objects that are full are noted, and the next one is asked until there are no more", async () => {
  const own = async (full: number) => (full < 2 ? "crowded" : "taken");
  expect(await led({ own, full: 1 })).toEqual({ answer: "taken", asked: ["own 1", "full 2", "own 2"] });
  const { answer, asked } = await led({ own: async () => "crowded", full: LIMITS.relaysPerEndpoint });
  expect(answer).toBeUndefined();
  expect(asked.slice(0, 3)).toEqual(["own 32", "full 33", "own 0"]);
  expect(asked.filter((one) => one.startsWith("own"))).toHaveLength(LIMITS.relaysPerEndpoint + 1);
  expect(asked.at(-1)).toBe("full Infinity");
  expect(await led({ full: Number.POSITIVE_INFINITY })).toEqual({
    answer: undefined,
    asked: ["full Infinity"],
  });
});
