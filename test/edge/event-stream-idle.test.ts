/** Clients of event streams that are idle, or go: on workerd itself, since what a harness puts before it hides who has gone. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { figure, LONG } from "../support/long.ts";
import { RawEvents } from "../support/raw-events.ts";
import type { ScriptedOrigin } from "../support/scripted-origin.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { WorkerdEdge } from "../support/workerd-edge.ts";

let edge: WorkerdEdge;
let origin: ScriptedOrigin;
let url: string;
let keys = 0;

beforeAll(async () => {
  edge = await WorkerdEdge.start();
  ({ origin, url } = edge);
}, 60_000);
afterAll(() => edge.close());

/** Of a key with a record: its subscribers are its own object's. */
function newPath(): string {
  const path = `/quotes/leaving-${++keys}`;
  origin.append(path, 0);
  return path;
}

const operation = async (name: string) => (await edge.operations())[name] ?? 0;

/** A live client, as bytes on a connection. */
async function open(path: string): Promise<Socket> {
  const socket = connect(edge.port, "127.0.0.1");
  socket.on("error", () => {});
  let said = "";
  socket.on("data", (data) => {
    said += String(data);
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${edge.port}\r\nAccept: text/event-stream\r\n\r\n`);
  await eventually(() => said.includes("event: verdict"), "a verdict");
  await eventually(() => origin.linksOf(path).length > 0, "it is live");
  return socket;
}

/** How many subscribers an update was sent to. The one that is watched for says when it has been. */
async function reached(path: string, witness: RawEvents): Promise<number> {
  const before = await operation("websocket_message_out.endpoint");
  const { length } = witness.updates;
  origin.append(path, 1);
  await witness.until(({ updates }) => updates.length > length, "the update");
  return (await operation("websocket_message_out.endpoint")) - before - 1;
}

/** A live subscriber that stays. */
async function witnessOf(path: string): Promise<RawEvents> {
  return new RawEvents(`${url}${path}`).until(({ updates }) => updates.length > 0, "the record");
}

// First, since objects whose clients have left wake once more to hear of it.
test("[E5] [E6] [S6] an object that is idle is really taken out of memory under its streams and their heartbeats, and misses nothing", async () => {
  const path = newPath();
  const witness = await witnessOf(path);
  await eventually(() => origin.linksOf(path).length > 0, "it is live");
  const before = await operation("object_created.endpoint");
  // workerd evicts after ten idle seconds; an object tells of itself only when it wakes.
  await witness.until(({ comments }) => comments > 0, "a heartbeat");
  const asleep = await operation("object_created.endpoint");
  origin.append(path, 1);
  await witness.until(({ updates }) => updates.length === 2, "an update");

  expect(asleep).toBe(before);
  expect(await operation("object_created.endpoint")).toBe(before + 1);
  expect(witness.violations).toEqual([]);
  witness.cut();
});

test("[E6] a client whose connection is reset has left its object at once: nothing need be written for that", async () => {
  // If it took a write, the first update would reach those that have gone, each time.
  await eventually(async () => {
    const path = newPath();
    const sockets = [await open(path), await open(path)];
    const witness = await witnessOf(path);
    for (const socket of sockets) socket.resetAndDestroy();
    await operation("worker_request");
    const others = await reached(path, witness);
    witness.cut();
    return others === 0;
  }, "both have left before the first update");
});

test("[E5] [E6] one that just hangs up has left with the first thing that is written to it, a heartbeat at the latest", async () => {
  const [active, idle] = [newPath(), newPath()];
  const witness = await witnessOf(active);
  const socket = await open(active);
  const sleeper = await open(idle);
  socket.destroy();
  sleeper.destroy();
  await eventually(async () => (await reached(active, witness)) === 0, "it has left");
  // The heartbeat finds out, and after the linger nobody is interested any more.
  await eventually(
    () => origin.detaches.some(({ endpoint }) => endpoint === idle),
    "interest in what nobody reads is 0",
    120_000,
  );

  expect(origin.linksOf(idle)).toEqual([]);
  expect(origin.linksOf(active)).toHaveLength(1);
  witness.cut();
}, 150_000);

test("[E6] a thousand streams that come and go leave nothing behind", async () => {
  const paths = Array.from({ length: 20 }, newPath);
  for (let round = 0; round < 50; round++) {
    const sockets = await Promise.all(paths.map((path) => open(path)));
    for (const socket of sockets) {
      const gone = once(socket, "close");
      if (round % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
      await gone;
    }
  }
  for (const path of paths) {
    const witness = await witnessOf(path);
    await eventually(async () => (await reached(path, witness)) === 0, "only the witness is left");
    witness.cut();
  }
}, 150_000);

const CUTS = LONG ? 1_000 : 60;

test(`[E3] [E6] [E7] [H12] [H13] [S6] [S9] ${CUTS} cuts under streams and polls, wherever they fall, pin no object: each sleeps again, and wakes for the next update`, async () => {
  const paths = Array.from({ length: 8 }, newPath);
  for (const path of paths) origin.append(path, 0, "cuts.0");
  const witnesses = await Promise.all(paths.map(witnessOf));
  await eventually(() => paths.every((path) => origin.linksOf(path).length > 0), "all are live");
  const proxy = await TcpProxy.open(edge.port);
  const base = `http://127.0.0.1:${proxy.port}`;
  for (let cut = 0; cut < CUTS; cut++) {
    const path = paths[cut % paths.length] ?? "";
    const some = [0, 1, 2].map((i) => `sub=${paths[(cut + i) % paths.length]}`).join("&");
    const streams = [path, path, `/$/connect?${some}`].map((one) => new RawEvents(`${base}${one}`));
    const head = origin.headOf(path);
    const waits = { Prefer: "wait=20", Connection: "close" };
    const answered = Promise.allSettled([
      fetch(`${base}${path}`, { headers: { ...waits, "If-None-Match": `"${head}"` } }),
      fetch(`${base}${path}?from=${head}`, { headers: waits }),
    ]);
    // Before they are let in, while they are, or when they have their verdicts.
    const enough = cut % 4;
    if (enough < 2) await new Promise((resolve) => setTimeout(resolve, 4 * enough + (cut % 7)));
    else await streams[0]?.until(({ events, ended }) => ended || events.length >= enough - 1, "a verdict");
    await eventually(async () => {
      proxy.cut();
      return (await Promise.race([answered, undefined])) && streams.every(({ ended }) => ended);
    }, "all hear of the cut");
  }
  await proxy.close();

  // workerd evicts after ten idle seconds; an object tells of itself only when it wakes. Those that were left behind are
  // let go of in half a minute.
  let written = 0;
  const woken: number[] = [];
  await eventually(
    async () => {
      const comments = witnesses.map((witness) => witness.comments);
      await Promise.all(
        witnesses.map((witness, i) =>
          witness.until((one) => one.comments > (comments[i] ?? 0), "a heartbeat"),
        ),
      );
      const before = await operation("object_created.endpoint");
      written++;
      for (const path of paths) origin.append(path, written, "cuts.0");
      await Promise.all(
        witnesses.map((one) => one.until(({ updates }) => updates.length === written + 1, "an update")),
      );
      woken.push((await operation("object_created.endpoint")) - before);
      return woken.at(-1) === paths.length;
    },
    () => `all sleep; of ${paths.length} there woke ${woken}`,
    150_000,
  );
  for (const witness of witnesses) {
    expect(witness.violations).toEqual([]);
    witness.cut();
  }
  figure(`${CUTS} cuts under event streams and long-polls: all ${paths.length} objects slept again`);
}, 600_000);
