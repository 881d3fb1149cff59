/** Endpoints as event streams, in the real runtime. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Administrator } from "../support/administrator.ts";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { RawEvents } from "../support/raw-events.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { AUTH_ISSUERS, tokenOf } from "../support/tokens.ts";

let edge: TestEdge;
let origin: ScriptedOrigin;
let keys = 0;

beforeAll(async () => {
  edge = await startEdge({ SHARDS: "1", AUTH_ISSUERS, CONNECTIONS_PER_SUBJECT: "2" });
  origin = await new ScriptedOrigin({ url: edge.url, shards: 1, page: 8 }).connect();
}, 60_000);
afterAll(async () => {
  origin.cut();
  await edge.close();
});

const newPath = () => `/quotes/events-${++keys}`;

function open(path: string, headers: Record<string, string> = {}, base = edge.url): RawEvents {
  return new RawEvents(`${base}${path}`, headers);
}

/** One that has its verdict. */
async function follow(path: string, headers: Record<string, string> = {}): Promise<RawEvents> {
  return open(path, headers).until((one) => one.of("verdict").length > 0, "a verdict");
}

async function received(events: RawEvents, values: readonly unknown[]): Promise<RawEvents> {
  await events.until(({ updates }) => updates.length >= values.length, `${values.length} updates`);
  expect(events.values.map((value) => (value === null ? null : JSON.parse(value.toString())))).toEqual(
    values,
  );
  expect(events.violations).toEqual([]);
  return events;
}

const ended = (events: RawEvents) => events.until((one) => one.ended, "the end");
const created = async () => Number((await edge.operations())["object_created.endpoint"]);
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

describe("a stream", () => {
  test("[E1] [E2] begins with a verdict and the latest update, and goes on live", async () => {
    const path = newPath();
    const first = origin.append(path, 1);
    const events = await follow(path);
    origin.append(path, 2);
    await received(events, [1, 2]);

    expect(events.status).toBe(200);
    expect(events.headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-store, no-transform",
      "x-accel-buffering": "no",
      "access-control-allow-origin": "*",
    });
    expect(events.retryMs).toBeGreaterThan(0);
    expect(events.events.map(({ type }) => type)).toEqual(["verdict", "message", "message"]);
    expect(events.of("verdict")[0]).toMatchObject({ head: `e.0:${first.offset}` });
    expect(events.lastId).toBe(origin.headOf(path));
    events.cut();
  });

  test("[E2] carries every kind of value as it was produced", async () => {
    const path = newPath();
    const events = await follow(path);
    const bytes = new Uint8Array([0, 0x0a, 0x0d, 0xff, 0x1e]);
    const json = '{\n  "a": 1.0,\n\t"a": 12345678901234567890 }';
    const text = 'two\r\nlines, "quoted"\u2028 and \u001e';
    origin.append(path, bytes);
    origin.append(path, { kind: "json", text: json });
    origin.append(path, { kind: "text", text });
    origin.append(path, null);
    origin.append(path, { kind: "omitted", size: 9_000_000 });
    await events.until(({ updates }) => updates.length >= 5, "all");

    expect(events.values).toEqual([Buffer.from(bytes), Buffer.from(json), Buffer.from(text), null, null]);
    expect(events.updates[0]).toMatchObject({ e: path, n: 5, b: Buffer.from(bytes).toString("base64") });
    expect(events.updates.slice(3)).toMatchObject([{ d: true }, { o: 9_000_000 }]);
    expect(events.violations).toEqual([]);
    events.cut();
  });

  test("[E3] goes on after Last-Event-ID, which wins over from", async () => {
    const path = newPath();
    const [one, two] = [1, 2, 3, 4].map((value) => `e.0:${origin.append(path, value).offset}`);
    const byUrl = await follow(`${path}?from=${one}`);
    const byId = await follow(`${path}?from=${one}`, { "Last-Event-ID": String(two) });
    const empty = await follow(`${path}?from=${one}`, { "Last-Event-ID": "" });

    await received(byUrl, [2, 3, 4]);
    await received(byId, [3, 4]);
    await received(empty, [2, 3, 4]);
    expect(byId.of("verdict")).toEqual([{ position: two, head: origin.headOf(path), recovered: true }]);
    for (const events of [byUrl, byId, empty]) events.cut();
  });

  test("[E2] a loss is told before what follows it: in the verdict, and by a reset", async () => {
    const path = newPath();
    origin.append(path, 1);
    const gone = await follow(path, { "Last-Event-ID": "gone.0:4" });
    await received(gone, [1]);
    const [, , last] = origin.appendSilently(path, [2, 3, 4]);
    origin.log.dropBefore(last?.offset ?? 0, "e.0");
    origin.append(path, 5);
    await gone.until((one) => one.of("reset").length > 0 && one.updates.length > 1, "a reset");

    expect(gone.of("verdict")[0]).toMatchObject({ recovered: false, cause: "epoch" });
    expect(gone.of("reset")[0]).toMatchObject({ cause: "horizon", head: origin.headOf(path) });
    expect(gone.events.map(({ type }) => type)).toEqual(["verdict", "message", "reset", "message"]);
    expect([gone.values.map(String), gone.violations]).toEqual([["1", "5"], []]);
    gone.cut();
  });

  test("[E2] whose source can't answer says so, and goes on when it can", async () => {
    const path = newPath();
    origin.append(path, 1);
    origin.answering = false;
    const events = await open(path).until((one) => one.of("wait").length > 0, "a wait");
    origin.answerHeld();

    expect(events.of("wait")[0]).toMatchObject({ code: "unavailable", retry: true });
    await received(events, [1]);
    events.cut();
  });

  test("[E6] [S6] keeps no object awake: it hibernates between all updates, and nothing is missed", async () => {
    const path = newPath();
    const events = await follow(path);
    const before = await created();
    for (let i = 0; i < 6; i++) {
      await edge.evict(path);
      origin.append(path, i);
      await received(
        events,
        Array.from({ length: i + 1 }, (_, value) => value),
      );
    }

    expect(await created()).toBe(before + 6);
    expect(await edge.attachments(path)).toHaveLength(1);
    events.cut();
  });

  test("[E5] [E6] a heartbeat tells that the object can be reached, and leaves it asleep", async () => {
    const path = newPath();
    const events = await follow(path);
    const before = await created();
    await edge.evict(path);
    await events.until(({ comments }) => comments > 0, "a heartbeat", 30_000);

    expect(await created()).toBe(before);
    expect(events.violations).toEqual([]);
    events.cut();
  });

  test("a HEAD is answered as its GET begins, and follows nothing", async () => {
    const path = newPath();
    const answer = await fetch(`${edge.url}${path}`, {
      method: "HEAD",
      headers: { Accept: "text/event-stream" },
    });

    expect([answer.status, answer.headers.get("Content-Type")]).toEqual([200, "text/event-stream"]);
    expect(await edge.attachments(path)).toEqual([]);
  });

  test("a GET that accepts anything else has the latest record, as ever", async () => {
    const path = newPath();
    origin.append(path, 1);
    for (const accept of ["*/*", "application/json", "text/event-stream;q=0", "text/event-streams"]) {
      const answer = await fetch(`${edge.url}${path}`, { headers: { Accept: accept } });
      expect([answer.headers.get("Content-Type"), await answer.text()]).toEqual(["application/json", "1"]);
    }
  });
});

describe("an end", () => {
  test.each([
    ["a topic that isn't there", "/nowhere/a", {}, 404, "unknown_topic"],
    ["no position", "/quotes/a?from=1", {}, 400, "bad_position"],
    ["an id that is none", "/quotes/a", { "Last-Event-ID": "7" }, 400, "bad_position"],
    ["a token that is none", "/quotes/a", bearer("x.y.z"), 401, "invalid_token"],
  ])(
    "[E4] what would be the same again is refused by its status: %s",
    async (_, path, headers, status, code) => {
      const events = await ended(open(path, headers));

      expect([events.status, JSON.parse(events.body).error.code]).toEqual([status, code]);
      expect(events.events).toEqual([]);
    },
  );

  test("[E4] what may pass is told within a 200, with how long to wait: EventSource gives up on any other", async () => {
    const path = newPath();
    const token = await tokenOf({ subject: "many" });
    const all = [await follow(path, bearer(token)), await follow(path, bearer(token))];
    const events = await ended(open(path, bearer(token)));
    // This origin can't say where a history begins.
    const oldest = await ended(open(`${path}?from=oldest`));

    expect([oldest.status, oldest.of("error")[0]?.code]).toEqual([200, "unavailable"]);
    expect(events.status).toBe(200);
    expect(events.headers["content-type"]).toBe("text/event-stream");
    expect(events.headers["retry-after"]).toBeUndefined();
    expect(events.events.map(({ type, data }) => [type, data.code, data.retry])).toEqual([
      ["error", "overloaded", true],
    ]);
    expect(events.retryMs).toBeGreaterThan(2_000);
    for (const one of all) one.cut();
  });

  test("[E4] an object that is reset ends its streams, and what comes back by its id misses nothing", async () => {
    const path = newPath();
    origin.append(path, 1);
    const events = await received(await follow(path), [1]);
    await edge.evict(path, "close");
    await ended(events);
    origin.append(path, 2);
    const back = await follow(path, { "Last-Event-ID": events.lastId });

    expect(events.of("error")).toMatchObject([{ code: "going_away", retry: true }]);
    await received(back, [2]);
    expect(back.of("verdict")[0]).toMatchObject({ recovered: true });
    back.cut();
  });

  test("[E4] [S19] a token that expires ends its stream, by its name, and is refused when it comes again", async () => {
    const path = newPath();
    const token = await tokenOf({ until: 8 });
    const events = await ended(await follow(path, bearer(token)));
    const again = await ended(open(path, { ...bearer(token), "Last-Event-ID": events.lastId }));

    expect(events.of("expires")).toEqual([{ in: expect.any(Number) }]);
    expect(events.of("error")).toMatchObject([{ code: "expired", retry: false }]);
    expect([again.status, JSON.parse(again.body).error.code]).toEqual([401, "expired"]);
  });

  test("[E4] [S25] a token that is revoked ends its stream, by its name", async () => {
    const path = newPath();
    const admin = new Administrator(edge.url, await tokenOf({ subject: "the-admin", admin: true, id: "a" }));
    const events = await follow(path, bearer(await tokenOf({ subject: "mallory" })));
    await admin.revoke({ subject: "mallory" });
    await ended(events);

    expect(events.of("error")).toMatchObject([{ code: "revoked", retry: false }]);
  });
});

describe("a client that doesn't read", () => {
  test("[E6] is left behind and ended, however much comes, and what it reads then is whole", async () => {
    const path = newPath();
    const events = new RawEvents(`${edge.url}${path}`, {}, { reads: false });
    await events.until(({ status }) => status !== undefined, "an answer");
    await eventually(() => origin.linksOf(path).length > 0, "it is live");
    for (let i = 0; i < 600 && (await edge.attachments(path)).length > 0; i++)
      origin.append(path, "x".repeat(100_000));

    expect(await edge.attachments(path)).toEqual([]);
    events.read();
    await ended(events);
    expect(events.of("error")).toMatchObject([{ code: "slow_consumer", retry: true }]);
    expect(events.violations).toEqual([]);
    origin.append(path, "last");
    const back = await follow(path, { "Last-Event-ID": events.lastId });
    expect(back.of("verdict")[0]).toMatchObject({ recovered: true });
    await back.until(({ values }) => values.at(-1)?.toString() === '"last"', "the last");
    expect(back.violations).toEqual([]);
    back.cut();
  });
});

test("[E6] a client that reads late gets a past that is larger than what may be unsent, whole and in one stream", async () => {
  const path = newPath();
  const from = `past.0:${origin.append(path, 0, "past.0").offset}`;
  origin.appendSilently(
    path,
    Array.from({ length: 240 }, (_, i) => [i, "x".repeat(100_000)]),
    "past.0",
  );
  const before = Number((await edge.operations())["object_request.endpoint"]);
  const events = new RawEvents(`${edge.url}${path}?from=${from}`, {}, { reads: false });
  await events.until(({ status }) => status !== undefined, "an answer");
  const joined = async () => Number((await edge.operations())["object_request.endpoint"]) > before + 1;
  const left = async () => (await joined()) && (await edge.attachments(path)).length === 0;
  await eventually(left, "the object isn't followed while nothing is read");
  events.read();
  await events.until(({ updates }) => updates.length === 240, "all of it");

  expect(events.updates.map(({ v }) => (v as [number])[0])).toEqual(Array.from({ length: 240 }, (_, i) => i));
  expect(events.violations).toEqual([]);
  expect(events.events.filter(({ type }) => type !== "message").map(({ type }) => type)).toEqual(["verdict"]);
  events.cut();
}, 90_000);

describe("[E7] several endpoints in one stream", () => {
  /** Values by endpoint, in the order in which they came. */
  const valuesOf = ({ updates }: RawEvents) => {
    const values: Record<string, unknown[]> = {};
    for (const { e, v } of updates) values[String(e)] = [...(values[String(e)] ?? []), v];
    return values;
  };
  const untilUpdates = (events: RawEvents, count: number) =>
    events.until(({ updates }) => updates.length >= count, `${count} updates`);

  test("[E7] [E3] each begins with its verdict, and all go on from where the id says that they were", async () => {
    const [a, b, c] = [newPath(), newPath(), newPath()];
    const url = `/$/connect?sub=${a}&sub=${encodeURIComponent(b)}&sub=${c}`;
    const before = new Map(
      (
        [
          [a, 1],
          [b, 10],
          [c, 100],
        ] as const
      ).map(([path, value]) => [path, origin.append(path, value).offset]),
    );
    const events = await untilUpdates(open(url), 3);
    before.set(b, origin.append(b, 11).offset);
    await untilUpdates(events, 4);
    events.cut();
    origin.append(a, 2);
    origin.append(b, 12);
    const back = await untilUpdates(open(url, { "Last-Event-ID": events.lastId }), 2);
    origin.append(c, 101);
    await untilUpdates(back, 3);

    expect(events.status).toBe(200);
    expect(
      events
        .of("verdict")
        .map(({ e }) => e)
        .toSorted(),
    ).toEqual([a, b, c].toSorted());
    expect(events.lastId).toBe([a, b, c].map((path) => `e.0:${before.get(path)}`).join(";"));
    expect(valuesOf(events)).toEqual({ [a]: [1], [b]: [10, 11], [c]: [100] });
    expect(valuesOf(back)).toEqual({ [a]: [2], [b]: [12], [c]: [101] });
    expect(back.of("verdict").map(({ recovered }) => recovered)).toEqual([true, true, true]);
    back.cut();
  });

  const SENTENCE: unknown = expect.any(String);

  test("[E7] [H6] what is none, or names what can't be followed, is refused by its status", async () => {
    const [a, b] = [newPath(), newPath()];
    const many = Array.from({ length: 17 }, newPath);
    const told = async (query: string) => {
      const { status, body } = await ended(open(`/$/connect?${query}`));
      const { code, message } = (JSON.parse(body) as { error: { code: string; message: string } }).error;
      return [status, code, message];
    };

    expect(await told("")).toEqual([400, "bad_request", SENTENCE]);
    expect(await told(many.map((path) => `sub=${path}`).join("&"))).toEqual([400, "bad_request", SENTENCE]);
    expect(await told(`sub=${a}&sub=${a}`)).toEqual([400, "bad_request", SENTENCE]);
    expect(await told(`sub=${a}&sub=/nowhere/x`)).toEqual([
      404,
      "unknown_topic",
      expect.stringMatching("^/nowhere/x: "),
    ]);
    expect(await told(`sub=${a}&sub=/quotes/%2561`)).toEqual([400, "bad_address", SENTENCE]);
    expect(await told(`sub=${a}&sub=${b}&from=e.0:1`)).toEqual([400, "bad_position", SENTENCE]);
    const get = await fetch(`${edge.url}/$/connect?sub=${a}`);
    expect([get.status, ((await get.json()) as { error: { code: string } }).error.code]).toEqual([
      400,
      "bad_upgrade",
    ]);
  });

  test("[E7] [E4] the end of one is that of all, and it is said whose it is", async () => {
    const [a, b] = [newPath(), newPath()];
    for (const path of [a, b]) origin.append(path, 1);
    const events = await untilUpdates(open(`/$/connect?sub=${a}&sub=${b}`), 2);
    await edge.evict(b, "close");
    await ended(events);

    expect(events.of("error")).toMatchObject([{ e: b, code: "going_away", retry: true }]);
    await eventually(async () => (await edge.attachments(a)).length === 0, "the other isn't followed");
  });
});
