import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { StateFacts } from "../../../edge/endpoint/state-facts.ts";
import type { Subscription } from "../../../edge/endpoint/subscription-states.ts";
import {
  readConnection,
  readFollows,
  readStates,
  roomFor,
  writeConnection,
  writeFollows,
  writeStates,
} from "../../../edge/relay/kept.ts";
import { NOTHING, OLDEST } from "../../../shared/protocol/position.ts";
import { FakeSocket } from "../../support/fake-socket.ts";
import { holder } from "../../support/holders.ts";

const position = fc
  .dictionary(fc.stringMatching(/^[A-Za-z0-9_.-]{1,32}$/), fc.nat(), { maxKeys: 3 })
  .map((components) => new Map(Object.entries(components)));
const subscription: fc.Arbitrary<Subscription> = fc.oneof(
  fc.record({ kind: fc.constant("live" as const), beyond: fc.option(position, { nil: undefined }) }),
  fc.record({
    kind: fc.constantFrom("waiting" as const, "told" as const),
    from: fc.option(position, { nil: undefined }),
    since: fc.nat(),
  }),
  fc.record({ kind: fc.constant("lagging" as const), from: position, since: fc.nat() }),
);
const path = fc.stringMatching(/^\/t\/[A-Za-z0-9._~%-]{1,20}$/);

describe("[L14] what a connection follows", () => {
  test("[L14] is read as it was written", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(path, fc.nat(), subscription), { selector: ([p]) => p }), (all) => {
        const follows = new Map(all.map(([p, id, one]) => [p, { id, subscription: one }]));

        expect(readFollows(writeFollows(follows))).toEqual(follows);
      }),
    );
  });

  test("[L14] [S16] [O4] so is what must ask where it begins, and who wants to know how many there are", () => {
    const waiting = { kind: "waiting", from: undefined, since: 0 } as const;
    const follows = new Map([
      ["/t/a", { id: 1, subscription: waiting, seeks: OLDEST }],
      ["/t/b", { id: 2, subscription: waiting, occupancy: true, seeks: OLDEST }],
      ["/t/c", { id: 3, subscription: waiting, occupancy: true }],
    ] as const);

    expect(readFollows(writeFollows(follows))).toEqual(follows);
  });

  test.each([
    "/t/a",
    "/t/a 1",
    "/t/a 1 asleep",
    "t 1 live",
    "/t/a x live",
    "/t/a 1 live nowhere",
    "/t/a 1 waiting",
    "/t/a 1 oldest",
    "/t/a 1 lagging 7",
    "/t/a 1 live\n",
  ])("[L14] %j is nothing that is read", (text) => {
    expect(readFollows(text)).toBeUndefined();
  });

  test("[A8] [L14] fits into an attachment with the longest principal there is, as far as there is room", () => {
    const patterns = Array.from({ length: 16 }, (_, i) => `/t/${String(i).padEnd(240, "x")}`);
    const grants = { subscribe: patterns, publish: [], discover: [], admin: false };
    const right = { grants, tokensCount: true };
    const only = `/t/${"k".repeat(1_000)}`;
    const follows = "x".repeat(roomFor(right, only));
    const socket = new FakeSocket();
    const ends = holder(1e13, { revokedAt: 1e13 });
    const sender = "x".repeat(16);
    const kept = { right, holder: ends, only, sender, lastId: 2 ** 53 - 1, tag: 2 ** 52 };

    socket.serializeAttachment(writeConnection(kept, ""));
    expect(readConnection(socket.deserializeAttachment())).toEqual({ ...kept, follows: new Map() });
    socket.serializeAttachment(writeConnection(kept, follows));
    expect(roomFor(right)).toBeGreaterThan(8_000);
    const row = { id: "7", version: 3 };
    expect(readConnection(writeConnection(kept, row))).toEqual({ ...kept, follows: row });
    for (const other of [undefined, null, {}, { kind: "subscriber", paths: [] }])
      expect(readConnection(other)).toBeUndefined();
  });
});

describe("[L14] how far the endpoints are", () => {
  const facts = (offset: number): StateFacts => ({
    position: new Map([["e", offset]]),
    latest: "none",
    due: NOTHING,
    nextAsk: 3,
    own: { kind: "settled" },
    asks: [],
    forgotten: [],
    counted: undefined,
    curious: false,
  });

  test("[L14] is read as it was written, in rows that are small enough, without the latest updates", () => {
    const states = new Map<string, StateFacts>(
      Array.from({ length: 20_000 }, (_, i) => [`/t/a-path-of-some-length-${i}`, facts(i)] as const),
    );
    states.set("/t/bytes", { ...facts(1), latest: Uint8Array.of(1) });
    const chunks = writeStates(states);

    expect(chunks.length).toBeGreaterThan(1);
    for (const chunk of chunks) expect(chunk.length).toBeLessThan(1_100_000);
    const read = readStates(chunks);
    expect(read.get("/t/bytes")).toEqual({ ...facts(1), latest: undefined });
    expect(read.size).toBe(states.size);
    expect(read.get("/t/a-path-of-some-length-7")).toEqual(facts(7));
    expect(readStates(["what", '[["/t/a",7]]']).size).toBe(0);
    expect(writeStates([])).toEqual([]);
  });
});
