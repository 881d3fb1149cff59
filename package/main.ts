#!/usr/bin/env node
/** The command `distributary`. What a Node that is too old can't load is loaded only when it has been seen that it isn't. */
import { readFileSync } from "node:fs";

const { version, engines } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
) as {
  version: string;
  engines: { node: string };
};

/** As in `>=22.16.0`. */
const [needed = [], here = []] = [engines.node, process.versions.node].map((text) =>
  text.split(".").map((part) => Number(part.replace(/\D/g, ""))),
);
const [major = 0, minor = 0] = needed.map((part, i) => (here[i] ?? 0) - part);

if (major < 0 || (major === 0 && minor < 0)) {
  process.stderr.write(`distributary needs Node ${engines.node}, and this is ${process.versions.node}\n`);
  process.exitCode = 1;
} else {
  const { runCommand } = await import("./run.ts");
  await runCommand(process.argv.slice(2), version);
}
