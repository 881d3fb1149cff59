/** Answers come whole, however a socket cuts them. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { AnswerBytes } from "../../../origin/kafka/answer-bytes.ts";

const framed = (answer: Buffer) => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(answer.length);
  return Buffer.concat([length, answer]);
};

test("answers come whole and in order, wherever the bytes are cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 20 }), { minLength: 1, maxLength: 5 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
      (answers, sizes) => {
        const bytes = new AnswerBytes();
        const came: number[][] = [];
        for (const answer of answers) {
          const sent = framed(Buffer.from(answer));
          for (let at = 0; at < sent.length; ) {
            const piece = sent.subarray(at, at + (sizes.next().value ?? 1));
            at += piece.length;
            const whole = bytes.add(piece);
            if (whole !== undefined) came.push([...whole]);
          }
        }
        expect(came).toEqual(answers.map((answer) => [...answer]));
        expect(bytes.have).toBe(0);
      },
    ),
  );
});

test("it says how long the answer is that is coming, and what came behind one that is whole", () => {
  const bytes = new AnswerBytes();
  const sent = framed(Buffer.from("abc"));

  expect(bytes.wanted).toBe(4);
  expect(bytes.add(sent.subarray(0, 3))).toBeUndefined();
  expect(bytes.wanted).toBe(4);
  expect(bytes.add(sent.subarray(3, 5))).toBeUndefined();
  expect(bytes.wanted).toBe(7);
  expect(String(bytes.add(Buffer.concat([sent.subarray(5), Buffer.from("de")])))).toBe("abc");
  expect(bytes.have).toBe(2);
});

test("an answer that comes in one piece is not copied", () => {
  const sent = framed(Buffer.from("abc"));

  expect(new AnswerBytes().add(sent)?.buffer).toBe(sent.buffer);
});
