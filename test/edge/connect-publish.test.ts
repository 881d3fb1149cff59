/** Publishing on a connection of many endpoints, on the real runtime, with an origin that does what it is told. */
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { shardOf } from "../../shared/protocol/address.ts";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { AUTH_ISSUERS, tokenOf } from "../support/tokens.ts";

/** As the harness has it. */
const SHARDS = 2;
/** Of everybody here who says nothing else. */
const RELAY = "weur-0";

let edge: TestEdge;
let origin: ScriptedOrigin;
let keys = 0;

beforeAll(async () => {
  edge = await startEdge({
    ...{ AUTH_ISSUERS, RELAYS: "1" },
    ...{ CONNECTION_PUBLISHES_PER_SECOND: "100000", CONNECTION_PUBLISHES_BURST: "100000" },
  });
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

async function connect(headers: Record<string, string> = {}): Promise<RawConnection> {
  const client = new RawConnection(`${edge.wsUrl}/$/connect?client=me`, headers);
  onTestFinished(() => client.close());
  return client.open();
}

/** Of a key that no test has used, whose shard is this one. */
function pathOn(shard: number): string {
  for (;;) {
    const path = `/quotes/published-${++keys}`;
    if (shardOf(path, SHARDS) === shard) return path;
  }
}

const closed = (client: RawConnection) => client.until((one) => one.closed !== undefined, "the close");
const textOf = (value: Uint8Array | null | undefined) => value && new TextDecoder().decode(value);
const binary = (head: object, bytes: Uint8Array) =>
  new Uint8Array(Buffer.concat([Buffer.from(`${JSON.stringify({ ...head, n: bytes.length })}\n`), bytes]));
const created = async () => Number((await edge.operations())["object_created.endpoint"]);

describe("what is published on a connection", () => {
  test("[W21] [W22] [W23] reaches the source byte for byte, of any endpoint, and is answered with the position", async () => {
    const client = await connect();
    const [one, other] = [pathOn(0), pathOn(1)];
    client.send(`{"id":1,"pub":"${one}","v":{ "bid": 229.10 },"idempotencyKey":"c0ffee"}`);
    client.send({ id: 2, pub: other, s: "text", h: [["a", "é"]] });
    client.send({ id: 3, pub: one, d: true });
    client.send(binary({ id: 4, pub: other }, new Uint8Array([0, 255, 10, 30])));
    await client.answered([1, 2, 3, 4]);

    expect([...client.answers.values()]).toEqual(Array(4).fill({ position: "e.0:7" }));
    const of = (path: string) => origin.publishes.filter(({ endpoint }) => endpoint === path);
    expect(of(one).map(({ value }) => textOf(value))).toEqual(['{ "bid": 229.10 }', null]);
    expect(of(one)[0]).toMatchObject({ key: "c0ffee", by: "client", issuer: "", subject: "", shard: 0 });
    expect(of(other).map(({ by, shard }) => [by, shard])).toEqual(Array(2).fill(["edge", 1]));
    expect(of(other)[0]?.headers).toEqual([["a", "é"]]);
    expect(of(other)[1]?.value).toEqual(new Uint8Array([0, 255, 10, 30]));
  });

  test("[W10] [W24] makes no object of its endpoint, and reaches it in the order in which it was sent", async () => {
    const client = await connect();
    // There are links then: only some publishes are held until there are.
    client.send({ id: 1, pub: pathOn(0), v: 1 });
    client.send({ id: 2, pub: pathOn(1), v: 1 });
    await client.answered([1, 2]);
    const path = pathOn(0);
    const before = await created();
    const ids = Array.from({ length: 300 }, (_, i) => i + 3);
    for (const id of ids) client.send({ id, pub: path, v: id });
    for (const id of ids) client.send({ id: 300 + id, pub: pathOn(id % 2), v: id });
    await client.answered(Array.from({ length: 602 }, (_, i) => i + 1));

    const values = origin.publishes
      .filter(({ endpoint }) => endpoint === path)
      .map(({ value }) => textOf(value));
    expect(values.map(Number)).toEqual(ids);
    expect(await created()).toBe(before);
  });

  test("[W22] may have 1 MiB, in a message of 16 KiB more", async () => {
    const client = await connect();
    const path = pathOn(1);
    client.send(binary({ id: 1, pub: path }, new Uint8Array(1024 * 1024).fill(255)));
    client.send({ id: 2, pub: path, s: "x".repeat(1024 * 1024 + 1) });
    await client.answered([1, 2]);
    expect([...client.answers]).toEqual(
      expect.arrayContaining([
        [1, { position: "e.0:7" }],
        [2, "too_large"],
      ]),
    );
    client.send(new Uint8Array(1024 * 1024 + 16 * 1024 + 1));
    await closed(client);

    expect(client.closed).toEqual({ code: 4501, reason: "frame_too_large" });
  });

  test("[W23] is seen at that position on the same connection by whom it follows", async () => {
    const client = await connect();
    const path = pathOn(0);
    const [id = 0] = client.subscribe([path]);
    await client.answered([id]);
    origin.published = () => {
      origin.append(path, "published");
      return { position: "e.0:7" };
    };
    client.send({ id: 10, pub: path, v: "published" });
    await client.until((one) => one.of(path).values.length === 1, "the update");
    await client.answered([10]);

    expect([client.of(path).values, client.violations]).toEqual([["published"], []]);
  });

  test("[W26] [W10] is answered over a hibernation of the relay, which is woken by that alone", async () => {
    const client = await connect();
    const path = pathOn(1);
    origin.published = () => undefined;
    client.send({ id: 1, pub: path, v: 1 });
    await eventually(() => origin.publishes.length > 0, "the publish");
    await edge.evictRelay(RELAY);
    origin.answerPublish(path, origin.publishes[0]?.id ?? 0, { position: "e.0:8" });
    await client.answered([1]);
    expect(client.answers.get(1)).toEqual({ position: "e.0:8" });

    origin.published = () => ({ position: "e.0:9" });
    client.send({ id: 2, pub: path, v: 2 });
    await client.answered([2]);
    expect(client.answers.get(2)).toEqual({ position: "e.0:9" });
  });

  test("[W27] while its shard dies is told to be unknown, and the next publish works, on another shard meanwhile, too", async () => {
    const [client, other] = [await connect(), await connect()];
    const [dies, lives] = [pathOn(0), pathOn(1)];
    origin.published = () => undefined;
    client.send({ id: 1, pub: dies, v: 1 });
    other.send({ id: 1, pub: lives, v: 1 });
    await eventually(() => origin.publishes.length === 2, "both publishes");
    await edge.crashShard(0);
    await client.until(({ others }) => others.length > 0, "what nobody knows");
    expect(client.others).toEqual([
      { error: expect.objectContaining({ code: "unknown_outcome", retry: true }) },
    ]);

    origin.published = () => ({ position: "e.0:9" });
    const kept = origin.publishes.find(({ endpoint }) => endpoint === lives);
    origin.answerPublish(lives, kept?.id ?? 0, { position: "e.0:8" });
    await other.answered([1]);
    expect([other.answers.get(1), other.others]).toEqual([{ position: "e.0:8" }, []]);
    await origin.connect();
    // The shard links whom it knew anew, and that link ends at once if it isn't needed: one that came just then nobody knows of either.
    let id = 1;
    do {
      const unknown = client.others.length;
      client.send({ id: ++id, pub: dies, v: 2 });
      await client.until(({ answers, others }) => answers.has(id) || others.length > unknown, "an answer");
    } while (!client.answers.has(id));
    expect(id).toBeLessThanOrEqual(3);
    client.send({ id: id + 1, pub: lives, v: 2 });
    await client.answered([id + 1]);
    expect([client.answers.get(id), client.answers.get(id + 1)]).toEqual(
      Array(2).fill({ position: "e.0:9" }),
    );
  });

  test("[W4] [W22] is judged by its path and by the token, whatever that lets one read", async () => {
    const client = await connect({ Authorization: `Bearer ${await tokenOf({ publish: ["/orders/*"] })}` });
    client.send({ id: 1, pub: "/flights/ATL", v: 1 });
    client.send({ id: 2, pub: "/nowhere/x", v: 1 });
    client.send({ id: 3, pub: "/quotes/%61", v: 1 });
    client.send({ id: 4, pub: "/quotes", v: 1 });
    client.send({ id: 5, pub: pathOn(0), v: 1 });
    await client.answered([1, 2, 3, 4, 5]);

    expect([1, 2, 3, 4].map((id) => client.answers.get(id))).toEqual([
      "forbidden",
      "unknown_topic",
      "bad_address",
      "not_found",
    ]);
    expect(client.answers.get(5)).toEqual({ position: "e.0:7" });
    expect(origin.publishes).toHaveLength(1);
    expect(origin.publishes[0]?.subject).not.toBe("");
  });
});

describe("hostile frames", () => {
  test.each([
    ["[W21] without a value", { v: undefined }, "bad_frame"],
    ["[W2] with too many headers", { h: Array.from({ length: 51 }, (_, i) => [`h${i}`, ""]) }, "bad_request"],
    ["[W3] with a key of 1 KB", { idempotencyKey: "k".repeat(1_024) }, "bad_request"],
  ])("%s are refused by their id, and the next publish works", async (_, more, code) => {
    const client = await connect();
    client.send({ id: 1, pub: pathOn(0), v: 1, ...more });
    client.send({ id: 2, pub: pathOn(0), v: 2 });
    await client.answered([1, 2]);

    expect([client.answers.get(1), client.answers.get(2)]).toEqual([code, { position: "e.0:7" }]);
    expect(origin.publishes).toHaveLength(1);
  });

  test.each([
    ["[S7] that are no JSON", '{"id":1,"pub":"/quotes/a","v":{}', 4500],
    ["[M2] with an id that isn't larger", '{"id":0,"pub":"/quotes/a","v":1}', 4500],
    ["[W22] that are large and publish nothing", `{"id":1,"x":"${"x".repeat(20_000)}"}`, 4501],
    ["[S7] of bytes that are no frame", new Uint8Array(20), 4500],
  ])("%s end their connection, and the next publish of anybody works", async (_, message, code) => {
    const [client, other] = [await connect(), await connect()];
    client.send(message);
    await closed(client);
    other.send({ id: 1, pub: pathOn(0), v: 1 });
    await other.answered([1]);

    expect(client.closed?.code).toBe(code);
    expect(other.answers.get(1)).toEqual({ position: "e.0:7" });
  });
});
