/** Processes of the runtime on Node that share an address: how they are reached, asked, and hand connections over. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type Running, type RunSettings, runOnNode } from "../../edge/runtime/node/run.ts";
import { canSharePort } from "../../edge/runtime/node/siblings/shared-port.ts";
import { Switchboard } from "../../edge/runtime/node/siblings/switchboard.ts";
import { eventually } from "../support/deadline.ts";
import { freePort } from "../support/ports.ts";

/** It says which one it is, asks another one, passes an upgrade on, or echoes with its number. */
const WORKER = `
module.exports.default = {
  async fetch(request, env) {
    const asked = new URL(request.url).searchParams;
    const { number, count, others } = env.SIBLINGS;
    const to = Number(asked.get("to") ?? number);
    if (asked.has("throws")) throw new Error("it shall");
    if (to !== number && others.has(to)) return others.get(to).fetch(request);
    if (request.headers.get("Upgrade") === null)
      return Response.json({ number, count, others: [...others.keys()], by: request.headers.get("X-By") });
    const { 0: client, 1: server } = new WebSocketPair();
    server.accept();
    server.addEventListener("message", ({ data }) => server.send(number + " " + data));
    return new Response(null, { status: 101, webSocket: client });
  },
};
`;
const COUNT = 3;

test("this system spreads connections to one port over processes", async () => {
  expect(await canSharePort()).toBe(process.platform === "linux");
});

describe.each([true, false])("each listens itself: %s", (sharesPort) => {
  const folder = mkdtempSync(join(tmpdir(), "siblings-"));
  const switchboard = new Switchboard();
  const running: Running[] = [];
  let port: number;
  let url: string;

  const start = async (number: number) => {
    const settings: RunSettings = {
      module: join(folder, "worker.cjs"),
      storage: folder,
      objects: [],
      ...{ host: "127.0.0.1", port, vars: {}, secrets: [] },
      place: { number, count: COUNT, sharesPort },
    };
    const file = join(folder, `${number}.json`);
    writeFileSync(file, JSON.stringify(settings));
    const begun = runOnNode(
      file,
      {},
      () => {},
      (child) => switchboard.join(number, child),
    );
    running[number] = begun;
    expect(await begun.listening).toBe(port);
  };

  beforeAll(async () => {
    writeFileSync(join(folder, "worker.cjs"), WORKER);
    port = await freePort();
    url = `http://127.0.0.1:${port}/`;
    if (!sharesPort) await switchboard.accept("127.0.0.1", port);
    await Promise.all(Array.from({ length: COUNT }, (_, number) => start(number)));
  });

  afterAll(async () => {
    await Promise.all(running.map((one) => one.stop(0)));
    rmSync(folder, { recursive: true });
  });

  /** On a connection of its own. */
  const ask = async (query = "") => {
    const answer = await fetch(`${url}${query}`, { headers: { Connection: "close", "X-By": "me" } });
    return { status: answer.status, body: answer.status === 200 ? await answer.json() : await answer.text() };
  };

  test("each is reached", async () => {
    const reached = new Set<number>();
    await eventually(async () => {
      reached.add(((await ask()).body as { number: number }).number);
      return reached.size === COUNT;
    }, "all of them");
  });

  test("each asks each other one, which asks nobody else", async () => {
    for (let i = 0; i < 8; i++)
      for (let to = 0; to < COUNT; to++) {
        const { body } = await ask(`?to=${to}`);
        const { others, ...said } = body as { others: number[] };
        expect(said).toEqual({ number: to, count: COUNT, by: "me" });
        expect([0, COUNT - 1]).toContain(others.length);
      }
  });

  test("what is asked of one and throws there is an error", async () => {
    expect((await ask("?to=1&throws")).status).toBe(500);
  });

  test("an upgrade is handed over, whoever accepts it, with what was read and all that comes", async () => {
    for (let i = 0; i < 8; i++)
      for (let to = 0; to < COUNT; to++) {
        const socket = new WebSocket(`${url.replace("http", "ws")}?to=${to}`);
        await once(socket, "open");
        const large = "x".repeat(100_000);
        const said: string[] = [];
        const all = new Promise<void>((resolve) =>
          socket.on("message", (data) => said.push(String(data)) === 2 && resolve()),
        );
        socket.send("a");
        socket.send(large);
        await all;
        expect(said).toEqual([`${to} a`, `${to} ${large}`]);
        socket.close(4000);
        expect((await once(socket, "close"))[0]).toBe(4000);
      }
  });

  test("what is said before an upgrade is answered arrives there, too, wherever the connection is by then", async () => {
    const frame = (text: string) => Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0, ...Buffer.from(text)]);
    const head = [
      ...["Host: x", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
      `Sec-WebSocket-Key: ${Buffer.alloc(16).toString("base64")}`,
    ].join("\r\n");
    for (let i = 0; i < 30; i++) {
      const to = i % COUNT;
      const connection = createConnection({ host: "127.0.0.1", port, noDelay: true });
      connection.write(`GET /?to=${to} HTTP/1.1\r\n${head}\r\n\r\n`);
      connection.write(frame("a"));
      const said = ["b", "c", "d", "e"];
      const talking = setInterval(() => {
        const text = said.shift();
        if (text !== undefined) connection.write(frame(text));
      }, 1);
      let heard = "";
      for await (const chunk of connection) {
        heard += chunk;
        if (heard.endsWith(`${to} e`)) break;
      }
      clearInterval(talking);
      const [, ...frames] = heard.split("\r\n\r\n");
      expect(frames.join("").match(/\d \w/g)).toEqual(
        ["a", "b", "c", "d", "e"].map((text) => `${to} ${text}`),
      );
    }
  });

  test("a request that comes in pieces, and ends its half of the connection, is answered", async () => {
    for (let i = 0; i < COUNT; i++) {
      const connection = createConnection({ host: "127.0.0.1", port });
      connection.write("GET / HT");
      await once(connection, "connect");
      connection.end("TP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      let text = "";
      for await (const chunk of connection) text += chunk;
      expect(text).toMatch(/^HTTP\/1.1 200 /);
    }
  });

  test("one that has ended is away until it is started again: asked for it the others say 503, uplinks to it break", async () => {
    await running[2]?.stop(0);
    await eventually(async () => (await ask("?to=2")).status === 503, "it is away");
    const socket = new WebSocket(`${url.replace("http", "ws")}?to=2`);
    await once(socket, "error");
    for (let i = 0; i < 8; i++) expect((await ask()).body).not.toMatchObject({ number: 2 });

    await start(2);

    expect((await ask("?to=2")).body).toMatchObject({ number: 2 });
  });
});
