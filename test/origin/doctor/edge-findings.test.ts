import { describe, expect, test } from "vitest";
import {
  type EdgeFacts,
  exposureFindings,
  uplinkFindings,
  webSocketFinding,
} from "../../../origin/doctor/edge-findings.ts";
import { Streams } from "../../../shared/config/streams.ts";
import { challengeOf } from "../../../shared/protocol/uplink-token-fault.ts";
import { STREAM } from "../../support/small-origin.ts";

const NOW = 1_763_690_000_000;
const facts = (changed: Partial<Exclude<EdgeFacts, { failed: string }>> = {}): EdgeFacts => ({
  ...{ status: 200, challenge: null, date: NOW, now: NOW, body: { version: 1, shards: 2 } },
  ...changed,
});
const KEY = { kid: "k1", name: "a" };
const uplink = (changed: Partial<Exclude<EdgeFacts, { failed: string }>>) =>
  uplinkFindings(facts(changed), KEY).map(({ verdict, what, says }) => `${verdict} ${what}: ${says}`);

describe("an uplink", () => {
  test.each([
    ["is accepted", {}, [/^ok uplink: the key k1 of a is accepted; version 1, 2 shards/]],
    ["with clocks apart", { date: NOW - 7_400 }, [/^ok/, /^hint clock: .* 7 s ahead of the edge's/]],
    ["where the edge says no time", { date: Number.NaN }, [/^ok/]],
    ["that is refused without a reason", { status: 401 }, [/^wrong uplink: .* doesn't say why/]],
    [
      "that is refused without a reason, where clocks are apart",
      { status: 401, date: NOW + 60_000 },
      [/^wrong uplink: .* for its time: this machine's clock is 60 s behind/],
    ],
    [
      "whose Authorization is lost on the way",
      { status: 401, challenge: challengeOf("no_token") },
      [/^wrong uplink: .* there is no token/],
    ],
    [
      "that says another name than its key",
      { status: 401, challenge: challengeOf("other_name") },
      [/^wrong uplink: .* the key k1 of a: .* is that of an origin of another name$/],
    ],
    ["of another version", { body: { version: 2, shards: 1 } }, [/^wrong uplink: the edge speaks version 2/]],
    [
      "to an edge of more shards than can be",
      { body: { version: 1, shards: 1_000 } },
      [/^wrong uplink: the edge says that it has 1000 shards, and no edge has more than 64/],
    ],
    ["to an edge without keys", { status: 500 }, [/^wrong uplink: the edge answers with status 500/]],
    ["to something else", { status: 404, body: undefined }, [/^wrong uplink: .* is no edge/]],
    ["to something else that is fine", { body: { hello: "world" } }, [/^wrong uplink: .* is no edge/]],
  ] as const)("%s", (_, changed, expected) => {
    const found = uplink(changed);

    expect(found).toHaveLength(expected.length);
    for (const [i, one] of expected.entries()) expect(found[i]).toMatch(one);
  });

  test("to nobody", () => {
    expect(uplinkFindings({ failed: "socket hang up" }, KEY)).toMatchObject([
      { verdict: "wrong", says: "the edge doesn't answer: socket hang up" },
    ]);
  });
});

test("WebSockets that a proxy stops are told", () => {
  expect(webSocketFinding(404).verdict).toBe("ok");
  for (const status of [426, 400, 101, "socket hang up"])
    expect(webSocketFinding(status).verdict).toBe("wrong");
});

test("an edge that doesn't say what it exposes is a hint", () => {
  const streams = new Streams([STREAM]);
  for (const answer of [facts({ body: [] }), { failed: "x" }])
    expect(exposureFindings(answer, streams)).toMatchObject([{ verdict: "hint" }]);
});
