import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { COMMANDS, type CommandEntry, type CommandName, typed } from "../../../shared/node/commands.ts";
import { scriptFile } from "../../../shared/node/installation.ts";

const { scripts } = JSON.parse(readFileSync(join(import.meta.dirname, "../../../package.json"), "utf8")) as {
  scripts: Record<string, string>;
};

describe.each(Object.entries<CommandEntry>(COMMANDS))("%s", (name, { script, nodeFlags = [] }) => {
  test("is a script of package.json, which runs the same file with the same flags", () => {
    expect(scripts[name]?.replace(/^exec /, "")).toBe(["node", ...nodeFlags, `${script}.ts`].join(" "));
    expect(existsSync(scriptFile(script))).toBe(true);
  });

  test("is typed here as npm runs it", () => {
    expect(typed(name as CommandName)).toMatch(new RegExp(`^npm (start|run (-s )?${name})$`));
    expect(typed(name as CommandName, "--help")).toBe(`${typed(name as CommandName)} -- --help`);
  });
});
