import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { startEdge } from "../support/edge-harness.ts";
import { askAt, askedEdge, code, endOf, WEBSOCKET } from "../support/http-asks.ts";

/** Imported without its types, which are those of another platform. */
const APP = join(import.meta.dirname, "../../edge/http/app.ts");

const world = askedEdge();
const { ask } = world;

/** How a subscribe ends that isn't served. */
const dial = (path: string, protocols: string[], at = world.edge) => endOf(`${at.wsUrl}${path}`, protocols);

describe("addresses", () => {
  test.each([
    ["/quotes/a%2db", "/quotes/a-b?respelled"],
    ["/quotes/%e2%82%ac?from=e.0:1", "/quotes/%E2%82%AC?from=e.0:1&respelled"],
    ["/quotes/a$b", "/quotes/a%24b?respelled"],
    ["/quotes/a!b", "/quotes/a%21b?respelled"],
    // What comes back as it was has been spelled anew on its way.
    ["/quotes/a!b?respelled", "/quotes/$b64.YSFi"],
    ["/quotes/a!b?respelled&from=e.0:1", "/quotes/$b64.YSFi?from=e.0:1"],
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
    world.origin.append(path, { n: 1 });

    expect((await ask(path)).status).toBe(200);
  });

  test("[A2] the keys that a URL parser would swallow have their own spellings", async () => {
    for (const key of ["$", "$.", "$.."]) {
      world.origin.append(`/quotes/${key}`, { key });
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
    world.origin.append("/quotes/J", { n: 1 });
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

    expect([preflight.status, answer.status]).toEqual([204, 200]);
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
      await askAt(lone.url)("/quotes/J", page),
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
    const before = await world.edge.operations();

    for (const path of ["/secret/a", "/quotes/%z", "/quotes/J?from=1", "/quotes/a!b", "/$/health"])
      await dial(path, ["distributary.v1"]);
    await dial("/quotes/J", ["distributary.v9"]);

    const after = await world.edge.operations();
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
    const ends = [await dial(path, ["distributary.v1"], broken), await dial(path, [], lone)];
    // With a wrong setting nobody can be let in.
    const closed = await dial("/quotes/J", ["distributary.v1"], mistaken);

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
