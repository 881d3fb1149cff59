/** Publishing on a connection of many endpoints whose other end is the test. */
import { beforeEach, describe, expect, test } from "vitest";
import {
  type Connection,
  connect,
  PublishError,
  type PublishedValue,
  type PublishOptions,
  SubscribeError,
} from "../../../shared/client/client.ts";
import { NOTHING } from "../../../shared/protocol/position.ts";
import {
  decodePublication,
  encodeRefused,
  encodeTaken,
  type Publication,
} from "../../../shared/protocol/publication.ts";
import { errorBody } from "../../../shared/protocol/schemas.ts";
import { encodeVerdict, PONG } from "../../../shared/protocol/subscriber.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeTransport } from "../../support/fake-transport.ts";

const [ATL, DFW] = ["/flights/ATL", "/flights/DFW"];

let clock: FakeClock;
let transport: FakeTransport;
let connection: Connection;
let errors: string[];

beforeEach(() => {
  clock = new FakeClock();
  transport = new FakeTransport();
  connection = connect("https://edge.example", { transport, clock });
  errors = [];
  connection.on("error", ({ code }) => errors.push(code));
});

const open = () => transport.socket.open().say(PONG);

/** What was published on the present socket since this was last asked. */
function published(): Publication[] {
  return transport.socket.messages.splice(0).flatMap((message) => {
    const read = decodePublication(message);
    return read?.ok ? [read.value] : [];
  });
}

/** The position, or the code of the error. */
const publish = (endpoint: string, value: PublishedValue, options?: PublishOptions) =>
  connection
    .publish(endpoint, value, options)
    .catch((error: unknown) => (error instanceof PublishError ? `!${error.code}` : error));

describe("a publish on a connection", () => {
  test("[W28] goes out when the edge has let the connection in, to any endpoint, followed or not", async () => {
    const [one, other] = [publish(ATL, "1"), publish("/orders/a b", null)];
    transport.socket.open();
    expect(published()).toEqual([]);
    transport.socket.say(PONG);

    expect(published()).toMatchObject([
      { id: 1, endpoint: ATL, value: new TextEncoder().encode("1") },
      { id: 2, endpoint: "/orders/a%20b", value: null },
    ]);
    transport.socket.say(encodeTaken(2, "b:1"), encodeTaken(1, "a:1"));
    expect(await Promise.all([one, other])).toEqual(["a:1", "b:1"]);
  });

  test("[W28] [M2] shares one series of ids with subscribes, and each hears its own answer", async () => {
    open();
    const first = publish(ATL, "1");
    const subscription = connection.subscribe(ATL);
    clock.pass(0);
    const second = publish(DFW, "2");
    const ids = transport.socket.sent.flatMap((frame) => /"id":(\d+)/.exec(frame)?.[1] ?? []);
    expect(ids).toEqual(["1", "2", "3"]);

    transport.socket.say(
      encodeRefused(3, errorBody("forbidden", "no")),
      encodeVerdict(2, { position: NOTHING, head: NOTHING }),
      encodeTaken(1, "a:1"),
    );
    expect(await Promise.all([first, second])).toEqual(["a:1", "!forbidden"]);
    expect([subscription.phase, errors]).toEqual(["live", []]);
  });

  test("[W24] [W28] is sent again with its key when its socket is lost, or nobody knows, and what is late is no news", async () => {
    open();
    const outcomes = [publish(ATL, "1"), publish(DFW, "2")];
    const [first, second] = published();
    transport.socket.say(encodeRefused(undefined, errorBody("unknown_outcome", "a shard is gone")));
    clock.pass(1_000);
    const again = published();
    expect(again.map(({ key }) => key)).toEqual([first?.key, second?.key]);
    // Of another shard, which was there all the time.
    transport.socket.say(encodeRefused(second?.id, errorBody("in_flight", "")));
    transport.socket.drop();
    clock.pass(1_000);
    open();
    const last = published();
    expect(last.map(({ key }) => key)).toEqual([first?.key, second?.key]);
    for (const { id } of last) transport.socket.say(encodeTaken(id, `e:${id}`));

    expect(await Promise.all(outcomes)).toEqual(["e:1", "e:2"]);
    expect(errors).toEqual([]);
  });

  test("[F9] [W23] an answer with the id of a subscribe is a verdict that can't be read", () => {
    connection.subscribe(ATL);
    transport.socket.open().say(encodeTaken(1, "a:1"));

    expect(connection.state.state).toBe("backingOff");
  });

  test("[W28] fails when the connection is closed, and at once after that; what is no endpoint throws", async () => {
    open();
    const [sent, waits] = [publish(ATL, "1"), publish(ATL, "2")];
    connection.close();

    expect(await Promise.all([sent, waits, publish(ATL, "3")])).toEqual([
      "!unknown_outcome",
      "!closed",
      "!closed",
    ]);
    expect(() => connection.publish("/flights", "1")).toThrow(SubscribeError);
  });
});
