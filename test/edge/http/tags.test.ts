import { expect, test } from "vitest";
import { isNamed } from "../../../edge/http/tags.ts";
import { tagsIn } from "../../../shared/protocol/entity-tags.ts";

const RECORD = { epoch: "e-gzip.0", offset: 7 };

test.each([
  ["as it was given out", '"e-gzip.0:7"'],
  ["made weak", 'W/"e-gzip.0:7"'],
  ["with Apache's suffix", '"e-gzip.0:7-gzip"'],
  ["with another coding's", '"e-gzip.0:7-br"'],
  ["with two of them", '"e-gzip.0:7--gzip"'],
  ["with one behind a semicolon, and weak", 'W/"e-gzip.0:7;gzip"'],
  ["of several components", '"a.1:3,e-gzip.0:7-gzip"'],
  ["among others", '"x", "e-gzip.0:7-zstd", "y"'],
])("[H2] a tag %s names its record", (_, tag) => {
  expect(isNamed(tag, RECORD)).toBe(true);
});

test.each(['"e-gzip.0:77"', '"e-gzip.0:7-7"', '"e.0:7-gzip"', "-gzip", '"gzip"', null])(
  "[H2] %j names another one, or none",
  (tag) => {
    expect(isNamed(tag, RECORD)).toBe(false);
  },
);

test("[H13] the tag of a key without a record has a suffix, too", () => {
  expect(tagsIn('W/"--gzip"')).toEqual(["-"]);
  expect(tagsIn('"-"')).toEqual(["-"]);
});
