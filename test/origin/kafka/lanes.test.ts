/** Who may send to a broker when, with answers and time in the test's hands. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LANES, Lanes, UnsentError } from "../../../origin/kafka/lanes.ts";
import type { Request } from "../../../origin/kafka/request.ts";
import { range } from "../../support/contract-records.ts";

const { prompt: PROMPT, max: MAX, slowMs: SLOW_MS } = LANES;

/** A connection whose requests are answered when the test says so. */
class Connection {
  closed = false;
  wasOpen = true;
  sent: PromiseWithResolvers<unknown> | undefined;

  send<T>(): Promise<T> {
    if (this.sent !== undefined) throw new Error("one request after another");
    this.sent = Promise.withResolvers();
    return this.sent.promise as Promise<T>;
  }

  answer(): void {
    this.sent?.resolve("answered");
    this.sent = undefined;
  }

  close(): void {
    this.closed = true;
    this.sent?.reject(new Error("closed"));
    this.sent = undefined;
  }
}

let connections: Connection[];
let lanes: Lanes;
let canOpen: boolean;

beforeEach(() => {
  vi.useFakeTimers();
  connections = [];
  canOpen = true;
  lanes = new Lanes(() => {
    const connection = new Connection();
    connection.wasOpen = canOpen;
    connections.push(connection);
    return connection;
  });
});
afterEach(() => vi.useRealTimers());

const REQUEST = {} as Request<unknown>;
const settle = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
const underWay = () => connections.filter(({ sent }) => sent !== undefined).length;

/** Sends, and returns whether it was answered yet. */
function send(which: "first" | "again" = "first", broker = 1) {
  const sent: { outcome?: unknown } = {};
  lanes.send(broker, REQUEST, which).then(
    (answer) => {
      sent.outcome = answer;
    },
    (error: Error) => {
      sent.outcome = error.message;
    },
  );
  return sent;
}

test("so many are under way at once, and the next one as soon as one is answered, over the same connection", async () => {
  for (const _ of range(0, PROMPT + 1)) send();
  await settle();
  expect(underWay()).toBe(PROMPT);
  send("first", 2);
  await settle();
  expect(connections).toHaveLength(PROMPT + 1);

  connections[3]?.answer();
  await settle();

  expect(connections[3]?.sent).toBeDefined();
  expect(connections).toHaveLength(PROMPT + 1);
});

test("those that have no answer for long no longer keep others waiting", async () => {
  for (const _ of range(0, PROMPT)) send();
  await settle(SLOW_MS / 2);
  const other = send();
  await settle(SLOW_MS / 4);
  expect(underWay()).toBe(PROMPT);

  await settle(SLOW_MS);
  connections.at(-1)?.answer();
  await settle();

  expect(other.outcome).toBe("answered");
});

test("what is sent again and again leaves room for what is sent for the first time", async () => {
  for (const _ of range(0, 3 * MAX)) send("again");
  await settle(20 * SLOW_MS);
  expect(underWay()).toBe(MAX - PROMPT);

  for (const _ of range(0, 100)) {
    const other = send();
    await settle();
    connections.findLast(({ sent }) => sent !== undefined)?.answer();
    await settle();
    expect(other.outcome).toBe("answered");
  }
  expect(underWay()).toBe(MAX - PROMPT);
});

test("there are never more, and of those that are idle as many are kept as are needed", async () => {
  for (const _ of range(0, 2 * MAX)) send();
  await settle(20 * SLOW_MS);
  expect(underWay()).toBe(MAX);

  for (let round = 0; round < 2; round++) {
    for (const connection of connections) connection.answer();
    await settle(20 * SLOW_MS);
  }

  expect(underWay()).toBe(0);
  expect(connections.filter(({ closed }) => !closed)).toHaveLength(PROMPT);
});

test("at rest those are closed that nothing is sent over, and others go on", async () => {
  const [first, second] = [send(), send()];
  await settle();
  connections[0]?.answer();
  await settle();
  lanes.rest();
  connections[1]?.answer();
  await settle();

  expect([first.outcome, second.outcome]).toEqual(["answered", "answered"]);
  expect(connections.map(({ closed }) => closed)).toEqual([true, false]);
});

test("one that was closed is replaced; closing rejects what waits and what is under way", async () => {
  const first = send();
  await settle();
  connections[0]?.close();
  await settle();
  expect(first.outcome).toBe("closed");

  const sent = range(0, PROMPT + 1).map(() => send());
  await settle();
  lanes.close();
  await settle();

  expect(new Set(sent.map(({ outcome }) => outcome))).toEqual(new Set(["closed", "the sink is closed"]));
  expect(vi.getTimerCount()).toBe(0);
});

test("what a connection can't be opened for has not been sent, and that is told apart", async () => {
  canOpen = false;
  const unopened = lanes.send(1, REQUEST);
  await settle();
  connections[0]?.close();
  await expect(unopened).rejects.toBeInstanceOf(UnsentError);

  canOpen = true;
  const sent = lanes.send(1, REQUEST);
  await settle();
  connections[1]?.close();
  await expect(sent).rejects.not.toBeInstanceOf(UnsentError);
});
