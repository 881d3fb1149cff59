import { describe, expect, test } from "vitest";
import {
  APIS,
  type ApiName,
  chosenVersion,
  shortcomings,
  unreadable,
  type Versions,
  versionOf,
} from "../../../origin/kafka/apis.ts";
import type { Caps } from "../../support/capped-proxy.ts";
import { EVENT_HUBS, REDPANDA } from "../../support/kafka-alikes.ts";

const versionsOf = (caps: Caps): Versions =>
  Object.fromEntries(
    Object.entries(caps).map(([key, [minVersion, maxVersion]]) => [key, { minVersion, maxVersion }]),
  );
/** All that this client knows, and some versions more on either side. */
const ALL = versionsOf(
  Object.fromEntries(Object.values(APIS).map(({ key, newest }) => [key, [0, newest + 3] as const])),
);
const KAFSCALE = versionsOf({
  0: [0, 9],
  1: [11, 13],
  2: [0, 4],
  3: [0, 12],
  10: [3, 3],
  22: [-1, -1],
  32: [4, 4],
});

describe("of each request the newest version is used that both know:", () => {
  test.each<[ApiName, [number, number], number | undefined]>([
    ["Fetch", [0, 17], 17],
    ["Fetch", [0, 18], 17],
    ["Fetch", [0, 4], 4],
    ["Fetch", [0, 3], undefined],
    ["Fetch", [18, 20], undefined],
    ["ListOffsets", [0, 1], 1],
    ["ListOffsets", [0, 0], undefined],
    ["Metadata", [0, 1], 1],
    ["InitProducerId", [-1, -1], undefined],
  ])("%s of a broker that has %j", (name, range, version) => {
    expect(versionOf(name, versionsOf({ [APIS[name].key]: range }))).toBe(version);
  });

  test("and within what a request can do with", () => {
    expect(versionOf("Fetch", ALL, { atMost: 12 })).toBe(12);
    expect(versionOf("Fetch", versionsOf(EVENT_HUBS), { atLeast: 13 })).toBeUndefined();
  });
});

test("what is missing is named, with the versions of both, and nothing is said of how old a broker is", () => {
  const lacks = (name: ApiName, versions: Versions) => () => chosenVersion(name, versions);

  expect(lacks("InitProducerId", KAFSCALE)).toThrow(
    "no transactions: the broker has no InitProducerId (this client knows versions 0–4)",
  );
  expect(lacks("Fetch", versionsOf({ 1: [0, 3] }))).toThrow(
    "no reading: the broker has Fetch in versions 0–3, this client 4–17",
  );
  expect(unreadable(KAFSCALE)).toEqual([]);
  expect(unreadable({})).toHaveLength(3);
});

test.each<[string, Versions, readonly RegExp[]]>([
  ["Kafka of today", ALL, []],
  ["Kafscale", KAFSCALE, [/^no transactions: the broker has no InitProducerId/]],
  [
    "Redpanda",
    versionsOf(REDPANDA),
    [/^no topic ids/, /^no look at what was read before/, /^no look at transactions/],
  ],
  [
    "Event Hubs",
    versionsOf(EVENT_HUBS),
    [/^no topic ids/, /^no leader epochs/, /^no transactions/, /^no topic configuration/],
  ],
])("what %s lacks is said, and no more", (_, versions, expected) => {
  expect(shortcomings(versions)).toEqual(expected.map((text) => expect.stringMatching(text)));
});
