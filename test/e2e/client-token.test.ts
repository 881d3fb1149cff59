/** The product's own client with a stream that is for tokens, on a real edge. */
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { type Subscription, subscribe, type TokenSource } from "../../shared/client/client.ts";
import { Deployment, utf8 } from "../support/deployment.ts";
import { AUTH_ISSUERS, type TokenOf, tokenOf } from "../support/tokens.ts";

let edge: Deployment;
let subscription: Subscription | undefined;

beforeAll(async () => {
  edge = await Deployment.start({
    topics: { closed: { stream: { subscribe: "token" } } },
    edgeEnv: { AUTH_ISSUERS },
  });
  edge.produce("closed", [{ key: utf8("a"), value: utf8("1") }]);
});
afterEach(() => subscription?.close());
afterAll(() => edge.stop());

/** Until it is live, or over: what it was told. */
async function follow(token: TokenSource | undefined): Promise<readonly string[]> {
  const url = `${edge.url}/closed/a`;
  const told: string[] = [];
  const followed = subscribe(url, { token, backoff: { baseMs: 10, maxMs: 100 } });
  subscription = followed;
  followed.on("update", (update) => told.push(`update ${update.text()}`));
  followed.on("error", ({ code }) => told.push(code));
  await new Promise<void>((resolve) => {
    followed.on("live", () => resolve());
    followed.on("connection", ({ state }) => state === "closed" && resolve());
  });
  return told;
}

const GOOD: TokenOf = { subscribe: ["/closed/*"] };
const EXPIRED: TokenOf = { ...GOOD, from: -600, until: -300 };

test("[S21] a subscription with a token is live", async () => {
  expect(await follow(() => tokenOf(GOOD))).toEqual(["update 1"]);
});

test("[S23] one whose token is refused asks for another, and is live with that", async () => {
  const given = [EXPIRED, GOOD];
  expect(await follow(() => tokenOf(given.shift()))).toEqual(["update 1"]);
  expect(given).toEqual([]);
});

test.each<[string, TokenOf | undefined, string]>([
  ["none", undefined, "no_token"],
  ["one that has expired", EXPIRED, "expired"],
  ["one for others", { ...GOOD, audience: "elsewhere" }, "wrong_audience"],
  ["one for other topics", { subscribe: ["/open/*"], discover: ["/closed/*"] }, "forbidden"],
])("[S23] one that has no other token than %s ends, and says why", async (_, of, code) => {
  expect(await follow(of && (await tokenOf(of)))).toEqual([code]);
});

test("[S18] [S22] one whose token runs out is renewed on its socket, time after time", async () => {
  let asked = 0;
  const told: string[] = [];
  const followed = subscribe(`${edge.url}/closed/a`, {
    token: () => tokenOf({ ...GOOD, id: `t${++asked}`, until: 4 }),
  });
  subscription = followed;
  followed.on("connection", ({ state }) => told.push(state));
  followed.on("error", ({ code }) => told.push(code));
  await vi.waitFor(() => expect(asked).toBeGreaterThan(4), { timeout: 30_000 });

  edge.produce("closed", [{ key: utf8("a"), value: utf8("2") }]);
  await vi.waitFor(() => expect(followed.statistics.received).toBe(2), { timeout: 30_000 });
  expect(told).toEqual(["connecting", "open"]);
});

test("[S19] [S23] one whose token runs out and whose source has no other ends with that", async () => {
  const followed = subscribe(`${edge.url}/closed/a`, { token: await tokenOf({ ...GOOD, until: 3 }) });
  subscription = followed;
  const error = await new Promise((resolve) => followed.on("error", resolve));

  expect(error).toMatchObject({ code: "expired", retry: false });
  expect(followed.connection.state).not.toBe("open");
});
