/** What `token` does to a subscription, step by step. */
import { beforeEach, describe, expect, test } from "vitest";
import { type SubscribeOptions, subscribe } from "../../../shared/client/client.ts";
import { SPREAD_MS } from "../../../shared/client/token.ts";
import { CLOSE } from "../../../shared/protocol/codes.ts";
import { NOTHING, parsePosition } from "../../../shared/protocol/position.ts";
import {
  encodeError,
  encodeExpires,
  encodeRenewed,
  encodeVerdict,
} from "../../../shared/protocol/subscriber.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeTransport } from "../../support/fake-transport.ts";

const path = "/quotes/AAPL";
const at = (text: string) => parsePosition(text) ?? NOTHING;
const verdict = (recovered?: boolean) =>
  encodeVerdict(0, { position: at("a:1"), head: at("a:1"), recovered, cause: undefined });
const UPDATE = `{"e":"${path}","p":"a:2","q":1,"v":1}`;

let clock: FakeClock;
let transport: FakeTransport;

beforeEach(() => {
  clock = new FakeClock();
  transport = new FakeTransport();
});

/** All that waits for promises alone is done. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

function begin(token: SubscribeOptions["token"]) {
  const subscription = subscribe(`ws://edge.example${path}`, { transport, clock, token });
  const told: string[] = [];
  subscription.on("error", ({ code, retry }) => told.push(`error ${code}${retry ? ", retried" : ""}`));
  subscription.on("connection", ({ state }) => told.push(state));
  subscription.on("gap", () => told.push("gap"));
  return { subscription, told };
}

/** A source that gives one token after the other, and counts. */
function tokens(...all: (string | Error)[]) {
  const source = async () => {
    source.asked++;
    const next = all.shift();
    if (next === undefined || next instanceof Error) throw next ?? new Error("no more");
    return next;
  };
  source.asked = 0;
  return source;
}

describe("[S21] the first token", () => {
  test("is waited for before the first dial, and goes beside the URL", async () => {
    const source = tokens("t1");
    begin(source);
    expect(transport.dialled).toEqual([]);

    await settle();

    expect(transport.socket.token).toBe("t1");
    expect(transport.urls).toEqual([path]);
    expect(source.asked).toBe(1);
  });

  test("that is there already is dialled with at once, and so is none", () => {
    begin("t1");
    begin("");
    begin(undefined);

    expect(transport.dialled.map(({ token }) => token)).toEqual(["t1", "", ""]);
    // Beside what all three wait for there is one that notices a sleep.
    expect(clock.pending).toBe(3 + 1);
  });

  test.each(["two words", "a,b", "x".repeat(4_097), "ü"])(
    "that can't be one is refused at once: %.9s",
    (token) => {
      expect(() => begin(token)).toThrow(expect.objectContaining({ code: "invalid_token" }));
      expect(transport.dialled).toEqual([]);
    },
  );

  test("[S24] if the source fails, throws or gives what is none, is asked for again", async () => {
    const answers: unknown[] = [new Error("no network"), 7, "two words", "t1"];
    const { told } = begin(() => {
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer as string;
    });

    for (let i = 0; i < 3; i++) {
      await settle();
      clock.pass(10_000);
    }
    await settle();

    expect(told).toEqual([...Array(3).fill("error token_source, retried"), "connecting"]);
    expect(transport.socket.token).toBe("t1");
  });

  test("[S24] that comes too late is taken all the same, and its source isn't asked meanwhile", async () => {
    let asked = 0;
    let answer = (_: string) => {};
    const { told } = begin(() => {
      asked++;
      return new Promise<string>((resolve) => {
        answer = resolve;
      });
    });
    await settle();
    clock.pass(29_999);
    expect([asked, told]).toEqual([1, []]);

    clock.pass(1);
    answer("t1");
    await settle();

    expect(told).toEqual(["error token_source, retried", "connecting"]);
    expect(transport.socket.token).toBe("t1");
    expect(asked).toBe(1);
  });

  test("that comes after close() is for nothing", async () => {
    const { subscription, told } = begin(tokens("t1"));

    subscription.close();
    await settle();

    expect(told).toEqual(["closed"]);
    expect(transport.dialled).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

describe("[S22] a token that expires", () => {
  test("is renewed on its socket, with an id that doesn't stand in the way of a subscribe", async () => {
    const source = tokens("t1", "t2");
    const { told } = begin(source);
    await settle();
    const socket = transport.socket.open().say(verdict(), encodeExpires(60_000));
    expect(source.asked).toBe(1);

    clock.pass(15_000);
    await settle();
    socket.say(encodeRenewed(1, 9), UPDATE, `{"e":"${path}","p":"a:9","q":8,"v":1}`);
    socket.say(encodeVerdict(2, { position: at("a:2"), head: at("a:2"), recovered: true, cause: undefined }));

    expect(socket.sent.filter((frame) => frame.includes('"id"'))).toEqual([
      '{"id":1,"token":"t2"}',
      `{"id":2,"sub":"${path}","from":"a:2"}`,
    ]);
    expect(told).toEqual(["connecting", "open"]);
    socket.drop();
    clock.pass(500);
    expect(transport.socket.token).toBe("t2");
    expect(source.asked).toBe(2);
  });

  test("and whose renewal is refused goes on to its end, and then is over with that error", async () => {
    const { told, subscription } = begin(tokens("t1", "t2", "t3"));
    await settle();
    const socket = transport.socket.open().say(verdict(), encodeExpires(60_000));
    clock.pass(15_000);
    await settle();

    socket.say(encodeError(1, "forbidden", "another subject"), UPDATE);
    expect(subscription.position).toBe("a:2");
    socket.drop(CLOSE.expired, "expired");

    expect(told.slice(1)).toEqual(["open", "error forbidden", "backingOff", "error forbidden", "closed"]);
    expect(clock.pending).toBe(0);
  });
});

describe("[S23] a token that the edge refuses", () => {
  test("[S10] is replaced by a fresh one, and the subscription resumes by position", async () => {
    const source = tokens("t1", "t2");
    const { told } = begin(source);
    await settle();
    transport.socket.open().say(verdict(), UPDATE).drop(CLOSE.expired, "expired");
    expect(clock.pending).toBe(1 + 1);
    await settle();
    expect(source.asked).toBe(1);
    clock.pass(SPREAD_MS);
    await settle();
    clock.pass(500);
    transport.socket.open().say(verdict(true));

    expect(transport.dialled.map(({ token }) => token)).toEqual(["t1", "t2"]);
    expect(transport.urls.at(-1)).toBe(`${path}?from=a%3A2`);
    expect(told.slice(1)).toEqual(["open", "backingOff", "backingOff", "connecting", "open"]);
  });

  test.each([["expired"], ["revoked"], ["forbidden"], ["unknown_signer"]] as const)(
    "%s: is not dialled with again, if it is all that there is",
    (code) => {
      const { told, subscription } = begin("t1");

      transport.socket.open().say(verdict()).drop(CLOSE[code], `${code}: so it is`);
      clock.pass(3_600_000);

      expect(told).toEqual(["open", "backingOff", `error ${code}`, "closed"]);
      expect(subscription.connection).toMatchObject({ reason: code });
      expect(transport.dialled).toHaveLength(1);
      expect(clock.pending).toBe(0);
    },
  );

  test("by the status of a dial that failed: the error that explains it is about that token only", async () => {
    const source = tokens("t1", "t2");
    begin(source);
    await settle();
    transport.problem = { code: "expired", message: "", retry: false };
    transport.socket.drop();
    await settle();
    clock.pass(500);
    transport.socket.open().say(verdict());

    expect(transport.explainedWith).toEqual(["t1"]);
    expect(transport.socket.token).toBe("t2");
    expect(source.asked).toBe(2);
  });

  test("[C3] without a token is told as any other refusal", () => {
    const { told } = begin(undefined);

    transport.socket.open().drop(CLOSE.no_token, "no_token: this stream needs a token");

    expect(told).toEqual(["open", "backingOff", "error no_token", "closed"]);
  });
});

test("[C2] a connection that asked too often waits for as long as it was told", () => {
  const { subscription } = begin("t1");
  const error = { code: "rate_limited", message: "", retry: true, retryAfterMs: 8_000 };

  transport.socket.open().say(JSON.stringify({ id: 0, error }));

  expect(subscription.connection.state).toBe("backingOff");
  expect(subscription.connection.retryMs).toBeGreaterThanOrEqual(8_000);
});
