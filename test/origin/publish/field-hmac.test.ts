import { createHash, createHmac, type Hash, type Hmac, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { AS_TEXT, digestOf, FieldHmac } from "../../../origin/publish/field-hmac.ts";
import type { Field } from "../../../origin/publish/field-message.ts";

/** The same, field by field, by Node's own. */
function expected(secret: Uint8Array | undefined, fields: readonly Field[]): Buffer {
  const hmac: Hash | Hmac = secret === undefined ? createHash("sha256") : createHmac("sha256", secret);
  for (const field of fields) {
    const bytes = field === null ? null : Buffer.from(field as Uint8Array);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes?.length ?? 0xffffffff);
    hmac.update(length).update(bytes ?? Buffer.alloc(0));
  }
  return hmac.digest();
}

test.each([1, 32, 63, 64, 65, 200])("with a secret of %i bytes it is HMAC-SHA-256", (bytes) => {
  const secret = randomBytes(bytes);
  const hmac = new FieldHmac(secret);

  for (const fields of [[], ["a"], ["é€😀\ud800", null, randomBytes(100), ""], [randomBytes(1_000), "b"]]) {
    expect(Buffer.from(hmac.digest(fields), AS_TEXT)).toEqual(expected(secret, fields));
    expect(Buffer.from(digestOf(fields), AS_TEXT)).toEqual(expected(undefined, fields));
  }
});

test.each([16_000, 16_384, 100_000])("a message of about %i bytes is as good as a short one", (bytes) => {
  const secret = randomBytes(32);
  const hmac = new FieldHmac(secret);
  const fields = [randomBytes(bytes), "x".repeat(bytes / 4)];

  expect(Buffer.from(hmac.digest(fields), AS_TEXT)).toEqual(expected(secret, fields));
  expect(Buffer.from(hmac.digest(["a"]), AS_TEXT)).toEqual(expected(secret, ["a"]));
});
