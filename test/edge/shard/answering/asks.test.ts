/** An object has several questions open at once, and its shard with it. */
import { beforeEach, describe, expect, test } from "vitest";
import { endpointObject } from "../../../../edge/object-identity.ts";
import {
  encodeAttach,
  encodeAttached,
  encodeCancel,
  encodeWaiting,
} from "../../../../shared/protocol/attach.ts";
import { LIMITS } from "../../../../shared/protocol/limits.ts";
import { NOTHING, parsePosition } from "../../../../shared/protocol/position.ts";
import type { FakeSocket } from "../../../support/fake-socket.ts";
import { SmallShard, updateFrame } from "../../../support/small-shard.ts";

const A = "/quotes/A";
const at = (text: string) => parsePosition(text) ?? NOTHING;

let shard: SmallShard;
/** The active origin, or that of the first of two slices, and that of the second one. */
let one: FakeSocket;
let two: FakeSocket;
/** The object's end of its link. */
let down: FakeSocket;

const ask = (id: number, from: string) =>
  shard.core.linkMessage(down, encodeAttach({ endpoint: A, id, from: at(from) }));
const cancel = (id: number) => shard.core.linkMessage(down, encodeCancel({ endpoint: A, id }));

interface Said {
  readonly id: number;
  readonly from?: string;
  readonly to?: string;
  readonly recovered?: boolean;
  readonly frames?: readonly string[];
  readonly notHome?: boolean;
}

function answer(uplink: FakeSocket, said: Said): void {
  const { id, from = "-", to = from, recovered = true, frames = [], notHome } = said;
  const cause = recovered ? undefined : ("ahead" as const);
  const verdict = { position: at(from), head: at(to), recovered, cause };
  const attached = {
    endpoint: A,
    id,
    verdict,
    to: at(to),
    horizon: NOTHING,
    count: frames.length,
    notHome,
  };
  for (const frame of [encodeAttached(attached), ...frames]) shard.say(uplink, 1, frame);
}

/** What came, in short: `id from` of questions, `id` of answers, offsets of updates. */
function taken(socket: FakeSocket): string[] {
  return socket.take().map((frame) => {
    if (typeof frame === "string") return /"p":"([^"]+)"/.exec(frame)?.[1] ?? frame;
    const { attach, cancel, waiting, attached, id, from, waited } = frame as Record<string, unknown>;
    const what = [attach && "ask", cancel && "cancel", waiting && "waiting", attached && "answer"].find(
      (word) => word !== undefined,
    );
    return [what, id, from, waited].filter((word) => word !== undefined).join(" ");
  });
}

describe("with one origin", () => {
  beforeEach(async () => {
    shard = new SmallShard();
    one = shard.connect("one");
    down = await shard.watch(one, A, 1);
  });

  test("[L4] [U5] each goes up at once, and each answer comes down as it is, whichever comes first", () => {
    ask(2, "e:90");
    ask(3, "e:1");
    expect(taken(one)).toEqual(["ask 2 e:90", "ask 3 e:1"]);

    shard.say(one, 1, encodeWaiting(A, 2));
    answer(one, { id: 3, from: "e:1", to: "e:5", frames: [updateFrame(A, 5, 1)] });
    shard.say(one, 1, updateFrame(A, 6, 5));
    answer(one, { id: 2, from: "e:6", recovered: false });

    expect(taken(down)).toEqual(["waiting 2", "answer 3", "e:5", "e:6", "answer 2"]);
  });

  test("[L7] the next origin is asked all that was not answered, in order", () => {
    for (const id of [2, 3, 4, 5]) ask(id, `e:${90 - id}`);
    answer(one, { id: 3, from: "e:87", recovered: false });
    cancel(4);
    down.take();

    shard.core.uplinkClosed(one);
    const next = shard.connect("next");

    expect(taken(down)).toEqual(["waiting 2", "waiting 5"]);
    expect(taken(next).slice(1)).toEqual(["ask 0 e:87", "ask 2 e:88", "ask 5 e:85"]);
  });

  test("[L8] [U4] what is taken back is taken back from the origin; what was answered or never asked is not", () => {
    ask(2, "e:90");
    ask(3, "e:80");
    answer(one, { id: 3, from: "e:5", recovered: false });
    one.take();

    for (const id of [2, 2, 3, 99]) cancel(id);

    expect(one.take()).toEqual([{ cancel: A, id: 2, link: 1 }]);
    expect(one.closed).toBeUndefined();
  });

  test("[L4] one link can't fill the memory with questions: the oldest is taken back", () => {
    for (let id = 2; id < 2 + LIMITS.openAsks + 2; id++) ask(id, `e:${900 - id}`);

    const cancelled = taken(one).filter((frame) => frame.startsWith("cancel"));
    shard.core.uplinkClosed(one);
    const repeated = taken(shard.connect("next")).filter((frame) => frame.startsWith("ask"));

    expect(cancelled).toEqual(["cancel 2", "cancel 3"]);
    expect(repeated).toHaveLength(LIMITS.openAsks + 1);
  });
});

describe("with two slices", () => {
  beforeEach(async () => {
    shard = new SmallShard();
    one = shard.connect("one", { slice: "1/2" });
    two = shard.connect("two", { slice: "2/2" });
    shard.core.attach(endpointObject(A));
    await Promise.resolve();
    await Promise.resolve();
    down = shard.dialled[0] as FakeSocket;
    shard.core.linkMessage(down, encodeAttach({ endpoint: A, id: 1, from: undefined }));
    answer(one, { id: 1, from: "t.0:5" });
    answer(two, { id: 1, from: "t.1:3" });
    for (const socket of [one, two, down]) socket.take();
  });

  const update = (p: string, q: number) =>
    updateFrame(A, Number(p.split(":")[1]), q).replace(`"p":"e:`, `"p":"${p.split(":")[0]}:`);

  test("[N5] each is gathered by itself: one that a slice holds delays no other", () => {
    ask(2, "t.0:90,t.1:3");
    ask(3, "t.0:1,t.1:1");
    shard.say(one, 1, encodeWaiting(A, 2));
    answer(two, { id: 2, from: "t.1:3" });
    answer(two, { id: 3, from: "t.1:1", to: "t.1:3", frames: [update("t.1:3", 1)] });

    answer(one, { id: 3, from: "t.0:1", to: "t.0:5", frames: [update("t.0:5", 1)] });

    expect(taken(down)).toEqual(["waiting 2", "answer 3", "t.1:3", "t.0:5"]);
    answer(one, { id: 2, from: "t.0:5", recovered: false });
    expect(taken(down)).toEqual(["answer 2"]);
  });

  test("[U5] [N7] live updates stay in order and in no answer, whichever of several is complete first", () => {
    ask(2, "t.0:1,t.1:3");
    ask(3, "t.0:2,t.1:3");
    answer(one, { id: 2, from: "t.0:1", to: "t.0:5", frames: [update("t.0:5", 1)] });
    shard.say(one, 1, update("t.0:6", 5));
    answer(one, { id: 3, from: "t.0:2", to: "t.0:6", frames: [update("t.0:5", 2), update("t.0:6", 5)] });
    shard.say(one, 1, update("t.0:7", 6));
    expect(taken(down)).toEqual([]);

    answer(two, { id: 3, from: "t.1:3" });
    expect(taken(down)).toEqual(["answer 3", "t.0:5", "t.0:6"]);
    answer(two, { id: 2, from: "t.1:3" });

    expect(taken(down)).toEqual(["answer 2", "t.0:5", "t.0:6", "t.0:7"]);
  });

  test("[L7] a slice's next origin is asked all that was not answered, in order, from where the link is first", () => {
    ask(2, "t.0:90");
    ask(3, "t.0:80");
    const next = shard.connect("next", { slice: "1/2" });
    next.take();

    shard.core.uplinkClosed(one);

    expect(taken(next).slice(1)).toEqual(["ask 0 t.0:5,t.1:3", "ask 2 t.0:90", "ask 3 t.0:80"]);
  });

  test("[L8] what is taken back is taken back from each slice, and what was held for it goes down", () => {
    ask(2, "t.0:1,t.1:90");
    answer(one, { id: 2, from: "t.0:1", to: "t.0:5", frames: [update("t.0:5", 1)] });
    shard.say(one, 1, update("t.0:6", 5));
    for (const socket of [one, two]) socket.take();

    cancel(2);

    expect(taken(down)).toEqual(["t.0:6"]);
    expect([taken(one), taken(two)]).toEqual([["cancel 2"], ["cancel 2"]]);
    answer(two, { id: 2, from: "t.1:3", recovered: false });
    expect(taken(down)).toEqual([]);
  });

  test("[N7] what was held for one question is told by the head of another that it comes down before", () => {
    ask(2, "t.0:1,t.1:3");
    ask(3, "t.0:2,t.1:3");
    for (const id of [2, 3])
      answer(one, { id, from: `t.0:${id - 1}`, to: "t.0:5", frames: [update("t.0:5", 1)] });
    shard.say(one, 1, update("t.0:6", 5));

    cancel(2);
    answer(two, { id: 3, from: "t.1:3" });

    const [live, head] = down.take();
    expect(live).toBe(update("t.0:6", 5));
    expect(head).toMatchObject({ attached: A, id: 3, to: "t.0:5,t.1:3", head: "t.0:6,t.1:3" });
  });

  test("[R5] [N6] a position past the ends of two slices is answered when both have been patient once", () => {
    ask(2, "t.0:90,t.1:90");
    for (const uplink of [one, two]) shard.say(uplink, 1, encodeWaiting(A, 2));
    for (const socket of [one, two, down]) socket.take();
    shard.clock.now += 15_000;

    answer(one, { id: 2, from: "t.0:4", to: "t.0:5", recovered: false, frames: [update("t.0:5", 4)] });
    answer(two, { id: 2, from: "t.1:2", to: "t.1:3", recovered: false, frames: [update("t.1:3", 2)] });

    // The first one's part was let go, since the other one had to be waited for.
    expect(one.take()).toEqual([{ attach: A, id: 2, link: 1, from: "t.0:90,t.1:90", waited: 15_000 }]);
    answer(one, { id: 2, from: "t.0:4", to: "t.0:5", recovered: false, frames: [update("t.0:5", 4)] });
    expect(taken(down)).toEqual(["answer 2", "t.1:3", "t.0:5"]);
    expect(two.take()).toEqual([]);
  });
});
