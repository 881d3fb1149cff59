/** Reads a plan as it was typed. Pure. */
import { layoutOfPlan, type Plan } from "./estimate-events.ts";
import { SHAPES, type Shape } from "./shapes/layouts.ts";
import { POPULARITIES, REGIONS } from "./shapes/popularity.ts";

interface Range {
  readonly lowest: number;
  readonly highest: number;
  readonly whole: boolean;
}

const from = (lowest: number, highest: number): Range => ({ lowest, highest, whole: false });
const wholeFrom = (lowest: number, highest: number): Range => ({ lowest, highest, whole: true });

/** By the names of the settings. */
const NUMBERS = {
  ENDPOINTS: wholeFrom(0, 1e12),
  WATCHED: from(0, 1),
  RATE: from(0, 1e6),
  SUBSCRIBERS: wholeFrom(1, 1e9),
  EACH: wholeFrom(1, 1_000),
  REGIONS: wholeFrom(1, Object.keys(REGIONS).length),
  GATHER_MS: from(0, 1_000),
  STREAMS: from(0, 1),
  POLLS: from(0, 1),
  RECONNECTS: from(0, 86_400),
  RESTARTS: from(0, 1e5),
  GETS: from(0, 1e9),
  CACHED: from(0, 1),
  OCCUPANCY: from(0, 1e9),
  PUBLISHES: from(0, 1e9),
  MESSAGE_BYTES: wholeFrom(1, 16 * 1024 * 1024),
  PING_SECONDS: from(0, 86_400),
  SHARDS: wholeFrom(1, 64),
  BATCH_MS: from(0, 60_000),
  REVOCATIONS: from(0, 1e6),
} as const satisfies Record<string, Range>;

const WORDS = {
  SHAPE: Object.keys(SHAPES) as readonly Shape[],
  POPULARITY: POPULARITIES,
  CARRIERS: ["messages", "sessions"],
} as const satisfies Record<string, readonly string[]>;

export type PlanTexts = { readonly [Name in keyof typeof NUMBERS | keyof typeof WORDS]: string };

export type ReadPlan =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Every problem at once, each with its flag. */
export function readPlan(texts: PlanTexts): ReadPlan {
  const problems: string[] = [];
  const read = (setting: keyof typeof NUMBERS): number => {
    const { lowest, highest, whole } = NUMBERS[setting];
    const text = texts[setting];
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (value >= lowest && value <= highest && (!whole || Number.isInteger(value))) return value;
    problems.push(
      `${flagOf(setting)} must be a ${whole ? "whole " : ""}number from ${lowest} to ${highest}, not ${text}`,
    );
    return Number.NaN;
  };
  const oneOf = <Name extends keyof typeof WORDS>(setting: Name): (typeof WORDS)[Name][number] => {
    const words: readonly (typeof WORDS)[Name][number][] = WORDS[setting];
    const word = words.find((one) => one === texts[setting]);
    if (word === undefined)
      problems.push(`${flagOf(setting)} must be one of ${words.join(", ")}, not ${texts[setting]}`);
    return word ?? WORDS[setting][0];
  };
  const plan: Plan = {
    endpoints: read("ENDPOINTS"),
    watched: read("WATCHED"),
    rate: read("RATE"),
    subscribers: read("SUBSCRIBERS"),
    each: read("EACH"),
    popularity: oneOf("POPULARITY"),
    regions: read("REGIONS"),
    shape: oneOf("SHAPE"),
    carriers: oneOf("CARRIERS"),
    gatherMs: read("GATHER_MS"),
    streams: read("STREAMS"),
    polls: read("POLLS"),
    reconnects: read("RECONNECTS"),
    restarts: read("RESTARTS"),
    gets: read("GETS"),
    cached: read("CACHED"),
    occupancy: read("OCCUPANCY"),
    publishes: read("PUBLISHES"),
    messageBytes: read("MESSAGE_BYTES"),
    pingSeconds: read("PING_SECONDS"),
    shards: read("SHARDS"),
    batchMs: read("BATCH_MS"),
    revocations: read("REVOCATIONS"),
  };
  if (plan.streams + plan.polls > 1) problems.push("--streams and --polls must add up to 1 at most");
  if (problems.length === 0 && layoutOfPlan(plan) === undefined)
    problems.push(`--shape ${plan.shape} can't hold these subscribers: ${SHAPES[plan.shape]}`);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, plan };
}

function flagOf(setting: string): string {
  return `--${setting.toLowerCase().replaceAll("_", "-")}`;
}
