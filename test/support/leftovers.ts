/** What processes hold: memory and connections, from the kernel. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const MEGABYTE = 1024 * 1024;
const LOOK_MS = 100;
const LISTENING = "0A";
/** As the kernel numbers the states of TCP. */
const STATES: Readonly<Record<string, string>> = {
  "01": "open",
  "08": "closed by the other end alone",
};

/** Of one process. */
export interface Held {
  readonly residentMegabytes: number;
  /** TCP connections, in words by their states; one that several descriptors lead to is one. */
  readonly connections: readonly string[];
  /** Descriptors of connections that are none any more: they were reset, and not closed. */
  readonly reset: number;
  readonly descriptors: number;
}

/** Throws if the process is gone. */
export function heldBy(pid: number): Held {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const open = openBy(pid);
  const sockets = open.filter((target) => target.startsWith("socket:"));
  const states = tcpStates(pid);
  const local = new Set(rowsOf(`/proc/${pid}/net/unix`).map((row) => nameOf(row[6])));
  return {
    residentMegabytes: Math.round((Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024) / MEGABYTE),
    connections: [...new Set(sockets)].flatMap((socket) => {
      const state = states.get(socket);
      return state === undefined || state === LISTENING ? [] : [STATES[state] ?? `in TCP's state ${state}`];
    }),
    reset: sockets.filter((socket) => !states.has(socket) && !local.has(socket)).length,
    descriptors: open.length,
  };
}

/** How many of a list are the same, in words. */
export function counted(list: readonly string[]): string {
  return Array.from(
    Map.groupBy(list, (one) => one),
    ([one, all]) => `${all.length} ${one}`,
  ).join(", ");
}

/**
 * Waits until a count is down to `enough`, for as long as it goes down: a busy machine takes its time, and what is left
 * behind stays. Returns what it is then; undefined if it could never be told.
 */
export async function dwindled(
  count: () => number | Promise<number>,
  enough: number,
  stillMs: number,
): Promise<number | undefined> {
  let least: number | undefined;
  let changedAt = performance.now();
  for (;;) {
    let now: number | undefined;
    try {
      now = await count();
    } catch {
      now = undefined;
    }
    if (now !== undefined && now <= enough) return now;
    if (now !== undefined && now < (least ?? Number.POSITIVE_INFINITY)) {
      least = now;
      changedAt = performance.now();
    }
    if (performance.now() - changedAt > stillMs) return now ?? least;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** By the name of the socket. */
function tcpStates(pid: number): ReadonlyMap<string, string> {
  const rows = ["tcp", "tcp6"].flatMap((table) => rowsOf(`/proc/${pid}/net/${table}`));
  return new Map(rows.map((row) => [nameOf(row[9]), row[3] ?? ""]));
}

const nameOf = (inode: string | undefined) => `socket:[${inode}]`;

function rowsOf(table: string): string[][] {
  const [, ...lines] = readFileSync(table, "utf8").trimEnd().split("\n");
  return lines.map((line) => line.trim().split(/\s+/));
}

/** What its descriptors lead to. */
function openBy(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((name) => {
    try {
      return [readlinkSync(`${folder}/${name}`)];
    } catch {
      // It was closed meanwhile.
      return [];
    }
  });
}
