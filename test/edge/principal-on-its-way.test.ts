/**
 * Who asks, on its way through the real runtime: what the Worker has made of a request arrives at the object and at the
 * shard as it was made, and stays over a hibernation. Nothing from outside passes for it.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { holderOf } from "../../edge/endpoint/holder.ts";
import { type KnownPrincipal, readPrincipal } from "../../edge/principal.ts";
import { MADE_BY_HAND, startEdge, type TestEdge } from "../support/edge-harness.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

const HOUR_MS = 3_600_000;
const ALICE: KnownPrincipal = {
  kind: "known",
  issuer: "https://issuer.example",
  subject: `alice ${String.fromCodePoint(0x1f6ec)} "\\`,
  id: "token-1",
  issuedAt: 1_760_000_000,
  grants: { subscribe: ["/quotes/*"], publish: ["/orders/alice"], discover: [], admin: true },
  until: Date.now() + HOUR_MS,
};
const PATH = "/quotes/A";

/** In ASCII, as headers are. */
const inHeader = (name: string, principal: object) => ({
  [name]: JSON.stringify(principal).replace(
    /[^ -~]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  ),
});
const made = (principal: KnownPrincipal) => inHeader(MADE_BY_HAND, principal);
/** Whatever the edge may call it. */
const forged = {
  ...inHeader("Distributary-Principal", ALICE),
  ...inHeader("X-Distributary-Principal", ALICE),
  ...inHeader("Principal", ALICE),
};

let edge: TestEdge;
let origin: ScriptedOrigin;

beforeAll(async () => {
  edge = await startEdge({ SHARDS: "1" });
  origin = await new ScriptedOrigin({ url: edge.url, shards: 1 }).connect();
  origin.append(PATH, 1);
}, 60_000);
afterAll(async () => {
  origin.cut();
  await edge.close();
});

// First, since a shard sleeps only as long as it has no links.
test("[A8] [H1] a GET brings its principal to a shard that slept, and a forged one doesn't", async () => {
  await edge.evictShard(0);
  const answer = await fetch(`${edge.url}${PATH}`, { headers: made(ALICE) });
  expect([answer.status, await answer.text()]).toEqual([200, "1"]);
  expect(readPrincipal(await edge.lastAsker())).toEqual(ALICE);

  await edge.evictShard(0);
  for (const headers of [forged, {}]) {
    expect((await fetch(`${edge.url}${PATH}?principal=alice`, { headers })).status).toBe(200);
    expect(await edge.lastAsker()).toBeNull();
  }
});

test("[A8] [S1] [S6] a subscriber's principal is there after its object slept, and others' are public, whatever they claim", async () => {
  const alice = new RawSubscriber(`${edge.wsUrl}${PATH}`, made(ALICE));
  await alice.verdict();
  const liar = new RawSubscriber(`${edge.wsUrl}${PATH}?principal=alice`, forged);
  await liar.verdict();

  for (const update of [2, 3]) {
    await edge.evict(PATH);
    origin.append(PATH, update);
    for (const one of [alice, liar])
      await one.until(({ updates }) => updates.at(-1)?.value?.toString() === String(update), `${update}`);
  }

  const attachments = await edge.attachments(PATH);
  const holders = attachments.flatMap(({ holder }) => holder ?? []);
  const { issuer, subject, tokenId } = await holderOf(ALICE, Date.now());
  expect(attachments).toHaveLength(2);
  expect(holders).toMatchObject([
    { iss: issuer, sub: subject, jti: tokenId, iat: ALICE.issuedAt, until: ALICE.until },
  ]);
  expect(JSON.stringify(attachments)).not.toMatch(/alice|token-1|issuer\.example/);
  for (const one of [alice, liar]) one.close();
});

test("[A8] [C2] [C4] one that is over is refused, by a GET, an upgrade, and on a socket that slept", async () => {
  const over = made({ ...ALICE, until: Date.now() - 1 });
  expect((await fetch(`${edge.url}${PATH}`, { headers: over })).status).toBe(401);
  for (const from of ["", "?from=-", "?from=oldest"]) {
    const refused = new RawSubscriber(`${edge.wsUrl}${PATH}${from}`, over);
    await refused.until(({ closed }) => closed !== undefined, "the refusal");
    expect(refused.closed).toEqual({ code: 4515, reason: "expired: the token has expired" });
    expect(refused.verdicts).toEqual([]);
  }

  const until = Date.now() + 6_000;
  const alice = new RawSubscriber(`${edge.wsUrl}${PATH}`, made({ ...ALICE, until }));
  await alice.verdict();
  await edge.evict(PATH);
  alice.send(JSON.stringify({ id: 1, sub: PATH }));
  await alice.until(({ verdicts }) => verdicts.length > 1, "an answer");
  await edge.evict(PATH);
  await alice.until(({ closed }) => closed !== undefined, "the end");

  expect(alice.closed).toEqual({ code: 4515, reason: "expired" });
  expect(Date.now()).toBeGreaterThanOrEqual(until);
});

test("[A8] [C1] one that doesn't fit is refused as a fault of the edge, and never cut", async () => {
  const answer = await fetch(`${edge.url}${PATH}`, {
    headers: made({ ...ALICE, subject: "a".repeat(5_000) }),
  });

  expect([answer.status, await edge.lastAsker()]).toEqual([500, expect.not.stringContaining("aaaa")]);
});
