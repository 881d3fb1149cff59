import { describe, expect, test } from "vitest";
import { decodeLinkDown } from "../../../shared/protocol/link.ts";
import {
  decodeLinkPublish,
  encodeLinkPublish,
  encodeLinkPublished,
  type LinkPublish,
  type LinkPublished,
} from "../../../shared/protocol/link-publish.ts";

const names = { issuer: "i", subject: "s", tokenId: undefined, issuedAt: 1_700_000_000 };
const PUBLISH: LinkPublish = {
  ...{ socket: 4_711, id: 2, token: { names, until: 1_800_000_000_000 } },
  publish: {
    ...{ endpoint: "/orders/42", issuer: "i", subject: "s", key: "c0ffee", by: "client" },
    headers: [["a", new Uint8Array([255])]],
    value: new TextEncoder().encode('{"qty":1}'),
  },
};

const damaged = (from: string, to: string) => {
  const text = Buffer.from(encodeLinkPublish(PUBLISH)).toString("latin1");
  expect(text).toContain(from);
  return new Uint8Array(Buffer.from(text.replace(from, to), "latin1"));
};

describe("a publish on a link", () => {
  test.each([
    ["by a token", PUBLISH],
    [
      "by nobody in particular",
      { ...PUBLISH, token: undefined, publish: { ...PUBLISH.publish, issuer: "", subject: "" } },
    ],
    ["of a tombstone", { ...PUBLISH, publish: { ...PUBLISH.publish, value: null, headers: [] } }],
    ["of no bytes", { ...PUBLISH, publish: { ...PUBLISH.publish, value: new Uint8Array(0), by: "edge" } }],
  ] as const)("[W26] %s is read as it was written", (_, publish) => {
    expect(decodeLinkPublish(encodeLinkPublish(publish))).toEqual({ ok: true, value: publish });
  });

  test.each([
    ["no header", () => new Uint8Array([1, 2, 3])],
    ["no socket", () => damaged('"socket":4711', '"x":1')],
    ["another number of bytes", () => damaged('"n":9', '"n":8')],
    ["a key of nobody's", () => damaged('"by":"client"', '"by":"x"')],
    ["a header that isn't base64", () => damaged('"/w==","base64"', '"*","base64"')],
  ])("[W26] with %s can't be read", (_, frame) => {
    expect(decodeLinkPublish(frame())).toMatchObject({ ok: false });
  });

  test.each<[string, LinkPublished["result"]]>([
    ["position", { position: "e.0:7" }],
    ["position that may not be the only one", { position: "e.0:7", guarantee: "at-least-once" }],
    [
      "error",
      { error: { code: "overloaded", message: "", retry: true, retryAfterMs: 1_000 }, key: undefined },
    ],
    ["error with a key", { error: { code: "unknown_outcome", message: "", retry: true }, key: "made" }],
  ])("[W26] is answered with a %s, for the socket and the frame that it came in", (_, result) => {
    const published: LinkPublished = { socket: 4_711, id: 2, result };

    expect(decodeLinkDown(encodeLinkPublished(published))).toEqual({
      ok: true,
      value: { kind: "published", published },
    });
  });
});
