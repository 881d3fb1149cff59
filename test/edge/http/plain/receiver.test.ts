import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Receiver, type Told } from "../../../../edge/http/plain/receiver.ts";
import { encodeUpdate } from "../../../../shared/protocol/frame.ts";
import { packMessages } from "../../../../shared/protocol/message.ts";
import {
  formatPosition,
  NOTHING,
  type Position,
  parseLongPosition,
} from "../../../../shared/protocol/position.ts";
import {
  encodeEnd,
  encodeError,
  encodeExpires,
  encodeOccupancy,
  encodeReset,
  encodeVerdict,
  encodeWait,
} from "../../../../shared/protocol/subscriber.ts";

const PATH = "/quotes/A";
const at = (text: string): Position => parseLongPosition(text) ?? NOTHING;

function update(offset: number, previous?: number, endpoint = PATH, epoch = "e.0") {
  return encodeUpdate({
    endpoint,
    epoch,
    offset,
    previous,
    timestamp: undefined,
    headers: [],
    value: { kind: "json", text: String(offset) },
  });
}

function verdict(id: number, position: string, head = position, more: object = {}) {
  return encodeVerdict(id, { position: at(position), head: at(head), ...more });
}

/** What it made of frames, in brief. */
function hear(receiver: Receiver, ...frames: (string | Uint8Array<ArrayBuffer>)[]): Told[] {
  return packMessages(frames, 1_000_000).flatMap((message) => [...receiver.hear(message)]);
}
const kinds = (told: readonly Told[]) => told.map(({ kind }) => kind);

describe("a receiver in the Worker", () => {
  test("[S13] hears nothing of updates and resets before its verdict", () => {
    const receiver = new Receiver(PATH, undefined);
    const reset = encodeReset(PATH, { position: at("e.0:9"), head: at("e.0:9") });

    expect(hear(receiver, update(1), reset, verdict(1, "e.0:9"))).toEqual([]);
    expect(receiver.isAsked).toBe(true);
    expect(kinds(hear(receiver, verdict(0, "e.0:4", "e.0:5"), update(5, 4)))).toEqual(["verdict", "update"]);
  });

  test("[P5] takes what follows, drops what it has had, and is live at the head", () => {
    const receiver = new Receiver(PATH, at("e.0:4"));
    hear(receiver, verdict(0, "e.0:4", "e.0:7", { recovered: true }));

    expect(kinds(hear(receiver, update(4, 3), update(6, 4), update(6, 4)))).toEqual(["update"]);
    expect([receiver.isLive, formatPosition(receiver.position)]).toEqual([false, "e.0:6"]);
    expect(kinds(hear(receiver, update(7, 5)))).toEqual(["update"]);
    expect(receiver.isLive).toBe(true);
    expect(hear(receiver, update(3, 2, "/quotes/B"))).toEqual([]);
  });

  test("[O4] passes on how many there are, and wants to go on being told when it asks again", () => {
    const receiver = new Receiver(PATH, at("e.0:4"), true);
    hear(receiver, verdict(0, "e.0:4"));
    expect(hear(receiver, encodeOccupancy(PATH, 12))).toEqual([{ kind: "occupancy", subscribers: 12 }]);
    const [gap] = hear(receiver, update(9, 8));
    expect(gap?.kind === "gap" && JSON.parse(gap.ask)).toEqual({
      id: 1,
      sub: PATH,
      from: "e.0:4",
      occupancy: true,
    });
  });

  test("[E2] [S15] asks again at a gap, and passes nothing on before the verdict of that", () => {
    const receiver = new Receiver(PATH, at("e.0:4"));
    hear(receiver, verdict(0, "e.0:4"));

    expect(hear(receiver, update(9, 8), update(10, 9))).toEqual([
      { kind: "gap", ask: `{"id":1,"sub":"${PATH}","from":"e.0:4"}` },
    ]);
    expect(hear(receiver, verdict(0, "e.0:4"), update(11, 10))).toEqual([]);
    const recovered = hear(receiver, verdict(1, "e.0:4", "e.0:9", { recovered: true }), update(9, 4));
    expect(kinds(recovered)).toEqual(["verdict", "update"]);
  });

  test("[S15] gives up at the fifth thing in a row that it can't get past, and begins with the latest", () => {
    const receiver = new Receiver(PATH, at("e.0:4"));
    hear(receiver, verdict(0, "e.0:4"));
    const asks = [1, 2, 3, 4, 5, 6].map((id) => {
      const [gap] = hear(receiver, "{no JSON");
      hear(receiver, verdict(id, "e.0:4", "e.0:4", id < 5 ? { recovered: true } : {}));
      return gap?.kind === "gap" && (JSON.parse(gap.ask) as { from?: string }).from;
    });

    expect(asks).toEqual(["e.0:4", "e.0:4", "e.0:4", "e.0:4", undefined, undefined]);
    hear(receiver, update(5, 4));
    expect(JSON.stringify(hear(receiver, update(9, 8)))).toContain("e.0:5");
  });

  test.each([
    ["a text that is none", "{"],
    ["an update without a position", `{"e":"${PATH}","v":1}`],
    ["a verdict without a head", '{"id":0,"ok":{"position":"-"}}'],
    ["bytes that aren't whole frames", new Uint8Array([1, 2, 3])],
  ])("[F9] takes for a gap what can't be read: %s", (_, frame) => {
    const receiver = new Receiver(PATH, NOTHING);
    hear(receiver, verdict(0, "-"));

    expect(kinds([...receiver.hear(frame)])).toEqual(["gap"]);
    expect([...receiver.hear(frame)]).toEqual([]);
  });

  test("[S5] adopts a reset of its own endpoint, backwards too", () => {
    const receiver = new Receiver(PATH, at("e.0:4"));
    hear(receiver, verdict(0, "e.0:4"));
    const lost = { position: at("f.0:1"), head: at("f.0:2"), cause: "epoch" };

    expect(hear(receiver, encodeReset("/quotes/B", lost))).toEqual([]);
    expect(kinds(hear(receiver, encodeReset(PATH, lost), update(2, 1, PATH, "f.0")))).toEqual([
      "reset",
      "update",
    ]);
    expect([receiver.isLive, formatPosition(receiver.position)]).toEqual([true, "f.0:2"]);
  });

  test("[S4] [S7] [S17] [V4] passes on waits, errors and ends that are its own, and ignores what it doesn't know", () => {
    const receiver = new Receiver(PATH, undefined);
    const frames = [
      encodeWait(0, "unavailable", "x"),
      encodeExpires(2_500),
      encodeError(7, "rate_limited", "x"),
      '{"later":1}',
      '{"pong":1}',
    ];

    expect(kinds(hear(receiver, ...frames))).toEqual(["wait", "expires", "pong"]);
    expect(receiver.isAsked).toBe(false);
    expect(kinds(hear(receiver, encodeError(0, "unsupported", "x")))).toEqual(["ended"]);
    expect(kinds(hear(receiver, encodeEnd(PATH, "forbidden", "x")))).toEqual(["ended"]);
  });

  test("[E6] that goes on on another socket tells of that only if something is lost", () => {
    const receiver = new Receiver(PATH, at("e.0:4"));
    hear(receiver, verdict(0, "e.0:4", "e.0:9", { recovered: true }), update(5, 4));
    receiver.resume();
    expect(kinds(hear(receiver, verdict(0, "e.0:5", "e.0:9", { recovered: true }), update(6, 5)))).toEqual([
      "update",
    ]);
    receiver.resume();
    expect(
      kinds(hear(receiver, verdict(0, "e.0:8", "e.0:9", { recovered: false, cause: "horizon" }))),
    ).toEqual(["verdict"]);
  });

  test("[E2] [P5] of any frames whatever it passes on only what follows from where it stands", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("update"), offset: fc.nat(12), back: fc.nat(4) }),
      fc.record({ kind: fc.constant("verdict"), offset: fc.nat(12), back: fc.nat(3) }),
      fc.record({ kind: fc.constant("reset"), offset: fc.nat(12), back: fc.nat(3) }),
      fc.record({ kind: fc.constant("noise"), offset: fc.nat(12), back: fc.nat(3) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const receiver = new Receiver(PATH, undefined);
        let id = 0;
        let position: number | undefined;
        for (const { kind, offset, back } of steps) {
          const lost = { position: at(`e.0:${offset}`), head: at(`e.0:${offset + back}`) };
          const frame = {
            update: update(offset, Math.max(0, offset - back - 1)),
            verdict: encodeVerdict(Math.max(0, id - (back % 2)), lost),
            reset: encodeReset(PATH, lost),
            noise: "?",
          }[kind as "update"];
          for (const told of hear(receiver, frame)) {
            if (told.kind === "gap") {
              id = (JSON.parse(told.ask) as { id: number }).id;
              position = undefined;
            } else if (told.kind === "update") {
              // Not before a verdict, not twice, and after what it stands at.
              expect(position).toBeDefined();
              expect(offset).toBeGreaterThan(position ?? -1);
              expect(Math.max(0, offset - back - 1)).toBeLessThanOrEqual(position ?? -1);
              position = offset;
            } else position = offset;
          }
        }
      }),
    );
  });
});
