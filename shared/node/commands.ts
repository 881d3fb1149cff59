/**
 * The commands, all in one place: what `npx distributary` has. In the sources each is also a script of package.json, by which it
 * is called there.
 */
import { isPackage } from "./installation.ts";

export interface CommandEntry {
  /** In a sentence. */
  readonly does: string;
  /** In the sources, without its ending. */
  readonly script: string;
  /** What it prints is made for other programs, so npm shall say nothing of its own. */
  readonly forPrograms?: true;
  /** Of Node itself, which can't be set once it runs. */
  readonly nodeFlags?: readonly string[];
}

export const COMMANDS = {
  start: {
    does: "Runs edge and origin on this machine, with a feed of example data, or with a Kafka of yours.",
    script: "start",
  },
  origin: {
    does: "Reads Kafka, or the embedded log, and forwards what is watched to the edge.",
    script: "origin/main",
    // Records live only as long as a batch, and Node's young generation grows for them to several times what it needs: with
    // 1,000,000 keys the process peaks at 290 MB with this bound and at 410 MB without. Yet where records trickle it would stay
    // as small as one megabyte, and be cleared while the index still holds, for 200 ms, most of what lies in it.
    nodeFlags: ["--max-semi-space-size=16", "--min-semi-space-size=8"],
  },
  edge: { does: "Runs the edge on this machine, on workerd or on Node.", script: "edge/local/serve" },
  doctor: {
    does: "Checks all that an origin with the same settings needs, who may issue tokens, and a token.",
    script: "doctor/main",
  },
  produce: { does: "Writes one record to the embedded log.", script: "origin/embedded/produce" },
  feed: {
    does: "Replays flights and earthquakes into the embedded log, until it is stopped.",
    script: "origin/embedded/feed",
  },
  token: {
    does: "Mints a token of the issuer that start makes, for development, and prints it.",
    script: "edge/local/token",
    forPrograms: true,
  },
  estimate: {
    does: "Estimates a month on Cloudflare from what a deployment does. Nothing is run, and no account is asked.",
    script: "test/bench/estimate",
    forPrograms: true,
  },
} as const satisfies Readonly<Record<string, CommandEntry>>;

export type CommandName = keyof typeof COMMANDS;

/** A command as a person types it here, with what follows its name. */
export function typed(name: CommandName, args = ""): string {
  const { forPrograms }: CommandEntry = COMMANDS[name];
  if (isPackage) return `npx distributary ${name}${args && ` ${args}`}`;
  const script = name === "start" ? "npm start" : `npm run ${forPrograms ? "-s " : ""}${name}`;
  return `${script}${args && ` -- ${args}`}`;
}
