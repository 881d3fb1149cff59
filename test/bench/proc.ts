/** What Linux says of processes: CPU, memory, descendants, and how many files may be open. */
import { readdirSync, readFileSync } from "node:fs";

/** Linux counts CPU in hundredths of a second for user space, whatever its own tick is. */
const TICK_US = 10_000;

/** CPU that a process has used, all its threads', user and system; 0 where it has ended. */
export function cpuUs(pid: number): number {
  const fields = statFields(pid);
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_US;
}

/** CPU that the whole machine has used. */
export function machineCpuUs(): number {
  const [user, nice, system, , , irq, softirq] = (
    /^cpu +(.*)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1] ?? ""
  )
    .split(" ")
    .map(Number);
  return [user, nice, system, irq, softirq].reduce<number>((sum, ticks) => sum + (ticks ?? 0), 0) * TICK_US;
}

/** What is resident, in bytes; 0 where the process has ended. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

/** How many files a process that is started from here may open. */
export function openFilesLimit(): number {
  return Number(/^Max open files\s+(\d+)/m.exec(read("/proc/self/limits"))?.[1] ?? 1_024);
}

/** Ids of the processes below one, at any depth, whose program has this name. */
export function descendants(pid: number, name: string): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    const child = Number(entry);
    if (!Number.isInteger(child)) continue;
    const parent = Number(statFields(child)[1]);
    children.set(parent, [...(children.get(parent) ?? []), child]);
  }
  const below = (parent: number): number[] =>
    (children.get(parent) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid).filter((child) => read(`/proc/${child}/comm`).trim() === name);
}

/** What serves below a process that runs the edge, whichever runtime that is. */
export function servingBelow(edge: number): number[] {
  const workerd = descendants(edge, "workerd");
  if (workerd.length > 0) return workerd;
  return childrenOf(edge).filter((child) =>
    read(`/proc/${child}/cmdline`).includes("edge/runtime/node/main.ts"),
  );
}

function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((child) => Number.isInteger(child) && Number(statFields(child)[1]) === pid);
}

/** The fields of /proc/PID/stat from the state on; the name before them may hold anything. */
function statFields(pid: number): string[] {
  const stat = read(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
