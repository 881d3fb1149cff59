/** As much history as there is: `?from=oldest`, from an index that has all of it, and from one that has forgotten the oldest. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect, type SubscriptionEvents } from "../../shared/client/client.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import type { RawSubscriber } from "../support/raw-subscriber.ts";

const RECORDS = 50;
/** Records of each round in the topic that is trimmed, the first of them the key's: so many offsets lie between two of these. */
const FILLERS = 100;
/** Of all records, those that an object keeps by itself. */
const window = { updates: 5, seconds: 3_600 };

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({
    topics: {
      kept: { partitions: 2, stream: { window } },
      trimmed: { partitions: 1, retainRecords: FILLERS * 10, stream: { window } },
    },
  });
  const fillers = Array.from({ length: FILLERS - 1 }, () => ({ key: utf8("b"), value: utf8("{}") }));
  for (let i = 0; i < RECORDS; i++) {
    const record = { key: utf8("a"), value: utf8(JSON.stringify({ i })) };
    deployment.produce("kept", [record]);
    deployment.produce("trimmed", [record, ...fillers]);
  }
}, 90_000);

afterAll(() => deployment?.stop());

const rounds = ({ updates }: RawSubscriber) => updates.map(({ value }) => JSON.parse(String(value)).i);

/** All that came up to the last record. */
async function history(topic: string): Promise<RawSubscriber> {
  const subscriber = deployment.subscribe(pathOf(topic, "a"), "oldest");
  return subscriber.until((one) => rounds(one).at(-1) === RECORDS - 1, "the last record");
}

test("[S16] it is everything, and said to be, if nothing was forgotten", async () => {
  const subscriber = await history("kept");

  expect(subscriber.verdicts).toMatchObject([{ position: "-", recovered: true }]);
  expect(rounds(subscriber)).toEqual(Array.from({ length: RECORDS }, (_, i) => i));
  expect(subscriber.violations).toEqual([]);
  subscriber.socket.close();
});

test("[S16] it begins where the verdict says, behind what the log has deleted, and lacks nothing after that", async () => {
  const { verdict, seen, violations } = await eventually(
    async () => {
      const subscriber = await history("trimmed");
      subscriber.socket.close();
      const [verdict] = subscriber.verdicts;
      // The origin looks for the log's start every few seconds. If it does between the question where the oldest is and
      // the resume from there, it is not recovered, which may be so once.
      if (verdict === undefined || verdict.position === "-" || !verdict.recovered) return false;
      return { verdict, seen: rounds(subscriber), violations: subscriber.violations };
    },
    "the oldest are forgotten, and it is proved that nothing after them is",
    60_000,
  );

  expect(violations).toEqual([]);
  const [first = 0] = seen;
  expect(FILLERS * first).toBeGreaterThan(Number(verdict.position.split(":")[1]));
  expect(seen.length).toBeGreaterThan(1);
  expect(seen).toEqual(Array.from({ length: RECORDS - first }, (_, i) => first + i));
}, 120_000);

test("[S16] [M2] on a connection of many endpoints it is the same of each", async () => {
  const connection = connect(deployment.url);
  const followed = ["kept", "trimmed"].map((topic) => {
    const subscription = connection.subscribe(pathOf(topic, "a"), { from: "oldest" });
    const seen: number[] = [];
    const verdicts: SubscriptionEvents["verdict"][] = [];
    const told: string[] = [];
    subscription.on("update", (update) => seen.push((update.json() as { i: number }).i));
    subscription.on("verdict", (verdict) => verdicts.push(verdict));
    subscription.on("gap", ({ cause }) => told.push(`gap ${cause}`));
    subscription.on("error", ({ code }) => told.push(code));
    return { seen, verdicts, told };
  });
  await eventually(
    async () => followed.every(({ seen }) => seen.at(-1) === RECORDS - 1),
    "the last record of both",
    60_000,
  );
  connection.close();
  const [kept, trimmed] = followed;

  expect(kept?.verdicts).toMatchObject([{ position: "-", recovered: true }]);
  expect(kept?.seen).toEqual(Array.from({ length: RECORDS }, (_, i) => i));
  const [first = 0] = trimmed?.seen ?? [];
  expect(trimmed?.verdicts).toMatchObject([{ recovered: true }]);
  expect(FILLERS * first).toBeGreaterThan(Number(trimmed?.verdicts[0]?.position.split(":")[1]));
  expect(trimmed?.seen).toEqual(Array.from({ length: RECORDS - first }, (_, i) => first + i));
  expect(followed.map(({ told }) => told)).toEqual([[], []]);
}, 120_000);
