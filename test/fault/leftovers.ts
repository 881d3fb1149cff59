/** What processes hold: memory and sockets, from the kernel. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const MEGABYTE = 1024 * 1024;

/** Of one process. */
export interface Held {
  readonly residentMegabytes: number;
  readonly sockets: number;
  readonly files: number;
}

/** Throws where the process is gone. */
export function heldBy(pid: number): Held {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const folder = `/proc/${pid}/fd`;
  const open = readdirSync(folder).map((name) => {
    try {
      return readlinkSync(`${folder}/${name}`);
    } catch {
      return "";
    }
  });
  return {
    residentMegabytes: Math.round((Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024) / MEGABYTE),
    sockets: open.filter((target) => target.startsWith("socket:")).length,
    files: open.filter((target) => target.startsWith("/")).length,
  };
}
