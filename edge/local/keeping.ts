/**
 * Keeps what the edge runs on running: if it ends by itself it is started again, after a pause that doubles, until it has ended
 * too often. If it can open no more files, it is started behind the gate (gate.ts). Mostly workerd ends by itself then; with one
 * file left it accepts each connection, drops it, and goes on so for as long as the others stay.
 */
import { TIME_LIMITS } from "./time-limits.ts";
import type { End, Workerd } from "./workerd.ts";

export interface KeepingPorts {
  /** What runs, for people. */
  readonly name: string;
  /** Before the first one. */
  readonly isGated: boolean;
  /** Whoever ends one of several doesn't want all gone; and it is never gated. */
  readonly isOneOfSeveral?: boolean;
  /** Hears each line of workerd's. */
  run(isGated: boolean, hear: (line: string) => void): Promise<Workerd>;
  isStopping(): boolean;
  tell(line: string): void;
  now(): number;
}

export const MOST_ENDS = 5;

/** What workerd says if it may open no more files. */
const RAN_OUT = /Too many open files|EMFILE/;

/** Resolves when it isn't started any more, with what to say. */
export async function keepRunning(ports: KeepingPorts): Promise<string> {
  const ends = new Ends();
  const { isOneOfSeveral = false } = ports;
  let isGated = ports.isGated;
  let hasListened = false;
  for (;;) {
    const ranOut = Promise.withResolvers<void>();
    let isFull = false;
    const workerd = await ports.run(isGated, (line) => {
      if (isGated || isOneOfSeveral || !RAN_OUT.test(line)) return;
      isFull = true;
      ranOut.resolve();
    });
    void workerd.listening.then(() => {
      hasListened = true;
    });
    const { how, isCrash } = await endOf(workerd, ranOut.promise);
    // One that somebody ends, or that could never even begin, would fare no better.
    if (ports.isStopping() || !hasListened || !(isCrash || isOneOfSeveral)) return how;
    const pauseMs = ends.pauseAfter(ports.now());
    if (pauseMs === undefined) return `${how}, ${MOST_ENDS} times within a short time`;
    ports.tell(
      `${ports.name} ${how}; it is started again in ${pauseMs / 1_000} s, and those who were connected come back`,
    );
    if (isFull) {
      isGated = true;
      ports.tell(
        `${ports.name} could open no more files: from now on connections are counted before they reach it. With CONNECTIONS_PER_ADDRESS they are from the start`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    if (ports.isStopping()) return how;
  }
}

/** Ends it itself if it goes on though it can open no more files. */
async function endOf(workerd: Workerd, ranOut: Promise<void>): Promise<End> {
  let patience: NodeJS.Timeout | undefined;
  let isStuck = false;
  void ranOut.then(() => {
    patience = setTimeout(() => {
      isStuck = true;
      void workerd.stop();
    }, TIME_LIMITS.workerdFullMs);
  });
  const end = await workerd.ended;
  clearTimeout(patience);
  return isStuck ? { how: "dropped each new connection", isCrash: true } : end;
}

/** How often it has ended of late. */
export class Ends {
  #at: readonly number[] = [];

  /** How long to wait before it is started again; undefined if it isn't. */
  pauseAfter(now: number): number | undefined {
    this.#at = [...this.#at.filter((at) => now - at < TIME_LIMITS.workerdEndsMs), now];
    if (this.#at.length >= MOST_ENDS) return undefined;
    return TIME_LIMITS.workerdAgainMs * 2 ** (this.#at.length - 1);
  }
}
