/** A connection by requests: what it says and hears is what a WebSocket would, and only how that travels is another thing. */
import { beforeEach, describe, expect, test } from "vitest";
import { HELD_BACK_MS, POLL_MS } from "../../../../shared/client/requests/arrangement.ts";
import { HttpConnection } from "../../../../shared/client/requests/http-connection.ts";
import type { HttpEffect, HttpEvent, HttpMode } from "../../../../shared/client/requests/http-terms.ts";
import { CLOSE } from "../../../../shared/protocol/codes.ts";
import { splitBinary } from "../../../../shared/protocol/message.ts";
import { encodePublication } from "../../../../shared/protocol/up.ts";

const [A, B, C] = ["/quotes/A", "/quotes/B", "/quotes/C"];
const error = (code: string, retry = false) => ({ code, message: "m", retry });

let connection: HttpConnection;
let now: number;
let effects: HttpEffect[];

function step(event: HttpEvent): readonly HttpEffect[] {
  const more = connection.step(event, now);
  effects.push(...more);
  return more;
}

/** Lets so much time pass, and its timer fire when it is due. */
function pass(ms: number): void {
  const end = now + ms;
  for (;;) {
    const set = effects.findLast(({ kind }) => kind === "schedule");
    if (set?.kind !== "schedule" || due === undefined || due > end) break;
    now = Math.max(now, due);
    due = undefined;
    noteTimer(step({ kind: "timer" }));
  }
  now = end;
}

let due: number | undefined;

function noteTimer(of: readonly HttpEffect[]): void {
  for (const effect of of) if (effect.kind === "schedule") due = now + effect.afterMs;
}

const act = (event: HttpEvent) => noteTimer(step(event));

function begin(token = "", mode: HttpMode = "events"): void {
  connection = new HttpConnection(token, mode);
  now = 1_000;
  due = undefined;
  effects = [...connection.begin()];
}

/** One that is open, and to which that was said. */
function open(frames: readonly object[], token = "", mode: HttpMode = "events"): void {
  begin(token, mode);
  act({ kind: "checked", welcome: { kind: "welcome" } });
  say(...frames);
}

function say(...frames: readonly object[]): void {
  for (const frame of frames) act({ kind: "said", message: JSON.stringify(frame) });
  pass(20);
}

const tell = (stream: number, name: string, data: object, retryMs?: number) => {
  act({ kind: "heard", stream });
  act({ kind: "told", stream, event: { name, data: JSON.stringify(data), retryMs } });
};
const verdict = (stream: number, e: string, position: string, recovered?: boolean, cause?: string) =>
  tell(stream, "verdict", { e, position, head: position, recovered, cause });
const update = (stream: number, e: string, offset: number) =>
  tell(stream, "message", { e, p: `a:${offset}`, q: offset - 1, v: offset });

/** What was heard on the connection since this was last asked. */
function heard(): unknown[] {
  return take("say").map(({ message }) =>
    typeof message === "string" ? (JSON.parse(message) as unknown) : message,
  );
}

function take<K extends HttpEffect["kind"]>(kind: K): Extract<HttpEffect, { kind: K }>[] {
  const taken = effects.filter((effect) => effect.kind === kind);
  effects = effects.filter((effect) => effect.kind !== kind);
  return taken as Extract<HttpEffect, { kind: K }>[];
}

/** Requests for streams since this was last asked. */
const asked = () =>
  take("stream").map(({ stream, query }) => {
    const params = new URLSearchParams(query);
    return [stream, params.getAll("sub"), params.get("from"), params.get("wait")];
  });

beforeEach(() =>
  open([
    {
      subs: [
        { id: 1, sub: A },
        { id: 2, sub: B, from: "a:4" },
      ],
    },
  ]),
);

describe("a dial", () => {
  test.each([
    [{ kind: "refused", error: error("no_token") } as const, CLOSE.no_token],
    [{ kind: "refused", error: error("rate_limited", true) } as const, CLOSE.rate_limited],
    [{ kind: "refused", error: error("something_later") } as const, 4_999],
    [{ kind: "nobody" } as const, 1006],
  ])("[H9] that is refused ends as a WebSocket would: %j", (welcome, code) => {
    begin("t");
    expect(effects).toEqual([{ kind: "check", token: "t" }]);
    step({ kind: "checked", welcome });

    expect(take("close").map((close) => close.code)).toEqual([code]);
    expect(step({ kind: "said", message: '{"id":1,"sub":"/quotes/A"}' })).toEqual([]);
  });

  test("[S11] that succeeds opens it, and a ping is answered", () => {
    expect(take("opened")).toHaveLength(1);
    act({ kind: "said", message: '{"ping":1}' });

    expect(heard()).toEqual([{ pong: 1 }]);
  });
});

describe("[E7] what is followed", () => {
  test("[M3] is asked for by one request, each from where it is to begin, and verdicts have the ids of their subscribes", () => {
    expect(asked()).toEqual([[1, [A, B], ";a:4", null]]);
    verdict(1, B, "a:4", true);
    verdict(1, A, "a:9");
    update(1, A, 10);
    tell(1, "wait", { e: A, ...error("unavailable", true) });

    expect(heard()).toEqual([
      { id: 2, ok: { position: "a:4", head: "a:4", recovered: true } },
      { id: 1, ok: { position: "a:9", head: "a:9" } },
      { e: A, p: "a:10", q: 9, v: 10 },
    ]);
  });

  test("[S3] goes on from where it is when another one comes to its stream, and only a loss is news then", () => {
    asked();
    verdict(1, A, "a:9");
    verdict(1, B, "a:4", true);
    update(1, A, 10);
    heard();
    say({ id: 3, sub: C });
    expect(asked()).toEqual([[2, [A, B, C], "a:10;a:4;", null]]);
    expect(take("abort")).toEqual([{ kind: "abort", stream: 1 }]);
    // What the old one has yet to tell is of no use.
    update(1, A, 11);
    verdict(2, A, "a:10", true);
    verdict(2, B, "a:8", false, "horizon");
    verdict(2, C, "a:1");

    expect(heard()).toEqual([
      { reset: B, position: "a:8", head: "a:8", cause: "horizon" },
      { id: 3, ok: { position: "a:1", head: "a:1" } },
    ]);
  });

  test("[M5] and isn't any more: it is answered at once, and nothing of it is heard after that", () => {
    asked();
    verdict(1, A, "a:9");
    act({ kind: "said", message: JSON.stringify({ id: 3, unsub: A }) });
    update(1, A, 10);
    expect(heard().slice(1)).toEqual([{ id: 3, ok: { unsub: A } }]);
    pass(1_000);

    expect(asked()).toEqual([[2, [B], "a:4", null]]);
  });

  test("[M4] once more takes the place of what was before", () => {
    asked();
    verdict(1, A, "a:9");
    heard();
    say({ id: 5, sub: A, from: "a:7" });
    update(1, A, 10);
    expect(asked()).toEqual([[2, [A, B], "a:7;a:4", null]]);
    verdict(2, A, "a:7", true);

    expect(heard()).toEqual([{ id: 5, ok: { position: "a:7", head: "a:7", recovered: true } }]);
  });

  test("[S16] from the oldest has a request of its own, until it is known where that is", () => {
    say({ id: 3, sub: C, from: "oldest" });
    const [, , oldest] = asked();
    expect(oldest).toEqual([3, [C], "oldest", null]);
    verdict(3, C, "a:2", true);
    say({ id: 4, sub: "/quotes/D" });

    expect(asked().at(-1)).toMatchObject([
      expect.any(Number),
      expect.arrayContaining(["/quotes/D"]),
      expect.any(String),
      null,
    ]);
  });

  test("[E7] is at most 64 endpoints, 16 to a request; what is more is refused, and the others go on", () => {
    open([{ subs: Array.from({ length: 66 }, (_, i) => ({ id: i + 1, sub: `/quotes/${i}` })) }]);

    expect(asked().map(([, paths]) => (paths as string[]).length)).toEqual([16, 16, 16, 16]);
    expect(heard()).toEqual(
      [65, 66].map((id) => ({
        id,
        error: expect.objectContaining({ code: "too_many_subscriptions", retry: false }),
      })),
    );
  });

  test("[P2] [S3] stands where nothing can name: it begins anew, and that is a loss", () => {
    const long = Array.from({ length: 65 }, (_, i) => `e${String(i).padStart(2, "0")}:1`).join(",");
    asked();
    verdict(1, A, long);
    verdict(1, B, "a:4", true);
    heard();
    say({ id: 3, sub: C });
    expect(asked()).toEqual([[2, [A, B, C], ";a:4;", null]]);
    verdict(2, A, "a:9");

    expect(heard()).toEqual([{ reset: A, position: "a:9", head: "a:9" }]);
  });
});

describe("an end", () => {
  test("[M8] of one endpoint is that one's: the others go on, from where they are", () => {
    asked();
    verdict(1, A, "a:9");
    heard();
    tell(1, "error", { e: A, ...error("unavailable", true) }, 2_000);
    expect(heard()).toEqual([{ end: A, error: { ...error("unavailable", true), retryAfterMs: 2_000 } }]);
    pass(0);

    expect(asked()).toEqual([[2, [B], "a:4", null]]);
  });

  test("[M3] before its verdict it is the answer to its subscribe, also by the status of the request", () => {
    asked();
    act({ kind: "refused", stream: 1, error: { ...error("forbidden"), e: B } });

    expect(heard()).toEqual([{ id: 2, error: error("forbidden") }]);
    pass(0);
    expect(asked()).toEqual([[2, [A], null, null]]);
  });

  test.each([
    [{ e: A, ...error("expired") }, CLOSE.expired],
    [{ e: B, ...error("revoked") }, CLOSE.revoked],
    [error("slow_consumer", true), CLOSE.slow_consumer],
    [error("bad_request"), 4_999],
  ])("[C3] of all closes the connection: %j", (ending, code) => {
    tell(1, "error", ending);

    expect(take("close").map((close) => close.code)).toEqual([code]);
    expect(take("abort")).toEqual([{ kind: "abort", stream: 1 }]);
  });

  test("[S10] without a word breaks it", () => {
    act({ kind: "ended", stream: 1, isWhole: true });

    expect(take("close")).toMatchObject([{ code: 1006 }]);
  });

  test("[E5] is what a stream has come to that says nothing for 30 s", () => {
    act({ kind: "heard", stream: 1 });
    pass(HELD_BACK_MS + 10_000);
    act({ kind: "heard", stream: 1 });
    pass(29_000);
    expect(take("close")).toEqual([]);
    pass(1_000);

    expect(take("close")).toMatchObject([{ code: 1006 }]);
  });
});

describe("[E8] streams that are held back on their way", () => {
  test("are asked for by polls, from the beginning or from where each is", () => {
    asked();
    pass(HELD_BACK_MS);
    expect(take("polls")).toHaveLength(1);
    expect(take("abort")).toEqual([{ kind: "abort", stream: 1 }]);
    // What has no verdict isn't waited for.
    expect(asked()).toEqual([[2, [A, B], ";a:4", "0"]]);
    verdict(2, A, "a:9");
    verdict(2, B, "a:4", true);
    act({ kind: "ended", stream: 2, isWhole: true });
    pass(0);
    expect(asked()).toEqual([[3, [A, B], "a:9;a:4", String(POLL_MS / 1_000)]]);
    verdict(3, A, "a:9", true);
    update(3, A, 10);
    act({ kind: "ended", stream: 3, isWhole: true });
    pass(1_000);

    expect(asked()).toEqual([[4, [A, B], "a:10;a:4", "25"]]);
    expect(heard().at(-1)).toEqual({ e: A, p: "a:10", q: 9, v: 10 });
  });

  test("all of them, however many there are", () => {
    const all = Array.from({ length: 20 }, (_, i) => `/t/${i}`);
    open([{ subs: all.map((sub, i) => ({ id: i + 1, sub })) }]);
    expect(asked()).toHaveLength(2);
    pass(HELD_BACK_MS);

    expect(take("close")).toEqual([]);
    expect(take("polls")).toHaveLength(1);
    expect(asked().map(([name, paths]) => [name, (paths as string[]).length])).toEqual([
      [3, 16],
      [4, 4],
    ]);
  });

  test("so are those of which the beginning came, and nothing after it", () => {
    asked();
    act({ kind: "heard", stream: 1 });
    pass(30_000);

    expect(take("close")).toEqual([]);
    expect(take("polls")).toHaveLength(1);
  });

  test("a poll that ends at once without anything isn't made again at once", () => {
    open([{ id: 1, sub: A }], "", "poll");
    verdict(1, A, "a:9");
    act({ kind: "ended", stream: 1, isWhole: true });
    pass(0);
    asked();
    act({ kind: "ended", stream: 2, isWhole: true });
    pass(900);
    expect(asked()).toEqual([]);
    pass(100);

    expect(asked()).toHaveLength(1);
  });

  test("a poll that never ends breaks the connection, and so does one that was cut", () => {
    open([{ id: 1, sub: A }], "", "poll");
    pass(20_000);
    expect(take("close")).toMatchObject([{ code: 1006 }]);
    open([{ id: 1, sub: A }], "", "poll");
    act({ kind: "ended", stream: 1, isWhole: false });

    expect(take("close")).toMatchObject([{ code: 1006 }]);
  });
});

describe("[S18] a token", () => {
  test("[S17] of which each stream says that it ends is told of once, and is renewed when the edge takes the other one", () => {
    open(
      [
        {
          subs: [
            { id: 1, sub: A },
            { id: 2, sub: B, from: "oldest" },
          ],
        },
      ],
      "old",
    );
    expect(take("stream").map(({ token }) => token)).toEqual(["old", "old"]);
    tell(1, "expires", { in: 60 });
    tell(2, "expires", { in: 60 });
    expect(heard()).toEqual([{ expires: { in: 60 } }]);
    take("check");
    act({ kind: "said", message: '{"id":3,"token":"new"}' });
    expect(take("check")).toEqual([{ kind: "check", token: "new" }]);
    expect(take("stream")).toEqual([]);
    act({ kind: "checked", welcome: { kind: "welcome" } });
    pass(0);

    expect(heard()).toEqual([{ id: 3, ok: { expires: 0 } }]);
    expect(take("stream").map(({ token }) => token)).toEqual(["new", "new"]);
  });

  test("that is refused leaves the one before, and one of a public connection can't be renewed", () => {
    open([{ id: 1, sub: A }], "old");
    act({ kind: "said", message: '{"id":2,"token":"new"}' });
    act({ kind: "checked", welcome: { kind: "refused", error: error("forbidden") } });
    expect(heard()).toEqual([{ id: 2, error: error("forbidden") }]);
    expect(take("abort")).toEqual([]);
    open([]);
    act({ kind: "said", message: '{"id":1,"token":"new"}' });

    expect(heard()).toEqual([{ id: 1, error: expect.objectContaining({ code: "unsupported" }) }]);
  });
});

describe("[W1] a publish", () => {
  const publication = { id: 7, endpoint: A, key: 'k"1', headers: [], value: new TextEncoder().encode("1") };
  const say = (more: Partial<typeof publication> | { value: null } = {}) =>
    act({ kind: "said", message: encodePublication({ ...publication, ...more }) });

  test("[W3] is a POST with its key, and its answer has its id", () => {
    say();
    const [{ post } = { post: undefined }] = take("post");
    expect(post).toEqual({
      id: 7,
      endpoint: A,
      method: "POST",
      headers: { "Idempotency-Key": '"k\\"1"' },
      body: publication.value,
    });
    act({
      kind: "posted",
      id: 7,
      answer: { status: 201, text: '{"position":"a:5"}', retryAfterMs: undefined },
    });

    expect(heard()).toEqual([{ id: 7, ok: { position: "a:5" } }]);
  });

  test("of a tombstone is a DELETE", () => {
    say({ value: null });

    expect(take("post")[0]?.post).toMatchObject({ method: "DELETE", body: undefined });
  });

  test("[W2] has the headers that HTTP can carry, others as base64, and is refused with what it can't", () => {
    const headers = (...of: [string, string | Uint8Array | null][]) => ({ headers: of as never });
    say(headers(["a", "x y"], ["b", "ü"], ["c", new Uint8Array([255])], ["d", " x"]));
    expect(take("post")[0]?.post.headers).toMatchObject({
      "Distributary-Header-a": "x y",
      "Distributary-Base64-Header-b": "w7w=",
      "Distributary-Base64-Header-c": "/w==",
      "Distributary-Base64-Header-d": "IHg=",
    });
    for (const of of [
      [["A", "x"]],
      [["a", null]],
      [
        ["a", "1"],
        ["a", "2"],
      ],
      [["a b", "1"]],
    ] as [string, string | null][][])
      say(headers(...of));

    expect(take("post")).toEqual([]);
    expect(heard()).toEqual(
      Array(4).fill({ id: 7, error: expect.objectContaining({ code: "unsupported", retry: false }) }),
    );
  });

  test.each([
    [
      { status: 503, text: JSON.stringify({ error: error("overloaded", true) }), retryAfterMs: 1_000 },
      { code: "overloaded", retryAfterMs: 1_000 },
    ],
    [
      { status: 502, text: "<html>", retryAfterMs: undefined },
      { code: "unknown_outcome", retry: true },
    ],
    [
      { status: 413, text: "<html>", retryAfterMs: undefined },
      { code: "too_large", retry: false },
    ],
    [
      { status: 404, text: "<html>", retryAfterMs: undefined },
      { code: "refused", retry: false },
    ],
    [undefined, { code: "unknown_outcome", retry: true }],
  ])("[W5] of which this was the answer is %j: %j", (answer, said) => {
    say();
    act({ kind: "posted", id: 7, answer });

    expect(heard()).toEqual([{ id: 7, error: expect.objectContaining(said) }]);
  });
});

test("[E2] [F5] bytes come as the binary frame that they were, and JSON that looks alike doesn't", () => {
  verdict(1, A, "a:9");
  heard();
  act({
    kind: "told",
    stream: 1,
    event: { name: "message", data: `{"e":"${A}","p":"a:10","q":9,"n":3,"b":"AP8K"}`, retryMs: undefined },
  });
  act({
    kind: "told",
    stream: 1,
    event: {
      name: "message",
      data: `{"e":"${A}","p":"a:11","q":10,"v":{"n":3,"b":"AP8K"}}`,
      retryMs: undefined,
    },
  });
  const [bytes, json] = heard();

  expect(splitBinary(bytes as Uint8Array<ArrayBuffer>)).toHaveLength(1);
  expect((bytes as Uint8Array).subarray(-4)).toEqual(new Uint8Array([10, 0, 255, 10]));
  expect(json).toMatchObject({ v: { n: 3, b: "AP8K" } });
});
