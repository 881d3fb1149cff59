import { beforeEach, describe, expect, test } from "vitest";
import { OBJECT_BYTES, SharedBytes, Unsent } from "../../../edge/endpoint/unsent.ts";
import { FakeSocket } from "../../support/fake-socket.ts";
import { Clock } from "../../support/simulated-wires.ts";

const MB = 1_000_000;

let clock: Clock;
let shared: SharedBytes;
beforeEach(() => {
  clock = new Clock();
  shared = new SharedBytes();
});

/** An object: what it holds of its sockets, and which of them were closed, in that order. */
function object(unsentBytes = 1_000 * MB) {
  const closed: FakeSocket[] = [];
  let timers = 0;
  const unsent: Unsent<FakeSocket> = new Unsent(
    {
      unsentBytes,
      now: () => clock.now,
      after: (ms, run) => {
        timers++;
        return clock.after(ms, () => {
          timers--;
          run();
        });
      },
      close: (socket) => {
        closed.push(socket);
        unsent.remove(socket);
      },
    },
    shared,
  );
  const send = (bytes: number, socket = new FakeSocket()) => {
    const before = socket.bufferedAmount;
    socket.bufferedAmount += bytes;
    unsent.sent(socket, before);
    return socket;
  };
  return { unsent, closed, send, timers: () => timers };
}

/** Time passes, a second at a time. */
function pass(seconds: number, each: () => void = () => undefined): void {
  for (let second = 0; second < seconds; second++) {
    const until = clock.now + 1_000;
    each();
    while (clock.next(until - clock.now));
    clock.now = until;
  }
}

describe("[S9] what is sent and not taken", () => {
  test("one that takes nothing for 30 s is closed, however little it is; one that takes a little each time isn't", () => {
    const { send, closed } = object();
    const [stuck, slow] = [send(1), send(MB)];

    pass(29, () => (slow.bufferedAmount -= 10));
    expect(closed).toEqual([]);
    pass(2, () => (slow.bufferedAmount -= 10));

    expect(closed).toEqual([stuck]);
    pass(60, () => (slow.bufferedAmount -= 10));
    expect(closed).toEqual([stuck]);
  });

  test("one that is sent more than it takes is told from one that takes nothing", () => {
    const { send, closed } = object();
    const [stuck, slow] = [send(1_000), send(1_000)];

    pass(40, () => {
      slow.bufferedAmount -= 500;
      send(600, slow);
      if (!closed.includes(stuck)) send(600, stuck);
    });

    expect(closed).toEqual([stuck]);
  });

  test("when all is taken there is no timer, so that the object can sleep", () => {
    const { send, timers } = object();
    const socket = send(MB);
    expect(timers()).toBe(1);

    socket.bufferedAmount = 0;
    pass(2);

    expect(timers()).toBe(0);
  });

  test("whether a first is taken is looked at soon, once: one that takes nothing of it is closed after 30 s like any other", () => {
    const { unsent, closed, timers } = object();
    const [taking, gone] = [new FakeSocket(), new FakeSocket()];
    unsent.sentFirst(taking);
    expect(clock.next(100)).toBe(true);
    expect(timers()).toBe(0);

    gone.bufferedAmount = 80;
    unsent.sentFirst(gone);
    pass(29);
    expect(closed).toEqual([]);
    pass(2);
    expect(closed).toEqual([gone]);
  });

  test("past an object's budget no large answer is begun, and who takes nothing goes, the greediest first, until there is room", () => {
    const { unsent, send, closed } = object();
    const [small, large, larger] = [send(MB), send(OBJECT_BYTES / 2), send(OBJECT_BYTES / 2 + 1)];
    const taking = send(OBJECT_BYTES / 4);
    expect(unsent.hasRoom).toBe(false);

    pass(1, () => undefined);
    taking.bufferedAmount = 0;
    pass(1);

    expect(closed[0]).toBe(larger);
    expect(closed).not.toContain(small);
    expect(closed).not.toContain(taking);
    expect(unsent.hasRoom).toBe(true);
    expect(large.bufferedAmount).toBeGreaterThan(0);
  });

  test("objects of one isolate have one budget; what is closed counts until that is taken, or for 30 s", () => {
    const [one, other] = [object(100 * MB), object(100 * MB)];
    const stuck = [one.send(60 * MB), one.send(60 * MB)];
    expect(other.unsent.hasRoom).toBe(false);

    pass(2);
    expect(one.closed).toEqual(stuck);
    pass(20);
    expect(other.unsent.hasRoom).toBe(false);
    for (const socket of stuck) socket.bufferedAmount = 0;
    pass(2);
    expect(other.unsent.hasRoom).toBe(true);
    one.send(120 * MB);
    pass(10);
    expect(other.unsent.hasRoom).toBe(false);
    pass(30);

    expect(other.unsent.hasRoom).toBe(true);
    expect(one.timers()).toBe(0);
  });

  test("an object that is gone counts no more", () => {
    shared.say({}, 200 * MB, clock.now);
    const { unsent } = object(100 * MB);
    expect(unsent.hasRoom).toBe(false);

    clock.now += 4_000;

    expect(unsent.hasRoom).toBe(true);
  });

  test("after a pause of the object nobody is blamed for it", () => {
    const { send, closed } = object();
    send(MB);
    pass(5);

    clock.now += 120_000;
    pass(5);

    expect(closed).toEqual([]);
  });
});
