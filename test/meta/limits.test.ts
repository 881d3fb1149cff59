/** The tables of limits in both documents against the code. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { MAX_REVOCATIONS, OWN_REVOCATIONS } from "../../edge/access/revocations.ts";
import { subscribersPerObject } from "../../edge/endpoint/connection-limits.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";

const root = join(import.meta.dirname, "../..");

const number = (value: number) => value.toLocaleString("en-US");
function size(bytes: number): string {
  if (bytes % 2 ** 20 === 0) return `${bytes / 2 ** 20} MiB`;
  return bytes >= 2 ** 13 ? `${bytes / 2 ** 10} KiB` : `${number(bytes)} bytes`;
}

/** The bound of each row of a document's table, by what it bounds. */
function boundsOf(document: string): ReadonlyMap<string, string> {
  const text = readFileSync(join(root, "shared", document), "utf8");
  const [, table = ""] = text.split("\n## Limits\n");
  const rows = [...table.matchAll(/^\| ([^|]+) \| ([^|]+) \| [^|]+ \|$/gm)];
  return new Map(rows.map(([, what = "", bound = ""]) => [what, bound]));
}

describe.each<[string, readonly (readonly [string, string])[]]>([
  [
    "PROTOCOL.md",
    [
      ["key", size(LIMITS.keyBytes)],
      ["value", size(LIMITS.valueBytes)],
      ["arrays and objects of a JSON value in one another", number(LIMITS.jsonDepth)],
      ["frame, and so a message to a subscriber", size(LIMITS.frameBytes)],
      ["components of a position that a client names", number(LIMITS.positionComponents)],
      [
        "message of a subscriber",
        `${size(LIMITS.subscriberMessageBytes)}, ${LIMITS.subscriberMessageFrames} frames`,
      ],
      ["unsent to a live subscriber", size(LIMITS.subscriberBacklogBytes)],
      ["endpoints of an event stream", number(LIMITS.streamEndpoints)],
      [
        "subscribers of an endpoint",
        `${number(LIMITS.relaysPerEndpoint * subscribersPerObject({}))} of each region, unless the deployment set another number`,
      ],
      ["`Idempotency-Key`", `${LIMITS.publishKeyCharacters} characters`],
      [
        "headers of a record that is published",
        `${LIMITS.publishHeaders}, ${size(LIMITS.publishHeaderBytes)}`,
      ],
    ],
  ],
  [
    "INTERNALS.md",
    [
      ["unsent on a link", size(LIMITS.linkBacklogBytes)],
      ["unsent on an uplink", size(LIMITS.uplinkBacklogBytes)],
      ["uplinks that stand by at a shard for a slice", number(LIMITS.standbysPerSlice)],
      ["offset of an update", `${number(LIMITS.plausibleOffset)} (2^52)`],
      ["shards of an edge (U1)", `${LIMITS.shards}`],
      ["edges at one address (D5)", `${LIMITS.edgesAtAddress}`],
      ["endpoints of which a shard asks how many other edges have (D6)", number(LIMITS.countsElsewhere)],
      ["endpoints of which a shard tells an origin how many it has (D6)", number(LIMITS.countsForOrigin)],
      ["slices; numbers of slices at once", `${LIMITS.slices}; ${LIMITS.sliceCounts}`],
      ["held of slices' answers, by a shard", size(LIMITS.scatterGatherBytes)],
      ["a value in the answer to a question", size(LIMITS.questionValueBytes)],
      ["open questions of an endpoint on a link", number(LIMITS.openAsks)],
      ["an answer", `${number(LIMITS.answerUpdates)} updates, ${size(LIMITS.answerBytes)}`],
      [
        "revocations at a shard",
        `${number(MAX_REVOCATIONS)}, and ${OWN_REVOCATIONS} of each issuer in any case`,
      ],
      [
        "publishes at a shard that aren't answered (W7)",
        `${number(LIMITS.openPublishes)}; ${size(LIMITS.openPublishBytes)}`,
      ],
      [
        "subscribers of an object",
        `${number(subscribersPerObject({}))}, or as set, up to ${number(LIMITS.subscribersPerObject)}`,
      ],
      ["relays of an endpoint in a region", number(LIMITS.relaysPerEndpoint)],
      ["connections of a relay", number(LIMITS.subscribersPerObject)],
      [
        "endpoints of a relay; subscriptions",
        `${number(LIMITS.relayEndpoints)}; ${number(LIMITS.relaySubscriptions)}`,
      ],
    ],
  ],
])("limits of %s", (document, limits) => {
  const bounds = boundsOf(document);

  test.each(limits)("%s: %s", (what, bound) => {
    expect(bounds.get(what)).toBe(bound);
  });
});
