/** When a process of this folder must end: on a signal, or since whoever started it has gone. */
import { TIME_LIMITS } from "./time-limits.ts";

/**
 * Calls `stop` with the reason, once: on SIGINT or SIGTERM, when the IPC channel closes, or, below npm, when the
 * parent has gone. A process that a person put in the background outlives its shell, which is why only npm's own
 * children look at their parent.
 */
export function onStopRequest(stop: (why: string) => void): void {
  let asked = false;
  const ask = (why: string) => {
    if (asked) return;
    asked = true;
    stop(why);
  };
  process.on("SIGINT", () => ask("SIGINT"));
  process.on("SIGTERM", () => ask("SIGTERM"));
  if (process.channel) {
    // Listening alone would keep the process alive.
    process.channel.unref();
    process.on("disconnect", () => ask("whoever started this has gone"));
  } else if (process.env.npm_lifecycle_event !== undefined) {
    const parent = process.ppid;
    setInterval(() => process.ppid === parent || ask("npm has gone"), TIME_LIMITS.parentLookMs).unref();
  }
}
