import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { LeanWebSocket, type Listener } from "./websocket.ts";

const servers: (WebSocketServer | Server)[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** What a listener heard, and waiting for it. */
class Heard implements Listener {
  readonly messages: { text: boolean; bytes: Buffer; wire: number }[] = [];
  end: { code: number | undefined; problem: string } | undefined;
  #wake = () => {};

  open(): void {
    this.#wake();
  }
  message(bytes: Buffer, text: boolean, wire: number): void {
    this.messages.push({ text, bytes: Buffer.from(bytes), wire });
    this.#wake();
  }
  closed(code: number | undefined, problem: string): void {
    this.end = { code, problem };
    this.#wake();
  }
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}

async function serve(): Promise<{ url: URL; accepted: Promise<WebSocket> }> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  servers.push(server);
  await once(server, "listening");
  const accepted = once(server, "connection").then(([socket]) => socket as WebSocket);
  return { url: urlOf(server.address()), accepted };
}

/** A server that answers the handshake with these bytes, piece by piece. */
async function raw(...pieces: readonly (string | Buffer)[]): Promise<URL> {
  const server = createServer((socket: Socket) => {
    socket.on("error", () => {});
    socket.once("data", async () => {
      for (const piece of pieces) {
        socket.write(piece);
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
  });
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  return urlOf(server.address());
}

const urlOf = (address: unknown) => new URL(`ws://127.0.0.1:${(address as { port: number }).port}/topic/k1`);
const SWITCHING = "HTTP/1.1 101 Switching Protocols\r\n\r\n";

test("messages of any size and kind arrive whole and in order, each with its bytes on the wire", async () => {
  const { url, accepted } = await serve();
  const heard = new Heard();
  new LeanWebSocket(url, undefined, heard);
  const peer = await accepted;
  const sizes = [0, 1, 125, 126, 65_535, 65_536, 1_000_000, 3];

  for (const size of sizes) peer.send(Buffer.alloc(size, size % 251));
  peer.send("text ü");
  await heard.until(() => heard.messages.length > sizes.length);

  expect(heard.messages.slice(0, -1).map(({ bytes }) => bytes)).toEqual(
    sizes.map((size) => Buffer.alloc(size, size % 251)),
  );
  expect(heard.messages.map(({ wire, bytes }) => wire - bytes.length)).toEqual([2, 2, 2, 4, 4, 10, 10, 2, 2]);
  expect(heard.messages.at(-1)).toMatchObject({ text: true, bytes: Buffer.from("text ü") });
});

test("frames that are torn anywhere, and the end of the handshake, are put together", async () => {
  const frames = Buffer.concat([
    Buffer.from([0x82, 3, 1, 2, 3]),
    Buffer.from([0x82, 126, 1, 0]),
    Buffer.alloc(256, 7),
    Buffer.from([0x81, 1, 0x61]),
  ]);
  for (let cut = 1; cut < frames.length; cut += 5) {
    const heard = new Heard();
    const url = await raw(
      SWITCHING.slice(0, 20),
      `${SWITCHING.slice(20)}`,
      frames.subarray(0, cut),
      frames.subarray(cut),
    );
    const socket = new LeanWebSocket(url, undefined, heard);
    await heard.until(() => heard.messages.length === 3);
    socket.cut();

    expect(heard.messages.map(({ bytes }) => bytes.length)).toEqual([3, 256, 1]);
  }
});

test("what is sent is what the server reads, and its pings are answered", async () => {
  const { url, accepted } = await serve();
  const socket = new LeanWebSocket(url, undefined, new Heard());
  const peer = await accepted;
  const message = once(peer, "message");
  const pong = once(peer, "pong");

  socket.send('{"ping":1}');
  peer.ping("are you there");

  expect(String((await message)[0])).toBe('{"ping":1}');
  expect(String((await pong)[0])).toBe("are you there");
});

test("it comes from the address that it was told to", async () => {
  const server = createServer();
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  const connection = once(server, "connection");
  const socket = new LeanWebSocket(urlOf(server.address()), undefined, new Heard(), {
    localAddress: "127.0.0.9",
  });
  const [accepted] = (await connection) as [Socket];
  socket.cut();

  expect(accepted.remoteAddress).toBe("127.0.0.9");
  accepted.destroy();
});

test("a close tells its code and reason, once", async () => {
  const { url, accepted } = await serve();
  const heard = new Heard();
  new LeanWebSocket(url, undefined, heard);

  (await accepted).close(4001, "slow_consumer");
  await heard.until(() => heard.end !== undefined);

  expect(heard.end).toEqual({ code: 4001, problem: "slow_consumer" });
});

test.each([
  ["a refused handshake", ["HTTP/1.1 503 Service Unavailable\r\n\r\n"], "the server answered 503"],
  ["a fragment", [SWITCHING, Buffer.from([0x02, 1, 1])], "a frame is fragmented, or of an extension"],
])("%s ends the connection and says why", async (_, pieces, problem) => {
  const heard = new Heard();
  new LeanWebSocket(await raw(...pieces), undefined, heard);
  await heard.until(() => heard.end !== undefined);

  expect(heard.end).toEqual({ code: undefined, problem });
});

test("a server that isn't there is told of", async () => {
  const heard = new Heard();
  new LeanWebSocket(new URL("ws://127.0.0.1:1/"), undefined, heard);
  await heard.until(() => heard.end !== undefined);

  expect(heard.end?.problem).toContain("ECONNREFUSED");
});
