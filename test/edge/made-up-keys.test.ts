/** Strangers that make keys up, on workerd as `npm run edge` runs it; 127.128.0.0/9 stands for others' addresses. */
import { globSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { LeanWebSocket } from "../bench/load/websocket.ts";
import { eventually } from "../support/deadline.ts";
import { figure, LONG } from "../support/long.ts";
import { WorkerdEdge } from "../support/workerd-edge.ts";

/** `MADE_UP_KEYS`: fewer, where there is less time. */
const KEYS = LONG ? Number(process.env.MADE_UP_KEYS ?? 1_000_000) : 1_200;
const ADDRESSES = LONG ? 1_000 : 6;
/** So many are under way at once, from so many addresses, and so many stay. */
const AT_ONCE = 30;
const SIDE_BY_SIDE = LONG ? 10 : 6;
const STAY = LONG ? 2_000 : KEYS;
/**
 * What an address is led to a room before it is sent there at once (L16), with those that came beside the last of them, and those
 * that its first minute forgives. Slower ones wouldn't be sent there at all, so each address has its keys one after the other.
 */
const MISSES = 61 + AT_ONCE + 60;
/** Two shards of 16 each. */
const ROOMS = 32;

/** One that has its verdict. */
function subscribe(url: string, n: number): Promise<LeanWebSocket> {
  const round = Math.floor(n / (SIDE_BY_SIDE * Math.ceil(KEYS / ADDRESSES)));
  const who = round * SIDE_BY_SIDE + (n % SIDE_BY_SIDE);
  const localAddress = `127.200.${who >> 8}.${who & 255}`;
  return new Promise((resolve, reject) => {
    const listener = {
      open() {},
      message(bytes: Buffer) {
        expect(JSON.parse(String(bytes))).toMatchObject({ id: 0, ok: { head: "-" } });
        resolve(socket);
      },
      closed: (code: number | undefined, problem: string) =>
        reject(new Error(`key ${n}: ${code}, ${problem}`)),
    };
    const socket = new LeanWebSocket(new URL(`/quotes/made-up-${n}`, url), "distributary.v1", listener, {
      localAddress,
    });
  });
}

/** As many as there are at all shards. */
async function linksOf(url: string): Promise<number> {
  const { shards } = (await (await fetch(`${url}/$/health`)).json()) as {
    readonly shards: readonly { readonly links: number }[];
  };
  return shards.reduce((sum, { links }) => sum + links, 0);
}

/** What the shards have noted, in the files that an edge has left. */
function rowsIn(folder: string): readonly unknown[] {
  const files = globSync(join(folder, "**/ShardObject/*.sqlite"));
  expect(files.length).toBeGreaterThan(0);
  return files.flatMap((file) => {
    const database = new DatabaseSync(file, { readOnly: true });
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE name = 'objects'").all();
    const rows = tables.length === 0 ? [] : database.prepare("SELECT identity FROM objects").all();
    database.close();
    return rows;
  });
}

test(
  "[L16] however many keys strangers make up, each room has one link and a row that comes and goes, and no row, link or memory is left",
  async () => {
    const edge = await WorkerdEdge.start();
    onTestFinished(() => edge.close());
    const url = edge.url.replace("http", "ws");
    const before = await edge.operations();
    const sockets: LeanWebSocket[] = [];
    const megabytes = () => Math.round(edge.residentBytes() / 1_000_000);
    const held: number[] = [];
    const began = performance.now();
    let next = 0;
    const stranger = async () => {
      while (next < KEYS) {
        if (next >= (held.length * KEYS) / 10) held.push(megabytes());
        sockets.push(await subscribe(url, next++));
        if (sockets.length > STAY) sockets.shift()?.cut();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, stranger));
    const seconds = Math.round((performance.now() - began) / 1_000);
    const links = await linksOf(edge.url);
    expect([links > 0, links <= ROOMS]).toEqual([true, true]);
    const after = await edge.operations();
    const more = (name: string) => (after[name] ?? 0) - (before[name] ?? 0);
    expect(more("object_request.endpoint")).toBeLessThanOrEqual(ADDRESSES * MISSES);
    expect(more("object_request.relay")).toBeGreaterThanOrEqual(KEYS);

    for (const socket of sockets) socket.cut();
    await eventually(
      async () => (await linksOf(edge.url)) === 0,
      () => "no links",
    );
    // A room's own database begins with some, and writes down how far it is when it has been quiet.
    const { rows_written: written = 0 } = await edge.operations();
    expect(written - (before.rows_written ?? 0)).toBeLessThan(KEYS / 2);
    figure(
      `${KEYS} made-up keys of ${ADDRESSES} addresses in ${seconds} s, ${STAY} at a time: workerd had ${held.join(", ")} MB, after each tenth, and ${megabytes()} MB in the end`,
    );
    expect(megabytes()).toBeLessThan(1_000);
    await edge.kill();
    expect(rowsIn(edge.folder)).toEqual([]);
  },
  LONG ? 7_200_000 : 240_000,
);
