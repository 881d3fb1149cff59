/** What sockets carry over a hibernation. */
import { serialize } from "node:v8";
import { describe, expect, test } from "vitest";
import {
  type Carried,
  loadLink,
  loadSubscriber,
  pathOn,
  saveLink,
  saveSubscriber,
} from "../../../edge/endpoint/attachment.ts";
import type { StateFacts } from "../../../edge/endpoint/state-facts.ts";
import type { SubscriptionFacts } from "../../../edge/endpoint/subscription-states.ts";
import { position, update } from "../../support/endpoint-frames.ts";
import { FakeSocket } from "../../support/fake-socket.ts";
import { holder } from "../../support/holders.ts";

const LIVE = { kind: "live", beyond: undefined } as const;
const HELLO = { shard: 3, generation: 7, dial: 2 };
const facts = (more: Partial<StateFacts> = {}): StateFacts => ({
  position: position("e:5"),
  latest: update(5, 3),
  due: position("-"),
  nextAsk: 4,
  own: { kind: "settled" },
  asks: [],
  forgotten: [],
  counted: undefined,
  curious: false,
  ...more,
});
const carried = (path: string, kept: StateFacts): Carried => ({ path, facts: () => kept });

function bytesOf(socket: FakeSocket): number {
  return serialize(socket.deserializeAttachment()).length;
}

describe("a subscriber's socket", () => {
  const all: readonly SubscriptionFacts[] = [
    { id: 0, subscription: { kind: "live", beyond: undefined } },
    { id: 1, subscription: { kind: "live", beyond: position("f:3") } },
    { id: 2, subscription: { kind: "waiting", from: undefined, since: 100 } },
    { id: 3, subscription: { kind: "waiting", from: position("e:5"), since: 100 } },
    { id: 4, subscription: { kind: "told", from: position("-"), since: 100 } },
    { id: 5, subscription: { kind: "lagging", from: position("e:5,f:3"), since: 100 } },
  ];

  test("says which paths it follows, and how far it is with each", () => {
    const socket = new FakeSocket();
    const follows = new Map(all.map((one) => [`/quotes/${one.id}`, one]));

    saveSubscriber(socket, undefined, follows);

    const publisher = { tag: undefined, grantedBy: undefined };
    expect(loadSubscriber(socket)).toEqual({ holder: undefined, publisher, follows });
  });

  test.each([
    { tag: 4_711, grantedBy: undefined },
    { tag: undefined, grantedBy: "token" },
    { tag: 4_711, grantedBy: "public" },
  ] as const)("[W26] says what it publishes by: %j", (publisher) => {
    const socket = new FakeSocket();

    saveSubscriber(socket, undefined, [["/quotes/A", { id: 0, subscription: LIVE }]], publisher);

    expect(loadSubscriber(socket)?.publisher).toEqual(publisher);
  });

  test("of one path costs about what its path takes, and no more than 72 bytes beside that while it is live", () => {
    const socket = new FakeSocket();
    const path = "/quotes/AAPL";

    saveSubscriber(socket, undefined, [[path, { id: 0, subscription: { kind: "live", beyond: undefined } }]]);

    expect(bytesOf(socket) - path.length).toBeLessThanOrEqual(72);
  });

  test.each([
    ["told", undefined],
    ["not told yet", 1_700_000_540_000],
  ])("[S17] [A8] says by whose token it is there, %s that this ends", (_, noticeAt) => {
    const socket = new FakeSocket();
    for (const tokenId of ["1", undefined]) {
      const alice = holder(1_700_000_600_000, { tokenId, noticeAt });

      saveSubscriber(socket, alice, [["/quotes/A", { id: 0, subscription: LIVE }]]);

      expect(loadSubscriber(socket)?.holder).toEqual(alice);
    }
    expect(bytesOf(socket)).toBeLessThan(256);
  });

  test("[V4] [S20] of an older version doesn't say when its token came, and is as if that were long ago", () => {
    const socket = new FakeSocket();
    const paths = [["/t/a", { kind: "live", id: 0 }]];
    socket.serializeAttachment({
      kind: "subscriber",
      paths,
      holder: { iss: "i", sub: "s", iat: 1, until: 1_700_000_600_000 },
    });

    expect(loadSubscriber(socket)?.holder).toMatchObject({ cameAt: 0, until: 1_700_000_600_000 });
  });

  test.each([
    ["a holder that can't be read", { iss: 1 }],
    ["a token without an end", { iss: "i", sub: "s", iat: 1 }],
    ["a token whose end is no time", { iss: "i", sub: "s", iat: 1, until: "never" }],
  ])("[A8] with %s on it follows nothing: nobody knows until when it may", (_, holder) => {
    const socket = new FakeSocket();
    const paths = [["/t/a", { kind: "live", id: 0 }]];
    socket.serializeAttachment({ kind: "subscriber", paths, holder });

    expect(loadSubscriber(socket)).toBeUndefined();
  });

  test.each([
    ["nothing", null],
    ["what a later version wrote", { kind: "subscriber", paths: [["/t/a", { kind: "floating", id: 0 }]] }],
    [
      "no position",
      { kind: "subscriber", paths: [["/t/a", { kind: "lagging", id: 0, from: "?", since: 1 }]] },
    ],
  ])("with %s on it follows nothing", (_, attachment) => {
    const socket = new FakeSocket();
    socket.serializeAttachment(attachment);

    expect(loadSubscriber(socket)).toBeUndefined();
  });
});

describe("a link's socket", () => {
  test("says which link it is, and what is known of each path that it carries", () => {
    const socket = new FakeSocket();
    const own = { kind: "asked", id: 3, from: position("e:5") } as const;
    const asks = [{ id: 2, from: position("e:1"), held: true }];
    const states = new Map([
      ["/t/a", facts()],
      ["/t/b", facts({ position: undefined, latest: undefined, own: { kind: "due" } })],
      ["/t/c", facts({ latest: "none", due: position("e:9"), own, asks, forgotten: [1] })],
    ]);

    saveLink(
      socket,
      HELLO,
      [...states].map(([path, kept]) => carried(path, kept)),
    );

    const none = { count: 0, lastId: 0, isOpen: false };
    expect(loadLink(socket)).toEqual({
      hello: HELLO,
      wakeAt: undefined,
      revocations: none,
      version: 0,
      states,
    });
    saveLink(socket, HELLO, [], 1_700_000_540_000);
    expect(loadLink(socket)?.wakeAt).toBe(1_700_000_540_000);
    const revocations = { count: 3, lastId: 7, isOpen: true };
    saveLink(socket, HELLO, [], undefined, revocations);
    expect(loadLink(socket)?.revocations).toEqual(revocations);
  });

  test("[L3] that has not said hello is none yet", () => {
    const socket = new FakeSocket();

    saveLink(socket, undefined, [carried("/t/a", facts())]);

    expect(loadLink(socket)).toMatchObject({ hello: undefined });
    expect([...(loadLink(socket)?.states.keys() ?? [])]).toEqual(["/t/a"]);
  });

  test("holds the latest updates that fit, however many paths it carries, and always their positions", () => {
    const large = update(5, 3, JSON.stringify("x".repeat(6_000)));
    const paths = ["/t/a", "/t/b", "/t/c"];

    for (const count of [1, 2, 3]) {
      const socket = new FakeSocket();
      const some = paths.slice(0, count).map((path) => carried(path, facts({ latest: large })));
      saveLink(socket, HELLO, some);

      const states = [...(loadLink(socket)?.states.values() ?? [])];
      expect(states.map(({ position }) => position)).toEqual(some.map(() => position("e:5")));
      expect(states.map(({ latest }) => latest === large)).toEqual(some.map(() => count < 3));
    }
  });
});

describe("the path of an object whose name doesn't tell it", () => {
  test("of a key in so many partitions that its position doesn't fit keeps none, and takes back what it asked", () => {
    const socket = new FakeSocket();
    const wide = new Map(Array.from({ length: 1_000 }, (_, i) => [`wide01.${i}`, 10_000] as const));
    const own = { kind: "asked", id: 6, from: wide } as const;
    const asks = [{ id: 5, from: position("e:1"), held: true }];

    saveLink(socket, HELLO, [
      carried("/quotes/A", facts({ position: wide, due: wide, nextAsk: 7, own, asks, forgotten: [2] })),
    ]);

    expect(loadLink(socket)?.states.get("/quotes/A")).toEqual({
      position: undefined,
      latest: undefined,
      due: position("-"),
      nextAsk: 7,
      own: { kind: "due" },
      asks: [],
      forgotten: [2, 5, 6],
      curious: false,
    });
  });

  test("stands on its link, also before the hello, and on its subscribers' sockets should there be no link", () => {
    const path = `/t/${"a".repeat(2_000)}`;
    const [strange, link, gone, subscriber] = [1, 2, 3, 4].map(() => new FakeSocket()) as [
      ...[FakeSocket, FakeSocket, FakeSocket, FakeSocket],
    ];
    strange.serializeAttachment({ kind: "of a later version" });
    saveLink(link, undefined, [carried(path, facts())]);
    gone.serializeAttachment(null);
    saveSubscriber(subscriber, undefined, [
      [path, { id: 0, subscription: { kind: "live", beyond: undefined } }],
    ]);

    expect(pathOn([strange, link], [])).toBe(path);
    expect(pathOn([], [gone, subscriber])).toBe(path);
    expect(pathOn([strange], [gone])).toBeUndefined();
  });
});
