import { expect, test } from "vitest";
import { type Field, FieldMessage } from "../../../origin/publish/field-message.ts";

const BEGIN = Buffer.from("begin");
const message = new FieldMessage(BEGIN);

function expected(fields: readonly Field[]): Buffer {
  const parts = fields.flatMap((field) => {
    const bytes = field === null ? undefined : Buffer.from(field as Uint8Array);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes?.length ?? 0xffffffff);
    return [length, bytes ?? Buffer.alloc(0)];
  });
  return Buffer.concat([BEGIN, ...parts]);
}

/** Of every length around that from which they are copied at once, and of more than fits where short messages are made. */
const LENGTHS = [0, 1, 63, 64, 65, 300, 20_000];

test.each(["a", "\x7f", "\x80", "é", "€", "😀", "\ud800"])(
  "each field has its length before it, behind what all begin with: texts that end with %j, bytes, and none",
  (last) => {
    for (const length of LENGTHS) {
      const fields = [`${"a".repeat(length)}${last}`, null, Buffer.alloc(length, 0xff), "", last];

      expect(message.of(fields).equals(expected(fields))).toBe(true);
    }
  },
);
