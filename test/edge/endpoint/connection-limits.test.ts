import { expect, test } from "vitest";
import {
  connectionLimits,
  Spending,
  subscribersPerObject,
} from "../../../edge/endpoint/connection-limits.ts";

test("[S20] limits are those of PROTOCOL.md unless the deployment sets others, each by itself", () => {
  const unset = {
    messages: { perSecond: 20, burst: 100 },
    asks: { perSecond: 5, burst: 20 },
    publishes: { perSecond: 100, burst: 200 },
    perPrincipal: 100,
    unsentBytes: 96_000_000,
  };

  expect(connectionLimits({})).toEqual(unset);
  expect(connectionLimits({ CONNECTION_MESSAGES_BURST: "", CONNECTION_SUBSCRIBES_BURST: "7" })).toEqual({
    ...unset,
    asks: { perSecond: 5, burst: 7 },
  });
});

test.each(["0", "-1", "1.5", "many", "1e9", "Infinity"])(
  "[S20] a limit of %s is refused by its name",
  (limit) => {
    expect(() => connectionLimits({ CONNECTIONS_PER_SUBJECT: limit })).toThrow(
      "CONNECTIONS_PER_SUBJECT must be a whole number from 1 to 1,000,000",
    );
  },
);

test("[A11] an object takes 20,000 subscribers unless another number is set, which the platform bounds", () => {
  expect(subscribersPerObject({})).toBe(20_000);
  expect(subscribersPerObject({ SUBSCRIBERS_PER_OBJECT: "32000" })).toBe(32_000);
  for (const limit of ["0", "32001", "many"])
    expect(() => subscribersPerObject({ SUBSCRIBERS_PER_OBJECT: limit })).toThrow(
      "SUBSCRIBERS_PER_OBJECT must be a whole number from 1 to 32,000",
    );
});

test("[S20] what one connection spends no other one pays for", () => {
  const spending = new Spending(connectionLimits({}));
  const [one, other] = [{}, {}];
  const pings = Array.from({ length: 101 }, () => spending.take(one, "messages", 1_000));

  expect(pings.slice(0, 100).every((waitMs) => waitMs === 0)).toBe(true);
  expect(pings.at(-1)).toBe(50);
  expect(spending.take(one, "asks", 1_000)).toBe(0);
  expect(spending.take(other, "messages", 1_000)).toBe(0);
  expect(spending.take(one, "messages", 1_050)).toBe(0);
});

test("[W25] publishes are counted by themselves, and a large one as several", () => {
  const spending = new Spending(connectionLimits({ CONNECTION_PUBLISHES_BURST: "20" }));
  const socket = {};

  expect(spending.take(socket, "publishes", 1_000, 17)).toBe(0);
  expect(spending.take(socket, "publishes", 1_000, 3)).toBe(0);
  expect(spending.take(socket, "publishes", 1_000)).toBe(10);
  expect(spending.take(socket, "publishes", 1_000, 17)).toBe(170);
  expect(spending.take(socket, "messages", 1_000)).toBe(0);
});

test("[W25] one that counts as more than may be said at once is said when nothing else was for long enough", () => {
  const spending = new Spending(connectionLimits({ CONNECTION_PUBLISHES_BURST: "5" }));
  const socket = {};

  expect(spending.take(socket, "publishes", 1_000, 17)).toBe(0);
  expect(spending.take(socket, "publishes", 1_000)).toBe(130);
  expect(spending.take(socket, "publishes", 1_130)).toBe(0);
});
