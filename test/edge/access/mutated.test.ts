/**
 * Every decoder of the edge under mutated inputs: each takes them without an exception, and what it takes is what it says.
 * `npm run test:long` plays a million and more at each.
 */
import { expect, test } from "vitest";
import { credentialsOf, readWebOrigins } from "../../../edge/access/credentials.ts";
import { readGrants } from "../../../edge/access/grants.ts";
import { issuerOf } from "../../../edge/access/issuer.ts";
import { readKeySet } from "../../../edge/access/key-set.ts";
import { patternText, readPattern } from "../../../edge/access/pattern.ts";
import { REVOCATION_LIMITS, readRevocation } from "../../../edge/access/revocation-request.ts";
import { accessProblems, readAccess } from "../../../edge/access/settings.ts";
import { readObject } from "../../../edge/access/strict-json.ts";
import { verifyToken } from "../../../edge/access/token.ts";
import { answerFrames } from "../../../edge/endpoint/subscriber-frames.ts";
import { readHosts } from "../../../edge/http/browsers.ts";
import { readUplinkKeys, verifyUplinkToken } from "../../../edge/http/uplink-auth.ts";
import { readPrincipal } from "../../../edge/principal.ts";
import { readItem } from "../../../edge/shard/uplinks/origin-items.ts";
import { readUplinkScope } from "../../../shared/config/uplink-scope.ts";
import { endpointPath, parseAddress } from "../../../shared/protocol/address.ts";
import { decodeDown } from "../../../shared/protocol/down.ts";
import {
  decodeTrusted,
  decodeUpdate,
  encodeUpdate,
  type Frame,
  routingOf,
} from "../../../shared/protocol/frame.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { decodeLinkDown, decodeLinkUp } from "../../../shared/protocol/link.ts";
import { splitBinary, splitText } from "../../../shared/protocol/message.ts";
import { formatPosition, parsePosition, samePosition } from "../../../shared/protocol/position.ts";
import { RoutingReader } from "../../../shared/protocol/routing-reader.ts";
import { decodeUp } from "../../../shared/protocol/subscriber.ts";
import { AUDIENCES, ISSUER, SECRET, SET, SHARED, tokensAt } from "../../support/hostile-tokens.ts";
import { HISTORIES, SEED } from "../../support/long.ts";
import type { Mutations } from "../../support/mutations.ts";
import { holds, playBytes, playText } from "../../support/playing.ts";

/** Of each decoder, for each random history that is asked for. */
const INPUTS = { count: 5 * HISTORIES, seed: SEED };
const MINUTES = 600_000;
const NOW = 1_760_000_000;

const bytesOf = (text: string) => new TextEncoder().encode(text);
const json = (value: unknown) => JSON.stringify(value);

const play = (good: readonly string[], look: (text: string, mutations: Mutations) => void | Promise<void>) =>
  playText(INPUTS, good, look);

const PATHS = ["/quotes/AAPL", "/quotes/$", "/quotes/$..", "/q/a%2Fb%20c", "/t/%F0%9F%98%80", "/$/health"];

test(
  "[A2] addresses: what is taken has one canonical path, which means the same",
  () =>
    play(PATHS, (text) => {
      const parsed = parseAddress(text);
      if (!parsed.ok) return;
      const { topic, key, path } = parsed.address;
      holds(key.length <= LIMITS.keyBytes, "a key is too long");
      holds(endpointPath(topic, key) === path, "its path isn't that of its topic and key");
      holds(parsed.canonical === (path === text), "it isn't said rightly whether it is canonical");
      const again = parseAddress(path);
      holds(again.ok && again.canonical && again.address.path === path, "its path isn't canonical");
    }),
  MINUTES,
);

test(
  "[P3] positions: what is taken is written back to what means the same",
  () =>
    play(["-", "Zk3x9Q.3:1041", "a.0:1,b.1:2,c.2:9007199254740991", "oldest"], (text) => {
      const position = parsePosition(text);
      if (position === undefined) return;
      holds(position.size <= LIMITS.positionComponents, "it has too many components");
      for (const offset of position.values()) holds(Number.isSafeInteger(offset), "an offset is inexact");
      const again = parsePosition(formatPosition(position));
      holds(again !== undefined && samePosition(again, position), "it isn't read back");
    }),
  MINUTES,
);

const UP = [
  '{"ping":1}',
  '{"id":7,"sub":"/quotes/AAPL","from":"Zk3x9Q.3:1041"}',
  '{"id":8,"sub":"/quotes/AAPL"}',
  '{"id":9,"token":"a.hushhushhush.c"}',
  '{"id":10,"pub":"/orders/1","v":{}}',
  '{"id":13,"pub":"/orders/1","idempotencyKey":"c0ffee","h":[["a","AA==","base64"]],"s":"x"}',
  '{"id":14,"pub":"/orders/1","d":true}\u001e{"id":15,"pub":"/orders/1","n":1}\n7',
  '{"id":11,"sub":"/quotes/AAPL"}\u001e{"id":12,"sub":"/quotes/AAPL"}',
];

test(
  "[C5] [S2] frames of subscribers: each ends its socket, or is answered by its own id, and repeats no token",
  () =>
    play(UP, (text, mutations) => {
      let closed = false;
      const message = mutations.below(20) === 0 ? bytesOf(text) : text;
      const frames = typeof message === "string" ? splitText(message) : headsOf(message);
      const ids = new Set(frames.flatMap((frame) => idsIn(frame)));
      const answered = (id: number) => {
        holds(!closed, "something is done after the close");
        holds(ids.has(id), "an answer has another's id");
      };
      answerFrames(message, {
        path: "/quotes/AAPL",
        messageBytes: LIMITS.subscriberMessageBytes,
        lastId: () => (closed ? undefined : 0),
        waitMs: () => (mutations.below(10) === 0 ? 100 : 0),
        refuse: (id) => id !== undefined && answered(id),
        subscribe: answered,
        renew: answered,
        publish: ({ id }) => answered(id),
        send(frame) {
          holds(!closed, "something is sent after the close");
          const { id, error } = JSON.parse(frame) as { id?: number; error?: { code: string } };
          if (error !== undefined) answered(id ?? -1);
          holds(frame.length < 500 && !frame.includes("hushhush"), "an answer is long, or repeats a token");
        },
        close() {
          holds(!closed, "it is closed twice");
          closed = true;
        },
      });
    }),
  MINUTES,
);

/** Of binary frames, which hold bytes behind them. */
function headsOf(message: Uint8Array<ArrayBuffer>): string[] {
  return (splitBinary(message) ?? []).map((frame) => Buffer.from(frame).toString().split("\n", 1)[0] ?? "");
}

/** Numbers that a frame could be answered by. */
function idsIn(frame: string): number[] {
  const up = decodeUp(frame);
  if (up.ok && up.value.kind !== "ping") return [up.value.id];
  try {
    const { id } = JSON.parse(frame) as { id?: unknown };
    return typeof id === "number" ? [id] : [];
  } catch {
    return [];
  }
}

const ORIGIN_SAYS = [
  '{"hello":{"version":1,"origin":"origin-1","slice":"1/2"}}',
  '0\t{"ready":true}',
  '0\t{"leaving":true}',
  '0\t{"count":"/quotes/AAPL"}',
  '0\t{"elsewhere":{"endpoint":"/quotes/AAPL","subscribers":12}}',
  '0\t{"alone":true}',
  '7\t{"attached":"/quotes/AAPL","id":3,"position":"a.0:1","head":"a.0:2","count":1}',
  '7,9\t{"e":"/quotes/AAPL","p":"a.0:2","q":1,"v":{"bid":1}}',
  '7\t{"waiting":"/quotes/AAPL","id":3}',
  '?13\t{"latest":"/quotes/AAPL","position":"a.0:1","count":0}',
  '?13\t{"error":{"code":"unavailable","message":"no","retry":true}}',
];

test(
  "[U3] text of origins: an item is read whole, or not at all",
  () =>
    play(ORIGIN_SAYS, (text) => {
      for (const item of splitText(text)) {
        const read = readItem(item, () => new RoutingReader());
        if (read === undefined) continue;
        holds(item.endsWith(String(read.frame)), "its frame is no part of it");
        const kinds = [read.says, read.update, read.problem].filter((one) => one !== undefined);
        holds(kinds.length === 1, "it is of several kinds, or of none");
      }
    }),
  MINUTES,
);

const binary = (head: string, value: number[]) => Uint8Array.from([...bytesOf(`${head}\n`), ...value]);
const BINARY = [
  binary('{"e":"/quotes/AAPL","p":"a.0:2","q":1,"n":3}', [255, 0, 10]),
  binary('{"e":"/quotes/AAPL","p":"a.0:3","t":1763690000123,"n":0}', []),
  binary('7\t{"e":"/quotes/AAPL","p":"a.0:4","q":3,"n":2}', [10, 10]),
  binary('7,9\t{"e":"/q/$","p":"b.1:4","n":1}', [123]),
];

test(
  "[F11] bytes of origins: a message is taken apart without a rest, and the fast reader reads what the slow one does",
  () => {
    const reader = new RoutingReader();
    return playBytes(INPUTS, BINARY, (bytes) => {
      const frames = splitBinary(bytes) ?? [];
      decodeUpdate(bytes);
      const sum = frames.reduce((total, { length }) => total + length, 0);
      holds(frames.length === 0 || sum === bytes.length, "something of it is left");
      for (const frame of [bytes, ...frames] as Frame[]) {
        const read = readItem(frame, () => reader);
        if (read !== undefined && read.update !== undefined)
          holds(
            json(read.update) === json(routingOf(read.frame)) || routingOf(read.frame) === undefined,
            "two readers read two things",
          );
      }
    });
  },
  MINUTES,
);

const UPDATES = [
  '{"e":"/quotes/AAPL","p":"Zk3x9Q.3:1077","q":1041,"t":1763690000123,"v":{"bid":229.1}}',
  '{"e":"/q/a","p":"a.0:1","h":[["a","b"],["c",null],["d","/w==","base64"]],"s":"text"}',
  '{"e":"/q/a","p":"a.0:2","q":1,"x":70000,"d":true}',
  '{"e":"/q/a","p":"a.0:3","q":2,"o":9000000}',
];

test(
  "[F9] update frames: one is read whole, and written back to what means the same, or is said to be malformed",
  () =>
    play(UPDATES, (text) => {
      const read = decodeUpdate(text);
      holds(decodeTrusted(text).ok || !read.ok, "whoever trusts its origin reads less");
      if (!read.ok) return holds(read.problem.length > 0, "no word is said");
      const { offset, previous } = read.value;
      holds(Number.isSafeInteger(offset) && (previous ?? 0) >= 0, "an offset is inexact");
      const again = decodeUpdate(encodeUpdate(read.value));
      // What an origin writes is a path; another's need not be.
      if (json(read.value.endpoint) !== `"${read.value.endpoint}"`) return;
      holds(again.ok && json(again.value) === json(read.value), "it isn't read back");
    }),
  MINUTES,
);

const DOWN = [
  '{"id":1,"ok":{"position":"a.0:1","head":"a.0:2","recovered":true}}',
  '{"id":1,"ok":{"expires":1795689542}}',
  '{"id":1,"wait":{"code":"unavailable","message":"no","retry":true}}',
  '{"id":1,"error":{"code":"forbidden","message":"no","retry":false}}',
  '{"reset":"/quotes/AAPL","position":"a.0:1","head":"a.0:2","cause":"horizon"}',
  '{"expires":{"in":60}}',
  '{"end":"/q/a","error":{"code":"forbidden","message":"no","retry":false}}',
];

test(
  "[S3] [S7] what an edge says to a client is read, or said to be wrong in words",
  () =>
    play(DOWN, (text) => {
      const read = decodeDown(text);
      holds(read.ok || read.problem.length > 0, "no word is said");
    }),
  MINUTES,
);

const LINK = [
  '{"hello":{"version":1,"shard":0,"generation":1,"dial":1}}',
  '{"attach":"/quotes/AAPL","id":3,"from":"a.0:1"}',
  '{"attached":"/quotes/AAPL","id":3,"position":"a.0:1","head":"a.0:2","count":1}',
  '{"wake":{"at":1763690000123}}',
  '{"occupied":"/quotes/AAPL"}',
];

test(
  "[L2] what goes on links is read, or said to be wrong in words",
  () =>
    play(LINK, (text) => {
      for (const read of [decodeLinkUp(text), decodeLinkDown(text)])
        holds(read.ok || read.problem.length > 0, "no word is said");
    }),
  MINUTES,
);

const { make, claims, granting, afterAKey, beforeAKey } = tokensAt(NOW);
const GRANTS = {
  subscribe: ["/quotes/*", "/inbox/{sub}%2F*"],
  publish: [],
  discover: ["/q*"],
  admin: false,
};

test(
  "[T3] tokens: none is taken but the one that was signed, byte by byte",
  async () => {
    const { issuers } = await readAccess({ AUTH_ISSUERS: SETTINGS });
    const ports = { fetch: () => Promise.reject(new Error("asked")), now: () => 0, problem: () => {} };
    const list = issuers.map((one) => issuerOf(one, ports));
    const signed = [make({}), make(granting(GRANTS))];
    const parts = (token: string) => token.split(".").map((part) => Buffer.from(part, "base64url"));
    for (const token of signed)
      expect(await verifyToken(token, list, NOW * 1_000, () => {})).toMatchObject({ ok: true });
    const hostile = [...beforeAKey, ...afterAKey].map(([, token]) => make(token));
    await play([...signed, ...signed, ...signed, ...hostile], async (token) => {
      const result = await verifyToken(token, list, NOW * 1_000, () => {});
      if (result.ok)
        holds(
          signed.some((one) => parts(one).every((part, i) => parts(token)[i]?.equals(part))) ||
            // Of some of them all that is wrong is what stands behind.
            hostile.some((one) => one.startsWith(token)),
          "it is taken, and nobody signed it",
        );
      else holds(!/[A-Za-z0-9_-]{40}/.test(result.problem), "what is said of it repeats it");
    });
  },
  MINUTES,
);

test(
  "[T3] claims: JSON that is taken has no name twice in one object, and is no deeper than it may be",
  () =>
    play(
      [json({ ...claims, distributary: GRANTS }), json(claims), '{"a":[{"b":"\\""},{"b":1}],"c":{}}'],
      (text) => {
        const read = readObject(text, 4);
        if (!read.ok) return;
        holds(membersOf(read.value) === colonsOf(text), "two members have one name");
        holds(depthOf(read.value) <= 4, "it is too deep");
      },
    ),
  MINUTES,
);

function membersOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum: number, one) => sum + membersOf(one), own);
}

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

/** Outside of strings: one for each member. */
function colonsOf(text: string): number {
  let colons = 0;
  let inside = false;
  for (let i = 0; i < text.length; i++) {
    if (inside && text[i] === "\\") i++;
    else if (text[i] === '"') inside = !inside;
    else if (text[i] === ":" && !inside) colons++;
  }
  return colons;
}

test(
  "[T1] grants: what is taken is bounded, and is written as what is read to mean the same",
  () =>
    play(
      [json(GRANTS), json({ subscribe: ["/*"] }), "{}", json({ discover: ["/q/$", "/q/%FF*"] })],
      (text) => {
        let distributary: unknown;
        try {
          distributary = JSON.parse(text);
        } catch {
          return;
        }
        const read = readGrants({ ...claims, distributary });
        if (!read.ok) return;
        for (const patterns of Object.values(read.grants.patterns)) {
          holds(patterns.length <= 50, "there are too many patterns");
          for (const pattern of patterns) holds(readPattern(pattern, {}).ok, "a pattern isn't read back");
        }
      },
    ),
  MINUTES,
);

test(
  "[T1] patterns: what a claim holds is never a pattern, and what is taken is written back to the same",
  () =>
    play(
      ["/quotes/*", "/quotes/A*", "/q/$", "/inbox/{sub}", "/inbox/{tenant}%2F{sub}", "/q-*", "/*"],
      (text, mutations) => {
        const sub = mutations.text(["alice", "*", "{tenant}", "a%2Fb", "/", "😀"]);
        const read = readPattern(text, { sub, tenant: "*" });
        if (!read.ok || read.matcher.kind === "nothing") return;
        const written = patternText(read.matcher);
        holds(written !== undefined && json(readPattern(written, {})) === json(read), "it isn't read back");
        const isStar = read.matcher.kind === "topics" || read.matcher.prefix;
        holds(isStar === text.endsWith("*"), "a claim became a star");
      },
    ),
  MINUTES,
);

const SETTINGS = json([
  { issuer: ISSUER, audience: AUDIENCES, lifetimeSeconds: 3_600, jwks: SET },
  { issuer: SHARED, audience: "distributary", secret: SECRET },
]);
const REMOTE = json([{ issuer: ISSUER, audience: "a", jwksUrl: "https://issuer.example/keys" }]);

test(
  "issuers: settings are taken, or refused in words that hold no secret",
  () =>
    play([REMOTE, json([{ issuer: SHARED, audience: "distributary", secret: SECRET }])], async (text) => {
      for (const problem of await accessProblems({ AUTH_ISSUERS: text }))
        holds(problem.startsWith("AUTH_ISSUERS") && !problem.includes(SECRET.slice(0, 12)), problem);
    }),
  MINUTES,
);

test(
  "key sets: of what an issuer answers only keys are taken",
  () =>
    play(
      SET.keys.slice(0, 3).map((key) => json({ keys: [key] })),
      async (text) => {
        let set: unknown;
        try {
          set = JSON.parse(text);
        } catch {
          return;
        }
        const read = await readKeySet(set);
        holds(read === undefined || read.size > 0, "a set is taken without a key");
      },
    ),
  MINUTES,
);

test(
  "[T1] headers and cookies: a token is one that stands there, or there is none",
  () => {
    const rules = { cookie: "session", webOrigins: new Set(["https://app.example"]) };
    const good = [
      "Bearer a.b.c",
      "session=a.b.c",
      "distributary.v1, distributary.bearer.a.b.c",
      "https://app.example",
    ];
    return play(good, (text, mutations) => {
      const headers = new Headers();
      for (const name of ["Authorization", "Sec-WebSocket-Protocol", "Cookie", "Origin"])
        try {
          headers.set(name, mutations.below(3) === 0 ? mutations.text(good) : text);
        } catch {
          // No header can hold it.
        }
      const found = credentialsOf({ headers, upgrade: mutations.below(2) === 0 }, rules);
      if (found.kind !== "token") return;
      const all = [...headers].map(([, value]) => value).join("\n");
      holds(found.token !== "" && all.includes(found.token), "a token is none of the header's");
    });
  },
  MINUTES,
);

test(
  "[T5] WEB_ORIGINS: what is taken is origins, as browsers write them",
  () =>
    play(["https://a.example", " https://a.example , http://localhost:5173"], (text) => {
      const read = readWebOrigins(text);
      for (const origin of (read.ok && read.origins) || [])
        holds(new URL(origin).origin === origin, "no browser writes that");
    }),
  MINUTES,
);

const UPLINK_SECRET = "a-secret-of-32-bytes-or-more-for-origins";

test(
  "[U1] keys and tokens of origins: none is taken that isn't there, and no secret is said",
  async () => {
    const keys = readUplinkKeys(`k1:origin-1:${UPLINK_SECRET}`);
    if (!keys.ok) throw new Error(keys.problem);
    const good = make({});
    await play([`Bearer ${good}`, `k1:origin-1:${UPLINK_SECRET}`], async (text) => {
      const read = readUplinkKeys(text);
      holds(read.ok || !read.problem.includes(UPLINK_SECRET.slice(0, 12)), "a secret is said");
      const result = await verifyUplinkToken(text, keys.keys, new Date(NOW * 1_000));
      holds(!result.ok, "an origin is let in by another's token");
    });
  },
  MINUTES,
);

test(
  "[U16] bounds of origins' keys: what is taken is written back to the same, and allows no more than it names",
  () =>
    play(["slices=1/2|2/2 topics=flights|orders.*", "topics=flights", "slices=1/1"], (text) => {
      const scope = readUplinkScope(text);
      if (scope === undefined) return;
      holds(scope.text === text && readUplinkScope(scope.text) !== undefined, "it isn't read back");
      const topics = /(?:^| )topics=/.test(text);
      holds(!topics || text.includes("*") || !scope.mayTopic("nowhere.else"), "it allows another topic");
    }),
  MINUTES,
);

test(
  "[T7] revocations: what an administrator says is taken within its bounds, or refused in words that repeat none of it",
  () =>
    play(
      [
        json({ id: "r1", tokenId: "hushhushhush" }),
        json({ subject: "alice", issuedBefore: NOW, graceSeconds: 60 }),
        json({ issuedBefore: NOW - 60, until: NOW + 3_600 }),
      ],
      (text) => {
        const read = readRevocation(text, 3_600, NOW);
        if (!read.ok) return holds(!read.problem.includes("hushhush"), "what was said is repeated");
        const { until, graceSeconds, of } = read.request;
        holds(until > NOW && until <= NOW + 3_600 + REVOCATION_LIMITS.aheadSeconds, "it lapses too late");
        holds(graceSeconds >= 0 && graceSeconds <= REVOCATION_LIMITS.graceSeconds, "its grace is too long");
        holds(of.kind !== "all" || of.before <= NOW + 60, "nobody could lift it");
      },
    ),
  MINUTES,
);

test(
  "[H11] HOSTS: what is taken is names of hosts, as URLs have them",
  () =>
    play(["edge.example.com", "a.example, [::1],127.0.0.1", "localhost"], (text) => {
      let hosts: ReadonlySet<string>;
      try {
        hosts = readHosts(text);
      } catch (error) {
        return holds(error instanceof Error && error.message.startsWith("HOSTS: "), String(error));
      }
      for (const host of hosts) holds(new URL(`http://${host}`).hostname === host, "no URL has that");
    }),
  MINUTES,
);

test(
  "principals: what travels within is read, or nothing may be done",
  () =>
    play(
      [
        json({
          kind: "known",
          issuer: ISSUER,
          subject: "alice",
          issuedAt: NOW,
          grants: GRANTS,
          until: NOW * 1_000,
        }),
      ],
      (text) => {
        try {
          holds(readPrincipal(text).kind === "known", "what was brought is forgotten");
        } catch (error) {
          holds(error instanceof Error && error.message === "a principal can't be read", String(error));
        }
      },
    ),
  MINUTES,
);
