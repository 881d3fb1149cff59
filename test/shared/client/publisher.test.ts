/** Publishing by a subscription: what goes out on its sockets, and what is told of it. */
import { beforeEach, describe, expect, test } from "vitest";
import {
  PublishError,
  type PublishedValue,
  type PublishOptions,
  type SubscribeOptions,
  type Subscription,
  subscribe,
} from "../../../shared/client/client.ts";
import { NOTHING } from "../../../shared/protocol/position.ts";
import {
  decodePublication,
  encodeRefused,
  encodeTaken,
  type Publication,
} from "../../../shared/protocol/publication.ts";
import { errorBody } from "../../../shared/protocol/schemas.ts";
import { encodeVerdict } from "../../../shared/protocol/subscriber.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeTransport } from "../../support/fake-transport.ts";

const PATH = "/quotes/AAPL";
const VERDICT = encodeVerdict(0, { position: NOTHING, head: NOTHING });

let clock: FakeClock;
let transport: FakeTransport;
let subscription: Subscription;
let errors: string[];

beforeEach(() => {
  clock = new FakeClock();
  transport = new FakeTransport();
  subscription = begin();
});

function begin(options: SubscribeOptions = {}): Subscription {
  const made = subscribe(`ws://edge.example${PATH}`, { transport, clock, ...options });
  errors = [];
  made.on("error", ({ code }) => errors.push(code));
  return made;
}

const connect = () => transport.socket.open().say(VERDICT);

/** What was published on the present socket since this was last asked. */
function published(): Publication[] {
  return transport.socket.messages.splice(0).flatMap((message) => {
    const read = decodePublication(message);
    return read?.ok ? [read.value] : [];
  });
}

/** The position, or the code of the error. */
const outcomeOf = (promise: Promise<string>) =>
  promise.catch((error: unknown) => (error instanceof PublishError ? `!${error.code}` : error));

const publish = (value: PublishedValue, options?: PublishOptions) =>
  outcomeOf(subscription.publish(value, options));

describe("a publish", () => {
  test("[W28] [W21] goes out when the subscribe is answered, and resolves with the position", async () => {
    const outcome = publish('{"bid":1}', { headers: [["a", "b"]], idempotencyKey: "c0ffee" });
    transport.socket.open();
    expect(published()).toEqual([]);
    transport.socket.say(VERDICT);

    expect(published()).toEqual([
      {
        ...{ id: 1, endpoint: PATH, key: "c0ffee", headers: [["a", "b"]] },
        value: new TextEncoder().encode('{"bid":1}'),
      },
    ]);
    transport.socket.say(encodeTaken(1, "e:7"));
    expect(await outcome).toBe("e:7");
  });

  test("that is withdrawn before it is sent isn't sent; what is behind it is", async () => {
    const abort = new AbortController();
    const outcomes = [publish("1", { signal: abort.signal }), publish("2")];
    abort.abort("enough");
    expect(await outcomes[0]).toBe("enough");
    connect();

    const sent = published();
    expect(sent.map(({ value }) => new TextDecoder().decode(value ?? undefined))).toEqual(["2"]);
    transport.socket.say(encodeTaken(sent[0]?.id ?? 0, "e:2"));
    expect(await outcomes[1]).toBe("e:2");
    expect(await publish("3", { signal: abort.signal })).toBe("enough");
    expect(published()).toEqual([]);
  });

  test("[W28] that is withdrawn after it was sent isn't sent again, and nobody knows its outcome", async () => {
    connect();
    const abort = new AbortController();
    const outcome = publish("1", { signal: abort.signal });
    expect(published().length).toBe(1);
    abort.abort("enough");
    expect(await outcome).toBe("!unknown_outcome");
    transport.socket.drop();
    clock.pass(30_000);
    connect();

    expect(published()).toEqual([]);
  });

  test("[W21] may be of any bytes, or a tombstone", () => {
    connect();
    void publish(new Uint8Array([0, 255]), { order: "none" });
    void publish(null, { order: "none" });

    expect(published().map(({ value }) => value)).toEqual([new Uint8Array([0, 255]), null]);
  });

  test("[W3] [W28] has a key of its own, with which it is sent again on the next socket", async () => {
    connect();
    const outcomes = [publish("1", { order: "none" }), publish("2", { order: "none" })];
    const [first, second] = published();
    expect(first?.key).toMatch(/^[0-9a-f]{32}$/);
    expect(first?.key).not.toBe(second?.key);
    transport.socket.drop();
    clock.pass(1_000);
    connect();
    const again = published();
    expect(again.map(({ key }) => key)).toEqual([first?.key, second?.key]);
    for (const { id } of again) transport.socket.say(encodeTaken(id, `e:${id}`));

    expect(await Promise.all(outcomes)).toEqual(["e:1", "e:2"]);
  });

  test("[S2] shares its ids with subscribes, so that each is larger than all before", () => {
    connect();
    void publish("1");
    transport.socket.say("{");
    void publish("2", { order: "none" });

    const ids = transport.socket.sent.flatMap((frame) => /"id":(\d+)/.exec(frame)?.[1] ?? []);
    expect(ids).toEqual(["1", "2", "3"]);
  });

  test("[W23] that is refused rejects with the code, and the subscription hears nothing of it", async () => {
    connect();
    const outcome = publish("1");
    transport.socket.say(encodeRefused(1, errorBody("forbidden", "it mayn't")));

    expect(await outcome).toBe("!forbidden");
    expect([errors, subscription.phase]).toEqual([[], "live"]);
  });

  test("[W24] of which the edge says that nobody knows is sent again, and no error is told", async () => {
    connect();
    const outcome = publish("1");
    transport.socket.say(encodeRefused(undefined, errorBody("unknown_outcome", "the shard is gone")));
    clock.pass(1_000);
    const [, again] = published();
    transport.socket.say(encodeTaken(again?.id ?? 0, "e:7"));

    expect(await outcome).toBe("e:7");
    expect(errors).toEqual([]);
  });

  test("[F9] [W23] what looks like its answer, but has the id of the subscribe, is a verdict that can't be read", () => {
    transport.socket.open().say(encodeTaken(0, "e:7"));

    expect(subscription.connection.state).toBe("backingOff");
  });

  test("[S7] an error that is none of a publish is told as ever", () => {
    connect();
    transport.socket.say(encodeRefused(99, errorBody("unsupported", "?")));

    expect(errors).toEqual(["unsupported"]);
  });

  test("[W22] that would be too large for the edge isn't sent, and the next one is", async () => {
    connect();
    const large = publish(new Uint8Array(1024 * 1024 + 16_384));
    void publish(new Uint8Array(1024 * 1024));

    expect(await large).toBe("!too_large");
    expect(published()).toMatchObject([{ value: { length: 1024 * 1024 } }]);
  });

  test("[W28] fails when the subscription is closed, and any later one at once", async () => {
    connect();
    const [under, waiting] = [publish("1"), publish("2")];
    subscription.close();

    expect(await Promise.all([under, waiting, publish("3")])).toEqual([
      "!unknown_outcome",
      "!closed",
      "!closed",
    ]);
    expect(clock.pending).toBe(0);
  });
});
