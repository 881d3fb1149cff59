/** What an object makes of what its sockets publish, with its link, its memory and time in the test's hands. */
import { beforeEach, describe, expect, test } from "vitest";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import {
  decodeLinkPublish,
  encodeLinkPublished,
  type LinkPublish,
  type LinkPublished,
} from "../../../shared/protocol/link-publish.ts";
import { splitBinary } from "../../../shared/protocol/message.ts";
import { encodePublication } from "../../../shared/protocol/publication.ts";
import { PATH } from "../../support/endpoint-frames.ts";
import type { FakeSocket } from "../../support/fake-socket.ts";
import { holder, UNLIMITED } from "../../support/holders.ts";
import { TokenWorld } from "../../support/token-world.ts";

const MAX_BYTES = 100_000;

let world: TokenWorld;
let drawn: number;

/** One whose stream says who may publish. */
function worldOf(by: "public" | "token" | "nobody", limits = UNLIMITED): TokenWorld {
  const made = new TokenWorld(limits, { by, maxBytes: MAX_BYTES });
  drawn = 0;
  made.random = () => ++drawn / 1_000;
  made.link();
  return made;
}

beforeEach(() => {
  world = worldOf("public");
});

const frame = (id: number, more: object = {}) => JSON.stringify({ id, pub: PATH, v: id, ...more });
const say = (socket: FakeSocket, id: number, more?: object) =>
  world.core.clientMessage(socket, frame(id, more));

/** What went up the link since this was last asked, questions apart. */
function passedOn(): LinkPublish[] {
  const messages = world.up?.messages.splice(0) ?? [];
  return messages.flatMap((message) => {
    if (typeof message === "string") return [];
    return (splitBinary(message) ?? []).map((one) => {
      const read = decodeLinkPublish(one);
      if (!read.ok) throw new Error(read.problem);
      return read.value;
    });
  });
}

const answer = ({ socket, id }: LinkPublish, result: LinkPublished["result"] = { position: `e:${id}` }) =>
  world.say(encodeLinkPublished({ socket, id, result }));

const refused = (id: number | undefined, code: string) => ({
  ...(id !== undefined && { id }),
  error: expect.objectContaining({ code }),
});

describe("a publish", () => {
  test("[W26] goes up the link with the socket's tag, and its answer comes back to that socket by its id", () => {
    const [one, other] = [world.live(), world.live()];
    say(one, 1, { idempotencyKey: "c0ffee", h: [["a", "b"]] });
    say(other, 1);
    const [first, second] = passedOn();

    expect(first).toEqual({
      ...{ socket: first?.socket, id: 1, token: undefined },
      publish: {
        ...{ endpoint: PATH, issuer: "", subject: "", key: "c0ffee", by: "client" },
        ...{ headers: [["a", "b"]], value: new TextEncoder().encode("1") },
      },
    });
    expect(second).toMatchObject({ id: 1, publish: { key: "made", by: "edge" } });
    expect(first?.socket).not.toBe(second?.socket);
    if (second !== undefined) answer(second, { position: "e:8", guarantee: "at-least-once" });
    expect([one.take(), other.take()]).toEqual([
      [],
      [{ id: 1, ok: { position: "e:8", guarantee: "at-least-once" } }],
    ]);
    if (first !== undefined) answer(first, { position: "e:9" });
    expect(one.take()).toEqual([{ id: 1, ok: { position: "e:9" } }]);
  });

  test("[W24] [W26] many leave in the order in which they came, those of one message in one message", () => {
    const socket = world.live();
    world.up?.take();
    world.core.clientMessage(socket, [1, 2, 3].map((id) => frame(id)).join("\u001e"));
    expect(world.up?.messages).toHaveLength(1);
    say(socket, 4);

    expect(passedOn().map(({ id }) => id)).toEqual([1, 2, 3, 4]);
  });

  test("[W23] an error of the shard is passed on as it is, and the key that the edge made with it", () => {
    const socket = world.live();
    for (const id of [1, 2]) say(socket, id);
    const [first, second] = passedOn();
    const overloaded = { code: "overloaded", message: "much", retry: true, retryAfterMs: 1_000 };
    const unknown = { code: "unknown_outcome", message: "who knows", retry: true };
    if (first !== undefined) answer(first, { error: overloaded, key: undefined });
    if (second !== undefined) answer(second, { error: unknown, key: "made" });

    expect(socket.take()).toEqual([
      { id: 1, error: overloaded },
      { id: 2, error: unknown, idempotencyKey: "made" },
    ]);
  });

  test("[W26] whose answer comes when the socket has gone is answered to nobody", () => {
    const [gone, there] = [world.live(), world.live()];
    say(gone, 1);
    const [publish] = passedOn();
    world.core.clientClosed(gone);
    if (publish !== undefined) answer(publish);

    expect([gone.take(), there.take()]).toEqual([[], []]);
  });

  test("[W26] is answered over a hibernation, and nothing of it was kept but the socket's tag", () => {
    const socket = world.live();
    say(socket, 1);
    const saves = socket.saves;
    const [first] = passedOn();
    say(socket, 2);
    expect(socket.saves).toBe(saves);
    expect(socket.deserializeAttachment()).toMatchObject({ publisher: { tag: first?.socket } });
    world.hibernate();
    if (first !== undefined) answer(first);
    expect(socket.take()).toEqual([{ id: 1, ok: { position: "e:1" } }]);
    passedOn();
    say(socket, 3);

    expect(passedOn()).toMatchObject([{ socket: first?.socket, id: 3 }]);
  });
});

test("[W3] [W26] ten thousand keys of one client are each answered, and leave nothing behind in the object", () => {
  const socket = world.live();
  say(socket, 1);
  passedOn();
  const kept = socket.deserializeAttachment();
  for (let id = 2; id <= 10_001; id++) {
    say(socket, id, { idempotencyKey: `key-${id}` });
    for (const publish of passedOn()) answer(publish);
  }

  expect(socket.take().map((frame) => (frame as { id: number }).id)).toEqual(
    Array.from({ length: 10_000 }, (_, i) => i + 2),
  );
  expect(socket.deserializeAttachment()).toEqual(kept);
});

describe("what is refused costs nobody else anything:", () => {
  test.each([
    ["another endpoint", { pub: "/quotes/B" }, "unsupported"],
    ["a value that is too large", { s: "x".repeat(MAX_BYTES + 1), v: undefined }, "too_large"],
    ["an empty key", { idempotencyKey: "" }, "bad_request"],
    ["a key of 1 KB", { idempotencyKey: "k".repeat(1_024) }, "bad_request"],
    ["a key that isn't ASCII", { idempotencyKey: "é" }, "bad_request"],
    ["a header of the origin's own", { h: [["$distributary", "a"]] }, "bad_request"],
    ["a header without a name", { h: [["", "a"]] }, "bad_request"],
    ["too many headers", { h: Array.from({ length: 51 }, () => ["a", "b"]) }, "bad_request"],
    ["headers that are too large", { h: [["a", "b".repeat(16_384)]] }, "bad_request"],
    ["a header that isn't base64", { h: [["a", "*", "base64"]] }, "bad_frame"],
    ["two values", { d: true }, "bad_frame"],
  ])("[W21] [W22] %s, and the next publish works", (_, more, code) => {
    const socket = world.live();
    say(socket, 1, more);
    say(socket, 2);

    expect(socket.take()).toEqual([refused(1, code)]);
    expect(passedOn().map(({ id }) => id)).toEqual([2]);
  });

  test("[W22] a value may have as much as the deployment says, and its message 16 KiB beside that", () => {
    const [socket, greedy] = [world.live(), world.live()];
    say(socket, 1, { s: "x".repeat(MAX_BYTES), v: undefined });
    world.core.clientMessage(greedy, new Uint8Array(MAX_BYTES + 16_385));

    expect(passedOn()).toMatchObject([{ id: 1, publish: { value: { length: MAX_BYTES } } }]);
    expect([socket.closed, greedy.closed?.reason]).toEqual([undefined, "frame_too_large"]);
  });

  test("[W25] what is too much is refused with when it may be sent, and is none of the other frames", () => {
    world = worldOf("public", { ...UNLIMITED, publishes: { perSecond: 10, burst: 2 } });
    const socket = world.live();
    for (const id of [1, 2, 3]) say(socket, id);
    world.core.clientMessage(socket, `{"id":4,"sub":"${PATH}"}`);

    expect(passedOn().map(({ id }) => id)).toEqual([1, 2]);
    expect(socket.take()).toMatchObject([
      { id: 3, error: { code: "rate_limited", retryAfterMs: 100 } },
      { id: 4, ok: {} },
    ]);
  });

  test("[W22] while more is unsent on the link than may be it is overloaded at once", () => {
    const socket = world.live();
    if (world.up !== undefined) world.up.bufferedAmount = LIMITS.publishBacklogBytes + 1;
    say(socket, 1);

    expect(passedOn()).toEqual([]);
    expect(socket.take()).toMatchObject([{ id: 1, error: { code: "overloaded", retryAfterMs: 1_000 } }]);
  });
});

describe("who may publish", () => {
  /** An hour after the clock of the tests begins. */
  const end = 1_700_003_600_000;

  test("[W22] nobody, where the stream says so; the socket is left alone, and has no larger messages", () => {
    world = worldOf("nobody");
    const socket = world.live();
    say(socket, 1);
    expect(socket.take()).toEqual([refused(1, "forbidden")]);
    world.core.clientMessage(socket, frame(2, { v: "x".repeat(20_000) }));

    expect([socket.closed?.reason, passedOn()]).toEqual(["frame_too_large", []]);
  });

  test("[W22] without a token nobody, where the stream is for tokens", () => {
    world = worldOf("token");
    const socket = world.live();
    say(socket, 1);

    expect(socket.take()).toEqual([refused(1, "no_token")]);
  });

  test("[W22] those that are refused spend what all frames do", () => {
    world = worldOf("nobody", { ...UNLIMITED, messages: { perSecond: 1, burst: 1 } });
    const socket = world.live();
    for (const id of [1, 2]) say(socket, id);

    expect(socket.take()).toEqual([refused(1, "forbidden"), refused(2, "rate_limited")]);
  });

  test("[W22] [W26] by a token what that allows, in its names, over a hibernation too", () => {
    world = worldOf("token");
    const [may, mayNot] = [world.live(holder(end), true), world.live(holder(end))];
    say(may, 1);
    say(mayNot, 1);
    world.hibernate();
    say(may, 2);

    const { issuer, subject, tokenId, issuedAt } = holder(end);
    const token = { names: { issuer, subject, tokenId, issuedAt }, until: end };
    const all = passedOn();
    expect(all.map(({ id }) => id)).toEqual([1, 2]);
    for (const one of all) expect(one).toMatchObject({ token, publish: { issuer, subject } });
    expect(mayNot.take()).toEqual([refused(1, "forbidden")]);
  });

  test("[W22] on a stream that is public a token says whose publish it is", () => {
    const alice = world.live(holder(end), true);
    say(alice, 1);

    expect(passedOn()).toMatchObject([{ publish: { issuer: "issuer", subject: "alice" } }]);
  });

  test("[W22] what was decided when the stream said something else is over after a hibernation", () => {
    const alice = world.live(holder(end), true);
    const before = world;
    world = worldOf("token");
    for (const socket of before.sockets) world.sockets.add(socket);
    world.hibernate();
    say(alice, 1);

    expect(alice.take()).toEqual([refused(1, "forbidden")]);
  });

  test("[S18] [W22] a renewal gives and takes the right, and answers find the socket all the same", async () => {
    world = worldOf("token");
    const alice = world.live(holder(end));
    const renew = async (id: number, publishes: boolean) => {
      world.renew(alice, id);
      const renewed = holder(end + id * 1_000, { tokenId: String(id) });
      await world.verified({ ok: true, holder: renewed, mayRead: () => true, mayPublish: () => publishes });
    };
    say(alice, 1);
    await renew(2, true);
    say(alice, 3);
    const [publish] = passedOn();
    await renew(4, false);
    world.hibernate();
    say(alice, 5);
    if (publish !== undefined) answer(publish);

    expect(alice.take()).toEqual([
      refused(1, "forbidden"),
      expect.objectContaining({ id: 2, ok: expect.anything() }),
      expect.objectContaining({ id: 4, ok: expect.anything() }),
      refused(5, "forbidden"),
      { id: 3, ok: { position: "e:3" } },
    ]);
  });
});

describe("the link", () => {
  const unknown = refused(undefined, "unknown_outcome");

  test("[W27] is lost: those who have published are told that nobody knows, and others nothing", () => {
    const [one, other] = [world.live(), world.live()];
    say(one, 1);
    world.cutLink();

    expect([one.take(), other.take()]).toEqual([[unknown], []]);
  });

  test("[W27] so they are if it is lost while the object sleeps, or another takes its place", () => {
    const socket = world.live();
    say(socket, 1);
    world.hibernate();
    world.cutLink();
    expect(socket.take()).toEqual([unknown]);
    world.link();
    say(socket, 2);
    world.link();

    expect(socket.take()).toEqual([unknown]);
  });

  test("[W26] isn't there yet: what is published is held, and leaves first when it is", () => {
    world = new TokenWorld(UNLIMITED, { by: "public", maxBytes: MAX_BYTES });
    const socket = world.subscribe();
    for (const id of [1, 2]) say(socket, id);
    world.link();
    say(socket, 3);

    expect(passedOn().map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(world.clock.next(10_000)).toBe(false);
  });

  test("[W26] doesn't come: what is held is refused after 5 s, each by itself", () => {
    const socket = world.live();
    world.cutLink();
    say(socket, 1);
    world.pass(2_000);
    say(socket, 2);
    world.pass(2_999);
    expect(socket.take()).toEqual([]);
    world.pass(1);
    expect(socket.take()).toEqual([refused(1, "unavailable")]);
    world.link();

    expect(passedOn().map(({ id }) => id)).toEqual([2]);
  });

  test("[W26] doesn't come: no more is held than 64 frames and 2 MiB, and nothing of sockets that have gone", () => {
    const [socket, other] = [world.live(), world.live()];
    world.cutLink();
    for (let id = 1; id <= 65; id++) say(socket, id);
    expect(socket.take()).toEqual([refused(65, "overloaded")]);
    world.core.clientClosed(socket);
    const large = (id: number) =>
      world.core.clientMessage(
        other,
        encodePublication({
          ...{ id, endpoint: PATH, key: undefined, headers: [] },
          value: new Uint8Array(MAX_BYTES),
        }),
      );
    for (let id = 1; id <= 21; id++) large(id);

    expect(other.take()).toEqual([refused(21, "overloaded")]);
    world.link();
    expect(passedOn()).toHaveLength(20);
  });
});
