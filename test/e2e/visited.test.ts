/**
 * Endpoints that had a subscriber once, each with a record, on an edge on Node: their objects are taken out of memory, and what
 * is left of all of them is little. Only in `npm run test:long`: a million; VISITED=100000: fewer.
 */
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import { dwindled, heldBy } from "../support/leftovers.ts";
import { figure } from "../support/long.ts";
import { descendants } from "../support/product.ts";

const ENDPOINTS = Number(process.env.VISITED ?? 1_000_000);
/** These are visited before what is in memory is measured for the first time. */
const WARM = 20_000;
const AT_ONCE = 50;
/** Ports of closed connections rest for a minute: there must be enough. */
const ADDRESSES = 50;
const BATCH = 10_000;
/** An endpoint that nobody follows is detached after 30 s (L5), and its object goes 10 s later. */
const STILL_MS = 60_000;
const LEFT_MEGABYTES = 100;

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({
    topics: { t: { stream: { window: { updates: 1, seconds: 86_400 } } } },
    edgeEnv: { RUNTIME: "node" },
    before: (log) => {
      for (let i = 0; i < ENDPOINTS; i += BATCH)
        log.append(
          "t",
          Array.from({ length: Math.min(BATCH, ENDPOINTS - i) }, (_, j) => ({
            key: utf8(`key-${i + j}`),
            value: utf8(String(i + j)),
          })),
        );
    },
  });
}, 600_000);
afterAll(() => deployment?.stop());

/** Sees the record of an endpoint, and goes. */
async function visit(number: number): Promise<void> {
  const url = deployment.url.replace("http", "ws") + pathOf("t", `key-${number}`);
  const localAddress = `127.0.0.${2 + (number % ADDRESSES)}`;
  const socket = new WebSocket(url, "distributary.v1", { localAddress, perMessageDeflate: false });
  let heard = "";
  while (!heard.includes(`"v":${number}`)) heard += String((await once(socket, "message"))[0]);
  if (number % 2 === 0) socket.terminate();
  else {
    socket.close();
    await once(socket, "close");
  }
}

async function visitAll(from: number, to: number): Promise<void> {
  let next = from;
  const visitor = async () => {
    while (next < to) await visit(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, visitor));
}

async function watchedAndLinks(): Promise<number> {
  const { shards } = (await (await fetch(`${deployment.url}/$/health`)).json()) as {
    readonly shards: readonly { readonly watched: number; readonly links: number }[];
  };
  return shards.reduce((sum, { watched, links }) => sum + watched + links, 0);
}

/** Of the edge's process and those that it started, in MB. */
function resident(): number {
  const edge = deployment.edge?.process.pid ?? 0;
  return [edge, ...descendants(edge)].reduce((sum, pid) => sum + heldBy(pid).residentMegabytes, 0);
}

test(`[L5] of ${ENDPOINTS} endpoints that had a subscriber once no link and no watch is left, and less than ${LEFT_MEGABYTES} MB`, async () => {
  await visitAll(0, WARM);
  expect(await dwindled(watchedAndLinks, 0, STILL_MS)).toBe(0);
  // V8 has kept the young of all of them until their garbage is collected.
  const warm = (await dwindled(resident, resident() / 2, STILL_MS)) ?? 0;

  const began = performance.now();
  await visitAll(WARM, ENDPOINTS);
  const seconds = Math.round((performance.now() - began) / 1_000);
  const most = resident();

  expect(await dwindled(watchedAndLinks, 0, STILL_MS)).toBe(0);
  const left = await dwindled(resident, warm + LEFT_MEGABYTES - 1, STILL_MS);
  figure(
    `${ENDPOINTS} endpoints visited once each, ${Math.round((ENDPOINTS - WARM) / seconds)} a second: the edge on Node had ${warm} MB after the first ${WARM}, ${most} in the end, and ${left} when all had gone`,
  );
  expect(left).toBeLessThan(warm + LEFT_MEGABYTES);
}, 7_200_000);
