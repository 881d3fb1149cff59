/** What the product's processes have cost, and hold. */
import { readdirSync } from "node:fs";
import { cpuUs, residentBytes } from "../bench/proc.ts";

export interface Look {
  readonly at: number;
  readonly originCpuUs: number;
  readonly edgeCpuUs: number;
  readonly originBytes: number;
  readonly edgeBytes: number;
  readonly descriptors: number;
}

export interface Pids {
  readonly origin: number;
  /** The one that was started, and workerd. */
  readonly edge: readonly number[];
}

export function look({ origin, edge }: Pids): Look {
  return {
    at: performance.now(),
    originCpuUs: cpuUs(origin),
    edgeCpuUs: sum(edge, cpuUs),
    originBytes: residentBytes(origin),
    edgeBytes: sum(edge, residentBytes),
    descriptors: descriptors(origin) + sum(edge, descriptors),
  };
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((all, pid) => all + of(pid), 0);
}

function descriptors(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

/** Between two looks. */
export interface Cost {
  readonly seconds: number;
  readonly originMs: number;
  readonly edgeMs: number;
  /** Resident more than before. */
  readonly megabytes: number;
  readonly descriptors: number;
}

export function costBetween(before: Look, after: Look): Cost {
  const bytes = after.originBytes + after.edgeBytes - before.originBytes - before.edgeBytes;
  return {
    seconds: (after.at - before.at) / 1_000,
    originMs: (after.originCpuUs - before.originCpuUs) / 1_000,
    edgeMs: (after.edgeCpuUs - before.edgeCpuUs) / 1_000,
    megabytes: bytes / 1e6,
    descriptors: after.descriptors - before.descriptors,
  };
}
