/** What processes hold: memory and sockets, from the kernel. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { pause } from "./kinds/kind.ts";

const MEGABYTE = 1024 * 1024;

/** Of one process. */
export interface Held {
  readonly residentMegabytes: number;
  readonly sockets: number;
  readonly files: number;
}

const LOOK_MS = 100;
/** As the kernel numbers them. */
const TCP_STATES: Readonly<Record<string, string>> = {
  "01": "open",
  "0A": "listening",
  // The other end has said that nothing more comes, and the process hasn't closed its own.
  "08": "closed by the other end",
};

/** Throws where the process is gone. */
export function heldBy(pid: number): Held {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const open = openBy(pid);
  return {
    residentMegabytes: Math.round((Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024) / MEGABYTE),
    sockets: open.filter((target) => target.startsWith("socket:")).length,
    files: open.filter((target) => target.startsWith("/")).length,
  };
}

/** How many TCP sockets of a process are in which state, in words. */
export function tcpStatesOf(pid: number): string {
  const states = new Map<string, string>();
  for (const line of readFileSync(`/proc/${pid}/net/tcp`, "utf8").split("\n").slice(1)) {
    const [, , , state = "", , , , , , inode = ""] = line.trim().split(/\s+/);
    states.set(`socket:[${inode}]`, TCP_STATES[state] ?? `in TCP state ${state}`);
  }
  // Of one that was reset the kernel tells nothing any more.
  const own = openBy(pid)
    .filter((target) => target.startsWith("socket:"))
    .map((target) => states.get(target) ?? "reset, or no TCP");
  return Array.from(
    Map.groupBy(own, (state) => state),
    ([state, of]) => `${of.length} ${state}`,
  ).join(", ");
}

/**
 * Waits until a count is down to `enough`, as long as it goes down: a busy machine takes its time, and what is left behind
 * stays. Returns what it is then; undefined if it never could be told.
 */
export async function dwindled(
  count: () => number | Promise<number>,
  enough: number,
  stillMs: number,
): Promise<number | undefined> {
  let least: number | undefined;
  let changedAt = performance.now();
  for (;;) {
    const now = await Promise.resolve(count()).catch(() => undefined);
    if (now !== undefined && now <= enough) return now;
    if (now !== undefined && now < (least ?? Number.POSITIVE_INFINITY)) {
      least = now;
      changedAt = performance.now();
    }
    if (performance.now() - changedAt > stillMs) return now ?? least;
    await pause(LOOK_MS);
  }
}

/** What its descriptors lead to. */
function openBy(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).map((name) => {
    try {
      return readlinkSync(`${folder}/${name}`);
    } catch {
      return "";
    }
  });
}
