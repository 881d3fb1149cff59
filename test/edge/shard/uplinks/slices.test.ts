import { beforeEach, describe, expect, test } from "vitest";
import { encodeAddressed } from "../../../../shared/protocol/addressed.ts";
import { NOTHING } from "../../../../shared/protocol/position.ts";
import { encodeLatest, encodeQuestionError } from "../../../../shared/protocol/uplink.ts";
import type { FakeSocket } from "../../../support/fake-socket.ts";
import { settled } from "../../../support/simulated-edge.ts";
import { ENDPOINT as A, answer, at, SlicedShard, update } from "../../../support/sliced-shard.ts";

let shard: SlicedShard;
/** The active origins of two slices. */
let one: FakeSocket;
let two: FakeSocket;

beforeEach(() => {
  shard = new SlicedShard();
  ({ one, two } = shard);
});

const attached = (fields: object) => ({ attached: A, horizon: "-", ...fields });

describe("who answers", () => {
  test("[N1] [N2] each slice has its active origin, its standbys, and is told of its slice", () => {
    const standby = shard.connect("three", { slice: "2/2" });

    const hello = { version: 1, shard: 0, shards: 1, slice: "2/2", role: "standby", generation: 2 };
    expect(standby.take()).toEqual([{ hello }]);
    expect(shard.core.status()).toMatchObject({
      connected: true,
      ready: true,
      generation: 2,
      slices: [
        { slice: "1/2", connected: true, ready: true, origin: "one", generation: 1, standbys: [] },
        { slice: "2/2", origin: "two", generation: 2, standbys: [{ origin: "three", ready: true }] },
      ],
    });
  });

  test("[N2] where a slice has no origin the shard isn't connected", () => {
    shard.core.uplinkClosed(two);

    expect(shard.core.status()).toMatchObject({
      connected: false,
      ready: false,
      slices: [{ origin: "one" }, { connected: false, ready: false, origin: null, generation: 0 }],
    });
  });

  test("[N2] a slice's standby takes over for that slice alone", async () => {
    const standby = shard.connect("three", { slice: "2/2" });
    const down = await shard.live();
    shard.tell(two, update("t.1:0"));
    standby.take();

    shard.core.uplinkClosed(two);

    expect(standby.take()).toEqual([
      { role: "active", generation: 3 },
      { attach: A, id: 0, link: 1, from: "t.0:5,t.1:0" },
    ]);
    expect(one.take()).toEqual([]);
    expect(down.take()).toEqual([update("t.1:0")]);
  });

  test("[N2] [U12] an origin of the same name replaces its uplink in another slice, too", () => {
    const again = shard.connect("two", { slice: "1/2" });

    expect(two.closed?.code).toBe(4003);
    expect(again.take()).toMatchObject([{ hello: { role: "standby" } }]);
    expect(shard.core.status().slices).toMatchObject([{ origin: "one" }, { origin: null }]);
  });

  test("[N2] roles, slices and numbers of links outlive the shard's memory", async () => {
    await shard.live();
    const before = shard.core.status();

    shard.forget([one, two]);

    expect(shard.core.status()).toEqual({ ...before, links: 0, watched: 0 });
    await settled();
    shard.clock.next(2_000);
    await settled();
    shard.ask(shard.dialled.at(-1) ?? one, 1);
    expect(one.take()).toEqual([{ attach: A, id: 1, link: 2 }]);
    expect(two.take()).toEqual([{ attach: A, id: 1, link: 2 }]);
  });
});

describe("one answer of several", () => {
  test("[N5] an ask goes to each slice; its answer goes down when all have answered", async () => {
    const down = await shard.object("t.0:5");
    expect(one.take()).toEqual([{ attach: A, id: 1, link: 1, from: "t.0:5" }]);
    expect(two.take()).toEqual([{ attach: A, id: 1, link: 1, from: "t.0:5" }]);

    shard.tell(one, ...answer({ from: "t.0:5", to: "t.0:7", recovered: true, frames: [update("t.0:7", 5)] }));
    expect(down.take()).toEqual([]);
    shard.tell(two, ...answer({ recovered: true, notHome: true }));

    const positions = { position: "t.0:5", head: "t.0:7", to: "t.0:7" };
    expect(down.take()).toEqual([
      attached({ id: 1, ...positions, recovered: true, count: 1 }),
      update("t.0:7", 5),
    ]);
  });

  test("[N5] where a key is known in two, positions are put together, and the newest update comes last", async () => {
    const down = await shard.object();
    shard.tell(one, ...answer({ from: "t.0:5", to: "t.0:7", frames: [update("t.0:7", 5, 2_000)] }));
    shard.tell(
      two,
      ...answer({ from: "t.1:3", to: "t.1:4", head: "t.1:9", frames: [update("t.1:4", 3, 1_000)] }),
    );

    expect(down.take()).toEqual([
      attached({
        id: 1,
        position: "t.0:5,t.1:3",
        head: "t.0:7,t.1:9",
        to: "t.0:7,t.1:4",
        count: 2,
      }),
      update("t.1:4", 3, 1_000),
      update("t.0:7", 5, 2_000),
    ]);
  });

  test("[N5] it is recovered only if each slice says so; else the cause is of the first that doesn't", async () => {
    const down = await shard.object("t.0:5,t.1:3");
    shard.tell(two, ...answer({ from: "t.1:8", recovered: false }));
    shard.tell(one, ...answer({ from: "t.0:5", recovered: true }));

    expect(down.take()).toMatchObject([{ position: "t.0:5,t.1:8", recovered: false, cause: "horizon" }]);
  });

  test("[N5] an answer that comes in pieces isn't mixed with what another slice sends", async () => {
    const down = await shard.live();
    shard.tell(
      one,
      ...answer({ id: 0, from: "t.0:5", to: "t.0:9", frames: [update("t.0:7", 5)] }).slice(0, 1),
    );
    shard.tell(two, update("t.1:0"));
    shard.tell(one, update("t.0:7", 5));

    const [first, header, last] = down.take();
    expect([first, last]).toEqual([update("t.1:0"), update("t.0:7", 5)]);
    expect(header).toMatchObject({ id: 0, position: "t.0:5,t.1:0", to: "t.0:9,t.1:0", count: 1 });
  });

  test("[N7] what comes live after a slice's part of the answer follows the answer", async () => {
    const down = await shard.object("t.0:5");
    shard.tell(one, ...answer({ from: "t.0:5", to: "t.0:7", recovered: true, frames: [update("t.0:7", 5)] }));
    shard.tell(one, update("t.0:8", 7));
    expect(down.take()).toEqual([]);

    shard.tell(two, ...answer({ recovered: true, notHome: true }));

    expect(down.take().slice(1)).toEqual([update("t.0:7", 5), update("t.0:8", 7)]);
  });

  test("[N7] what comes live where there was nothing to answer isn't held, and the answer tells of it", async () => {
    const down = await shard.live();
    shard.ask(down, 2, "t.0:3");
    shard.tell(two, ...answer({ id: 2, recovered: true, notHome: true }));
    shard.tell(two, update("t.1:0"));
    expect(down.take()).toEqual([update("t.1:0")]);

    shard.tell(
      one,
      ...answer({ id: 2, from: "t.0:3", to: "t.0:5", recovered: true, frames: [update("t.0:5", 3)] }),
    );

    expect(down.take()[0]).toMatchObject({ position: "t.0:3", to: "t.0:5", head: "t.0:5,t.1:0" });
  });
});

describe("questions", () => {
  const to = { kind: "question", id: 1 } as const;
  const reply = (uplink: FakeSocket, frame: string) =>
    shard.core.uplinkMessage(uplink, encodeAddressed(to, frame));

  test("[N8] a GET is put to each slice; the newest record is the answer", async () => {
    const latest = shard.core.latest(A);
    reply(two, encodeLatest(A, at("t.1:3"), 1));
    reply(two, update("t.1:3", 1, 2_000));
    reply(one, encodeLatest(A, at("t.0:5"), 1));
    reply(one, update("t.0:5", 1, 1_000));

    expect(await latest).toEqual({
      kind: "update",
      position: "t.0:5,t.1:3",
      frame: update("t.1:3", 1, 2_000),
    });
  });

  test("[N8] a slice for which it is not home, or that isn't ready, changes nothing", async () => {
    const latest = shard.core.latest(A);
    reply(two, encodeQuestionError("unavailable", "not ready"));
    reply(one, encodeLatest(A, NOTHING, 0));

    expect(await latest).toEqual({ kind: "none", position: "-" });
  });

  test("[N8] where no slice that is there knows of the key it is unavailable, not unknown", async () => {
    shard.core.uplinkClosed(two);
    const latest = shard.core.latest(A);
    reply(one, encodeLatest(A, NOTHING, 0, { notHome: true }));

    expect(await latest).toMatchObject({ kind: "error", code: "unavailable" });
  });

  test("[N8] a slice that is silent delays the answer of another by a second at most", async () => {
    const latest = shard.core.latest(A);
    shard.clock.next(1_000);
    reply(one, encodeLatest(A, at("t.0:5"), 0));

    expect(await latest).toEqual({ kind: "none", position: "t.0:5" });
  });
});
