/** On what a run was measured. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";

export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGb: number;
  readonly kernel: string;
  readonly node: string;
  readonly workerd: string;
  readonly kafka: string;
  readonly commit: string;
  /** Processes that wanted to run in the minute before: a quiet machine has about 0. */
  readonly loadBefore: number;
}

const root = join(import.meta.dirname, "../../..");
const text = (path: string) => readFileSync(join(root, path), "utf8");

export function machine(): Machine {
  const all = cpus();
  const { version } = JSON.parse(text("node_modules/workerd/package.json")) as { version: string };
  return {
    cores: all.length,
    cpu: all[0]?.model ?? "unknown",
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    node: process.version,
    workerd: version,
    kafka: /<kafka\.version>([^<]+)/.exec(text("test/kafka/pom.xml"))?.[1] ?? "unknown",
    commit: commit(),
    loadBefore: loadavg()[0] ?? 0,
  };
}

/** With a `+` where the tree was not the commit's. */
function commit(): string {
  const git = (...args: string[]) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  try {
    return (
      git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain", "--", "*.ts") === "" ? "" : "+")
    );
  } catch {
    return "unknown";
  }
}
