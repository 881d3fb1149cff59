import { describe, expect, test } from "vitest";
import { Pacer } from "../../../edge/endpoint/pacer.ts";
import type { HibernatingPeer } from "../../../edge/peer.ts";

const peer = (bufferedAmount: number) => ({ bufferedAmount }) as HibernatingPeer & { bufferedAmount: number };

function setUp() {
  let now = 0;
  let looks = 0;
  const timers = new Set<() => void>();
  const pacer = new Pacer(
    {
      now: () => now,
      after: (_ms, run) => {
        timers.add(run);
        return () => timers.delete(run);
      },
    },
    () => looks++,
  );
  const pass = (ms: number) => {
    now += ms;
    for (const run of [...timers]) {
      timers.delete(run);
      run();
    }
  };
  return { pacer, pass, timers, looks: () => looks };
}

describe("pacing those who catch up", () => {
  test("[S9] without anybody who is full there is no timer, so that the object can hibernate", () => {
    const { pacer, timers, pass, looks } = setUp();

    pacer.wait([]);
    expect(timers.size).toBe(0);
    pacer.wait([peer(1)]);
    pacer.wait([peer(1)]);
    expect(timers.size).toBe(1);
    pass(50);
    expect([looks(), timers.size]).toEqual([1, 0]);
    pacer.wait([peer(1)]);
    pacer.wait([]);
    expect(timers.size).toBe(0);
  });

  test("[S9] who goes on taking is waited for, however long it takes; who takes nothing for 30 s is not", () => {
    const { pacer, pass } = setUp();
    const [taking, stuck] = [peer(1_000_000), peer(1_000_000)];

    for (let seconds = 0; seconds <= 30; seconds++) {
      expect(pacer.wait([taking, stuck])).toEqual([]);
      taking.bufferedAmount -= 1_000;
      pass(1_000);
    }

    expect(pacer.wait([taking, stuck])).toEqual([stuck]);
  });

  test("[S27] who has taken all and waits for its quota is waited for, too", () => {
    const { pacer, pass } = setUp();
    const waiting = peer(0);

    for (let seconds = 0; seconds <= 40; seconds++) {
      expect(pacer.wait([waiting])).toEqual([]);
      pass(1_000);
    }
  });
});
