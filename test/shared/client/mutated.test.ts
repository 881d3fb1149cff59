/**
 * What an edge says to the project's own client, mutated: the client throws nothing, whatever comes, tells of no update twice, and
 * is ready for the next socket. `npm run test:long` plays a million and more.
 */
import { test } from "vitest";
import { subscribe } from "../../../shared/client/client.ts";
import { Connection } from "../../../shared/client/connect.ts";
import { settingsOf } from "../../../shared/client/settings.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeTransport } from "../../support/fake-transport.ts";
import { HISTORIES, SEED } from "../../support/long.ts";
import { holds, playBytes, playText } from "../../support/playing.ts";

/** For each random history that is asked for. */
const INPUTS = { count: 2 * HISTORIES, seed: SEED };
const MINUTES = 600_000;

const ENDPOINT = "/quotes/AAPL";
const VERDICT = '{"id":0,"ok":{"position":"a.0:1","head":"a.0:2"}}';
const UPDATE = `{"e":"${ENDPOINT}","p":"a.0:2","q":1,"v":{"bid":1}}`;
const SAID = [
  VERDICT,
  UPDATE,
  `{"id":1,"ok":{"position":"a.0:1","head":"a.0:2"}}\u001e${UPDATE}`,
  '{"id":1,"error":{"code":"rate_limited","message":"no","retry":true,"retryAfterMs":5}}',
  '{"id":0,"wait":{"code":"unavailable","message":"no","retry":true}}',
  `{"reset":"${ENDPOINT}","position":"a.0:1","head":"a.0:2","cause":"horizon"}`,
  `{"end":"${ENDPOINT}","error":{"code":"forbidden","message":"no","retry":false}}`,
  '{"expires":{"in":60}}',
  '{"pong":1}',
];
const bytesOf = (text: string) => new TextEncoder().encode(text);
const BYTES = [
  bytesOf(`{"e":"${ENDPOINT}","p":"a.0:2","q":1,"n":3}\nabc`),
  bytesOf(`{"e":"${ENDPOINT}","p":"a.0:3","q":2,"t":1763690000123,"n":0}\n`),
];

/** One that hears this behind a verdict that is good, and lives on. */
function hears(message: string | Uint8Array<ArrayBuffer>, many: boolean): void {
  const transport = new FakeTransport();
  const clock = new FakeClock();
  const options = { transport, clock };
  const positions: string[] = [];
  const connection = many ? new Connection(new URL("ws://edge.example"), settingsOf(options)) : undefined;
  const subscription = connection?.subscribe(ENDPOINT) ?? subscribe(`ws://edge.example${ENDPOINT}`, options);
  subscription.on("update", ({ position }) => positions.push(position));
  subscription.on("error", () => {});
  const socket = transport.socket.open();
  if (!many) socket.say(VERDICT);
  socket.say(message);
  if (!socket.closed) socket.say(UPDATE).drop();
  clock.pass(120_000);
  holds(new Set(positions).size === positions.length, `an update is told of twice: ${positions}`);
  subscription.close();
  connection?.close();
  holds(clock.pending === 0, "something is left of one that was closed");
}

test(
  "a client of one endpoint, and one of many, hear frames that can't be read, and are ready for the next socket",
  () => playText(INPUTS, SAID, (text, mutations) => hears(text, mutations.below(2) === 0)),
  MINUTES,
);

test(
  "and so they hear bytes",
  () => playBytes(INPUTS, BYTES, (bytes, mutations) => hears(bytes, mutations.below(2) === 0)),
  MINUTES,
);
