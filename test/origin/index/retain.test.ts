import { afterEach, expect, test } from "vitest";
import { batch, bytes, IndexFixture, record } from "../../support/index-records.ts";

const fixture = new IndexFixture();
afterEach(() => fixture.remove());

test("of a topic that was created again with fewer partitions nothing old is answered, after a restart neither", () => {
  fixture.begin("t", 0, "old.0");
  fixture.begin("t", 1, "old.1");
  fixture.index.append("t", 0, "old.0", batch(record(0, "k", "0")));
  fixture.index.append("t", 1, "old.1", batch(record(0, "k", "1")));
  fixture.begin("t", 0, "new.0");

  fixture.index.retain("t", new Set(["new.0"]));
  fixture.index.append("t", 0, "new.0", batch(record(0, "k", "2")));

  expect(fixture.index.views("t", bytes("k"))).toMatchObject([{ epoch: "new.0", tail: 0 }]);
  fixture.reopen();
  expect(fixture.index.views("t", bytes("k"))).toMatchObject([{ epoch: "new.0", tail: 0 }]);
});
