/** Messages that come whole are read without the package `ws`, and nobody can tell. */
import fc from "fast-check";
import { expect, test } from "vitest";
import * as ws from "ws";
import type { Incoming } from "../../edge/runtime/node/sockets/end.ts";
import { readWhole } from "../../edge/runtime/node/sockets/whole.ts";

const { Receiver } = ws as unknown as {
  readonly Receiver: new (
    options: object,
  ) => {
    on(event: "message", listener: (data: Buffer, isBinary: boolean) => void): unknown;
    on(event: "error", listener: () => void): unknown;
    write(piece: Buffer): void;
  };
};

interface Sent {
  /** With the bits of its beginning and of its end. */
  readonly first: number;
  readonly payload: Uint8Array;
  readonly mask: Uint8Array;
  readonly isMasked: boolean;
}

/** As a client sends it. */
function frameOf({ first, payload, mask, isMasked }: Sent): Buffer {
  const { length } = payload;
  const size =
    length < 126 ? [length] : length <= 0xffff ? [126, length >> 8, length & 0xff] : [127, 0, 0, 0, 0, 0];
  if (length > 0xffff) size.push((length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff);
  size[0] = (size[0] ?? 0) | (isMasked ? 0x80 : 0);
  const masked = isMasked ? payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0)) : payload;
  return Buffer.concat([Buffer.from([first, ...size]), isMasked ? mask : Buffer.alloc(0), masked]);
}

const payload = fc.oneof(
  fc.uint8Array({ maxLength: 140 }),
  fc.string().map((text) => new Uint8Array(Buffer.from(text))),
  fc.constantFrom(125, 126, 127, 700, 65_535, 65_536).map((bytes) => new Uint8Array(bytes).fill(0xe9)),
);
const sent: fc.Arbitrary<Sent> = fc.record({
  first: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(0x81, 0x82) },
    { weight: 1, arbitrary: fc.constantFrom(0x01, 0x02, 0x00, 0x80, 0x89, 0x8a, 0x88, 0xc1, 0x83) },
  ),
  payload,
  mask: fc.uint8Array({ minLength: 4, maxLength: 4 }),
  isMasked: fc.oneof({ weight: 20, arbitrary: fc.constant(true) }, fc.boolean()),
});

/** What a receiver hears of a piece, which it may change. */
function heardIn(piece: Buffer, readsWhole: boolean): Incoming[] {
  const heard: Incoming[] = [];
  const receiver = new Receiver({ isServer: true, skipUTF8Validation: true, maxPayload: 1 << 20 });
  receiver.on("message", (data, isBinary) =>
    heard.push(isBinary ? new Uint8Array(data).buffer : data.toString()),
  );
  receiver.on("error", () => {});
  const read = readsWhole ? readWhole(piece, (data) => heard.push(data)) : 0;
  receiver.write(piece.subarray(read));
  return heard;
}

test("a piece in which messages came is read as `ws` reads it, wherever it lies in memory", () => {
  fc.assert(
    fc.property(fc.array(sent, { maxLength: 6 }), fc.nat(40), fc.nat(3), (frames, cut, offset) => {
      const all = Buffer.concat(frames.map(frameOf));
      const bytes = all.subarray(0, Math.max(0, all.length - cut));
      const lyingAt = (at: number) => {
        const memory = Buffer.alloc(at + bytes.length);
        memory.set(bytes, at);
        return memory.subarray(at);
      };

      expect(heardIn(lyingAt(offset), true)).toEqual(heardIn(lyingAt(0), false));
    }),
    { numRuns: 300 },
  );
});

test("what is no whole message is left as it came", () => {
  const message = frameOf({
    first: 0x81,
    payload: new Uint8Array(100).fill(97),
    mask: new Uint8Array([1, 2, 3, 4]),
    isMasked: true,
  });
  for (let length = 0; length < message.length; length++) {
    const piece = Buffer.from(message.subarray(0, length));
    expect(readWhole(piece, () => expect.unreachable())).toBe(0);
    expect(piece).toEqual(message.subarray(0, length));
  }
});
