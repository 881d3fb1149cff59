/**
 * Ends a child that doesn't watch its parent together with that, whatever is killed, and in whichever order:
 *
 * - On Linux the kernel does so when this process has gone, if there is util-linux's setpriv to tell it.
 * - Everywhere a guard does, a process that watches this one. A guard that is killed is replaced.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { delimiter, isAbsolute, join } from "node:path";
import { scriptFile } from "../../shared/node/installation.ts";
import { TIME_LIMITS } from "./time-limits.ts";

type Command = readonly [string, ...string[]];

/** The same command; if the kernel can be told to, it ends that when this thread's process has gone. */
export function mortal(command: Command): Command {
  if (process.platform !== "linux") return command;
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    if (!isAbsolute(folder)) continue;
    const prefix: Command = [join(folder, "setpriv"), "--pdeathsig", "KILL", "--"];
    // Others of this name lack the option.
    const [setpriv, ...args] = prefix;
    const { status } = spawnSync(setpriv, [...args, process.execPath, "--version"], { stdio: "ignore" });
    if (status === 0) return [...prefix, ...command];
  }
  return command;
}

/** Sees that a process ends when this one has gone, until it has `ended`. */
export function keepGuarded(pid: number, ended: Promise<unknown>): void {
  let guard: ChildProcess | undefined;
  let isOver = false;
  const begin = () => {
    if (isOver) return;
    const begun = performance.now();
    guard = guardOver(pid);
    const again = () =>
      setTimeout(begin, Math.max(0, begun + TIME_LIMITS.guardAgainMs - performance.now())).unref();
    guard.once("exit", again);
    guard.once("error", again);
  };
  begin();
  void ended.then(() => {
    isOver = true;
    guard?.kill("SIGKILL");
  });
}

/** In a group of its own: a Ctrl-C in the terminal must not end the guard before it is needed. */
function guardOver(pid: number): ChildProcess {
  const guard = spawn(process.execPath, [scriptFile("edge/local/guard"), String(pid)], {
    detached: true,
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  guard.channel?.unref();
  guard.unref();
  return guard;
}
