import { DatabaseSync } from "node:sqlite";
import { beforeEach, describe, expect, test } from "vitest";
import { endpointObject, type ObjectIdentity, objectOf } from "../../../edge/object-identity.ts";
import { ShardStore } from "../../../edge/shard/shard-store.ts";
import type { Revocation } from "../../../shared/protocol/revocation.ts";
import { platformSql } from "../../support/platform-sql.ts";

const A = endpointObject("/quotes/A");
const B = endpointObject("/quotes/B");

let db: DatabaseSync;
let problems: string[];

function open(): ShardStore {
  return new ShardStore(platformSql(db), (problem) => problems.push(problem));
}

const tables = () => db.prepare("SELECT name, sql FROM sqlite_master ORDER BY name").all();
const rows = () => db.prepare("SELECT * FROM objects").all();

beforeEach(() => {
  db = new DatabaseSync(":memory:");
  problems = [];
});

describe("what a shard must remember", () => {
  test("[L1] is one row for an object, however often it is noted, and none once it is forgotten", () => {
    const store = open();
    for (const object of [A, B, A]) store.note(object);
    expect(rows()).toHaveLength(2);
    expect(open().noted()).toEqual([A, B]);

    store.forget(A);

    expect(open().noted()).toEqual([B]);
    expect(problems).toEqual([]);
  });

  test("[L1] [A11] a relay of an endpoint has a row of its own", () => {
    const relay = endpointObject("/quotes/A", "weur-3");
    for (const object of [A, relay]) open().note(object);
    expect(open().noted()).toEqual([A, relay]);
    expect(objectOf(relay)).toEqual({ kind: "endpoint", path: "/quotes/A", relay: "weur-3" });

    open().forget(A);

    expect(open().noted()).toEqual([relay]);
    expect(problems).toEqual([]);
  });

  test("[L1] an object of a kind that this version doesn't know loses its row, and says so once", () => {
    open().note(A);
    open().note("follower 7 of shard-0" as ObjectIdentity);

    expect(open().noted()).toEqual([A]);
    expect(open().noted()).toEqual([A]);
    expect(problems).toEqual([expect.stringContaining('"follower 7 of shard-0"')]);
  });
});

test("[A9] how many shards there were is known once it was noted, and what was noted last counts", () => {
  expect(open().shardsSeen()).toBeUndefined();
  for (const count of [2, 3]) open().noteShards(count);

  expect(open().shardsSeen()).toBe(3);
});

describe("revocations", () => {
  const revocation: Revocation = {
    id: "r",
    meant: { of: "subject", issuer: "i", subject: "s", before: 1.5 },
    graceMs: 5,
    madeAt: 6,
    until: 7,
  };
  const other: Revocation = { ...revocation, meant: { of: "token", issuer: "j", token: "t" } };

  test("[A9] are a row each, of an issuer and an id, until they are dropped", () => {
    const store = open();
    for (const one of [revocation, other, { ...revocation, until: 8 }]) store.keepRevocation(one);
    expect(open().revocations()).toEqual([{ ...revocation, until: 8 }, other]);

    store.dropRevocation("i", "r");

    expect(open().revocations()).toEqual([other]);
    expect(problems).toEqual([]);
  });

  test("[A9] one that can't be read stays, and is told of: its tokens count", () => {
    open().keepRevocation(other);
    db.exec("INSERT INTO revocations VALUES ('i', 'later', '{\"meant\":{\"of\":\"city\"}}')");

    expect(open().revocations()).toEqual([other]);
    expect(db.prepare("SELECT * FROM revocations").all()).toHaveLength(2);
    expect(problems).toEqual([expect.stringContaining("can't be read")]);
  });
});

describe("a database of another version", () => {
  function writeOlder(): void {
    db.exec("CREATE TABLE objects (name TEXT PRIMARY KEY, path TEXT NOT NULL) WITHOUT ROWID");
    db.exec("INSERT INTO objects VALUES ('/quotes/A', '/quotes/A')");
    db.exec("CREATE TABLE generation (id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER NOT NULL)");
    db.exec("INSERT INTO generation VALUES (1, 41)");
  }

  test("[L1] [U14] has its table of objects made anew, which is logged once, and keeps its generation", () => {
    writeOlder();

    const store = open();
    expect(store.noted()).toEqual([]);
    expect(store.generation()).toBe(41);
    store.note(B);

    expect(open().noted()).toEqual([B]);
    expect(problems).toEqual([
      expect.stringMatching(/of another version \(name,path\), is dropped; nothing is/),
    ]);
    const older = tables();
    db = new DatabaseSync(":memory:");
    open();
    expect(older).toEqual(tables());
  });

  test("[L1] a table of this version that can't be read is left as it is", () => {
    const store = open();
    store.note(A);
    const damaged = new Error("database disk image is malformed: SQLITE_CORRUPT");
    const { prepare } = db;
    db.prepare = (sql) => {
      if (sql.startsWith("SELECT identity")) throw damaged;
      return prepare.call(db, sql);
    };

    expect(() => store.noted()).toThrow(damaged);
    db.prepare = prepare;
    expect(store.noted()).toEqual([A]);
    expect(problems).toEqual([]);
  });
});
