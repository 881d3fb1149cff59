/** What a relay makes of what its connections publish, with its shards, its memory and time in the test's hands. */
import { beforeEach, describe, expect, test } from "vitest";
import type { ConnectLimits } from "../../../edge/endpoint/connection-limits.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import {
  decodeLinkPublish,
  encodeLinkPublished,
  type LinkPublish,
  type LinkPublished,
} from "../../../shared/protocol/link-publish.ts";
import { splitBinary } from "../../../shared/protocol/message.ts";
import { encodePublication } from "../../../shared/protocol/publication.ts";
import type { FakeSocket } from "../../support/fake-socket.ts";
import { holder, UNLIMITED } from "../../support/holders.ts";
import { RelayWorld } from "../../support/relay-world.ts";

/** Of shard 0, and of shard 1. */
const [A, B, C1] = ["/t/a", "/t/b", "/t/c1"];
const GRANTS = { subscribe: [], publish: ["/t/*"], discover: [], admin: false };

let world: RelayWorld;
beforeEach(() => {
  world = worldOf();
});

function worldOf(limits: Partial<ConnectLimits> = {}): RelayWorld {
  const made = new RelayWorld({ limits: { ...UNLIMITED, subscriptions: 10, ...limits } });
  let drawn = 0;
  made.random = () => ++drawn / 1_000;
  return made;
}

const pub = (id: number, path: string, more: object = {}) => ({ id, pub: path, v: id, ...more });

/** What went up to a shard since this was last asked, and what else was said to it. */
function upTo(shard: number): { readonly published: LinkPublish[]; readonly said: string[] } {
  const [published, said]: [LinkPublish[], string[]] = [[], []];
  for (const message of world.links.get(shard)?.messages.splice(0) ?? []) {
    if (typeof message === "string") said.push(message);
    for (const frame of typeof message === "string" ? [] : (splitBinary(message) ?? [])) {
      const read = decodeLinkPublish(frame);
      if (!read.ok) throw new Error(read.problem);
      published.push(read.value);
    }
  }
  return { published, said };
}

function answer(
  shard: number,
  { socket, id }: LinkPublish,
  result: LinkPublished["result"] = { position: `e:${id}` },
): void {
  world.down(shard, encodeLinkPublished({ socket, id, result }));
}

const taken = (id: number) => ({ id, ok: { position: `e:${id}` } });
const refused = (id: number, code: string) =>
  expect.objectContaining({ id, error: expect.objectContaining({ code }) });
const nobodyKnows = { error: expect.objectContaining({ code: "unknown_outcome", retry: true }) };

/** A connection that follows nothing, with links to both shards, on which it has published once. */
function publishing(): FakeSocket {
  const client = world.connect();
  world.say(client, pub(1, A), pub(2, C1));
  for (const shard of [0, 1]) {
    if (!world.links.has(shard)) world.link(shard);
    for (const one of upTo(shard).published) answer(shard, one);
  }
  client.take();
  return client;
}

describe("a publish on a connection", () => {
  test("[W22] [W26] goes to the shard of its endpoint, of any, and is answered to its connection by its id", () => {
    const [client, other] = [publishing(), publishing()];
    world.say(client, pub(3, A, { idempotencyKey: "c0ffee", h: [["a", "b"]] }), pub(4, C1), pub(5, B));
    world.say(other, pub(3, A));
    const [zero, one] = [upTo(0).published, upTo(1).published];

    expect(zero.map(({ publish }) => publish.endpoint)).toEqual([A, B, A]);
    expect(one.map(({ publish }) => publish.endpoint)).toEqual([C1]);
    expect(zero[0]).toMatchObject({
      ...{ id: 3, token: undefined },
      publish: { issuer: "", subject: "", key: "c0ffee", by: "client", headers: [["a", "b"]] },
    });
    expect(zero[1]?.publish).toMatchObject({ key: "made", by: "edge" });
    for (const publish of one) answer(1, publish);
    for (const publish of [...zero].reverse()) answer(0, publish);
    expect(client.take()).toEqual([taken(4), taken(5), taken(3)]);
    expect(other.take()).toEqual([taken(3)]);
  });

  test("[W21] may be of bytes, beside subscribes, with ids of one series", () => {
    const client = publishing();
    const value = new Uint8Array([0, 255, 10]);
    world.core.clientMessage(
      client,
      encodePublication({
        id: 3,
        endpoint: A,
        key: undefined,
        headers: [],
        value,
      }) as Uint8Array<ArrayBuffer>,
    );
    world.say(client, { id: 4, sub: B }, pub(5, B));
    world.say(client, pub(5, B));

    expect(upTo(0).published.map(({ id, publish }) => [id, publish.value])).toEqual([
      [3, value],
      [5, new TextEncoder().encode("5")],
    ]);
    expect(client.closed).toEqual({ code: 4500, reason: "bad_frame" });
  });

  test("[W22] may be as large as the deployment says, if the client may publish anywhere, and nothing else may", () => {
    const [client, greedy, mayNot] = [publishing(), publishing(), publishing()];
    world.say(client, pub(3, A, { v: undefined, s: "x".repeat(100_000) }));
    world.say(client, pub(4, A, { v: undefined, s: "x".repeat(100_001) }));
    world.say(greedy, { id: 3, sub: "x".repeat(20_000) });
    world.mayPublish = false;
    world.say(mayNot, pub(3, A, { v: undefined, s: "x".repeat(20_000) }));

    expect(upTo(0).published.map(({ id, publish }) => [id, publish.value?.length])).toEqual([[3, 100_000]]);
    expect(client.take()).toEqual([refused(4, "too_large")]);
    expect([greedy.closed?.reason, mayNot.closed?.reason]).toEqual(["frame_too_large", "frame_too_large"]);
  });

  test.each([
    ["a key that is none", { idempotencyKey: "" }, "bad_request"],
    ["two values", { d: true }, "bad_frame"],
    ["a header of the origin's own", { h: [["$distributary", "a"]] }, "bad_request"],
  ])("[W21] [C5] with %s is refused by its id, and the next one works", (_, more, code) => {
    const client = publishing();
    world.say(client, pub(3, A, more), pub(4, A));

    expect(client.take()).toEqual([refused(3, code)]);
    expect(upTo(0).published.map(({ id }) => id)).toEqual([4]);
  });

  test("[W4] [M9] is judged by the token that the connection has at that moment, whatever it may follow", async () => {
    const end = world.clock.now + 3_600_000;
    world.judgePublish = (path, { grants }) =>
      grants?.publish.includes("/t/*") || path === B
        ? { ok: true }
        : { ok: false, code: "forbidden", message: "no" };
    const client = world.connect({ grants: { ...GRANTS, publish: [] }, tokensCount: true }, holder(end));
    world.link(0);
    world.say(client, pub(1, A), pub(2, B));
    const [passed] = upTo(0).published;
    expect(client.take()).toEqual([refused(1, "forbidden")]);
    const { issuer, subject, tokenId, issuedAt } = holder(end);
    expect(passed).toMatchObject({
      id: 2,
      token: { names: { issuer, subject, tokenId, issuedAt }, until: end },
      publish: { issuer, subject },
    });

    world.say(client, { id: 3, token: "another" });
    await world.verified({
      ...{ ok: true, holder: holder(end + 1_000), grants: GRANTS },
      ...{ mayRead: () => true, mayPublish: () => true },
    });
    client.take();
    world.say(client, pub(4, A));
    expect(upTo(0).published.map(({ id }) => id)).toEqual([4]);
  });

  test("[W25] [M10] is none of the other frames, one too many is refused by its id", () => {
    world = worldOf({ publishes: { perSecond: 10, burst: 4 } });
    const client = publishing();
    world.say(client, pub(3, A), pub(4, A), pub(5, A), { id: 6, sub: A });
    const spent = pub(7, A, { v: undefined, s: "x".repeat(70_000) });
    world.clock.now += 100;
    world.say(client, spent);

    expect(upTo(0).published.map(({ id }) => id)).toEqual([3, 4]);
    expect(client.take()).toEqual([
      expect.objectContaining({
        id: 5,
        error: expect.objectContaining({ code: "rate_limited", retryAfterMs: 100 }),
      }),
      expect.objectContaining({
        id: 7,
        error: expect.objectContaining({ code: "rate_limited", retryAfterMs: 100 }),
      }),
    ]);
  });

  test("[W26] of one that may not publish anywhere spends what all frames do", () => {
    world = worldOf({ messages: { perSecond: 1, burst: 1 } });
    world.mayPublish = false;
    world.judgePublish = () => ({ ok: false, code: "no_token", message: "no" });
    const client = world.connect();
    world.say(client, pub(1, A), pub(2, A));

    expect(client.take()).toEqual([refused(1, "no_token"), refused(2, "rate_limited")]);
  });
});

describe("[W26] nothing of it is kept in the object", () => {
  test("[W26] [W10] but the connection's tag: it is answered over a hibernation, and publishes write nothing", () => {
    const client = publishing();
    const saves = client.saves;
    world.say(client, pub(3, A));
    expect(client.saves).toBe(saves);
    const [passed] = upTo(0).published;
    expect(client.deserializeAttachment()).toMatchObject({ tag: passed?.socket });
    world.rest();
    world.hibernate();
    if (passed !== undefined) answer(0, passed);
    expect(client.take()).toEqual([taken(3)]);

    world.say(client, pub(4, A));
    expect(upTo(0).published).toMatchObject([{ socket: passed?.socket, id: 4 }]);
  });

  test("[W3] ten thousand keys leave nothing behind, and no endpoint is opened", () => {
    const client = publishing();
    const kept = client.deserializeAttachment();
    for (let id = 3; id < 10_003; id++) {
      world.say(client, pub(id, `/t/${id}`, { idempotencyKey: `key-${id}` }));
      for (const shard of [0, 1]) for (const one of upTo(shard).published) answer(shard, one);
    }

    expect(client.take()).toHaveLength(10_000);
    expect(client.deserializeAttachment()).toEqual(kept);
    expect(world.rows.rows.size).toBe(0);
  });
});

describe("[L13] [W26] links for what is published", () => {
  test("[W26] one is sought, and what came before it goes up it in order, ahead of all else", () => {
    const client = world.connect();
    world.say(client, pub(1, A), pub(2, B));
    expect(world.sought).toEqual([0]);
    world.say(client, { id: 3, sub: A }, pub(4, A));
    const link = world.link(0);

    expect(typeof link.messages[0]).toBe("object");
    expect(upTo(0).published.map(({ id }) => id)).toEqual([1, 2, 4]);
    expect(client.take()).toEqual([]);
  });

  test("[W26] if none comes within 5 s they weren't published, and none is sought any more", async () => {
    const client = world.connect();
    world.say(client, pub(1, A));
    world.pass(5_000);
    expect(client.take()).toEqual([
      { id: 1, error: expect.objectContaining({ code: "unavailable", retryAfterMs: 1_000 }) },
    ]);
    for (let i = 0; i < 10; i++) await Promise.resolve();
    // That it has taken that is looked at once.
    world.pass(1_000);
    expect(world.clock.next(600_000)).toBe(false);
    // What was sought comes late: nobody needs it.
    world.link(0);
    expect(upTo(0)).toEqual({ published: [], said: ['{"idle":true}'] });
  });

  test("[W26] it holds so many, and one more is overloaded at once", () => {
    const client = world.connect();
    const ids = Array.from({ length: LIMITS.heldPublishes + 1 }, (_, i) => i + 1);
    for (const id of ids) world.say(client, pub(id, A));

    expect(client.take()).toEqual([refused(LIMITS.heldPublishes + 1, "overloaded")]);
  });

  test("[W26] while more is unsent on the link than may be it is overloaded at once, and another shard's isn't", () => {
    const client = publishing();
    const link = world.links.get(0);
    if (link !== undefined) link.bufferedAmount = LIMITS.publishBacklogBytes + 1;
    world.say(client, pub(3, A), pub(4, C1));

    expect(client.take()).toEqual([refused(3, "overloaded")]);
    expect(upTo(1).published.map(({ id }) => id)).toEqual([4]);
  });

  test("[L13] it stays while a connection is there that has published on it, and then nobody needs it", () => {
    const [one, other] = [publishing(), publishing()];
    world.core.clientClosed(one);
    expect([upTo(0).said, upTo(1).said]).toEqual([[], []]);
    world.core.clientClosed(other);

    expect([upTo(0).said, upTo(1).said]).toEqual([['{"idle":true}'], ['{"idle":true}']]);
  });

  test("[L13] so it does over a hibernation, and while something is followed there", () => {
    const client = publishing();
    const follower = world.following(A);
    world.rest();
    world.hibernate();
    world.core.clientClosed(client);
    expect([upTo(0).said.filter((said) => said.includes("idle")), upTo(1).said]).toEqual([
      [],
      ['{"idle":true}'],
    ]);
    world.say(follower, { id: 9, unsub: A });
    upTo(0);
    world.down(0, JSON.stringify({ detached: A }));

    expect(upTo(0).said).toEqual(['{"idle":true}']);
  });

  test("[L13] an endpoint that nobody follows any more leaves the link to those who publish on it", () => {
    const client = publishing();
    world.say(client, { id: 3, sub: A });
    world.answer(0);
    world.say(client, { id: 4, unsub: A });
    upTo(0);
    world.down(0, JSON.stringify({ detached: A }));
    expect(upTo(0).said).toEqual([]);
    world.say(client, pub(5, A));

    expect(upTo(0).published.map(({ id }) => id)).toEqual([5]);
  });
});

describe("[W27] a link that is lost", () => {
  test("[W27] is told to those who have published on it, since it was made, and to nobody else", () => {
    const [both, none] = [publishing(), world.following(A)];
    const onlyOne = world.connect();
    world.say(onlyOne, pub(1, C1));
    world.say(both, pub(3, A), pub(4, C1));
    const [under] = upTo(1).published.filter(({ id }) => id === 4);
    world.cutLink(0);

    expect([both.take(), none.take(), onlyOne.take()]).toEqual([[nobodyKnows], [], []]);
    // The other shard is there as before.
    if (under !== undefined) answer(1, under);
    expect(both.take()).toEqual([taken(4)]);
    world.link(0);
    expect(both.take()).toEqual([]);
    world.cutLink(0);
    expect(both.take()).toEqual([]);
  });

  test("[W27] after a hibernation is told to each that has published", () => {
    const [one, other] = [publishing(), world.following(B)];
    world.rest();
    world.hibernate();
    one.take();
    world.cutLink(0);

    expect([one.take(), other.take()]).toEqual([[nobodyKnows], []]);
  });

  test("[W27] and wasn't needed but for what was published isn't sought before something is", () => {
    const client = publishing();
    world.sought.length = 0;
    world.cutLink(0);
    world.pass(60_000);
    expect(world.sought).toEqual([]);
    world.say(client, pub(3, A));

    expect(world.sought).toEqual([0]);
  });
});
