import { describe, expect, test } from "vitest";
import { PublishDoor } from "../../../origin/publish/door.ts";
import type { TopicPublish } from "../../../origin/publish/publisher.ts";
import type { PublishResult } from "../../../origin/publish/result.ts";
import { readStreams } from "../../../shared/config/streams.ts";
import type { PublishRequest, Writing } from "../../../shared/protocol/publish.ts";

const REQUEST: PublishRequest = {
  ...{ endpoint: "/open/%FF", id: 1, issuer: "i", subject: "s", key: "k", by: "client" },
  ...{
    headers: [
      ["a", "ü"],
      ["b", null],
    ],
    value: null,
    withinMs: 500,
    until: 8_000,
    claim: false,
  },
};

function doorOf(result: PublishResult = { position: "e:1" }, hasPublisher = true) {
  const streams = readStreams({
    streams: {
      open: { title: "o", subscribe: "nobody", publish: "token" },
      closed: { title: "c", subscribe: "public" },
    },
  });
  if (!streams.ok) throw new Error("not to be read");
  const calls: (TopicPublish | string)[] = [];
  const said: Writing[] = [];
  const events: unknown[] = [];
  let now = 1_000;
  let wall = 7_999;
  const publisher = {
    publish: async (asked: TopicPublish) => {
      calls.push(asked);
      now += 20;
      return result;
    },
    takeOver: (topic: string, key: Uint8Array) => void calls.push(`take over ${topic} ${key}`),
  };
  const door = new PublishDoor({
    streams: streams.streams,
    publisher: hasPublisher ? publisher : undefined,
    announce: (writing) => said.push(writing),
    log: (event, fields) => events.push([event, fields]),
    now: () => now,
    wall: () => wall,
  });
  const answer = (next: PublishResult) => {
    result = next;
  };
  const setWall = (ms: number) => {
    wall = ms;
  };
  return { door, calls, said, events, answer, setWall };
}

describe("where publishes come in", () => {
  test("[W6] one is passed on as it is, with its deadline", async () => {
    const { door, calls } = doorOf();

    expect(await door.take(REQUEST)).toEqual({ position: "e:1" });
    expect(calls).toEqual([
      {
        topic: "open",
        key: new Uint8Array([255]),
        value: null,
        headers: [
          ["a", Buffer.from("ü")],
          ["b", null],
        ],
        id: { issuer: "i", subject: "s", key: "k", chosenBy: "client" },
        deadline: 1_500,
        until: 8_000,
      },
    ]);
  });

  test("[W8] a partition is taken over first if that is asked", async () => {
    const { door, calls } = doorOf();
    await door.take({ ...REQUEST, claim: true });

    expect(calls[0]).toBe("take over open 255");
    expect(calls).toHaveLength(2);
  });

  test("[W9] one that is read when its time is over isn't passed on, nor its partition taken over, however long it still had", async () => {
    const { door, calls, setWall } = doorOf();
    setWall(8_000);

    expect(await door.take({ ...REQUEST, claim: true })).toMatchObject({
      error: { code: "unavailable", message: expect.stringContaining("clock") },
    });
    expect(calls).toEqual([]);
  });

  test.each(["/closed/a", "/missing/a", "/x", "/open/%"])(
    "[W6] what this origin's own list doesn't let be published isn't, whatever the edge's says: %s",
    async (endpoint) => {
      const { door, calls } = doorOf();

      expect(await door.take({ ...REQUEST, endpoint })).toMatchObject({ error: expect.anything() });
      expect(calls).toEqual([]);
    },
  );

  test("without a secret nothing is published, and that is said", async () => {
    const { door } = doorOf({ position: "e:1" }, false);

    expect(await door.take(REQUEST)).toMatchObject({
      error: { code: "unavailable", message: expect.stringContaining("PUBLISH_SECRET") },
    });
  });

  test("[W8] what is written is told to all, and remembered for shards to come until it is no longer", () => {
    const { door, said } = doorOf();
    const news = { topic: "open", partition: 2, partitions: 3, epoch: "e" };
    const number = { id: 1, epoch: 4 };
    door.writes({ ...news, writer: number });
    const writing = { topic: "open", partition: 2, partitions: 3, number };
    expect([said, [...door.writing]]).toEqual([[writing], [writing]]);
    door.writes({ ...news, writer: undefined });

    expect(said.at(-1)).toEqual({ ...writing, number: undefined });
    expect([...door.writing]).toEqual([]);
  });

  test("the log is told once that a topic can't be written, and once that it can again", async () => {
    const { door, events, answer } = doorOf({ error: { code: "unavailable", message: "no leader" } });
    for (let i = 0; i < 3; i++) await door.take(REQUEST);
    answer({ error: { code: "too_large", message: "" } });
    await door.take(REQUEST);
    answer({ position: "e:1" });
    for (let i = 0; i < 2; i++) await door.take(REQUEST);

    expect(events).toEqual([
      ["publish_failing", { topic: "open", code: "unavailable", why: "no leader" }],
      ["publish_again", { topic: "open" }],
    ]);
  });

  test("answers are counted by what they are, with the time that they took", async () => {
    const { door } = doorOf({ error: { code: "overloaded", message: "" } });
    for (let i = 0; i < 3; i++) await door.take(REQUEST);

    expect(door.counts).toEqual({ outcomes: new Map([["overloaded", 3]]), tookMs: 60 });
  });
});
