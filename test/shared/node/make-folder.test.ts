import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EmbeddedLog } from "../../../origin/embedded/log.ts";
import { makeFolder } from "../../../shared/node/make-folder.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "folders-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("a data folder", () => {
  test("is made with all that is missing above it, and left alone where it is there", () => {
    makeFolder(join(folder, "a/b/c"));
    makeFolder(join(folder, "a/b/c"));

    expect(existsSync(join(folder, "a/b/c"))).toBe(true);
  });

  test("that can't be made is an error at once, below a file and below a folder that refuses", () => {
    writeFileSync(join(folder, "file"), "");

    expect(() => makeFolder(join(folder, "file/below"))).toThrow(/ENOTDIR|EEXIST/);
    expect(() => makeFolder("/proc/nowhere/below")).toThrow(/ENOENT|EACCES|EPERM|EROFS/);
    expect(() => new EmbeddedLog("/proc/nowhere/log.sqlite")).toThrow(
      expect.objectContaining({ code: "unavailable" }),
    );
  });
});
