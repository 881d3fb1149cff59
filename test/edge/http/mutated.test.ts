/**
 * What clients say in paths, queries, headers and bodies, and what they publish, mutated: each decoder takes it without an
 * exception, and what it takes is what it says. `npm run test:long` plays a million and more at each.
 */
import { expect, test } from "vitest";
import { parsePlaces, placesText } from "../../../edge/http/plain/event-text.ts";
import { allowedOf, readPublishHeaders } from "../../../edge/http/publish-request.ts";
import { isBehind, reuseOf } from "../../../edge/http/reuse.ts";
import { senderOf } from "../../../edge/http/sender.ts";
import { isNamed } from "../../../edge/http/tags.ts";
import { PUBLIC } from "../../../edge/principal.ts";
import { REGIONS, readClient, readRegion } from "../../../edge/relay/place.ts";
import { base64Path, endpointPath, parseAddress } from "../../../shared/protocol/address.ts";
import type { Header } from "../../../shared/protocol/frame.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { decodeLinkPublish, encodeLinkPublish } from "../../../shared/protocol/link-publish.ts";
import { samePosition } from "../../../shared/protocol/position.ts";
import {
  decodePublication,
  encodePublication,
  isPublishKey,
  problemOfHeaders,
} from "../../../shared/protocol/publication.ts";
import { HISTORIES, SEED } from "../../support/long.ts";
import type { Mutations } from "../../support/mutations.ts";
import { holds, playBytes, playText } from "../../support/playing.ts";

/** Of each decoder, for each random history that is asked for. */
const INPUTS = { count: 5 * HISTORIES, seed: SEED };
const MINUTES = 600_000;

const utf8 = (text: string) => new TextEncoder().encode(text);
const json = (value: unknown) => JSON.stringify(value);
const play = (good: readonly string[], look: (text: string, mutations: Mutations) => void) =>
  playText(INPUTS, good, look);

/** Those that can hold it, each with what was meant or another of these. */
function headersOf(names: readonly string[], good: readonly string[], text: string, mutations: Mutations) {
  const headers = new Headers();
  for (const name of names)
    try {
      headers.set(name, mutations.below(3) === 0 ? mutations.text(good) : text);
    } catch {
      // No header can hold it.
    }
  return headers;
}

const KEYS = [utf8("AAPL"), utf8("a/b ?"), Uint8Array.of(0xff, 0, 0xfe), utf8(""), utf8("..")];

test(
  "[A13] paths in base64: one that is taken is that of its key, and leads to the canonical path of the same",
  () =>
    play(
      KEYS.map((key) => base64Path({ topic: "quotes", key })),
      (text) => {
        const parsed = parseAddress(text);
        if (!parsed.ok || !parsed.isBase64) return;
        const { topic, key, path } = parsed.address;
        holds(base64Path({ topic, key }) === text, "one key has two such paths");
        holds(path === endpointPath(topic, key) && key.length <= LIMITS.keyBytes, "it is another's path");
        const again = parseAddress(path);
        holds(again.ok && again.canonical, "its path isn't canonical");
      },
    ),
  MINUTES,
);

test(
  "[E2] [E7] where an event stream begins: places that are taken are written back to the same",
  () => {
    const good = ["Zk3x9Q.3:1041", ";", "a.0:1;;b.1:2,c.2:3", "-;-", "oldest"];
    return play(good, (text, mutations) => {
      const count = 1 + mutations.below(3);
      const places = parsePlaces(text, count);
      if (places !== undefined) {
        holds(places.length === count, "there are more places than endpoints");
        const written = parsePlaces(placesText(places), count);
        const isSame = places.every((place, i) => {
          const other = written?.[i];
          return place === undefined
            ? other === undefined
            : other !== undefined && samePosition(place, other);
        });
        holds(isSame || placesText(places) === "", "it is written to another place");
      }
    });
  },
  MINUTES,
);

test(
  "[H1] [H2] [H15] conditions and ages: what is named is in the header, and no age is more than the stream's",
  () => {
    const good = ['"Zk3x9Q.3:1041"', 'W/"a.0:7-gzip", "b.1:2,c.2:3"', '"-"', "*", "max-age=5", "no-cache"];
    const component = { epoch: "a.0", offset: 7 };
    const latest = { kind: "none", position: "a.0:9", oldest: undefined } as const;
    return play(good, (text, mutations) => {
      const headers = headersOf(["If-None-Match", "Cache-Control", "Pragma"], good, text, mutations);
      const asked = headers.get("If-None-Match");
      const isTagged = asked !== null && (/a\.0:7/.test(asked) || asked.trim() === "*");
      holds(!isNamed(asked, component) || isTagged, "a record is taken for known that nobody named");
      holds(!isBehind(latest, asked) || asked?.includes('"') === true, "nothing was seen before");
      const reuse = reuseOf(headers, { subscribe: "public", maxAgeSeconds: 3 }, PUBLIC);
      holds(reuse !== undefined && reuse.wantedMs >= 0 && reuse.wantedMs <= 3_000, "an age isn't bounded");
    });
  },
  MINUTES,
);

test(
  "[H14] [A10] [M1] whom a request is counted for, its region and its client: one each that there can be, or none",
  () => {
    const good = [
      "192.0.2.1",
      "2001:db8::1, 192.0.2.7",
      "::ffff:192.0.2.1",
      "[2001:db8::1]:443",
      "weur",
      "fe80::1%eth0",
    ];
    const names = ["X-Forwarded-For", "CF-Connecting-IP"];
    return play(good, (text, mutations) => {
      const headers = headersOf(names, good, text, mutations);
      const direct = senderOf({ headers }, PUBLIC, {});
      const cf = { clientIp: mutations.below(2) === 0 ? text : "192.0.2.9:1024" };
      const behind = senderOf({ headers, cf }, PUBLIC, { PEERS: "on", PROXIES: "192.0.2.9,2001:db8::" });
      for (const sender of [direct, behind])
        holds(
          sender === undefined ||
            /^(?:\d{1,3}(?:\.\d{1,3}){3}|::1|[\da-f]+(?::[\da-f]+){3}::\/64)$/.test(sender.key),
          `it is counted for ${sender?.key}`,
        );
      const region = readRegion(text);
      holds(region === undefined || REGIONS.includes(region), "there is no such region");
      const client = readClient(text);
      holds(client === undefined || (client === text && text.length <= 64), "a client has another name");
    });
  },
  MINUTES,
);

test(
  "[W2] [W3] headers of a publish: what is taken has bytes that were sent, within their bounds, or it is said what is wrong",
  () => {
    const good = ["c0ffee", '"c0 \\"ffee"', "AAECAw==", "text", "return=minimal", "wait=1, return=minimal"];
    const names = [
      "Distributary-Header-a",
      "Distributary-Header-b",
      "Distributary-Base64-Header-c",
      "Distributary-Base64-Header-d",
    ];
    const all = [...names, "Idempotency-Key", "Prefer"];
    return play(good, (text, mutations) => {
      const headers = headersOf(all.slice(mutations.below(4)), good, text, mutations);
      const result = readPublishHeaders(headers);
      if (!result.ok)
        return holds(result.problem.length > 0 && result.problem.length < 500, "no word is said");
      const { read } = result;
      holds(read.key === undefined || isPublishKey(read.key), "a key is taken that is none");
      holds(problemOfHeaders(read.headers) === undefined, "headers are taken that can't be a record's");
      const sent = [...headers].map(([, value]) => value);
      for (const [, value] of read.headers)
        holds(
          typeof value === "string" ||
            sent.some((one) => Buffer.from(one, "base64").equals(value ?? Buffer.alloc(0))),
          "bytes are taken that weren't sent",
        );
      const allowed = allowedOf(text, ["Authorization"]);
      holds(allowed.length <= 4 + text.split(",").length, "a page may send more than it asked for");
    });
  },
  MINUTES,
);

const HEADERS: readonly Header[] = [
  ["a", "b"],
  ["c", null],
  ["d", Uint8Array.of(255, 0)],
];
const PUBLICATION = { id: 4, endpoint: "/orders/1", key: "c0ffee", headers: HEADERS, value: utf8('{"a":1}') };

test(
  "[W21] [W22] what is published on a socket in text is read whole, and means the same as bytes, or is said to be wrong",
  () =>
    play(
      [
        '{"id":10,"pub":"/orders/1","v":{"a":[1,2.5e3,"\\u00e9"]}}',
        '{"id":13,"pub":"/orders/1","idempotencyKey":"c0ffee","h":[["a","AA==","base64"],["b",null]],"s":"x"}',
        '{"id":14,"pub":"/orders/1","d":true}',
      ],
      (text) => {
        const read = decodePublication(text);
        if (read === undefined) return;
        if (!read.ok) return holds(read.problem.length > 0, "no word is said");
        isReadBack(read.value);
      },
    ),
  MINUTES,
);

test(
  "[W21] [W22] [W26] so is what is published in bytes, by a client and between an object and its shard",
  () => {
    const publish = { ...PUBLICATION, issuer: "", subject: "", by: "client" as const };
    const linked = encodeLinkPublish({ socket: 4_711, id: 2, token: undefined, publish });
    const frames = [encodePublication(PUBLICATION), linked].filter((frame) => typeof frame !== "string");
    expect(frames).toHaveLength(2);
    return playBytes(INPUTS, frames, (bytes) => {
      const read = decodePublication(bytes);
      if (read?.ok) isReadBack(read.value);
      else holds(read === undefined || read.problem.length > 0, "no word is said");
      const within = decodeLinkPublish(bytes);
      if (!within.ok) return holds(within.problem.length > 0, "no word is said");
      const again = decodeLinkPublish(encodeLinkPublish(within.value));
      holds(again.ok && json(again.value) === json(within.value), "it isn't read back");
    });
  },
  MINUTES,
);

function isReadBack(publication: Parameters<typeof encodePublication>[0]): void {
  const again = decodePublication(encodePublication(publication));
  holds(again?.ok === true && json(again.value) === json(publication), "it isn't read back");
}
