/**
 * Connections that cost a server something before anybody has said who they are: idle ones, slow ones, endless headers,
 * bombs. The edge's memory stays within bounds, and those who subscribe miss nothing. `npm run test:long` makes 5,000.
 */
import type { Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { descendants, residentBytes } from "../bench/proc.ts";
import { closedOf, openConnection } from "../support/attackers.ts";
import { Deployment } from "../support/deployment.ts";
import { LiveTraffic } from "../support/live-traffic.ts";
import { figure, LONG } from "../support/long.ts";
import { AUTH_ISSUERS } from "../support/tokens.ts";

const COUNT = LONG ? 5_000 : 300;
const AT_ONCE = 50;
const MINUTES = 600_000;
const MIB = 1024 * 1024;
/** What workerd takes for connections that have said nothing, or half of a handshake, and as much again. */
const EACH_BYTES = 64 * 1024;
/** What it takes for anything else: less than a tenth of what is sent to it at once. */
const MORE_BYTES = 96 * MIB;

let edge: Deployment;
let port: number;
let pid: number;
let traffic: LiveTraffic;

beforeAll(async () => {
  edge = await Deployment.start({
    topics: { open: {}, closed: { stream: { subscribe: "token" } } },
    edgeEnv: { AUTH_ISSUERS },
  });
  port = Number(new URL(edge.url).port);
  pid = descendants(edge.edge?.process.pid ?? 0, "workerd")[0] ?? 0;
  traffic = await LiveTraffic.begin(edge, "open", ["a", "b", "c", "d"]);
  await traffic.flows();
});
afterAll(() => edge?.stop());

/** How much more was resident at the end than before, or at any time that was looked at. */
async function grownBy(attack: (look: () => void) => Promise<void>): Promise<number> {
  const before = residentBytes(pid);
  let most = before;
  const look = () => {
    most = Math.max(most, residentBytes(pid));
  };
  const timer = setInterval(look, 50);
  try {
    await attack(look);
    await traffic.flows();
    look();
  } finally {
    clearInterval(timer);
  }
  expect(edge.edge?.exited).toBe(false);
  return most - before;
}

const inMiB = (bytes: number) => `${(bytes / MIB).toFixed(1)} MiB`;

async function connections(count: number, begin: (socket: Socket) => void = () => {}): Promise<Socket[]> {
  const all: Socket[] = [];
  onTestFinished(() => {
    for (const socket of all) socket.destroy();
  });
  while (all.length < count) {
    const some = await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, count - all.length) }, () => openConnection(port)),
    );
    for (const socket of some) begin(socket);
    all.push(...some);
  }
  return all;
}

test(
  "connections that say nothing cost little, and nobody misses anything for them",
  async () => {
    const grown = await grownBy(async () => void (await connections(COUNT)));

    expect(grown).toBeLessThan(MORE_BYTES / 2 + COUNT * EACH_BYTES);
    figure(`${COUNT} idle connections: ${inMiB(grown)} more`);
  },
  MINUTES,
);

test(
  "handshakes that come byte by byte hold nobody up",
  async () => {
    const handshake = `GET /closed/a HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`;
    const heard = new Map<Socket, string>();
    const grown = await grownBy(async () => {
      const all = await connections(COUNT, (socket) =>
        socket.on("data", (data) => heard.set(socket, (heard.get(socket) ?? "") + data.toString("latin1"))),
      );
      for (let at = 0; at < handshake.length - 1; at += 8) {
        for (const socket of all) socket.write(handshake.slice(at, Math.min(at + 8, handshake.length - 1)));
        await traffic.flows();
      }
      expect(heard.size).toBe(0);
      for (const socket of all) socket.write("\n");
      // Each was accepted only to be told why not, by a close: that it needs a token.
      const refused = () => [...heard.values()].filter((said) => said.includes("no_token")).length;
      await expect.poll(refused, { timeout: 60_000 }).toBe(COUNT);
    });

    expect(new Set([...heard.values()].map((said) => said.slice(0, 12)))).toEqual(new Set(["HTTP/1.1 101"]));
    expect(grown).toBeLessThan(MORE_BYTES / 2 + COUNT * EACH_BYTES);
    figure(`${COUNT} slow handshakes: ${inMiB(grown)} more`);
  },
  MINUTES,
);

test(
  "10 MB of headers are not kept: such a connection is ended",
  async () => {
    const many = LONG ? 50 : 10;
    const line = `X-Padding: ${"a".repeat(1_000)}\r\n`.repeat(100);
    let written = 0;
    const grown = await grownBy(async () => {
      const all = await connections(many, (socket) => {
        socket.write("GET /open/a HTTP/1.1\r\nHost: 127.0.0.1\r\n");
        socket.resume();
        let left = 10_000_000;
        const more = () => {
          while (left > 0 && !socket.destroyed) {
            left -= line.length;
            written += line.length;
            if (!socket.write(line)) return;
          }
        };
        socket.on("drain", more);
        more();
      });
      await Promise.all(all.map(closedOf));
    });

    expect(grown).toBeLessThan(MORE_BYTES);
    figure(`${many} connections with 10 MB of headers each (${inMiB(written)} taken): ${inMiB(grown)} more`);
  },
  MINUTES,
);

test(
  "a message that is small compressed and large after ends its own socket, and its memory is bounded",
  async () => {
    const many = LONG ? 50 : 10;
    const bomb = Buffer.alloc(64 * MIB);
    const extensions = new Set<string>();
    const codes: number[] = [];
    const grown = await grownBy(async () => {
      for (let i = 0; i < many; i++) {
        const options = { perMessageDeflate: { threshold: 0, zlibDeflateOptions: { level: 1 } } };
        const socket = new WebSocket(
          `${edge.url.replace("http", "ws")}/open/a`,
          ["distributary.v1"],
          options,
        );
        const closed = new Promise<number>((resolve) => socket.on("close", resolve));
        socket.on("error", () => {});
        await new Promise<void>((resolve) => socket.on("open", resolve));
        extensions.add(socket.extensions);
        socket.send(bomb, () => {});
        // workerd has closed the WebSocket then, and leaves it to the client to end the connection.
        await expect
          .poll(() => socket.readyState, { timeout: 60_000 })
          .toBeGreaterThanOrEqual(WebSocket.CLOSING);
        socket.terminate();
        codes.push(await closed);
      }
    });

    expect(new Set(codes)).toEqual(new Set([1009]));
    expect(grown).toBeLessThan(MORE_BYTES);
    const kinds = [...extensions].map((one) => one || "no extension").join(", ");
    figure(
      `${many} messages of 64 MiB of zeros (${kinds}), closed with ${[...new Set(codes)]}: ${inMiB(grown)} more`,
    );
  },
  MINUTES,
);

test("bodies are not read where nobody may publish, compressed or not", async () => {
  const body = gzipSync(Buffer.alloc(64 * MIB));
  const grown = await grownBy(async () => {
    for (let i = 0; i < 10; i++) {
      const headers = { "Content-Encoding": "gzip" };
      const answer = await fetch(`${edge.url}/open/a`, { method: "POST", body, headers });
      expect(answer.status).toBe(403);
    }
  });

  expect(grown).toBeLessThan(MORE_BYTES);
});

test("all the while nobody missed anything", async () => {
  const written = await traffic.end();
  expect(written).toBeGreaterThan(100);
  expect((await fetch(`${edge.url}/$/health`)).status).toBe(200);
  figure(`${written} updates meanwhile, none missed`);
});
