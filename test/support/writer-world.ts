/** The writer of one partition, by clocks that are set by hand, over a partition whose outcomes are scripted. */
import { afterEach, beforeEach, vi } from "vitest";
import { Marker } from "../../origin/publish/mark.ts";
import type { PublishResult } from "../../origin/publish/result.ts";
import type { Room } from "../../origin/publish/waiting.ts";
import { PartitionWriter } from "../../origin/publish/writer.ts";
import type { WriterStanding } from "../../shared/protocol/publish.ts";
import { ScriptedPartition } from "./scripted-sink.ts";

const marker = new Marker([Buffer.alloc(32, 1)]);
const stranger = new Marker([Buffer.alloc(32, 2)]);
export const WINDOW_MS = 600_000;
const NEVER = Number.POSITIVE_INFINITY;

const marksOf = (id: string, value = id, by = marker) =>
  by.marksOf({
    ...{ topic: "t", key: Buffer.from("k"), value: Buffer.from(value), headers: [] },
    id: { issuer: "i", subject: "s", key: id, chosenBy: "client" },
  });

/** Publishes that the log holds. */
export const KNOWN = { ...marksOf("known")[0], timestamp: 5_000_000 };
export const known = (id: string, offset: number) => ({ ...KNOWN, ...marksOf(id)[0], offset });
/** One that was marked with a secret which the writer doesn't have. */
export const strange = (id: string, offset: number) => ({
  ...known(id, offset),
  ...marksOf(id, id, stranger)[0],
});

/** All that is due without time. */
export const settle = () => vi.advanceTimersByTimeAsync(0);

/** For the tests of a file. */
export function writerWorld() {
  let partition: ScriptedPartition;
  let writer: PartitionWriter;
  let news: WriterStanding[];
  let room: Room;
  /** What the wall clock shows, and one that nobody sets. */
  let time: number;
  let now: number;

  beforeEach(() => {
    vi.useFakeTimers();
    partition = new ScriptedPartition();
    news = [];
    time = 5_000_000;
    now = 0;
    room = { left: 20_000_000 };
    writer = new PartitionWriter({
      epoch: "e.0",
      windowMs: WINDOW_MS,
      room,
      ledgerRoom: { left: Number.POSITIVE_INFINITY },
      claim: partition.claim,
      claimed: () => {},
      announce: (standing) => news.push(standing),
      time: () => time,
      now: () => now,
      recognises: (secret) => marker.recognises(secret),
      random: () => 0.5,
    });
  });
  afterEach(() => {
    writer.close();
    vi.useRealTimers();
  });

  /** Publishes, and returns where the answer will be. */
  function publish(
    id: string,
    { value = id, deadline = NEVER, until = NEVER, bytes = 10, isPromised = true } = {},
  ) {
    const answered: { result?: string; message?: string } = {};
    const marks = marksOf(id, value);
    writer.publish({
      marks,
      record: { key: Buffer.from("k"), value: Buffer.from(value), headers: [], mark: marks[0] },
      bytes,
      isPromised,
      deadline,
      until,
      answer: (result: PublishResult) => {
        if (answered.result !== undefined) throw new Error("answered twice");
        answered.result = "position" in result ? result.position : result.error.code;
        if ("error" in result) answered.message = result.error.message;
      },
    });
    return answered;
  }

  return {
    get partition() {
      return partition;
    },
    get writer() {
      return writer;
    },
    /** What the writer has announced. */
    get news() {
      return news;
    },
    get room() {
      return room;
    },
    get time() {
      return time;
    },
    /** Sets the wall clock. */
    set time(ms) {
      time = ms;
    },
    /** Both clocks go on. */
    pass(ms: number): void {
      time += ms;
      now += ms;
    },
    publish,
    /** Publishes one, which is appended there. */
    async published(id: string, offset: number): Promise<void> {
      publish(id);
      await settle();
      partition.one().answer({ kind: "appended", offset });
      await settle();
    },
    async claimed(): Promise<void> {
      writer.takeOver();
      partition.grant();
      await settle();
    },
  };
}
