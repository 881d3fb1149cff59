/** What an origin says of publishes on its uplinks, to an edge that a test plays. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PublishDoor } from "../../../origin/publish/door.ts";
import type { PublishResult } from "../../../origin/publish/result.ts";
import { Uplinks } from "../../../origin/uplink/uplinks.ts";
import { Streams } from "../../../shared/config/streams.ts";
import { encodePublish, encodeWriting, type PublishRequest } from "../../../shared/protocol/publish.ts";
import { KEY, ScriptedShards, type TakenUplink } from "../../support/scripted-shards.ts";
import { SmallOrigin, STREAM } from "../../support/small-origin.ts";

const REQUEST: PublishRequest = {
  ...{ endpoint: "/t/k", id: 1, issuer: "i", subject: "s", key: "k", by: "client" },
  ...{ headers: [], value: new Uint8Array([1, 10, 2]), withinMs: 500, until: 8_000, claim: false },
};
const NEWS = { topic: "t", partition: 1, partitions: 2, epoch: "e.1", writer: { id: 3, epoch: 4 } };

let edge: ScriptedShards;
let origin: SmallOrigin;
let uplinks: Uplinks;
let door: PublishDoor;
/** What is under way, in the order in which it came. */
let asked: { value: Uint8Array | null; answer: (result: PublishResult) => void }[];

beforeEach(async () => {
  edge = await ScriptedShards.start();
  edge.role = "standby";
  origin = new SmallOrigin();
  asked = [];
  door = new PublishDoor({
    streams: new Streams([{ ...STREAM, publish: "public" }]),
    publisher: {
      publish: ({ value }) => new Promise((answer) => asked.push({ value, answer })),
      takeOver: () => {},
    },
    announce: (writing) => uplinks.tellWriting(writing),
    log: origin.recorded.log,
    now: () => performance.now(),
    wall: () => 0,
  });
  uplinks = new Uplinks({
    ...{ edgeUrl: edge.url, key: KEY, watchList: origin.watchList, publishes: door },
    ...{ log: origin.recorded.log, random: () => 0, failed: (error) => Promise.reject(error) },
  });
});
afterEach(async () => {
  await uplinks.stop();
  await edge.stop();
});

const writing = `0 ${encodeWriting({ topic: "t", partition: 1, partitions: 2, number: NEWS.writer })}`;

function publish(uplink: TakenUplink, ...requests: PublishRequest[]): void {
  uplink.socket.send(Buffer.concat(requests.map(encodePublish)));
}

async function greeted(nth: number): Promise<TakenUplink> {
  const uplink = await edge.uplink(nth);
  await uplink.until(({ said }) => said.some((item) => item.includes('"ready"')));
  return uplink;
}

describe("publishes on uplinks", () => {
  test("[W6] are taken in order, several in a message, and each is answered once it is done", async () => {
    uplinks.start();
    const uplink = await greeted(1);
    publish(uplink, REQUEST, { ...REQUEST, id: 2, value: null });
    await expect.poll(() => asked.length).toBe(2);
    expect(asked.map(({ value }) => value)).toEqual([new Uint8Array([1, 10, 2]), null]);

    asked[1]?.answer({ error: { code: "in_flight", message: "why" } });
    asked[0]?.answer({ position: "e.1:7" });
    const answers = await uplink.until(({ said }) => {
      const found = said.filter((item) => item.includes("published"));
      return found.length === 2 && found;
    });
    expect(answers).toEqual([
      '0 {"published":2,"error":{"code":"in_flight","message":"why"}}',
      '0 {"published":1,"position":"e.1:7"}',
    ]);
  });

  test("[W6] what can't be read ends the uplink", async () => {
    uplinks.start();
    const uplink = await greeted(1);
    uplink.socket.send(Buffer.from('{"publish":"/t/k","n":1}\nx'));

    expect(await uplink.until(({ closed }) => closed)).toMatchObject({ code: 4500, reason: "bad_frame" });
    expect(asked).toEqual([]);
  });

  test("[W8] which partitions it writes is said to every shard, standing by too, and on each new uplink", async () => {
    edge.shards = 2;
    uplinks.start();
    const before = [await greeted(1), await greeted(2)];
    door.writes(NEWS);
    for (const uplink of before) await uplink.until(({ said }) => said.includes(writing));
    before[0]?.socket.terminate();
    const next = await edge.uplink(3);
    await next.until(({ said }) => said.includes(writing));

    // Before anything else that follows its hello.
    expect(next.said[1]).toBe(writing);
    door.writes({ ...NEWS, writer: undefined });
    await next.until(({ said }) => said.at(-1) === '0 {"writes":"t","partition":1,"partitions":2}');
  });

  test("[W9] an answer that comes when its uplink is over is said nowhere", async () => {
    uplinks.start();
    const uplink = await greeted(1);
    publish(uplink, REQUEST);
    await expect.poll(() => asked.length).toBe(1);
    uplink.socket.terminate();
    const next = await greeted(2);
    asked[0]?.answer({ position: "e.1:7" });
    publish(next, { ...REQUEST, id: 5 });
    await expect.poll(() => asked.length).toBe(2);
    asked[1]?.answer({ position: "e.1:7" });
    await next.until(({ said }) => said.some((item) => item.includes("published")));

    expect(next.said.filter((item) => item.includes("published"))).toEqual([
      '0 {"published":5,"position":"e.1:7"}',
    ]);
  });
});
