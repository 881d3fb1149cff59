/** What the edge's answers mean for an origin. Pure. */
import * as v from "valibot";
import type { Streams } from "../../shared/config/streams.ts";
import type { UplinkKey } from "../../shared/config/uplink-key.ts";
import {
  readChallenge,
  TOKEN_FAULTS,
  type UplinkTokenFault,
} from "../../shared/protocol/uplink-token-fault.ts";
import { VERSION } from "../../shared/protocol/version.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { tooMany } from "../uplink/too-many.ts";
import { type Finding, hint, ok, wrong } from "./finding.ts";

export type EdgeFacts =
  | {
      readonly status: number;
      /** Of `WWW-Authenticate`. */
      readonly challenge: string | null;
      /** The edge's time, milliseconds since 1970; NaN if it doesn't say. */
      readonly date: number;
      /** This machine's. */
      readonly now: number;
      readonly body: unknown;
    }
  | { readonly failed: string };

const UplinkSchema = v.object({ version: v.number(), shards: v.number(), edges: v.optional(v.number(), 1) });
const StreamsSchema = v.object({ streams: v.array(v.object({ topic: v.string() })) });

const WHAT_TO_DO: Record<UplinkTokenFault, string> = {
  no_token: "a proxy in between must let the Authorization header through",
  unknown_key: "add this origin's key to the edge's UPLINK_KEYS, or give the origin one that is there",
  bad_signature: "give both the same secret: compare UPLINK_KEY with the edge's UPLINK_KEYS",
  other_name:
    "give both the same entry, name and all: UPLINK_KEY is one of the edge's UPLINK_KEYS as it stands",
  bad_time: "set this machine's clock (NTP)",
  malformed: "run an origin and an edge of the same version",
};

/** Of `/$/uplink`. */
export function uplinkFindings(facts: EdgeFacts, key: Pick<UplinkKey, "kid" | "name">): Finding[] {
  const what = "uplink";
  if ("failed" in facts)
    return [wrong(what, `the edge doesn't answer: ${facts.failed}`, "see the edge's log")];
  const { status, challenge, body } = facts;
  if (status === 401) return [refusal(readChallenge(challenge), key, aheadMs(facts))];
  if (status >= 500)
    return [
      wrong(
        what,
        `the edge answers with status ${status}`,
        "see the edge's log; its UPLINK_KEYS may be missing or malformed",
      ),
    ];
  const answer = v.safeParse(UplinkSchema, body);
  if (status !== 200 || !answer.success)
    return [
      wrong(
        what,
        `what answers (status ${status}) is no edge of this software`,
        "correct its address; a proxy in between must pass /$/uplink on",
      ),
    ];
  const { version, shards, edges } = answer.output;
  if (version !== VERSION)
    return [
      wrong(
        what,
        `the edge speaks version ${version}, this origin ${VERSION}`,
        "deploy the same release of both",
      ),
    ];
  const many = tooMany(shards);
  if (many !== undefined)
    return [wrong(what, many, "see what answers there: it may be no edge of this software")];
  const each = edges === 1 ? "" : ` at each of ${edges} edges`;
  const findings = [
    ok(what, `the key ${key.kid} of ${key.name} is accepted; version ${version}, ${shards} shards${each}`),
  ];
  const skew = clockWords(aheadMs(facts));
  if (skew !== undefined)
    findings.push(hint("clock", `${skew}; past 10 s tokens are refused`, WHAT_TO_DO.bad_time));
  return findings;
}

function refusal(
  fault: UplinkTokenFault | undefined,
  { kid, name }: Pick<UplinkKey, "kid" | "name">,
  ahead: number,
): Finding {
  const skew = clockWords(ahead);
  if (fault === "bad_time" || (fault === undefined && skew !== undefined))
    return wrong(
      "uplink",
      `the edge refuses the token for its time${skew ? `: ${skew}` : ""}`,
      WHAT_TO_DO.bad_time,
    );
  if (fault === undefined)
    return wrong(
      "uplink",
      `the edge refuses the key ${kid} of ${name}, and doesn't say why`,
      "compare kid, name and secret with the edge's UPLINK_KEYS",
    );
  return wrong(
    "uplink",
    `the edge refuses the key ${kid} of ${name}: ${TOKEN_FAULTS[fault]}`,
    WHAT_TO_DO[fault],
  );
}

/** By how much this machine's clock is ahead of the edge's; NaN if that isn't known. */
function aheadMs({ date, now }: { readonly date: number; readonly now: number }): number {
  return now - date;
}

/** undefined if the clocks agree, or that isn't known. */
function clockWords(ahead: number): string | undefined {
  if (Number.isNaN(ahead) || Math.abs(ahead) < TIME_LIMITS.doctorClockMs) return undefined;
  const seconds = Math.round(Math.abs(ahead) / 1_000);
  return `this machine's clock is ${seconds} s ${ahead > 0 ? "ahead of" : "behind"} the edge's`;
}

/** Of an upgrade to a shard that there isn't. */
export function webSocketFinding(status: number | string): Finding {
  const what = "WebSocket to the edge";
  if (status === 404) return ok(what, "gets through");
  const says = typeof status === "number" ? `is answered with status ${status}` : `fails: ${status}`;
  return wrong(what, says, "proxies in between must let WebSockets through (Connection and Upgrade headers)");
}

/** Of `/$/streams`: what the edge exposes against what this origin reads. */
export function exposureFindings(facts: EdgeFacts, streams: Streams): Finding[] {
  const what = "exposed topics";
  const answer = "failed" in facts ? undefined : v.safeParse(StreamsSchema, facts.body);
  if (!answer?.success)
    return [
      hint(what, "the edge doesn't say what it exposes", "compare its streams.json with this one yourself"),
    ];
  const theirs = new Set(answer.output.streams.map(({ topic }) => topic));
  const ours = streams.all.map(({ topic }) => topic);
  const missing = ours.filter((topic) => !theirs.has(topic));
  const more = [...theirs].filter((topic) => !ours.includes(topic));
  const findings: Finding[] = [];
  if (missing.length > 0)
    findings.push(
      wrong(
        what,
        `the edge doesn't expose ${listOf(missing)}, which answers 404 there`,
        "deploy the edge with this streams.json",
      ),
    );
  if (more.length > 0)
    findings.push(
      hint(
        what,
        `the edge also exposes ${listOf(more)}, which this origin doesn't read: subscribers there wait`,
        "give both the same streams.json",
      ),
    );
  return findings.length > 0 ? findings : [ok(what, `the same ${ours.length} on both sides`)];
}

const LISTED = 10;

function listOf(names: readonly string[]): string {
  const shown = names.slice(0, LISTED).join(", ");
  return names.length > LISTED ? `${shown} and ${names.length - LISTED} more` : shown;
}
