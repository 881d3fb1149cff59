/** Uplinks that are let in or refused, an edge that isn't set up, and its health. */
import { describe, expect, onTestFinished, test } from "vitest";
import { UPLINK_PROTOCOL } from "../../shared/protocol/version.ts";
import { startEdge } from "../support/edge-harness.ts";
import { askAt, askedEdge, code, WEBSOCKET } from "../support/http-asks.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

const world = askedEdge();
const { ask } = world;

const bearer = async (claims?: Parameters<typeof ScriptedOrigin.token>[0]) => ({
  Authorization: `Bearer ${await ScriptedOrigin.token(claims)}`,
});

describe("uplinks", () => {
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
      const answer = await askAt(lone.url)("/quotes/A");
      const health = await askAt(lone.url)("/$/health");
      const operations = await askAt(lone.url)("/$/operations");

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
        const answer = await askAt(broken.url)(path, await bearer({ secret: "secret", kid: "short" }));

        expect([answer.status, code(answer)]).toEqual([500, "internal"]);
        expect(answer.body.toString()).not.toMatch(/SHARD|UPLINK|Error|\.ts/);
        expect(broken.logs().join("\n")).toMatch(log);
      } finally {
        await broken.close();
      }
    },
  );

  test("[U9] [U11] health is good once every shard has an origin that is ready; it names who is active and who stands by", async () => {
    const standby = new ScriptedOrigin({ url: world.edge.url, name: "standby" });
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
