/** The command `token`: mints a token of the local issuer, for development, and prints it and nothing else. */
import { resolve } from "node:path";
import { typed } from "../../shared/node/commands.ts";
import { readSettings } from "../../shared/node/settings.ts";
import { readPattern } from "../access/pattern.ts";
import type { Checked } from "./checks.ts";
import { type Granted, LONGEST_SECONDS, localIssuer } from "./issuer.ts";

const command = {
  usage: typed("token", "--subject NAME [flags]"),
  does: `Mints a token of the issuer that ${typed("start")} makes, and prints it. It counts at the edge of that data folder
only; elsewhere tokens come from an issuer of yours, see docs/access.md.`,
  settings: {
    subject: { means: "Whose token it is. Required." },
    subscribe: {
      means:
        "What it may read: /topic/key, or a beginning and *, as '/quotes/*'; can be given several times.",
      repeated: true,
    },
    publish: { means: "What it may publish, likewise.", repeated: true },
    discover: { means: "What it may know of, likewise.", repeated: true },
    expires: { means: "How long it is valid: a number and s, m, h or d, up to 30d.", default: "1h" },
    "data-dir": {
      means: `The data folder of ${typed("start")}; DATA_DIR is read, too.`,
      default: process.env.DATA_DIR || "data",
    },
  },
  switches: { admin: "Its bearer may revoke tokens of this issuer." },
  flagsOnly: true,
} as const;

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") fail(2, given.problem);
else {
  const { subject, subscribe, publish, discover, expires } = given.values;
  const { admin } = given.switches;
  const wanted = wantedOf({ subject, subscribe, publish, discover, expires, admin });
  const minted = wanted.ok ? await mint(resolve(given.values["data-dir"]), wanted.value) : wanted;
  if (minted.ok) process.stdout.write(`${minted.value}\n`);
  else fail(1, minted.problem);
}

interface Wanted {
  readonly subject: string | undefined;
  readonly subscribe: string | undefined;
  readonly publish: string | undefined;
  readonly discover: string | undefined;
  readonly expires: string;
  readonly admin: boolean;
}

function wantedOf({ subject, subscribe, publish, discover, expires, admin }: Wanted): Checked<Granted> {
  const problems: string[] = [];
  if (subject === undefined) problems.push("--subject is missing: whose token is it?");
  const seconds = secondsOf(expires);
  if (seconds === undefined)
    problems.push(`--expires ${expires}: a number and s, m, h or d, up to 30d, for instance 1h`);
  // No character of a canonical path is a comma.
  const listOf = (list: string | undefined) => list?.split(",") ?? [];
  const patterns = { subscribe: listOf(subscribe), publish: listOf(publish), discover: listOf(discover) };
  for (const [flag, texts] of Object.entries(patterns))
    for (const text of texts) {
      const read = readPattern(text, { sub: subject });
      if (!read.ok) problems.push(`--${flag} ${text}: ${read.problem}`);
    }
  if (problems.length > 0 || subject === undefined || seconds === undefined)
    return { ok: false, problem: problems.join("\n") };
  return { ok: true, value: { subject, ...patterns, admin, seconds } };
}

function secondsOf(text: string): number | undefined {
  const [, count, unit = ""] = /^([1-9]\d{0,7})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (UNIT_SECONDS[unit] ?? Number.NaN);
  return seconds <= LONGEST_SECONDS ? seconds : undefined;
}

async function mint(dataDir: string, granted: Granted): Promise<Checked<string>> {
  const issuer = localIssuer(dataDir);
  if (!issuer.ok) return issuer;
  const now = new Date();
  const token = await issuer.value.mint(granted, now);
  const verified = await issuer.value.verify(token, now);
  if (verified.ok) return { ok: true, value: token };
  return { ok: false, problem: `the edge would refuse this token: ${verified.problem}` };
}

function fail(code: 1 | 2, problem: string): void {
  process.stderr.write(`${problem}\n`);
  process.exitCode = code;
}
