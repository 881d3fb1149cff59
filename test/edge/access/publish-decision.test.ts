import { describe, expect, test } from "vitest";
import { mayPublish } from "../../../edge/access/decision.ts";
import { readGrants } from "../../../edge/access/grants.ts";
import { readStreams } from "../../../shared/config/streams.ts";
import { parseAddress } from "../../../shared/protocol/address.ts";

const AUDIENCES = ["public", "token", "nobody"] as const;

function grantsOf(claim: object) {
  const read = readGrants({ distributary: claim });
  if (!read.ok) throw new Error(read.problem);
  return read.grants;
}

/** A claim, or nothing for a request without a token. */
function decide(stream: object | undefined, claim?: object, hidden = true): string {
  const read = readStreams({
    streams: {
      ...(stream && { t: { title: "t", ...stream } }),
      ...(hidden && { hidden: { title: "h", subscribe: "token" } }),
    },
  });
  const parsed = parseAddress("/t/k");
  if (!read.ok || !parsed.ok) throw new Error("not to be read");
  const asker = { grants: claim && grantsOf(claim), tokensCount: true };
  const decision = mayPublish(read.streams, parsed.address, asker);
  return decision.ok ? "ok" : decision.code;
}

describe("[W4] who may publish", () => {
  test("nobody, unless the stream says so", () => {
    expect(decide({ subscribe: "public" }, { publish: ["/*"] })).toBe("forbidden");
  });

  test.each(AUDIENCES)("everybody where it is public, whoever may read (%s)", (subscribe) => {
    expect(decide({ subscribe, publish: "public" })).toBe("ok");
    expect(decide({ subscribe, publish: "public" }, {})).toBe("ok");
  });

  test("those whose token says so, and a right to read is none to publish", () => {
    const stream = { subscribe: "token", publish: "token" };
    expect(decide(stream, { publish: ["/t/*"] })).toBe("ok");
    expect(decide(stream, { subscribe: ["/t/*"], discover: ["/t/*"] })).toBe("forbidden");
    expect(decide(stream, { subscribe: ["/t/*"] })).toBe("forbidden");
    expect(decide(stream, { publish: ["/t/other"] })).toBe("unknown_topic");
  });

  test("a topic that one may not know of is as one that isn't there, with and without a token", () => {
    for (const publish of ["token", "nobody"]) {
      const stream = { subscribe: "token", publish };
      expect(decide(stream)).toBe(decide(undefined));
      expect(decide(stream, {})).toBe(decide(undefined, {}));
    }
    expect([decide(undefined), decide(undefined, {})]).toEqual(["no_token", "unknown_topic"]);
  });

  test("one that everybody may know of says what is missing", () => {
    const stream = { subscribe: "public", publish: "token" };
    expect([decide(stream), decide(stream, {})]).toEqual(["no_token", "forbidden"]);
    expect(decide({ subscribe: "public" })).toBe("forbidden");
    expect(decide(undefined, undefined, false)).toBe("unknown_topic");
  });
});
