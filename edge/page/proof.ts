/**
 * What a resume is worth, worked out from the updates themselves and not from what the edge or the client
 * claims: each `p` must follow on from the one before it, by its `q` (P5).
 */
import { classify } from "../../shared/core/continuity.ts";
import type { Chained } from "../../shared/protocol/position.ts";
import { NOTHING, type Position, parsePosition, withComponent } from "../../shared/protocol/position.ts";

export interface Resumption {
  /** The position at which the connection was cut. */
  readonly from: string;
  /** Where the chain has been followed to. */
  readonly at: Position;
  /** Said by the verdict; undefined until it came. */
  readonly recovered: boolean | undefined;
  readonly cause: string | undefined;
  /** Updates that came between the verdict and catching up: those that were missed. */
  readonly delivered: number;
  /** Of these, those that do not follow on from the one before. */
  readonly broken: number;
  readonly caughtUp: boolean;
}

/** undefined if nothing had been received yet, so that nothing can be missed. */
export function beginResumption(from: string | undefined): Resumption | undefined {
  if (from === undefined) return undefined;
  const at = parsePosition(from) ?? NOTHING;
  return { from, at, recovered: undefined, cause: undefined, delivered: 0, broken: 0, caughtUp: false };
}

/** Of several verdicts, one that does not say `recovered` decides. */
export function withVerdict(
  resumption: Resumption,
  recovered: boolean | undefined,
  cause: string | undefined,
): Resumption {
  if (resumption.recovered === false) return resumption;
  return { ...resumption, recovered: recovered === true, cause };
}

export function withUpdate(resumption: Resumption, update: Chained): Resumption {
  if (resumption.caughtUp) return resumption;
  const follows = classify(resumption.at, update) === "next";
  return {
    ...resumption,
    at: withComponent(resumption.at, update.epoch, update.offset),
    delivered: resumption.delivered + 1,
    broken: resumption.broken + (follows ? 0 : 1),
  };
}

export function withCaughtUp(resumption: Resumption): Resumption {
  return { ...resumption, caughtUp: true };
}

/** `open`: it can't be said yet. */
export function outcome({ recovered, broken, caughtUp }: Resumption): "whole" | "lost" | "open" {
  if (recovered === false || broken > 0) return "lost";
  return caughtUp ? "whole" : "open";
}

/** In words. */
export function describeResumption({
  from,
  recovered,
  cause,
  delivered,
  broken,
  caughtUp,
}: Resumption): string {
  if (recovered === undefined) return `cut at ${from}`;
  if (!recovered)
    return `resumed from ${from}, recovered: false (${cause ?? "no cause given"}): what lay between is lost, and you were told`;
  const what = `resumed from ${from}, recovered: true, ${plural(delivered, "update")} missed and delivered`;
  if (broken > 0) return `${what}, but ${plural(broken, "link")} of the chain missing`;
  return caughtUp ? `${what}, 0 lost` : `${what} so far`;
}

/** All tiles together. */
export function summarize(resumptions: readonly Resumption[]): string {
  const done = resumptions.filter(({ caughtUp }) => caughtUp);
  const delivered = resumptions.reduce((total, one) => total + one.delivered, 0);
  const lost = done.filter((one) => outcome(one) === "lost").length;
  if (done.length < resumptions.length)
    return `${done.length} of ${resumptions.length} endpoints are live again…`;
  const verdict =
    lost === 0
      ? "0 lost: every chain is whole."
      : `but ${plural(lost, "endpoint")} can't show that none is lost.`;
  return `${plural(done.length, "endpoint")} resumed, ${plural(delivered, "update")} missed and delivered, ${verdict}`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
