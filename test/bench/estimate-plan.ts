/** Reads a plan as it was typed. Pure. */
import type { Plan } from "./estimate-model.ts";

interface Field {
  readonly lowest: number;
  readonly highest: number;
  readonly whole: boolean;
}

const from = (lowest: number, highest: number): Field => ({ lowest, highest, whole: false });
const wholeFrom = (lowest: number, highest: number): Field => ({ lowest, highest, whole: true });

/** By the names of the settings. */
const FIELDS = {
  ENDPOINTS: wholeFrom(0, 1e12),
  WATCHED: from(0, 1),
  RATE: from(0, 1e6),
  SUBSCRIBERS: wholeFrom(1, 1e9),
  RECONNECTS: from(0, 86_400),
  RESTARTS: from(0, 1e5),
  GETS: from(0, 1e9),
  PUBLISHES: from(0, 1e9),
  MESSAGE_BYTES: wholeFrom(1, 16 * 1024 * 1024),
  PING_SECONDS: from(0, 86_400),
  SHARDS: wholeFrom(1, 64),
  BATCH_MS: from(0, 60_000),
  REVOCATIONS: from(0, 1e6),
} as const satisfies Record<string, Field>;

export type PlanTexts = { readonly [Name in keyof typeof FIELDS]: string };

export type ReadPlan =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Every problem at once, each with its flag. */
export function readPlan(texts: PlanTexts): ReadPlan {
  const problems: string[] = [];
  const read = (setting: keyof typeof FIELDS): number => {
    const { lowest, highest, whole } = FIELDS[setting];
    const text = texts[setting];
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (value >= lowest && value <= highest && (!whole || Number.isInteger(value))) return value;
    const flag = `--${setting.toLowerCase().replaceAll("_", "-")}`;
    problems.push(
      `${flag} must be a ${whole ? "whole " : ""}number from ${lowest} to ${highest}, not ${text}`,
    );
    return Number.NaN;
  };
  const plan: Plan = {
    endpoints: read("ENDPOINTS"),
    watched: read("WATCHED"),
    rate: read("RATE"),
    subscribers: read("SUBSCRIBERS"),
    reconnects: read("RECONNECTS"),
    restarts: read("RESTARTS"),
    gets: read("GETS"),
    publishes: read("PUBLISHES"),
    messageBytes: read("MESSAGE_BYTES"),
    pingSeconds: read("PING_SECONDS"),
    shards: read("SHARDS"),
    batchMs: read("BATCH_MS"),
    revocations: read("REVOCATIONS"),
  };
  return problems.length > 0 ? { ok: false, problems } : { ok: true, plan };
}
