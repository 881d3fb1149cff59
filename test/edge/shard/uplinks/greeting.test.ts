import { expect, test } from "vitest";
import { endpointObject } from "../../../../edge/object-identity.ts";
import { encodeHello } from "../../../../shared/protocol/uplink.ts";
import { FakeSocket } from "../../../support/fake-socket.ts";
import { SmallShard } from "../../../support/small-shard.ts";

const GOING_AWAY = { code: 4000, reason: "going_away" };
const REPLACED = { code: 4003, reason: "replaced" };

const hello = (origin: string) => encodeHello({ version: 1, origin });

function open(shard: SmallShard, key: string): FakeSocket {
  const socket = new FakeSocket();
  shard.core.uplinkOpened(socket, key);
  return socket;
}

test("[U2] an uplink that says no hello is closed after 10 s, at whatever arrives next, and nothing it then says counts", () => {
  const shard = new SmallShard();
  const active = shard.connect("a");
  const silent = open(shard, "b");

  shard.pass(9_000, active);
  expect(silent.closed).toBeUndefined();
  shard.pass(1_000, active);
  shard.core.uplinkMessage(silent, hello("b"));

  expect(silent.closed).toEqual(GOING_AWAY);
  expect(shard.core.status()).toMatchObject({ origin: "a", standbys: [] });
});

test.each<[string, (shard: SmallShard) => void]>([
  ["a question", (shard) => void shard.core.latest("/quotes/A")],
  ["an attach", (shard) => shard.core.attach(endpointObject("/quotes/A"))],
  ["another uplink", (shard) => void open(shard, "c")],
  ["its own hello, too late", (shard) => void shard.core.status()],
])("[U2] it is looked at when %s comes, though no origin says anything", (_, comes) => {
  const shard = new SmallShard();
  const silent = open(shard, "b");

  shard.clock.now += 10_000;
  comes(shard);

  expect(silent.closed).toEqual(GOING_AWAY);
});

test("[U2] though nothing at all reaches the shard, it is closed in time; and then nothing keeps the shard awake", () => {
  const shard = new SmallShard();
  const timers: { readonly at: number; readonly run: () => void }[] = [];
  const cancelled = new Set<() => void>();
  shard.clock.after = (ms, run) => {
    timers.push({ at: shard.clock.now + ms, run });
    return () => cancelled.add(run);
  };
  const silent = open(shard, "b");
  const greeted = open(shard, "c");
  shard.core.uplinkMessage(greeted, hello("c"));

  expect(timers.map(({ at }) => at - shard.clock.now)).toEqual([10_000]);
  shard.clock.now += 10_000;
  timers[0]?.run();
  expect([silent.closed, greeted.closed]).toEqual([GOING_AWAY, undefined]);
  expect(timers).toHaveLength(1);

  const another = open(shard, "b");
  shard.core.uplinkMessage(another, hello("b"));
  expect(timers.slice(1).every(({ run }) => cancelled.has(run))).toBe(true);
});

test("[U2] of each name one waits for its hello: however many are opened, the newest alone is left, and others' stay", () => {
  const shard = new SmallShard();
  const active = shard.connect("a");
  const other = open(shard, "c");
  const opened = Array.from({ length: 1_000 }, () => open(shard, "b"));
  // By the name of the active one, too: that is replaced by a hello, and by nothing less.
  const namesakes = Array.from({ length: 10 }, () => open(shard, "a"));

  for (const all of [opened, namesakes]) {
    expect(all.slice(0, -1).every(({ closed }) => closed?.code === REPLACED.code)).toBe(true);
    expect(all.at(-1)?.closed).toBeUndefined();
  }
  expect([active.closed, other.closed]).toEqual([undefined, undefined]);
  const newest = opened.at(-1) ?? new FakeSocket();
  shard.core.uplinkMessage(newest, hello("b"));
  for (const before of opened.slice(0, -1)) shard.core.uplinkMessage(before, hello("b"));
  expect(newest.closed).toBeUndefined();
  expect(shard.core.status()).toMatchObject({ origin: "a", standbys: [{ origin: "b" }] });
});

test("[U2] one that has said hello, or has gone, is waited for no more", () => {
  const shard = new SmallShard();
  const [active, gone] = [shard.connect("a"), open(shard, "b")];
  shard.core.uplinkClosed(gone);
  const standby = shard.connect("b");

  shard.pass(20_000, active, standby);

  expect([active.closed, gone.closed, standby.closed]).toEqual([undefined, undefined, undefined]);
});

test("[U2] over a hibernation the deadline begins anew, and what was closed stays so", () => {
  const shard = new SmallShard();
  const active = shard.connect("a");
  const [refused, silent] = [open(shard, "b"), open(shard, "b")];
  shard.clock.now += 60_000;
  shard.forget([active, refused, silent]);

  shard.pass(9_000, active);
  expect([refused.closed, silent.closed]).toEqual([REPLACED, undefined]);
  shard.pass(1_000, active);

  expect(silent.closed).toEqual(GOING_AWAY);
  expect(active.closed).toBeUndefined();
});
