/**
 * Settings of a command: environment variables, and flags of the same meaning, which win. A
 * table per command drives reading and `--help`.
 */
import { parseArgs } from "node:util";

export interface Setting {
  readonly means: string;
  /** What an unset setting stands for. */
  readonly default?: string;
  /** Read from the environment only: arguments can be seen by everyone on the machine. */
  readonly secret?: true;
  /** The flag's name, if it isn't the setting's. */
  readonly flag?: string;
  /** The flag can be given several times; the values are then separated by commas. */
  readonly repeated?: true;
}

export interface Command {
  /** As a person types it. */
  readonly usage: string;
  readonly does: string;
  readonly settings: Readonly<Record<string, Setting>>;
  /** Flags without a value, and what they mean. */
  readonly switches: Readonly<Record<string, string>>;
  /** No variables are read, and none are told of. */
  readonly flagsOnly?: true;
}

/** An empty text counts as unset. */
export type Values<C extends Command> = {
  readonly [Name in keyof C["settings"]]: C["settings"][Name] extends { readonly default: string }
    ? string
    : string | undefined;
};

export type Given<C extends Command> =
  | {
      readonly kind: "given";
      readonly values: Values<C>;
      readonly switches: Readonly<Record<keyof C["switches"], boolean>>;
    }
  | { readonly kind: "help"; readonly text: string }
  /** Flags that don't exist, or not in this form. */
  | { readonly kind: "misused"; readonly problem: string };

export function readSettings<const C extends Command>(
  command: C,
  env: Readonly<Record<string, string | undefined>>,
  args: readonly string[],
): Given<C> {
  const table = Object.entries(command.settings);
  const options: Record<string, { type: "string" | "boolean"; multiple?: boolean }> = {
    help: { type: "boolean" },
  };
  for (const [name, setting] of table)
    if (!setting.secret) options[flagOf(name, setting)] = { type: "string", multiple: !!setting.repeated };
  for (const name of Object.keys(command.switches)) options[name] = { type: "boolean" };

  let flags: Record<string, unknown>;
  try {
    flags = parseArgs({ args: [...args], options }).values;
  } catch (error) {
    const [problem] = (error instanceof Error ? error.message : String(error)).split(". ", 1);
    return { kind: "misused", problem: `${problem} (--help lists all flags)` };
  }
  if (flags.help === true) return { kind: "help", text: help(command) };

  const values = Object.fromEntries(
    table.map(([name, setting]) => {
      const flag = flags[flagOf(name, setting)];
      return [
        name,
        (Array.isArray(flag) ? flag.join(",") : flag) || (!command.flagsOnly && env[name]) || setting.default,
      ];
    }),
  );
  const switches = Object.fromEntries(
    Object.keys(command.switches).map((name) => [name, flags[name] === true]),
  );
  // The table's keys became the keys of both, and parseArgs gives settings as text.
  return { kind: "given", values, switches } as Given<C>;
}

const flagOf = (name: string, { flag }: Setting) => flag ?? name.toLowerCase().replaceAll("_", "-");

function help(command: Command): string {
  const lines = [command.usage, "", command.does, ""];
  for (const [name, setting] of Object.entries(command.settings)) {
    const flag = `--${flagOf(name, setting)} …`;
    const names = command.flagsOnly ? flag : setting.secret ? name : `${name}, ${flag}`;
    lines.push(`  ${names}`, `      ${setting.means}`);
    if (setting.default !== undefined) lines.push(`      Default: ${setting.default}`);
  }
  for (const [name, means] of Object.entries(command.switches)) lines.push(`  --${name}`, `      ${means}`);
  lines.push("  --help", "      This text.", "");
  return lines.join("\n");
}
