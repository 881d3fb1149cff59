/**
 * What workerd keeps of sockets that were opened and closed, in bursts: each burst uses again what the one before has left.
 * In `npm run test:long` only: it takes many to tell a leak from what the runtime sets aside.
 */
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { figure, LONG } from "../support/long.ts";
import { WorkerdEdge } from "../support/workerd-edge.ts";

const BURST = 1_000;
const BURSTS = 10;
/** So many are opened at a time. */
const AT_ONCE = 50;
/** Of each socket of the second half at most: less than a socket takes that is open. */
const KEPT_BYTES = 3_000;
const KEY = "/quotes/key";

/** One that has its verdict. Addresses differ, so that neither quotas nor ports run out. */
async function open(url: string, number: number): Promise<WebSocket> {
  const localAddress = `127.200.0.${1 + (number % 200)}`;
  const socket = new WebSocket(url, "distributary.v1", { localAddress });
  const [message] = (await once(socket, "message")) as [Buffer];
  expect(String(message)).toContain('"id":0,"ok"');
  return socket;
}

/** Every other one goes without a word. */
async function leave(socket: WebSocket, number: number): Promise<void> {
  const closed = once(socket, "close");
  if (number % 2 === 0) socket.close();
  else socket.terminate();
  await closed;
}

test.runIf(LONG).each([
  ["of one endpoint", () => KEY],
  ["each of another key without a record", (number: number) => `/quotes/made-up-${number}`],
])(
  "memory comes to rest, however many sockets are opened and closed: %s",
  async (which, path) => {
    const edge = await WorkerdEdge.start();
    onTestFinished(() => edge.close());
    edge.origin.append(KEY, 1);
    const url = edge.url.replace("http", "ws");
    const megabytes = () => Math.round(edge.residentBytes() / 1e6);
    const [opened, closed] = [[megabytes()], [megabytes()]];
    for (let burst = 0; burst < BURSTS; burst++) {
      const sockets: WebSocket[] = [];
      while (sockets.length < BURST) {
        const first = burst * BURST + sockets.length;
        const some = Array.from({ length: AT_ONCE }, (_, i) => open(url + path(first + i), first + i));
        sockets.push(...(await Promise.all(some)));
      }
      opened.push(megabytes());
      await Promise.all(sockets.map(leave));
      closed.push(megabytes());
    }
    figure(
      `${BURSTS} bursts of ${BURST} sockets, ${which}: workerd had ${opened.join(", ")} MB with them open, and ${closed.join(", ")} MB with them closed`,
    );
    const half = BURSTS / 2;
    const grown = ((closed[BURSTS] ?? 0) - (closed[half] ?? 0)) * 1e6;
    expect(grown / (half * BURST)).toBeLessThan(KEPT_BYTES);
  },
  3_600_000,
);
