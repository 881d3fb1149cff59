/** Which room is whose. */
import { expect, test } from "vitest";
import { isRoom, roomCount, roomOf } from "../../../edge/relay/rooms.ts";
import { shardOf } from "../../../shared/protocol/address.ts";

const PATHS = Array.from({ length: 2_000 }, (_, i) => `/quotes/key-${i}`);

test("[A12] a key's room is one of its own shard's, and each of them has some", () => {
  const rooms = new Map(PATHS.map((path) => [path, roomOf(path, 3, 4)]));
  for (const [path, room] of rooms) {
    const number = Number(/^room-(\d+)$/.exec(room)?.[1]);
    expect(Math.floor(number / 4), path).toBe(shardOf(path, 3));
    expect(isRoom(room)).toBe(true);
  }
  expect(new Set(rooms.values())).toEqual(new Set(Array.from({ length: 12 }, (_, i) => `room-${i}`)));
  expect(isRoom("weur-0")).toBe(false);
});

test("[A12] whoever makes keys up fills one room of each shard, and others fill others", () => {
  const roomsOf = (guesser: string) => new Set(PATHS.map((path) => roomOf(path, 3, 16, guesser)));
  const [one, other] = [roomsOf("192.0.2.1"), roomsOf("192.0.2.7")];

  expect(one.size).toBe(3);
  expect(new Set([...one].map((room) => Math.floor(Number(room.slice(5)) / 16)))).toEqual(new Set([0, 1, 2]));
  for (const path of PATHS)
    expect(Math.floor(Number(roomOf(path, 3, 16, "x").slice(5)) / 16)).toBe(shardOf(path, 3));
  expect([...other].filter((room) => one.has(room))).toEqual([]);
});

test("[A12] ROOMS is a whole number, and may be none", () => {
  expect([roomCount(undefined), roomCount(""), roomCount("0"), roomCount("100")]).toEqual([16, 16, 0, 100]);
  for (const wrong of ["-1", "1.5", "many", "101"]) expect(() => roomCount(wrong)).toThrow("ROOMS");
});
