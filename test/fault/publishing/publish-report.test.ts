import { expect, test } from "vitest";
import type { Injected } from "../injected.ts";
import type { Kind } from "../kinds/kind.ts";
import { type Answer, checkPublishes, type PublishedRecord } from "./publish-checker.ts";
import { publishFailures, publishTable } from "./publish-report.ts";
import type { Made } from "./publishers.ts";

const kind = (name: string): Kind => ({
  name,
  perTenMinutes: 10,
  lastsMs: 0,
  parts: [],
  inject: async () => {},
});

const injected = (name: string, firstId: number, lastId: number): Injected => ({
  kind: name,
  startedAt: 0,
  goneAt: 10,
  settledAt: 100,
  stallMs: 0,
  waitMs: 0,
  calmMs: 0,
  failure: undefined,
  notInjected: undefined,
  combined: false,
  firstId,
  lastId,
  announced: 0,
  recovered: new Map(),
});

const at = (offset: number): Answer => ({ kind: "acknowledged", position: `p.0:${offset}` });
const error = (code: string): Answer => ({ kind: "error", code, retry: true });
const NONE: Answer = { kind: "none" };

/** One that is under way while the records up to `lastId` are produced. */
function made(id: number, lastId: number, answers: readonly Answer[], tookMs?: number): Made {
  const publish = { id, client: "c", endpoint: "/p/k", value: String(id) };
  return { ...publish, answers: [...answers], lastId, startedAt: 0, tookMs };
}

const record = ({ id, client, endpoint, value }: Made, offset = id): PublishedRecord => ({
  ...{ id, client, endpoint, value },
  offset,
});

const QUICK = made(1, 2, [at(1)], 10);
const SLOW = made(5, 30, [NONE, error("unknown_outcome"), at(5)], 4_200);
const LOST = made(40, 41, [at(40)], 20);
const MADE = [QUICK, SLOW, LOST];

const resultsOf = (all: readonly Made[], log: readonly PublishedRecord[]) => ({
  made: all,
  findings: checkPublishes(all, new Map([["p.0", log]])),
});

test("each fault has the publishes that were under way while it was at work, and the last row has all", () => {
  const run = {
    kinds: [kind("cut"), kind("kill"), kind("stop")],
    injected: [
      injected("cut", 0, 4),
      injected("cut", 20, 25),
      injected("kill", 31, 50),
      { ...injected("stop", 0, 50), failure: "it didn't take place" },
    ],
    publishes: resultsOf(MADE, [record(QUICK), record(SLOW)]),
  };

  expect(publishTable(run).split("\n").slice(2)).toEqual([
    "| cut | 2 | 1 | 1 | 0 | 0 | 0 | 0 | 4.2 |",
    "| kill | 1 | 0 | 0 | 1 | 0 | 0 | 0 | 0.0 |",
    "| stop | 0 | 0 | 0 | 0 | 0 | 0 | 0 | – |",
    "| **all** | 3 | 1 | 1 | 1 | 0 | 0 | 0 | 4.2 |",
  ]);
});

test.each<[string, readonly Made[], readonly PublishedRecord[], number, RegExp]>([
  [
    "one is lost",
    MADE,
    [record(QUICK), record(SLOW)],
    0.1,
    /publish 40 of c to \/p\/k is nowhere in the log/,
  ],
  [
    "one was asked for to the end, and nobody knows",
    [made(1, 2, [error("unavailable"), NONE])],
    [],
    0,
    /1 publishes were never acknowledged; the first was told {"kind":"none"}/,
  ],
  ["too few were acknowledged", [QUICK], [record(QUICK)], 10, /vacuous: only 1 publishes/],
])("a run fails if %s", (_, all, log, seconds, why) => {
  expect(publishFailures(resultsOf(all, log), seconds).join("\n")).toMatch(why);
});

test("a run doesn't fail if publishes were refused and let go, or there was no time for more", () => {
  const refused = made(2, 3, [error("unavailable")]);
  expect(publishFailures(resultsOf([QUICK, refused], [record(QUICK)]), 0.1)).toEqual([]);
});
