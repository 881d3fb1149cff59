import { statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../../support/deadline.ts";
import { batch, IndexFixture, record } from "../../support/index-records.ts";

const MEGABYTE = 1024 * 1024;
const VALUE = "x".repeat(1_000);

const fixture = new IndexFixture();
afterEach(() => fixture.remove());

test("what was committed is written back to the file while nothing else happens, and can be read after closing at once", async () => {
  fixture.begin("t", 0, "a");
  for (let offset = 0; offset < 40_000; offset += 1_000)
    fixture.index.append(
      "t",
      0,
      "a",
      batch(...Array.from({ length: 1_000 }, (_, i) => record(offset + i, `k${i}`, VALUE))),
    );
  fixture.settle();

  const file = join(fixture.directory, "index.db");
  await eventually(() => statSync(file).size > 10 * MEGABYTE, "it is written back");
  fixture.reopen();

  expect(fixture.index.checkpoint("t", 0, "a")).toBe(40_000);
  expect(fixture.index.latest("t", Buffer.from("k7")).record?.offset).toBe(39_007);
});
