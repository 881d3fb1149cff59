import { expect, test } from "vitest";
import { errorResponse } from "../../../edge/answers.ts";
import { refusal, refusalOf } from "../../../edge/http/refusal.ts";
import { CLOSE, closeReason, readCloseReason } from "../../../shared/protocol/codes.ts";

test.each([
  ["overloaded", 4005],
  ["unknown_topic", 4507],
  ["internal", 4006],
] as const)(
  "[H9] [C4] an object that takes no subscriber for %s has it closed with %i and the object's words",
  async (code, close) => {
    const refused = await refusalOf(errorResponse(code, "as many as it can hold"));

    expect(refused).toEqual({ code, message: "as many as it can hold" });
    expect(CLOSE[refused.code]).toBe(close);
  },
);

test("[H9] what no close says is no refusal, but a fault", async () => {
  expect(() => refusal("unknown_key", "no record")).toThrow(/unknown_key: no record/);
  await expect(refusalOf(new Response("<h1>"))).rejects.toThrow();
});

test.each([
  ["unknown_topic", "no such topic is exposed", "unknown_topic: no such topic is exposed"],
  ["bad_frame", "x".repeat(112), `bad_frame: ${"x".repeat(112)}`],
  // One byte more than a close frame has room for, though not one character.
  ["bad_frame", `${"x".repeat(111)}é`, "bad_frame"],
] as const)("[C4] a reason is a name, and a sentence if that fits: %s", (name, sentence, reason) => {
  const made = closeReason(name, sentence);

  expect(made).toBe(reason);
  expect(readCloseReason(made)).toEqual({ name, sentence: reason === name ? name : sentence });
});
