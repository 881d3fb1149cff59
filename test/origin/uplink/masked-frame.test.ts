/** Frames of RFC 6455 that an origin makes, as `ws` reads them. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { BINARY, maskedFrame, TEXT } from "../../../origin/uplink/masked-frame.ts";

interface Message {
  readonly text: boolean;
  readonly bytes: Buffer;
}

/** What a server has of these frames, sent one after the other. */
async function received(frames: readonly Buffer[]): Promise<readonly Message[]> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const messages: Message[] = [];
  const closed = new Promise<number>((resolve) =>
    server.once("connection", (socket) => {
      socket.on("message", (bytes: Buffer, isBinary) => messages.push({ text: !isBinary, bytes }));
      socket.on("close", resolve);
    }),
  );
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  client.once("upgrade", ({ socket }) =>
    client.once("open", () => {
      for (const frame of frames) socket.write(frame);
      client.close(1000);
    }),
  );
  expect(await closed).toBe(1000);
  server.close();
  return messages;
}

const bytesOf = (length: number) => Buffer.from(Array.from({ length }, (_, i) => (7 * i + length) % 256));

test("bytes arrive as they were, whatever their length takes, and however many slabs they fill", async () => {
  const lengths = [0, 1, 2, 3, 4, 5, 125, 126, 127, 1_000, 1_001, 65_535, 65_536, 65_537, 200_001, 6];
  const sent = lengths.map(bytesOf);

  const messages = await received(sent.map((bytes) => maskedFrame(BINARY, [bytes])));

  expect(messages.map(({ text }) => text)).not.toContain(true);
  for (const [i, bytes] of sent.entries()) expect(messages[i]?.bytes.equals(bytes)).toBe(true);
});

test("a text arrives whole, of texts in any script and of bytes", async () => {
  const messages = await received([
    maskedFrame(TEXT, ['7\t{"e":"/t/k","v":', Buffer.from('{"ü":"日本"}'), "}\u001e0\tü😀"]),
    maskedFrame(TEXT, [""]),
  ]);

  expect(messages.map(({ text, bytes }) => [text, bytes.toString()])).toEqual([
    [true, '7\t{"e":"/t/k","v":{"ü":"日本"}}\u001e0\tü😀'],
    [true, ""],
  ]);
});

test("every frame has another key, and shows nothing of what was masked", () => {
  const value = Buffer.alloc(64, "a");
  const frames = Array.from({ length: 3_000 }, () => maskedFrame(TEXT, [value]));
  const keys = new Set(frames.map((frame) => frame.readUInt32BE(2)));

  expect(keys.size).toBeGreaterThan(2_990);
  expect(frames.some((frame) => frame.includes("aaaa"))).toBe(false);
});
