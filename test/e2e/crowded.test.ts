/** A crowded endpoint with real processes: its subscribers, in several objects, miss nothing and get nothing twice, whatever dies. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Subscription, subscribe } from "../../shared/client/client.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";

const SUBSCRIBERS = 60;
/** Of an object. */
const FULL = 20;
const TICK_MS = 50;

let deployment: Deployment;
let written = 0;

beforeAll(async () => {
  deployment = await Deployment.start({
    topics: { t: { partitions: 1 } },
    edgeEnv: { SUBSCRIBERS_PER_OBJECT: String(FULL) },
  });
}, 200_000);
afterAll(() => deployment?.stop());

interface Followed {
  readonly subscription: Subscription;
  readonly values: number[];
  readonly told: string[];
}

function write(): void {
  deployment.produce("t", [{ key: utf8("hot"), value: utf8(String(++written)) }]);
}

function follow(): Followed {
  const subscription = subscribe(deployment.url + pathOf("t", "hot"), {
    backoff: { baseMs: 50, maxMs: 500 },
  });
  const [values, told]: [number[], string[]] = [[], []];
  subscription.on("update", (update) => values.push(Number(update.text())));
  subscription.on("gap", ({ cause }) => told.push(`gap ${cause}`));
  subscription.on("error", ({ code }) => told.push(code));
  return { subscription, values, told };
}

const operation = async (name: string) => Number((await deployment.operations())[name]);

test("[A11] [P5] [S10] through the death of the edge and of the origin, and they are counted as those of one endpoint", async () => {
  write();
  await eventually(async () => (await fetch(deployment.url + pathOf("t", "hot"))).ok, "there is a record");
  const followed = Array.from({ length: SUBSCRIBERS }, follow);
  const areLive = () => followed.every(({ subscription }) => subscription.phase === "live");
  await eventually(async () => areLive(), "all are live", 60_000);
  const sent = await operation("websocket_message_in.endpoint_link");
  write();
  await eventually(
    async () => followed.every(({ values }) => values.at(-1) === written),
    "an update",
    60_000,
  );
  expect((await operation("websocket_message_in.endpoint_link")) - sent).toBe(SUBSCRIBERS / FULL);

  const writer = setInterval(write, TICK_MS);
  await deployment.edge?.stop("SIGKILL");
  deployment.edge = deployment.startEdge();
  await deployment.ready();
  await eventually(async () => areLive(), "all are back", 120_000);
  await deployment.origin?.stop("SIGKILL");
  deployment.startOrigins(1);
  await deployment.ready();
  clearInterval(writer);
  await eventually(
    async () => followed.every(({ values }) => values.at(-1) === written),
    "all have everything",
    120_000,
  );

  for (const { values, told } of followed) {
    expect(values).toEqual(Array.from({ length: written }, (_, i) => i + 1));
    expect(told).toEqual([]);
  }
  const occupancy = async () => {
    const answer = await fetch(`${deployment.url}${pathOf("t", "hot")}?occupancy`);
    return ((await answer.json()) as { subscribers: number }).subscribers;
  };
  await eventually(async () => (await occupancy()) === SUBSCRIBERS, "all are counted", 60_000);
  for (const { subscription } of followed) subscription.close();
  await eventually(async () => (await occupancy()) === 0, "nobody is counted", 60_000);
}, 400_000);
