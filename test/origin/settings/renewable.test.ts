import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Renewal, readRenewed, renewable } from "../../../origin/settings/renewable.ts";

let files: Record<string, string | Error>;
let renewed: string[][];
let unusable: string[];

/** A pair of two files that are good together where they begin with the same letter. */
function pair(readFile: (path: string) => Promise<string | undefined> = async (path) => textOf(path)) {
  const secret = renewable<string, "PAIR">(
    {
      readFile: textOf,
      wrong: (name, problem) => {
        throw new Error(`${name} ${problem}`);
      },
    },
    (reading) => {
      const read = (path: string) => {
        try {
          return reading.readFile(path);
        } catch (error) {
          return reading.wrong("PAIR", `can't be read: ${error instanceof Error ? error.message : ""}`);
        }
      };
      const [cert, key] = [read("/cert"), read("/key")];
      if (cert === undefined || key === undefined) return undefined;
      return cert[0] === key[0] ? cert + key : reading.wrong("PAIR", "doesn't match");
    },
  );
  if (secret === undefined) throw new Error("no secret");
  return new Renewal(secret, {
    readFile,
    renewed: (_, changed) => renewed.push([...changed]),
    unusable: (why) => unusable.push(why),
  });
}

function textOf(path: string): string {
  const text = files[path] ?? new Error(`no such file: ${path}`);
  if (text instanceof Error) throw text;
  return text;
}

beforeEach(() => {
  files = { "/cert": "a1", "/key": "a2" };
  renewed = [];
  unusable = [];
});

describe("a secret in files", () => {
  test("is what they held at start for as long as they hold it, without a word", async () => {
    const secret = pair();

    expect([await secret.current(), await secret.current()]).toEqual(["a1a2", "a1a2"]);
    expect([renewed, unusable]).toEqual([[], []]);
  });

  test("is what they hold when it is asked for, and which ones have changed is told", async () => {
    const secret = pair();

    files["/key"] = "a3";

    expect(await secret.current()).toBe("a1a3");
    expect(renewed).toEqual([["/key"]]);
    expect(await secret.current()).toBe("a1a3");
    expect(renewed).toHaveLength(1);
  });

  test("is told of before it is used", async () => {
    const secret = pair();
    files["/key"] = "a3";
    const seen: number[] = [];

    await secret.current().then(() => seen.push(renewed.length));

    expect(seen).toEqual([1]);
  });

  test.each([
    ["missing", undefined, "PAIR can't be read: no such file: /key"],
    ["unreadable", new Error("EACCES"), "PAIR can't be read: EACCES"],
    ["not yet replaced, as the other one is", "b2", "PAIR doesn't match"],
    ["empty, as one that is about to be written", "", "PAIR doesn't match"],
  ])("is what it was while a file is %s, which is told of once", async (_, text, why) => {
    const secret = pair();
    if (text === undefined) delete files["/key"];
    else files["/key"] = text;

    expect([await secret.current(), await secret.current()]).toEqual(["a1a2", "a1a2"]);
    expect(unusable).toEqual([why]);
    Object.assign(files, { "/cert": "b1", "/key": "b2" });

    expect(await secret.current()).toBe("b1b2");
    expect([unusable, renewed]).toEqual([[why], [["/cert", "/key"]]]);
  });

  test("that can be used again is told of as well, and what is wrong the next time is, too", async () => {
    const secret = pair();
    files["/key"] = "";
    await secret.current();
    files["/key"] = "a2";
    await secret.current();
    files["/key"] = "";
    await secret.current();

    expect(unusable).toEqual(["PAIR doesn't match", "PAIR doesn't match"]);
    expect(renewed).toEqual([[]]);
  });

  test("that can't be read a second time, as from a pipe, stays what it was", async () => {
    const secret = pair(async (path) => (path === "/key" ? undefined : textOf(path)));

    files["/cert"] = "a9";
    files["/key"] = "b9";

    expect(await secret.current()).toBe("a9a2");
  });

  test("is read once for all that ask meanwhile", async () => {
    let reads = 0;
    const secret = pair(async (path) => {
      reads++;
      return textOf(path);
    });

    await Promise.all(Array.from({ length: 100 }, () => secret.current()));

    expect(reads).toBe(2);
  });

  test("is what it was while its file hangs, which takes one read and not one for each connection", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    let reads = 0;
    const hanging = Promise.withResolvers<string>();
    const secret = pair(() => {
      reads++;
      return hanging.promise;
    });

    const asked = [secret.current(), secret.current()];
    await vi.advanceTimersByTimeAsync(2_000);

    expect(await Promise.all(asked)).toEqual(["a1a2", "a1a2"]);
    expect([reads, unusable]).toEqual([1, ["/cert, /key: no answer within 2000 ms"]]);
    vi.useRealTimers();
    hanging.resolve("a5");
    expect(await secret.current()).toBe("a5a5");
  });
});

describe("a file that is read again", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "distributary-secrets-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("gives what it holds now", async () => {
    const file = join(folder, "password");
    writeFileSync(file, "first");
    expect(await readRenewed(file)).toBe("first");

    writeFileSync(file, "second");

    expect(await readRenewed(file)).toBe("second");
  });

  test("that is a pipe or a device gives nothing, and isn't waited for", async () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);

    expect(await readRenewed(pipe)).toBeUndefined();
    expect(await readRenewed("/dev/null")).toBeUndefined();
  });

  test("that is gone, a folder, or huge is an error", async () => {
    mkdirSync(join(folder, "folder"));
    writeFileSync(join(folder, "huge"), Buffer.alloc(4 * 1024 * 1024 + 1));

    await expect(readRenewed(join(folder, "gone"))).rejects.toThrow("ENOENT");
    await expect(readRenewed(join(folder, "folder"))).rejects.toThrow("EISDIR");
    await expect(readRenewed(join(folder, "huge"))).rejects.toThrow("larger than");
  });
});
