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
  readonly edge: number;
}

export function look({ origin, edge }: Pids): Look {
  return {
    at: performance.now(),
    originCpuUs: cpuUs(origin),
    edgeCpuUs: cpuUs(edge),
    originBytes: residentBytes(origin),
    edgeBytes: residentBytes(edge),
    descriptors: descriptors(origin) + descriptors(edge),
  };
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
