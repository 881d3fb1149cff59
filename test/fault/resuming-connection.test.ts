/** A subscriber that is to find faults must see them: it is told what no edge may say. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { eventually } from "../support/deadline.ts";
import { seeded } from "./random.ts";
import { ResumingConnection, type ResumingConnectionSettings } from "./resuming-connection.ts";
import { HASTY } from "./scale.ts";

interface Said {
  readonly id: number;
  readonly sub?: string;
  readonly from?: string;
  readonly unsub?: string;
}

let server: WebSocketServer;
let socket: WebSocket | undefined;
/** By socket, what the client said on it, in order. */
let said: Said[][];
let wrong: string[];
let connection: ResumingConnection | undefined;

beforeEach(async () => {
  [said, wrong, connection] = [[], [], undefined];
  server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  server.on("connection", (one) => {
    socket = one;
    const own: Said[] = [];
    said.push(own);
    one.on("message", (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as Said & { readonly subs?: readonly Said[] };
      own.push(...(frame.subs ?? ("id" in frame ? [frame] : [])));
    });
  });
});
afterEach(async () => {
  const closed = connection?.close();
  for (const one of server.clients) one.terminate();
  await closed;
  server.close();
});

function connect(more: Partial<ResumingConnectionSettings> = {}): ResumingConnection {
  connection = new ResumingConnection({
    name: "c",
    edge: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    endpoints: ["/t/a", "/t/b"],
    random: seeded(1),
    patience: HASTY,
    wanders: Number.POSITIVE_INFINITY,
    heard: () => {},
    written: () => 0,
    wrong: (problem) => wrong.push(problem),
    ...more,
  });
  return connection;
}

const say = (frame: unknown) => socket?.send(JSON.stringify(frame));
const verdict = (id: number, position = "e.0:0") => say({ id, ok: { position, recovered: true } });
const update = (e: string, offset: number, q?: number) =>
  say({ e, p: `e.0:${offset}`, ...(q !== undefined && { q }), t: 0, v: { id: offset } });
/** What was said on the socket of this number, once there is so much. */
const heard = (of: number, count: number) =>
  eventually(() => (said[of]?.length ?? 0) >= count && said[of], `${count} statements on socket ${of}`);
const happenings = (one: ResumingConnection, endpoint: string) =>
  [...one.endpoints].find((of) => of.endpoint === endpoint)?.happenings ?? [];
const told = (one: ResumingConnection, endpoint: string, count: number) =>
  eventually(() => happenings(one, endpoint).length >= count, `${count} happenings of ${endpoint}`);

test("[M11] after a close it subscribes to each again, from its own position", async () => {
  const one = connect();
  expect(await heard(0, 2)).toEqual([
    { id: 1, sub: "/t/a" },
    { id: 2, sub: "/t/b" },
  ]);
  verdict(1);
  verdict(2, "e.0:7");
  update("/t/a", 1, 0);
  await told(one, "/t/a", 2);
  await told(one, "/t/b", 1);
  socket?.terminate();

  expect(await heard(1, 2)).toEqual([
    { id: 1, sub: "/t/a", from: "e.0:1" },
    { id: 2, sub: "/t/b", from: "e.0:7" },
  ]);
  expect(wrong).toEqual([]);
});

test("[P5] what doesn't continue its position is a hole, and asked for again, while others go on", async () => {
  const one = connect();
  await heard(0, 2);
  verdict(1);
  verdict(2);
  update("/t/a", 5, 4);
  update("/t/a", 6, 5);
  update("/t/b", 1, 0);
  const [, , again] = await heard(0, 3);
  await told(one, "/t/b", 2);

  expect(again).toEqual({ id: 3, sub: "/t/a", from: "e.0:0" });
  expect(happenings(one, "/t/a").map(({ kind }) => kind)).toEqual(["verdict", "hole"]);
  expect(happenings(one, "/t/b").map(({ kind }) => kind)).toEqual(["verdict", "update"]);
  expect(wrong).toEqual([]);
});

test("[M8] what is refused for now, or ended, is asked for again, from where it was", async () => {
  const one = connect();
  await heard(0, 2);
  const error = { code: "unavailable", message: "", retry: true };
  say({ id: 1, error });
  verdict(2, "e.0:3");
  await told(one, "/t/b", 1);
  say({ end: "/t/b", error });
  const later = (await heard(0, 4)).slice(2);

  expect(later.find(({ sub }) => sub === "/t/a")?.from).toBeUndefined();
  expect(later.find(({ sub }) => sub === "/t/b")?.from).toBe("e.0:3");
  expect(wrong).toEqual([]);
});

describe("what no edge may say is told of:", () => {
  test.each<[string, () => void, string]>([
    ["an update of what it never asked for", () => update("/t/c", 1), "of /t/c, which it doesn't follow"],
    ["a second answer", () => verdict(1), "to 1, to which none is due"],
    ["an answer to nothing", () => verdict(9), "to 9, to which none is due"],
    [
      "an update after an end",
      () => {
        say({ end: "/t/a", error: { code: "unavailable", message: "", retry: true } });
        update("/t/a", 1, 0);
      },
      "of /t/a, which it doesn't follow",
    ],
  ])("%s", async (_, misbehave, problem) => {
    const one = connect();
    await heard(0, 2);
    verdict(1);
    verdict(2);
    await told(one, "/t/b", 1);
    misbehave();

    await eventually(() => wrong.length > 0, "a complaint");
    expect(wrong).toEqual([expect.stringContaining(problem)]);
  });

  test("[M5] an update after its unsub was answered; one before is no news", async () => {
    const one = connect({ wanders: 1 });
    const own = await heard(0, 2);
    verdict(1);
    verdict(2);
    const unsub = await eventually(() => own.find((frame) => frame.unsub !== undefined), "an unsub");
    const path = unsub.unsub ?? "";
    await told(one, path, 1);
    update(path, 1, 0);
    say({ id: unsub.id, ok: { unsub: path } });
    update(path, 2, 1);

    await eventually(() => wrong.length > 0, "a complaint");
    expect(wrong[0]).toContain(`e.0:2 of ${path}, which it doesn't follow`);
  });

  test("[M4] an answer that overtakes an earlier one of its endpoint", async () => {
    connect({ wanders: 1 });
    const own = await heard(0, 2);
    const unsub = await eventually(() => own.find((frame) => frame.unsub !== undefined), "an unsub");
    say({ id: unsub.id, ok: { unsub: unsub.unsub } });

    await eventually(() => wrong.length > 0, "a complaint");
    expect(wrong[0]).toContain("is answered before its sub");
  });
});
