/** Runs one of the commands by its name: in this process, unless it needs a Node with flags of its own. */
import { spawn } from "node:child_process";
import { enableCompileCache } from "node:module";
import { pathToFileURL } from "node:url";
import { COMMANDS, type CommandEntry } from "../shared/node/commands.ts";
import { compileCache, scriptFile } from "../shared/node/installation.ts";

export async function runCommand([name, ...args]: readonly string[], version: string): Promise<void> {
  if (name === undefined || name === "--help") return say(help());
  if (name === "--version") return say(`${version}\n`);
  if (!Object.hasOwn(COMMANDS, name)) {
    const names = Object.keys(COMMANDS).join(", ");
    process.stderr.write(
      `There is no command ${JSON.stringify(name)}, but ${names} (--help tells of them)\n`,
    );
    process.exitCode = 2;
    return;
  }
  keepSilentOfSqlite();
  const { script, nodeFlags = [] }: CommandEntry = COMMANDS[name as keyof typeof COMMANDS];
  const file = scriptFile(script);
  if (nodeFlags.length > 0) return runApart([...nodeFlags, file, ...args]);
  enableCompileCache(compileCache);
  process.argv.splice(1, 2, file);
  await import(pathToFileURL(file).href);
}

function say(text: string): void {
  process.stdout.write(text);
}

function help(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const lines = Object.entries(COMMANDS).map(([name, { does }]) => `  ${name.padEnd(width)}  ${does}`);
  return `npx distributary COMMAND [flags]

Puts Kafka on the web: every key is a URL.

${lines.join("\n")}

  --help     This text; after a command, its own, with all settings.
  --version  The version of this package.
`;
}

/** Node 22 has what is used of it as 24 has it, but warns in each process that it is experimental. */
function keepSilentOfSqlite(): void {
  const { NODE_OPTIONS: given = "" } = process.env;
  process.env.NODE_OPTIONS = `${given} --disable-warning=ExperimentalWarning`.trimStart();
  const emitWarning = process.emitWarning.bind(process) as (...args: unknown[]) => void;
  process.emitWarning = (...args: unknown[]) => {
    if (!String(args[0]).startsWith("SQLite is an experimental feature")) emitWarning(...args);
  };
}

/**
 * In a process group of its own, and told to stop only once: a Ctrl-C in the terminal reaches npx and this process, which hears of it
 * from npx again, and the second one would end it at once. It ends with this process, whose IPC channel it watches.
 */
function runApart(args: readonly string[]): void {
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
  let isTold = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      if (!isTold) child.kill(signal);
      isTold = true;
    });
  // To read its edges again. If it doesn't listen to that, it ends with it, and so does this process.
  process.on("SIGHUP", () => child.kill("SIGHUP"));
  child.once("exit", (code, signal) => {
    if (signal !== null) process.stderr.write(`it was ended by ${signal}\n`);
    process.exit(code ?? 1);
  });
}
