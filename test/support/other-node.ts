/**
 * Other versions of Node than the one that the tests run on, from the package registry: fetched once, and kept beside what npm has
 * installed. Not as dependencies, whose command `node` would take the place of that of this version.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const cache = join(import.meta.dirname, "../../node_modules/.cache/other-node");

/** The path of its binary; undefined if it can't be had. */
export function otherNode(version: string): string | undefined {
  const packaged = `node-${process.platform}-${process.arch}`;
  const folder = join(cache, version);
  const binary = join(folder, "node_modules", packaged, "bin/node");
  if (existsSync(binary)) return binary;
  const unfinished = `${folder}.${process.pid}`;
  try {
    mkdirSync(unfinished, { recursive: true });
    writeFileSync(join(unfinished, "package.json"), '{"private":true}');
    const flags = ["--no-audit", "--no-fund", "--ignore-scripts"];
    execFileSync("npm", ["install", ...flags, `${packaged}@${version}`], { cwd: unfinished, stdio: "pipe" });
    mkdirSync(dirname(folder), { recursive: true });
    renameSync(unfinished, folder);
  } catch {
    return existsSync(binary) ? binary : undefined;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return existsSync(binary) ? binary : undefined;
}
