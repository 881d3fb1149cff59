import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { json, Listener } from "../../../origin/operate/listener.ts";
import { freePort } from "../../support/ports.ts";

let port: number;
let listener: Listener;

beforeEach(async () => {
  port = await freePort();
  const failing = () => {
    throw new Error("a fault of the program");
  };
  listener = await Listener.open(
    { host: "127.0.0.1", port },
    new Map([
      ["/healthz", () => json(200, { healthy: true })],
      ["/failing", failing],
    ]),
  );
});
afterEach(() => listener.close());

const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init);

async function sayRaw(bytes: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(bytes);
  return text(socket);
}

describe("what it answers:", () => {
  test("GET and HEAD of a path that there is, whatever the query", async () => {
    const got = await ask("/healthz?verbose");
    const head = await ask("/healthz", { method: "HEAD" });

    expect([got.status, await got.json()]).toEqual([200, { healthy: true }]);
    expect(got.headers.get("cache-control")).toBe("no-store");
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect(head.headers.get("content-length")).toBe(got.headers.get("content-length"));
  });

  test.each([
    ["/", "GET", 404, "not_found", null],
    ["/healthz/", "GET", 404, "not_found", null],
    ["/healthz", "POST", 405, "method_not_allowed", "GET, HEAD"],
    ["/healthz", "DELETE", 405, "method_not_allowed", "GET, HEAD"],
    ["/failing", "GET", 500, "internal", null],
  ])("%s by %s with %i %s", async (path, method, status, code, allow) => {
    const answer = await ask(path, { method });

    expect([answer.status, answer.headers.get("allow")]).toEqual([status, allow]);
    expect(await answer.json()).toEqual({
      error: { code, message: expect.not.stringContaining("fault"), retry: status === 500 },
    });
  });

  test.each([
    ["what isn't HTTP", "hello\r\n\r\n"],
    ["a WebSocket", "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"],
  ])("%s with a coded error, and closes", async (_, bytes) => {
    const answer = await sayRaw(bytes);

    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(JSON.parse(answer.split("\r\n\r\n")[1] ?? "")).toMatchObject({ error: { code: "unsupported" } });
  });
});

/** So many at once, each of which has said this and will say no more. */
async function hold(count: number, bytes: string): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () =>
    connect(port, "127.0.0.1")
      .on("error", () => undefined)
      .resume(),
  );
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  for (const socket of sockets) socket.write(bytes);
  return sockets;
}

describe("whoever keeps connections open keeps nobody from an answer:", () => {
  const asked = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

  test.each([
    ["say nothing", ""],
    ["have begun to ask", "GET /healthz HTTP/1.1\r\nHost:"],
    ["have asked, and read nothing", asked],
  ])("though 1,000 connections %s, a probe is answered", async (_, bytes) => {
    const sockets = await hold(1_000, bytes);

    for (let probe = 0; probe < 3; probe++) {
      const answer = await fetch(`http://127.0.0.1:${port}/healthz`, { headers: { Connection: "close" } });
      expect([answer.status, await answer.json()]).toEqual([200, { healthy: true }]);
    }
    for (const socket of sockets) socket.destroy();
  });

  test("one that asks again and again goes on, and of the others 63 at most are open", async () => {
    const [asking] = await hold(1, asked);
    if (asking === undefined) throw new Error("it must be there");
    await once(asking, "data");
    const sockets: Socket[] = [];
    const gone = Promise.withResolvers<void>();
    let left = 0;
    const leave = () => {
      left++;
      if (left === 300 - 63) gone.resolve();
    };
    for (let round = 0; round < 10; round++) {
      // The server may take those of one round with those of the next.
      sockets.push(...(await hold(30, "")).map((socket) => socket.once("close", leave)));
      asking.write(asked);
      await once(asking, "data");
    }

    expect(asking.closed).toBe(false);
    await gone.promise;
    for (const socket of [asking, ...sockets]) socket.destroy();
  });
});

describe("an address that can't be listened on is said with the name of the setting:", () => {
  test("where another program listens", async () => {
    await expect(Listener.open({ host: "127.0.0.1", port }, new Map())).rejects.toThrow(
      `STATUS_PORT ${port} of 127.0.0.1 can't be listened on: another program listens there`,
    );
  });

  test("where the address isn't this machine's", async () => {
    await expect(Listener.open({ host: "192.0.2.1", port }, new Map())).rejects.toThrow(
      "STATUS_HOST is no address of this machine",
    );
  });
});
