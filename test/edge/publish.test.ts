/** Publishing over HTTP, on the real runtime, with an origin that does what it is told. */
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

let edge: TestEdge;
let origin: ScriptedOrigin;

beforeAll(async () => {
  edge = await startEdge({ PUBLISH_MAX_BYTES: "100000" });
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

function publish(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${edge.url}${path}`, { method: "POST", ...init });
}

async function codeOf(answer: Response): Promise<string> {
  const { error } = (await answer.json()) as { error: { code: string } };
  return error.code;
}

describe("what is published", () => {
  test("[W1] [W5] is the body byte for byte, and is answered with the position", async () => {
    const bytes = new Uint8Array([0, 255, 10, 30, 9, 123]);
    const answer = await publish("/quotes/caf%C3%A9", { body: bytes });

    expect(answer.status).toBe(201);
    expect(answer.headers.get("ETag")).toBe('"e.0:7"');
    expect(answer.headers.get("Cache-Control")).toBe("no-store");
    expect(await answer.json()).toEqual({ position: "e.0:7" });
    expect(origin.publishes).toHaveLength(1);
    expect(origin.publishes[0]).toMatchObject({ endpoint: "/quotes/caf%C3%A9", headers: [], claim: true });
    expect(origin.publishes[0]?.value).toEqual(bytes);
  });

  test("[W1] without a body is an empty value, and no tombstone", async () => {
    await publish("/quotes/EMPTY");

    expect(origin.publishes[0]?.value).toEqual(new Uint8Array(0));
  });

  test("[W1] of a DELETE is a tombstone", async () => {
    const answer = await publish("/quotes/AAPL", { method: "DELETE" });

    expect(answer.status).toBe(201);
    expect(origin.publishes[0]?.value).toBeNull();
  });

  test("[W1] of another spelling of a path is redirected, whatever the method", async () => {
    const answer = await publish("/quotes/a%41", { redirect: "manual", body: "1" });

    expect(answer.status).toBe(308);
    expect(answer.headers.get("Location")).toBe("/quotes/aA?respelled");
    expect(origin.publishes).toEqual([]);
  });

  test("[W1] may have so many bytes and no more, told or not how many come", async () => {
    expect((await publish("/quotes/A", { body: new Uint8Array(100_000) })).status).toBe(201);
    const large = await publish("/quotes/A", { body: new Uint8Array(100_001) });
    const chunks = new ReadableStream({
      start: (controller) => {
        for (let i = 0; i < 3; i++) controller.enqueue(new Uint8Array(40_000));
        controller.close();
      },
    });
    const streamed = await publish("/quotes/A", { body: chunks, duplex: "half" } as RequestInit);

    expect([large.status, streamed.status]).toEqual([413, 413]);
    expect([await codeOf(large), await codeOf(streamed)]).toEqual(["too_large", "too_large"]);
    expect(origin.publishes).toHaveLength(1);
  });

  test("[W2] has the headers that its request names for it, as text or as bytes", async () => {
    await publish("/quotes/A", {
      headers: { "Distributary-Header-Trace": "a b", "Distributary-Base64-Header-Raw": "AP8=" },
    });

    expect(origin.publishes[0]?.headers).toEqual([
      ["raw", new Uint8Array([0, 255])],
      ["trace", "a b"],
    ]);
  });

  test.each([
    ["[W2] a header without a name", { "Distributary-Header-": "a" }],
    ["[W2] a header of the origin's own", { "Distributary-Header-$distributary": "a" }],
    ["[W2] what isn't base64", { "Distributary-Base64-Header-a": "*" }],
    ["[W2] what is no whole base64", { "Distributary-Base64-Header-a": "AAAAA" }],
    ["[W2] text that isn't ASCII", { "Distributary-Header-a": "é" }],
    ["[W2] headers that are too large", { "Distributary-Header-a": "a".repeat(16_384) }],
    ["[W3] a key of 1 KB", { "Idempotency-Key": "a".repeat(1_024) }],
    ["[W3] an empty key", { "Idempotency-Key": '""' }],
  ])("%s is refused, and the next publish works", async (_, headers) => {
    const refused = await publish("/quotes/A", { headers: headers as unknown as Record<string, string> });
    const next = await publish("/quotes/A");

    expect([refused.status, await codeOf(refused), next.status]).toEqual([400, "bad_request", 201]);
    expect(origin.publishes).toHaveLength(1);
  });

  test("[W3] is called as its client calls it, quoted or not; without a name the edge makes one", async () => {
    await publish("/quotes/A", { headers: { "Idempotency-Key": "c0ffee" } });
    await publish("/quotes/A", { headers: { "Idempotency-Key": '"c0ffee"' } });
    await publish("/quotes/A");
    await publish("/quotes/A");

    const said = origin.publishes.map(({ key, by }) => ({ key, by }));
    expect(said.slice(0, 2)).toEqual([
      { key: "c0ffee", by: "client" },
      { key: "c0ffee", by: "client" },
    ]);
    expect(said.slice(2).map(({ by }) => by)).toEqual(["edge", "edge"]);
    expect(said[2]?.key).not.toBe(said[3]?.key);
  });

  test("[W5] can be answered with the position alone", async () => {
    const answer = await publish("/quotes/A", { headers: { Prefer: "return=minimal" } });

    expect(answer.status).toBe(201);
    expect(answer.headers.get("ETag")).toBe('"e.0:7"');
    expect(answer.headers.get("Preference-Applied")).toBe("return=minimal");
    expect(await answer.text()).toBe("");
  });

  test("[W5] [W6] says if the record may be there more than once, also to one that wants the position alone", async () => {
    origin.published = () => ({ position: "e.0:7", guarantee: "at-least-once" });
    const answers = [
      await publish("/quotes/A"),
      await publish("/quotes/A", { headers: { Prefer: "return=minimal" } }),
    ];

    for (const answer of answers)
      expect(await answer.json()).toEqual({ position: "e.0:7", guarantee: "at-least-once" });
  });
});

describe("what is refused", () => {
  test.each([
    ["/flights/ATL", 403, "forbidden"],
    ["/nothing/here", 404, "unknown_topic"],
    ["/$/streams", 405, "method_not_allowed"],
    ["/", 405, "method_not_allowed"],
    ["/quotes", 404, "not_found"],
    [`/quotes/${"k".repeat(1_025)}`, 414, "key_too_long"],
  ])("[W4] a POST of %s", async (path, status, code) => {
    const answer = await publish(path, { body: "1" });

    expect([answer.status, await codeOf(answer)]).toEqual([status, code]);
    expect(origin.publishes).toEqual([]);
  });

  test("[W4] another method is told which there are", async () => {
    const answer = await publish("/quotes/A", { method: "PUT", body: "1" });

    expect([answer.status, answer.headers.get("Allow")]).toEqual([405, "GET, HEAD, POST, DELETE"]);
  });

  test.each([
    ["in_flight", 409, "in_flight"],
    ["too_large", 413, "too_large"],
    ["id_reused", 422, "id_reused"],
    ["id_not_kept", 422, "id_not_kept"],
    ["unknown_topic", 404, "unknown_topic"],
    ["invalid", 400, "bad_request"],
    ["forbidden", 503, "not_writable"],
    ["unavailable", 503, "unavailable"],
    ["overloaded", 503, "overloaded"],
  ])("[W5] what an origin calls %s is %i", async (said, status, code) => {
    origin.published = () => ({ error: { code: said, message: "why" } });
    const answer = await publish("/quotes/A", { body: "1" });
    const { error } = (await answer.json()) as { error: { code: string; retry: boolean } };

    expect([answer.status, error.code]).toEqual([status, code]);
    expect(answer.headers.has("Retry-After")).toBe(error.retry);
  });

  test("[H8] [W4] a preflight names the methods, and the headers of records that are asked for", async () => {
    const answer = await publish("/quotes/A", {
      method: "OPTIONS",
      headers: {
        Origin: "https://app.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,distributary-header-trace,x-other",
      },
    });
    const allowed = answer.headers.get("Access-Control-Allow-Headers")?.toLowerCase().split(",");

    expect(answer.status).toBe(204);
    expect(answer.headers.get("Access-Control-Allow-Methods")).toBe("GET,HEAD,POST,DELETE");
    expect(allowed).toEqual(
      expect.arrayContaining(["content-type", "idempotency-key", "prefer", "distributary-header-trace"]),
    );
    expect(allowed).not.toContain("x-other");
  });
});

describe("inside", () => {
  test("[W10] the endpoint's object is neither made nor woken", async () => {
    const before = await edge.operations();
    for (let i = 0; i < 20; i++) expect((await publish(`/quotes/NEW${i}`, { body: "1" })).status).toBe(201);
    const after = await edge.operations();

    for (const name of ["object_created.endpoint", "object_request.endpoint"] as const)
      expect(after[name]).toBe(before[name]);
    expect((after["rpc.shard"] ?? 0) - (before["rpc.shard"] ?? 0)).toBe(20);
  });

  test("[W8] a publish goes to the origin that says it writes the partition, though it stands by", async () => {
    const standby = await new ScriptedOrigin({ url: edge.url, name: "standby" }).connect();
    onTestFinished(() => standby.cut());
    const writing = { topic: "quotes", partition: 0, partitions: 1, number: { id: 5, epoch: 1 } };
    standby.writes(writing);
    await eventually(async () => {
      await publish("/quotes/A", { body: "1" });
      return standby.publishes.length > 0;
    }, "a publish at the standby");
    origin.publishes.splice(0);
    await publish("/quotes/A", { body: "2" });
    expect(origin.publishes).toEqual([]);

    origin.writes({ ...writing, number: { id: 5, epoch: 2 } });
    await eventually(async () => {
      await publish("/quotes/A", { body: "3" });
      return origin.publishes.length > 0;
    }, "a publish at the active one");
    expect(origin.publishes[0]).toMatchObject({ claim: false });
    origin.writes({ topic: "quotes", partition: 0, partitions: 1, number: undefined });
  });

  test("[W9] what an uplink that died left without an answer is sent again with its id, and answered once", async () => {
    const path = "/quotes/LOST";
    const standby = await new ScriptedOrigin({ url: edge.url, name: "standby" }).connect();
    onTestFinished(() => standby.cut());
    standby.published = () => ({ position: "e.0:99" });
    origin.published = () => undefined;
    const answer = publish(path, { body: "1" });
    await eventually(() => origin.publishes.length === 1, "a publish at the origin");
    origin.cut();

    expect(await (await answer).json()).toEqual({ position: "e.0:99" });
    expect(standby.publishes).toHaveLength(1);
    const [first, again] = [origin.publishes[0], standby.publishes[0]];
    expect(again).toMatchObject({ key: first?.key, by: "edge", value: first?.value });
    standby.cut();
    origin = await new ScriptedOrigin({ url: edge.url, name: "active" }).connect();
  });

  test("[W9] one whose outcome nobody tells in time is told to be unknown, with the key that finds out", async () => {
    const path = "/quotes/SILENT";
    origin.published = () => undefined;
    const answer = await publish(path, { body: "1" });
    const key = answer.headers.get("Idempotency-Key");

    expect([answer.status, await codeOf(answer)]).toEqual([504, "unknown_outcome"]);
    expect(key).toBe(origin.publishes[0]?.key);
  });

  test("[W5] one whose shard dies before it answers is told to be unknown, and the same request finds out", async () => {
    const path = "/quotes/DIES";
    const headers = { "Idempotency-Key": "once" };
    origin.published = () => undefined;
    const answer = publish(path, { body: "1", headers });
    await eventually(() => origin.publishes.length === 1, "a publish at the origin");
    await edge.crashShard(origin.publishes[0]?.shard ?? 0);
    const told = await answer;

    expect([told.status, await codeOf(told), told.headers.get("Idempotency-Key")]).toEqual([
      504,
      "unknown_outcome",
      "once",
    ]);
    origin.cut();
    origin = await new ScriptedOrigin({ url: edge.url, name: "active" }).connect();
    expect((await publish(path, { body: "1", headers })).status).toBe(201);
    expect(origin.publishes[0]).toMatchObject({ key: "once", by: "client" });
  });

  test("[W7] without an origin it is unavailable at once", async () => {
    origin.cut();
    await eventually(async () => (await fetch(`${edge.url}/$/health`)).status === 503, "no origin");
    const answer = await publish("/quotes/A", { body: "1" });

    expect([answer.status, await codeOf(answer)]).toEqual([503, "unavailable"]);
    origin = await new ScriptedOrigin({ url: edge.url, name: "active" }).connect();
  });
});
