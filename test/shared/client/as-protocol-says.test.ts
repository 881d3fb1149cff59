/** What PROTOCOL.md shows of sessions, and says of a client's times, held against the project's own client. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { connect, subscribe } from "../../../shared/client/client.ts";
import { PING } from "../../../shared/protocol/subscriber.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeTransport } from "../../support/fake-transport.ts";
import { tellingOf } from "../../support/telling.ts";

const PROTOCOL = readFileSync(join(import.meta.dirname, "../../../shared/PROTOCOL.md"), "utf8");

describe("the first look in PROTOCOL.md", () => {
  const sessions = [...PROTOCOL.matchAll(/^```\n(→ GET \/flights[\s\S]*?)^```/gm)].map(
    ([, session = ""]) => session,
  );

  test("[S3] [P5] what it shows leads a receiver from the verdict's position to its head, and is told as recovered", () => {
    expect(sessions).toHaveLength(2);
    for (const session of sessions) {
      const transport = new FakeTransport();
      const [, from] = /\?from=(\S+)/.exec(session) ?? [];
      const options = { transport, clock: new FakeClock(), ...(from !== undefined && { from }) };
      const subscription = subscribe("ws://edge.example/flights/ATL", options);
      const frames = [...session.matchAll(/^← (.*)$/gm)].map(([, frame = ""]) => frame);
      transport.socket.open().say(...frames);

      const { received, duplicates, holes, gaps, resumes } = subscription.statistics;
      expect([received, duplicates, holes, gaps, resumes]).toEqual([2, 0, 0, 0, from === undefined ? 0 : 1]);
      expect(subscription.phase).toBe("live");
      subscription.close();
    }
  });
});

test("[M2] [M3] [M5] a connection of many endpoints in PROTOCOL.md is one of the client's, frame by frame", () => {
  const [, session = ""] = /^```\n(→ GET \/\$\/connect[\s\S]*?)^```/m.exec(PROTOCOL) ?? [];
  const [, ...steps] = session.trim().split("\n");
  const [transport, clock] = [new FakeTransport(), new FakeClock()];
  const connection = connect("wss://edge.example", { transport, clock });
  const atl = connection.subscribe("/flights/ATL");
  const dfw = connection.subscribe("/flights/DFW", { from: "2QUIHN.0:88" });
  const payroll = connection.subscribe("/payroll/7");
  const told = tellingOf(payroll);
  const said = () => transport.socket.sent.filter((frame) => frame !== PING);
  transport.socket.open();

  for (const step of steps) {
    const [side, frame = ""] = [step[0], step.slice(2)];
    if (side === "←") transport.socket.say(frame);
    else {
      if (frame.includes("unsub")) dfw.close();
      clock.pass(0);
      expect(said().at(-1)).toBe(frame);
    }
  }

  expect(steps.length).toBeGreaterThan(6);
  expect([atl.phase, atl.statistics.received]).toEqual(["live", 1]);
  expect(dfw.statistics).toMatchObject({ resumes: 1, gaps: 0 });
  expect(told).toEqual(["error forbidden", "end"]);
  connection.close();
});

describe("the times in PROTOCOL.md are the client's", () => {
  const url = "ws://edge.example/t/k";

  test("[S10] delays are up to 0.5 s, doubled to 30 s, and 0.5 s again after a connection of 5 s", () => {
    const [transport, clock] = [new FakeTransport(), new FakeClock()];
    const subscription = subscribe(url, { transport, clock });
    const bounds: number[] = [];
    subscription.on(
      "connection",
      ({ retryMs }) => retryMs !== undefined && bounds.push(retryMs / clock.chance),
    );

    for (let i = 0; i < 8; i++) {
      transport.socket.drop();
      clock.pass(subscription.connection.retryMs ?? 0);
    }
    transport.socket.open();
    clock.pass(5_000);
    transport.socket.drop();

    expect(bounds).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 500]);
    subscription.close();
  });

  test("[S11] a ping comes first and after 15 s of silence; 10 s after that the other end is gone", () => {
    const [transport, clock] = [new FakeTransport(), new FakeClock()];
    const subscription = subscribe(url, { transport, clock });
    const { socket } = transport;
    const seen = () => [socket.sent.length, socket.closed];

    socket.open();
    expect(seen()).toEqual([1, false]);
    clock.pass(14_999);
    expect(seen()).toEqual([1, false]);
    clock.pass(1);
    expect(seen()).toEqual([2, false]);
    clock.pass(9_999);
    expect(seen()).toEqual([2, false]);
    clock.pass(1);
    expect(seen()).toEqual([2, true]);
    subscription.close();
  });

  test("[S13] a subscribe that gets neither verdict nor wait for 30 s is given up with its socket", () => {
    const [transport, clock] = [new FakeTransport(), new FakeClock()];
    const subscription = subscribe(url, { transport, clock });
    const { socket } = transport;
    socket.open();

    for (let second = 0; second < 29; second++) {
      clock.pass(1_000);
      socket.say('{"pong":1}');
    }
    expect(socket.closed).toBe(false);
    clock.pass(1_000);
    expect(socket.closed).toBe(true);
    subscription.close();
  });

  test("[S15] at the fifth gap in a row continuity is lost, and it begins without a position", () => {
    const [transport, clock] = [new FakeTransport(), new FakeClock()];
    const subscription = subscribe(url, { transport, clock, from: "a.0:4" });
    const told = tellingOf(subscription);
    const gap = '{"e":"/t/k","p":"a.0:9","q":7,"v":1}';
    const verdict = (id: number) => `{"id":${id},"ok":{"position":"a.0:4","head":"a.0:9","recovered":true}}`;

    transport.socket.open().say(verdict(0), gap, verdict(1), gap);
    for (let i = 0; i < 3; i++) {
      clock.pass(subscription.connection.retryMs ?? 0);
      transport.socket.open().say(verdict(0), gap);
    }
    clock.pass(subscription.connection.retryMs ?? 0);

    expect(told.filter((line) => line.startsWith("lost"))).toEqual(["lost broken"]);
    expect(transport.urls).toEqual([...Array(4).fill("/t/k?from=a.0%3A4"), "/t/k"]);
    subscription.close();
  });
});
