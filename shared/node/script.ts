/** A script that can be told nothing: it has a help text, refuses flags, and does one thing. */
import { readSettings } from "./settings.ts";

/**
 * Does it, unless it was called for its help or with a flag that there isn't: then it says so, and the exit code is 2.
 * @param usage How it is called.
 * @param does What it does, in a sentence.
 */
export async function runScript(usage: string, does: string, run: () => void | Promise<void>): Promise<void> {
  const command = { usage, does, settings: {}, switches: {}, flagsOnly: true } as const;
  const given = readSettings(command, {}, process.argv.slice(2));
  if (given.kind === "help") process.stdout.write(given.text);
  else if (given.kind === "misused") {
    process.stderr.write(`${given.problem}\n`);
    process.exitCode = 2;
  } else await run();
}
