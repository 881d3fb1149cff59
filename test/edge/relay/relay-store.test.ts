/** The rows of a relay. */
import { DatabaseSync } from "node:sqlite";
import { beforeEach, describe, expect, test } from "vitest";
import { RelayStore } from "../../../edge/relay/relay-store.ts";
import { platformSql } from "../../support/platform-sql.ts";

let db: DatabaseSync;
const open = () => new RelayStore(platformSql(db));

beforeEach(() => {
  db = new DatabaseSync(":memory:");
});

describe("[L14] what a relay keeps in rows", () => {
  test("[L14] is what a connection follows, however much that is, as it was said last", () => {
    const paths = (count: number) =>
      Array.from({ length: count }, (_, i) => `/t/${"%E2".repeat(1_000)}${i}`).join("\n");
    open().saveConnection("a", 1, paths(1_000));
    open().saveConnection("b", 1, paths(1));
    expect(open().connections()).toEqual(
      new Map([
        ["a", { version: 1, follows: paths(1_000) }],
        ["b", { version: 1, follows: paths(1) }],
      ]),
    );

    open().saveConnection("a", 2, paths(500));
    open().dropConnection("b");

    expect(open().connections()).toEqual(new Map([["a", { version: 2, follows: paths(500) }]]));
  });

  test("[L14] is how far endpoints are, of one version alone", () => {
    open().saveStates(1, ["a", "b"]);
    open().saveStates(2, ["c"]);

    expect([open().states(1), open().states(2)]).toEqual([[], ["c"]]);
    open().clear();
    expect([open().states(2), open().connections()]).toEqual([[], new Map()]);
  });
});
