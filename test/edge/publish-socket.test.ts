/** Publishing on an endpoint's own socket, on the real runtime, with an origin that does what it is told. */
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { shardOf } from "../../shared/protocol/address.ts";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

/** As the harness has it. */
const SHARDS = 2;

let edge: TestEdge;
let origin: ScriptedOrigin;

beforeAll(async () => {
  edge = await startEdge({ CONNECTION_PUBLISHES_PER_SECOND: "100000", CONNECTION_PUBLISHES_BURST: "100000" });
  origin = await new ScriptedOrigin({ url: edge.url, name: "active" }).connect();
}, 60_000);
afterAll(async () => {
  origin.cut();
  await edge.close();
});
beforeEach(() => {
  origin.publishes.splice(0);
  origin.published = () => ({ position: "e.0:7" });
});

/** A client of an endpoint that has its verdict. */
async function connect(path: string, at = edge): Promise<RawSubscriber> {
  const client = new RawSubscriber(`${at.wsUrl}${path}`);
  onTestFinished(() => client.close());
  await client.verdict();
  return client;
}

/** The answers to so many frames, in the order in which they came. */
async function answers(
  client: RawSubscriber,
  count: number,
  deadlineMs = 30_000,
): Promise<Record<string, unknown>[]> {
  await client.until(({ others }) => others.length >= count, `${count} answers`, deadlineMs);
  return client.others;
}

const textOf = (value: Uint8Array | null | undefined) => value && new TextDecoder().decode(value);
const binary = (head: object, bytes: Uint8Array) =>
  new Uint8Array(Buffer.concat([Buffer.from(`${JSON.stringify({ ...head, n: bytes.length })}\n`), bytes]));
const refused = (id: number | undefined, code: string) =>
  expect.objectContaining({
    ...(id !== undefined && { id }),
    error: expect.objectContaining({ code, message: expect.any(String) }),
  });

describe("what is published", () => {
  test("[W21] [W23] is the value byte for byte, with its key and headers, and is answered with the position", async () => {
    const client = await connect("/quotes/FORMS");
    const h = [
      ["a", "é"],
      ["b", "AP8=", "base64"],
    ];
    client.send('{"id":1,"pub":"/quotes/FORMS","v":{ "bid": 229.10 },"idempotencyKey":"c0ffee"}');
    client.send({ id: 2, pub: "/quotes/FORMS", s: "text", h });
    client.send({ id: 3, pub: "/quotes/FORMS", d: true });
    client.send(binary({ id: 4, pub: "/quotes/FORMS" }, new Uint8Array([0, 255, 10, 30])));

    expect(await answers(client, 4)).toEqual([1, 2, 3, 4].map((id) => ({ id, ok: { position: "e.0:7" } })));
    const [json, text, tombstone, bytes] = origin.publishes;
    expect(origin.publishes).toHaveLength(4);
    expect(json).toMatchObject({
      endpoint: "/quotes/FORMS",
      key: "c0ffee",
      by: "client",
      issuer: "",
      subject: "",
    });
    expect(textOf(json?.value)).toBe('{ "bid": 229.10 }');
    expect(text).toMatchObject({
      by: "edge",
      headers: [
        ["a", "é"],
        ["b", new Uint8Array([0, 255])],
      ],
    });
    expect([textOf(text?.value), tombstone?.value]).toEqual(["text", null]);
    expect(bytes?.value).toEqual(new Uint8Array([0, 255, 10, 30]));
  });

  test("[W24] without waiting reaches the origin in the order in which it was sent, each answered by its id", async () => {
    const client = await connect("/quotes/ORDER");
    const ids = Array.from({ length: 500 }, (_, i) => i + 1);
    for (const id of ids) client.send({ id, pub: "/quotes/ORDER", v: id });

    const all = await answers(client, ids.length);
    expect(origin.publishes.map(({ value }) => Number(textOf(value)))).toEqual(ids);
    expect(all.map(({ id }) => id)).toEqual(ids);
  });

  test("[W22] may have 1 MiB, in a message of 16 KiB more", async () => {
    const client = await connect("/quotes/LARGE");
    const bytes = new Uint8Array(1024 * 1024).fill(255);
    client.send(binary({ id: 1, pub: "/quotes/LARGE" }, bytes));
    client.send({ id: 2, pub: "/quotes/LARGE", s: "x".repeat(1024 * 1024) });
    client.send({ id: 3, pub: "/quotes/LARGE", s: "x".repeat(1024 * 1024 + 1) });

    expect(await answers(client, 3)).toContainEqual(refused(3, "too_large"));
    expect(origin.publishes.map(({ value }) => value?.length)).toEqual([bytes.length, bytes.length]);
    client.send(new Uint8Array(1024 * 1024 + 16 * 1024 + 1));
    await client.until(({ closed }) => closed !== undefined, "the close");
    expect(client.closed).toEqual({ code: 4501, reason: "frame_too_large" });
  });

  test("[W10] [W26] is answered over a hibernation of the object that has the socket", async () => {
    const client = await connect("/quotes/SLEEPS");
    origin.published = () => undefined;
    client.send({ id: 1, pub: "/quotes/SLEEPS", v: 1 });
    await eventually(() => origin.publishes.length > 0, "the publish");
    await edge.evict("/quotes/SLEEPS");
    origin.answerPublish("/quotes/SLEEPS", origin.publishes[0]?.id ?? 0, { position: "e.0:8" });

    expect(await answers(client, 1)).toEqual([{ id: 1, ok: { position: "e.0:8" } }]);
    origin.published = () => ({ position: "e.0:9" });
    client.send({ id: 2, pub: "/quotes/SLEEPS", v: 2 });
    expect(await answers(client, 2)).toContainEqual({ id: 2, ok: { position: "e.0:9" } });
  });

  test.each([
    ["awake", false],
    ["asleep", true],
  ])(
    "[W27] while its shard dies is told to be unknown, the object being %s, and the next publish works",
    async (state, sleeps) => {
      const path = `/quotes/DIES-${state}`;
      const client = await connect(path);
      origin.published = () => undefined;
      client.send({ id: 1, pub: path, v: 1 });
      await eventually(() => origin.publishes.length > 0, "the publish");
      if (sleeps) await edge.evict(path);
      await edge.crashShard(shardOf(path, SHARDS));

      expect(await answers(client, 1)).toEqual([refused(undefined, "unknown_outcome")]);
      expect(client.others[0]).not.toHaveProperty("id");
      origin.published = () => ({ position: "e.0:9" });
      await origin.connect();
      client.send({ id: 2, pub: path, v: 2 });
      expect(await answers(client, 2)).toContainEqual({ id: 2, ok: { position: "e.0:9" } });
    },
  );

  test("[W23] that the source doesn't take is refused as over HTTP, and says when to come back", async () => {
    const client = await connect("/quotes/REFUSED");
    for (const [i, code] of [
      "unknown_topic",
      "too_large",
      "invalid",
      "id_reused",
      "id_not_kept",
      "forbidden",
      "overloaded",
    ].entries()) {
      origin.published = () => ({ error: { code, message: "it says why" } });
      client.send({ id: i + 1, pub: "/quotes/REFUSED", v: 1 });
      await answers(client, i + 1);
    }

    expect(client.others.map(({ error }) => (error as { code: string }).code)).toEqual([
      "unknown_topic",
      "too_large",
      "bad_request",
      "id_reused",
      "id_not_kept",
      "not_writable",
      "overloaded",
    ]);
    expect(client.others.at(-2)).toMatchObject({ error: { retry: true, retryAfterMs: 1_000 } });
    expect(client.others.at(-1)).toMatchObject({ error: { retry: true, retryAfterMs: 1_000 } });
  });
});

describe("hostile frames", () => {
  const long = "k".repeat(1_024);
  test.each([
    ["[W22] of another path", { pub: "/quotes/OTHER" }, "unsupported"],
    ["[W22] of a path that is none", { pub: "/%" }, "unsupported"],
    ["[W21] without a value", { v: undefined }, "bad_frame"],
    ["[W21] with two", { s: "1" }, "bad_frame"],
    ["[W21] with headers that aren't any", { h: { a: "b" } }, "bad_frame"],
    ["[W2] with a header of the origin's own", { h: [["$distributary", "AA==", "base64"]] }, "bad_request"],
    ["[W2] with too many headers", { h: Array.from({ length: 51 }, (_, i) => [`h${i}`, ""]) }, "bad_request"],
    ["[W2] with headers of 16 KiB and more", { h: [["a", "a".repeat(16_384)]] }, "bad_request"],
    ["[W3] with a key of 1 KB", { idempotencyKey: long }, "bad_request"],
    ["[W3] with an empty key", { idempotencyKey: "" }, "bad_request"],
  ])("%s are refused by their id, and the next publish works", async (_, more, code) => {
    const client = await connect("/quotes/HOSTILE");
    client.send({ id: 1, pub: "/quotes/HOSTILE", v: 1, ...more });
    client.send({ id: 2, pub: "/quotes/HOSTILE", v: 2 });

    expect(await answers(client, 2)).toEqual([refused(1, code), { id: 2, ok: { position: "e.0:7" } }]);
    expect(origin.publishes).toHaveLength(1);
  });

  test.each([
    ["[S7] that are no JSON", '{"id":1,"pub":"/quotes/HOSTILE","v":{}', 4500],
    ["[S7] without an id", '{"pub":"/quotes/HOSTILE","v":1}', 4500],
    ["[S7] with an id that isn't larger", '{"id":0,"pub":"/quotes/HOSTILE","v":1}', 4500],
    ["[W22] that are large and publish nothing", `{"id":1,"x":"${"x".repeat(20_000)}"}`, 4501],
    ["[W22] of bytes that are no frame", new Uint8Array(20_000), 4501],
  ])("%s end their socket, and the next publish of anybody works", async (_, message, code) => {
    const [client, other] = [await connect("/quotes/HOSTILE"), await connect("/quotes/HOSTILE")];
    client.send(message);
    await client.until(({ closed }) => closed !== undefined, "the close");
    other.send({ id: 1, pub: "/quotes/HOSTILE", v: 1 });

    expect(client.closed?.code).toBe(code);
    expect(await answers(other, 1)).toEqual([{ id: 1, ok: { position: "e.0:7" } }]);
  });

  test("[W22] of who may not publish are refused, and large ones end the socket unread", async () => {
    const client = await connect("/flights/ATL");
    client.send({ id: 1, pub: "/flights/ATL", v: 1 });
    expect(await answers(client, 1)).toEqual([refused(1, "forbidden")]);
    client.send({ id: 2, pub: "/flights/ATL", s: "x".repeat(20_000) });
    await client.until(({ closed }) => closed !== undefined, "the close");

    expect(client.closed?.code).toBe(4501);
    expect(origin.publishes).toEqual([]);
  });

  test("[W3] [C5] more keys of one client than a partition has room for are each answered, and the next publish works", async () => {
    const [client, other] = [await connect("/quotes/MANY"), await connect("/quotes/MANY")];
    const count = 1_500;
    for (let id = 1; id <= count; id++)
      client.send({ id, pub: "/quotes/MANY", v: id, idempotencyKey: `key-${id}` });

    const all = await answers(client, count, 150_000);
    // Too many wait, or a busy machine takes too long: all of that may be tried again.
    for (const { error } of all) if (error !== undefined) expect(error).toMatchObject({ retry: true });
    expect(new Set(all.map(({ id }) => id)).size).toBe(count);
    other.send({ id: 1, pub: "/quotes/MANY", v: 1 });
    expect(await answers(other, 1)).toEqual([{ id: 1, ok: { position: "e.0:7" } }]);
  }, 180_000);
});

test("[W25] [S20] who publishes too much is told when to go on, is closed in the end, and keeps nobody else", async () => {
  const careful = await startEdge({ CONNECTION_PUBLISHES_PER_SECOND: "1", CONNECTION_PUBLISHES_BURST: "5" });
  onTestFinished(() => careful.close());
  const source = await new ScriptedOrigin({ url: careful.url, name: "active" }).connect();
  onTestFinished(() => source.cut());
  const [eager, calm] = [await connect("/quotes/A", careful), await connect("/quotes/A", careful)];
  for (let id = 1; id <= 20; id++) eager.send({ id, pub: "/quotes/A", v: 1 });
  const all = await answers(eager, 20);

  for (const id of [1, 2, 3, 4, 5]) expect(all).toContainEqual({ id, ok: { position: "e.0:7" } });
  const tooMuch = all.filter(({ error }) => (error as { code: string } | undefined)?.code === "rate_limited");
  expect(tooMuch.length).toBeGreaterThan(0);
  for (const one of tooMuch)
    expect(one).toMatchObject({ error: { retry: true, retryAfterMs: expect.any(Number) } });
  for (let id = 21; id <= 250; id++) eager.send({ id, pub: "/quotes/A", v: 1 });
  await eager.until(({ closed }) => closed !== undefined, "the close");
  expect(eager.closed?.reason).toBe("rate_limited");
  calm.send({ id: 1, pub: "/quotes/A", v: 1 });
  expect(await answers(calm, 1)).toEqual([{ id: 1, ok: { position: "e.0:7" } }]);
}, 120_000);
