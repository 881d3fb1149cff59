import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { UPLINK_PROTOCOL } from "../../shared/protocol/version.ts";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

/** Imported without its types, which are those of another platform. */
const APP = join(import.meta.dirname, "../../edge/http/app.ts");

let edge: TestEdge;
let origin: ScriptedOrigin;

beforeAll(async () => {
  edge = await startEdge();
  origin = await new ScriptedOrigin({ url: edge.url }).connect();
}, 60_000);
afterAll(async () => {
  origin.cut();
  await edge.close();
});

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
}

/** A request whose path and headers go out as they stand. */
function ask(
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
  base = edge.url,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(base);
    const sent = request(
      { hostname, port, path, method, headers: { "Accept-Encoding": "identity", ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    sent.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.alloc(0) });
    });
    sent.on("error", reject);
    sent.end();
  });
}

const WEBSOCKET = {
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
};

/** How the edge ends a WebSocket that it accepts. */
function dial(path: string, protocols: string[], base = edge.wsUrl) {
  const socket = new WebSocket(`${base}${path}`, protocols);
  return new Promise<{ code: number; reason: string; protocol: string }>((resolve, reject) => {
    socket.on("close", (code, reason) =>
      resolve({ code, reason: String(reason), protocol: socket.protocol }),
    );
    socket.on("message", (message) => reject(new Error(`it was served: ${message}`)));
    socket.on("error", reject);
  });
}

/** The code of an error answer, its fields checked. */
function code({ body, status, headers }: Answer): string {
  const { error } = JSON.parse(body.toString()) as { error: Record<string, unknown> };
  expect(Object.keys(error).sort()).toEqual(["code", "message", "retry"]);
  expect(error.retry).toBe(headers["retry-after"] !== undefined);
  expect(status).toBeGreaterThanOrEqual(400);
  return String(error.code);
}

describe("the latest record", () => {
  test("[H1] [F4] JSON comes as the bytes that were produced, with its position and time", async () => {
    const text = '{ "b" : 1.0, "a":12345678901234567890, "a": "é" }';
    origin.append("/quotes/J", { kind: "json", text });

    const answer = await ask("/quotes/J");

    expect(answer.status).toBe(200);
    expect(answer.body.toString()).toBe(text);
    expect(answer.headers).toMatchObject({
      "content-type": "application/json",
      etag: `"${origin.headOf("/quotes/J")}"`,
      "cache-control": "no-cache",
      "access-control-allow-origin": "*",
    });
    expect(Number(answer.headers["distributary-timestamp"])).toBeGreaterThan(1_700_000_000_000 - 1);
  });

  test.each([
    [
      "text",
      { kind: "text", text: "\ufeffnot JSON" } as const,
      "text/plain; charset=utf-8",
      Buffer.from("\ufeffnot JSON"),
    ],
    ["an empty value", { kind: "text", text: "" } as const, "text/plain; charset=utf-8", Buffer.alloc(0)],
    ["bytes", new Uint8Array([0, 255, 10, 30]), "application/octet-stream", Buffer.from([0, 255, 10, 30])],
  ])("[H1] [F5] %s comes unchanged, and says what it is", async (name, value, type, bytes) => {
    const path = `/quotes/${name.length}`;
    origin.append(path, value);

    const answer = await ask(path);

    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toBe(type);
    expect(answer.body).toEqual(bytes);
  });

  test("[H1] [F8] that its headers didn't travel is told, and a time that isn't known is not", async () => {
    origin.append("/quotes/X", { n: 1 }, "e.0", { headersOmitted: 17_000_000, timestamp: undefined });
    origin.append("/quotes/Y", { n: 2 });

    const [without, whole] = [await ask("/quotes/X"), await ask("/quotes/Y")];

    expect([without.status, without.body.toString()]).toEqual([200, '{"n":1}']);
    expect(without.headers["distributary-headers-omitted"]).toBe("17000000");
    expect(without.headers).not.toHaveProperty("distributary-timestamp");
    expect(whole.headers).not.toHaveProperty("distributary-headers-omitted");
  });

  test("[H1] HEAD answers as GET, without a body", async () => {
    origin.append("/quotes/H", { n: 1 });

    const [get, head] = [await ask("/quotes/H"), await ask("/quotes/H", {}, "HEAD")];

    expect(head.status).toBe(200);
    expect(head.body.length).toBe(0);
    for (const name of ["etag", "content-type", "distributary-timestamp"])
      expect(head.headers[name]).toBe(get.headers[name]);
  });

  test("[H2] who has the current position gets 304, also weakly and among others; who has an older one, the value", async () => {
    origin.append("/quotes/E", { n: 1 }, "e.0");
    origin.append("/quotes/E", { n: 2 }, "e.1");
    const etag = `"${origin.headOf("/quotes/E")}"`;
    expect(etag).toContain(",");

    for (const tag of [etag, `W/${etag}`, `"e.0:0", ${etag}`, "*"]) {
      const answer = await ask("/quotes/E", { "If-None-Match": tag });
      expect(answer.status).toBe(304);
      expect(answer.body.length).toBe(0);
      expect(answer.headers.etag).toBe(etag);
    }
    expect((await ask("/quotes/E", { "If-None-Match": '"e.0:0"' })).status).toBe(200);
  });

  test.each([
    ["json", { kind: "json", text: `[${"0, ".repeat(1_000_000)}0]` } as const, "application/json"],
    ["text", { kind: "text", text: "ü\u001e".repeat(1_000_000) } as const, "text/plain; charset=utf-8"],
    ["bytes", new Uint8Array(3_000_000).fill(255), "application/octet-stream"],
  ])(
    "[H1] [H2] [U8] a large value of %s crosses the uplink twice at most however many ask at once, and never for a HEAD or a 304",
    async (kind, value, type) => {
      const path = `/quotes/large-${kind}`;
      origin.append(path, value);
      const etag = `"${origin.headOf(path)}"`;
      const before = origin.told;

      for (let round = 0; round < 5; round++) {
        const head = await ask(path, {}, "HEAD");
        expect([head.status, head.headers["content-type"], head.headers.etag]).toEqual([200, type, etag]);
        const same = await ask(path, { "If-None-Match": etag });
        expect([same.status, same.body.length]).toEqual([304, 0]);
      }
      expect(origin.told - before).toBeLessThan(2_000);

      const asked = Array.from({ length: 20 }, (_, i) =>
        ask(path, i % 2 ? {} : { "If-None-Match": '"e.0:0"' }),
      );
      for (const whole of await Promise.all(asked)) {
        expect([whole.status, whole.headers["content-type"], whole.headers.etag]).toEqual([200, type, etag]);
        expect(whole.body.equals(Buffer.from(value instanceof Uint8Array ? value : value.text))).toBe(true);
      }
      expect(origin.told - before).toBeLessThan(2 * 3_100_000);
      const later = origin.told;
      for (let round = 0; round < 5; round++) expect((await ask(path)).status).toBe(200);
      expect(origin.told - later).toBeLessThan(1_000);
    },
  );

  test("[H1] [F4] what an origin says is JSON isn't looked at again", async () => {
    origin.append("/quotes/unread", { kind: "json", text: "[[[" });

    const answer = await ask("/quotes/unread");

    expect([answer.status, answer.headers["content-type"]]).toEqual([200, "application/json"]);
    expect(answer.body.toString()).toBe("[[[");
  });

  test("[H3] no record, a tombstone, an omitted value", async () => {
    origin.append("/quotes/T", null);
    origin.append("/quotes/O", { kind: "omitted", size: 9_000_000 });
    const [none, deleted, omitted] = [
      await ask("/quotes/none"),
      await ask("/quotes/T"),
      await ask("/quotes/O"),
    ];

    expect([none.status, code(none)]).toEqual([404, "unknown_key"]);
    expect([deleted.status, code(deleted)]).toEqual([404, "deleted"]);
    expect(deleted.headers.etag).toBe(`"${origin.headOf("/quotes/T")}"`);
    expect([omitted.status, code(omitted)]).toEqual([502, "value_too_large"]);
  });

  test("[H5] a GET makes no object and writes no row", async () => {
    origin.append("/quotes/G", { n: 1 });
    const before = await edge.operations();

    await ask("/quotes/G");
    await ask("/quotes/G2");

    const after = await edge.operations();
    for (const name of ["object_created.endpoint", "object_request.endpoint", "rows_written"])
      expect(after[name], name).toBe(before[name]);
    expect(Number(after["rpc.shard"]) - Number(before["rpc.shard"])).toBe(2);
  });

  test("[H5] [U8] 500 GETs of one path at once share their questions", async () => {
    const path = "/quotes/asked-by-many";
    origin.append(path, { n: 1 });
    const before = origin.gets.length;
    const asked = () => origin.gets.slice(before);
    const rpcsBefore = Number((await edge.operations())["rpc.shard"]);
    origin.answering = false;
    onTestFinished(() => origin.answerHeld());
    const begun = performance.now();

    const first = ask(path);
    await eventually(() => asked().length === 1, "the first question");
    const others = Array.from({ length: 499 }, () => ask(path));
    // The shard has heard of all of them: they wait for their turn.
    await eventually(
      async () => Number((await edge.operations())["rpc.shard"]) - rpcsBefore >= 500,
      "500 GETs at the shard",
    );
    origin.append(path, { n: 2 });
    origin.answerHeld();
    const answers = await Promise.all([first, ...others]);

    // One, and the next; and one for each second in which the origin said nothing.
    const seconds = Math.floor((performance.now() - begun) / 1_000);
    expect(asked().length).toBeGreaterThanOrEqual(2);
    expect(asked().length).toBeLessThanOrEqual(2 + seconds);
    for (const answer of answers) expect([answer.status, answer.body.toString()]).toEqual([200, '{"n":2}']);
  });

  test("[H3] [C2] a value of 8 MiB comes whole", async () => {
    const large = new Uint8Array(8 * 1024 * 1024).fill(0xfe);
    origin.append("/quotes/L", large);

    expect((await ask("/quotes/L")).body.equals(Buffer.from(large))).toBe(true);
  });
});

describe("addresses", () => {
  test.each([
    ["/quotes/a%2db", "/quotes/a-b"],
    ["/quotes/%e2%82%ac?from=e.0:1", "/quotes/%E2%82%AC?from=e.0:1"],
    ["/quotes/a$b", "/quotes/a%24b"],
    ["/quotes/a!b", "/quotes/a%21b"],
  ])("[A3] another spelling is redirected to the canonical path: %s", async (path, location) => {
    const answer = await ask(path);

    expect(answer.status).toBe(308);
    expect(answer.headers.location).toBe(location);
  });

  test.each([
    ["a malformed %", "/quotes/%zz", 400, "bad_address"],
    ["no topic name", "/quo!tes/a", 400, "bad_address"],
    ["an encoded $", "/%24/health", 400, "bad_address"],
    ["a key of 1,025 bytes", `/quotes/${"a".repeat(1_025)}`, 414, "key_too_long"],
    ["one segment", "/quotes", 404, "not_found"],
    ["no key", "/quotes/", 404, "not_found"],
    ["three segments", "/quotes/a/b", 404, "not_found"],
    ["no topic", "//a", 404, "not_found"],
    ["nothing behind /$/", "/$/nothing", 404, "not_found"],
    ["a topic that isn't exposed", "/secret/a", 404, "unknown_topic"],
  ])("[A4] [A5] [A6] [H4] a path with %s is refused", async (_, path, status, expected) => {
    const answer = await ask(path);

    expect([answer.status, code(answer)]).toEqual([status, expected]);
  });

  test("[A5] [A7] keys of 1,024 bytes, their paths longer than a name may be, have an endpoint", async () => {
    const path = `/quotes/${"%FF".repeat(1_024)}`;
    origin.append(path, { n: 1 });

    expect((await ask(path)).status).toBe(200);
  });

  test("[A2] the keys that a URL parser would swallow have their own spellings", async () => {
    for (const key of ["$", "$.", "$.."]) {
      origin.append(`/quotes/${key}`, { key });
      expect(JSON.parse((await ask(`/quotes/${key}`)).body.toString())).toEqual({ key });
    }
  });
});

describe("requests", () => {
  test("[A6] / leads to the page", async () => {
    const answer = await ask("/");

    expect([answer.status, answer.headers.location]).toEqual([302, "/$/"]);
    expect((await ask("/$/")).body.toString()).toBe("the page");
  });

  test.each(["PUT", "PATCH"])("[H6] %s is not allowed", async (method) => {
    const answer = await ask("/quotes/J", {}, method);

    expect([answer.status, code(answer), answer.headers.allow]).toEqual([
      405,
      "method_not_allowed",
      "GET, HEAD, POST, DELETE",
    ]);
  });

  test.each(["POST", "PUT", "DELETE", "PATCH"])(
    "[H6] %s is not allowed where no endpoint can be",
    async (method) => {
      const answer = await ask("/$/streams", {}, method);

      expect([answer.status, code(answer), answer.headers.allow]).toEqual([
        405,
        "method_not_allowed",
        "GET, HEAD",
      ]);
    },
  );

  test("[H8] pages of any origin may read endpoints, their position and time", async () => {
    const preflight = await ask(
      "/quotes/J",
      {
        Origin: "https://example.com",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "If-None-Match",
      },
      "OPTIONS",
    );
    const answer = await ask("/quotes/J", { Origin: "https://example.com" });

    expect(preflight.status).toBe(204);
    expect(preflight.headers["access-control-allow-origin"]).toBe("*");
    expect(preflight.headers["access-control-allow-headers"]).toBe(
      "Authorization,If-None-Match,Last-Event-ID,Content-Type,Prefer,Idempotency-Key",
    );
    expect(String(answer.headers["access-control-expose-headers"]).split(",")).toEqual([
      "ETag",
      "Distributary-Timestamp",
      "Distributary-Headers-Omitted",
      "Idempotency-Key",
      "Preference-Applied",
      "Retry-After",
      "WWW-Authenticate",
    ]);
  });

  test("[H8] [H6] pages of any origin may read errors, and when to try again", async () => {
    const lone = await startEdge({ SHARDS: "many" });
    onTestFinished(() => lone.close());
    const page = { Origin: "https://example.com" };

    const answers = [
      await ask("/secret/a", page),
      await ask("/quotes/%z", page),
      await ask("/quotes/none", page),
      await ask("/quotes/J", page, "PUT"),
      await ask("/quotes/J", page, "GET", lone.url),
    ];

    expect(answers.map(({ status }) => status)).toEqual([404, 400, 404, 405, 500]);
    for (const { headers } of answers) {
      expect(headers["access-control-allow-origin"]).toBe("*");
      expect(headers["access-control-expose-headers"]).toContain("Retry-After");
    }
  });

  test.each([
    ["where there is none", "/$/health", 4512, "bad_upgrade"],
    ["on no endpoint", "/quotes", 4512, "bad_upgrade"],
    ["on a topic that isn't exposed", "/secret/a", 4507, "unknown_topic"],
    ["on a malformed path", "/quotes/%z", 4508, "bad_address"],
    ["on a key that is too long", `/quotes/${"a".repeat(1_025)}`, 4510, "key_too_long"],
    ["from a position that is none", "/quotes/J?from=e.0:-1", 4509, "bad_position"],
    ["from a position with an epoch twice", "/quotes/J?from=e.0:1,e.0:2", 4509, "bad_position"],
  ])(
    "[H9] [C4] [S1] a subscribe %s is accepted and closed with a code that says why",
    async (_, path, code, name) => {
      for (const offered of [["distributary.v1"], ["chat", "distributary.v1"], []]) {
        const end = await dial(path, offered);

        expect(end).toEqual({
          code,
          reason: expect.stringMatching(new RegExp(`^${name}: [a-z].{9,}`)),
          protocol: offered.length > 0 ? "distributary.v1" : "",
        });
      }
    },
  );

  test("[H9] [V1] one that speaks only other versions hears so on the first that it offered, as a page would take no other answer", async () => {
    const end = await dial("/quotes/J", ["distributary.v9", "chat"]);

    expect(end).toEqual({
      code: 4502,
      reason: "unsupported_version: this edge speaks distributary.v1",
      protocol: "distributary.v9",
    });
  });

  test.each([
    ["user:42", "/quotes/user:42?from=e.0:1", "not_canonical: dial /quotes/user%3A42"],
    ["1,024 times !", `/quotes/${"!".repeat(1_024)}`, "not_canonical"],
  ])(
    "[A3] [H9] one that spells its path in another way is told the right one if that fits: %s",
    async (_, path, reason) => {
      expect(await dial(path, ["distributary.v1"])).toEqual({
        code: 4511,
        reason,
        protocol: "distributary.v1",
      });
    },
  );

  test("[S16] [H9] an origin that is too old to say where a history begins can't be asked for it, but later", async () => {
    // The scripted one is.
    expect(await dial("/quotes/J?from=oldest", [])).toMatchObject({ code: 4002 });
  });

  test("[H9] for a subscribe that is refused no object is named, made or woken", async () => {
    const before = await edge.operations();

    for (const path of ["/secret/a", "/quotes/%z", "/quotes/J?from=1", "/quotes/a!b", "/$/health"])
      await dial(path, ["distributary.v1"]);
    await dial("/quotes/J", ["distributary.v9"]);

    const after = await edge.operations();
    const changed = Object.keys(after).filter((name) => after[name] !== before[name]);
    expect(changed).toEqual(["worker_request"]);
  });

  test("[H9] [C3] what may pass is refused with a code that allows to come back", async () => {
    const broken = await startEdge({ SHARDS: "many" });
    onTestFinished(() => broken.close());
    const lone = await startEdge();
    onTestFinished(() => lone.close());
    const mistaken = await startEdge({ AUTH_ISSUERS: "typo" });
    onTestFinished(() => mistaken.close());

    // Only a question to a shard needs their number.
    const path = "/quotes/J?from=oldest";
    const ends = [await dial(path, ["distributary.v1"], broken.wsUrl), await dial(path, [], lone.wsUrl)];
    // With a wrong setting nobody can be let in.
    const closed = await dial("/quotes/J", ["distributary.v1"], mistaken.wsUrl);

    expect(ends).toEqual([
      { code: 4006, reason: "internal: something went wrong here; try again", protocol: "distributary.v1" },
      {
        code: 4002,
        reason: "unavailable: the source of this endpoint can't be reached just now",
        protocol: "",
      },
    ]);
    expect(closed).toEqual(ends[0]);
  });

  test("[H7] an upgrade to anything but a WebSocket is passed over: the request is answered as without it", async () => {
    // Whatever stands before an edge may take such a header away, so this asks the routes themselves.
    const routes = (await import(APP)) as {
      createApp(page: unknown, doorOf: unknown): { fetch(request: Request, env: object): Promise<Response> };
    };
    const known = { principal: { kind: "public" }, tokensCount: false };
    const door = { rules: {}, identify: async () => ({ ok: true, known }) };
    const app = routes.createApp(new Map(), async () => door);
    const answers = await Promise.all(
      [{ Upgrade: "h2c" }, undefined].map(async (headers) => {
        const answer = await app.fetch(new Request("https://edge/secret/J", headers && { headers }), {});
        return [answer.status, await answer.json()];
      }),
    );

    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]).toMatchObject([404, { error: { code: "unknown_topic" } }]);
  });

  test("[V1] a subscriber that offers version 1 among others gets it; one that offers none gets it, too", async () => {
    const offered = await ask("/quotes/J", {
      ...WEBSOCKET,
      "Sec-WebSocket-Protocol": "chat, distributary.v1",
    });
    const bare = await ask("/quotes/J", WEBSOCKET);

    expect([offered.status, offered.headers["sec-websocket-protocol"]]).toEqual([101, "distributary.v1"]);
    expect([bare.status, bare.headers["sec-websocket-protocol"]]).toEqual([101, undefined]);
  });

  test("[A6] [W3] what is exposed can be listed, and for how long a publish that comes again is the same", async () => {
    const { streams } = JSON.parse((await ask("/$/streams")).body.toString()) as {
      streams: { topic: string }[];
    };

    expect(streams.find(({ topic }) => topic === "quotes")).toEqual({
      topic: "quotes",
      title: expect.any(String),
      subscribe: "public",
      publish: "public",
      window: { updates: 100, seconds: 3_600 },
      idempotency: { seconds: 600 },
    });
    expect(streams.find(({ topic }) => topic === "flights")).not.toHaveProperty("idempotency");
  });
});

describe("uplinks", () => {
  const bearer = async (claims?: Parameters<typeof ScriptedOrigin.token>[0]) => ({
    Authorization: `Bearer ${await ScriptedOrigin.token(claims)}`,
  });

  test("[U1] a valid token learns the number of shards", async () => {
    const answer = await ask("/$/uplink", await bearer());

    expect(JSON.parse(answer.body.toString())).toEqual({ version: 1, shards: 2 });
  });

  test.each([
    ["no token", {}],
    ["an expired one", { life: -60 }],
    ["one signed with another secret", { secret: "another-secret-of-32-bytes-or-more" }],
    ["one of an unknown key", { kid: "other" }],
  ])("[U1] with %s the answer is 401, for shards and for uplinks", async (name, claims) => {
    const headers = name === "no token" ? {} : await bearer(claims);

    for (const answer of [
      await ask("/$/uplink", headers),
      await ask("/$/uplink?shard=0", { ...WEBSOCKET, ...headers }),
    ])
      expect([answer.status, code(answer)]).toEqual([401, "unauthorized"]);
  });

  test.each([
    ["no shard", "/$/uplink", UPLINK_PROTOCOL, 400, "bad_upgrade"],
    ["a shard that there isn't", "/$/uplink?shard=2", UPLINK_PROTOCOL, 404, "not_found"],
    ["a shard that is no number", "/$/uplink?shard=1e0", UPLINK_PROTOCOL, 404, "not_found"],
    ["no version that is spoken", "/$/uplink?shard=0", "distributary.uplink.v9", 400, "unsupported_version"],
    ["no version", "/$/uplink?shard=0", undefined, 400, "unsupported_version"],
  ])("[U1] [V1] an uplink with %s is refused", async (_, path, protocol, status, expected) => {
    const headers = {
      ...WEBSOCKET,
      ...(await bearer()),
      ...(protocol && { "Sec-WebSocket-Protocol": protocol }),
    };

    const answer = await ask(path, headers);

    expect([answer.status, code(answer)]).toEqual([status, expected]);
  });
});

describe("an edge that isn't set up", () => {
  test("[C1] [C2] without an origin endpoints are unavailable, and health says so", async () => {
    const lone = await startEdge({ OPERATIONS: "off" });
    try {
      const answer = await ask("/quotes/A", {}, "GET", lone.url);
      const health = await ask("/$/health", {}, "GET", lone.url);
      const operations = await ask("/$/operations", {}, "GET", lone.url);

      expect([answer.status, code(answer)]).toEqual([503, "unavailable"]);
      expect(health.status).toBe(503);
      const nobody = { connected: false, ready: false, origin: null, generation: 0, standbys: [] };
      const shard = {
        ...nobody,
        slices: [{ slice: "1/1", ...nobody }],
        watched: 0,
        links: 0,
        revocations: 0,
      };
      expect(JSON.parse(health.body.toString())).toEqual({
        version: 1,
        healthy: false,
        shards: [shard, shard],
      });
      expect([operations.status, code(operations)]).toEqual([404, "not_found"]);
    } finally {
      await lone.close();
    }
  });

  test.each([
    [
      "keys that are none",
      { UPLINK_KEYS: "short:scripted:secret" },
      "/$/uplink",
      /UPLINK_KEYS: one has a secret of less than 32 bytes, that of short/,
    ],
    ["no keys", { UPLINK_KEYS: "" }, "/$/uplink", /UPLINK_KEYS must be/],
    ["no number of shards", { SHARDS: "many" }, "/quotes/A", /SHARDS must be a whole number from 1 to 64/],
  ])(
    "[C1] [U1] with %s it answers internal, says why in its log only, and accepts nobody",
    async (_, vars, path, log) => {
      const broken = await startEdge(vars);
      try {
        const answer = await ask(
          path,
          { Authorization: `Bearer ${await ScriptedOrigin.token({ secret: "secret", kid: "short" })}` },
          "GET",
          broken.url,
        );

        expect([answer.status, code(answer)]).toEqual([500, "internal"]);
        expect(answer.body.toString()).not.toMatch(/SHARD|UPLINK|Error|\.ts/);
        expect(broken.logs().join("\n")).toMatch(log);
      } finally {
        await broken.close();
      }
    },
  );

  test("[U9] [U11] health is good once every shard has an origin that is ready; it names who is active and who stands by", async () => {
    const standby = new ScriptedOrigin({ url: edge.url, name: "standby" });
    onTestFinished(() => standby.cut());
    await standby.connect({ ready: false });
    const health = await ask("/$/health");

    expect(health.status).toBe(200);
    expect(JSON.parse(health.body.toString())).toMatchObject({
      healthy: true,
      shards: [
        { connected: true, ready: true, origin: "scripted", standbys: [{ origin: "standby", ready: false }] },
        { connected: true, ready: true, origin: "scripted", standbys: [{ origin: "standby", ready: false }] },
      ],
    });
  });
});
