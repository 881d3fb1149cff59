/**
 * What the documents say of the project, as far as it can be checked: links and their anchors, files, npm scripts,
 * settings and examples exist and are right.
 */
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { parseStreams } from "../../shared/config/streams.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const documents = globSync(["*.md", "{docs,shared,origin,edge,test,examples,sdk}/**/*.md"], {
  cwd: root,
  exclude: (path) => path.includes("node_modules"),
});

/** Without blocks of code. */
const proseOf = (text: string) => text.replace(/^```[\s\S]*?^```/gm, "");
const blocksOf = (text: string, language: string) =>
  [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)]
    .filter(([, of]) => of === language)
    .map(([, , block]) => block ?? "");

/** As GitHub makes them of headings. */
function anchorsOf(text: string): string[] {
  const counts = new Map<string, number>();
  return [...proseOf(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const slug = plain.replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
    const count = counts.get(slug) ?? 0;
    counts.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
}

function linksOf(text: string): string[] {
  return [...proseOf(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? "");
}

describe.each(documents)("%s", (path) => {
  const text = read(path);

  test("links only to files and headings that are there", () => {
    const broken = linksOf(text).filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? path : join(dirname(path), file);
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && !anchorsOf(read(target)).includes(anchor);
    });

    expect(broken).toEqual([]);
  });

  test("names only npm scripts that there are", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const named = [...text.matchAll(/npm (?:run (?:-s )?([a-z][\w:-]*)|(start|test)\b)/g)];

    const unknown = named.map(([, run, short]) => run ?? short ?? "").filter((name) => !(name in scripts));
    expect(unknown).toEqual([]);
  });

  test("has tables whose rows stand on one line each: else they end there", () => {
    const broken = proseOf(text)
      .split("\n")
      .filter((line) => /^ *\|/.test(line) && !line.trimEnd().endsWith("|"));

    expect(broken).toEqual([]);
  });

  test("has commands that a shell can read", () => {
    for (const block of blocksOf(text, "sh")) {
      const { status, stderr } = spawnSync("/bin/sh", ["-n"], { input: block, encoding: "utf8" });
      expect([status, stderr], block).toEqual([0, ""]);
    }
  });

  test("names only files of the project that there are", () => {
    const inCode = [
      ...text.matchAll(/`((?:edge|origin|shared|test|docs|doctor|examples)\/[\w./-]*|start\.ts)`/g),
    ];
    const run = [
      ...text.matchAll(/\bnode ((?:edge|origin|shared|test|doctor|examples)\/[\w./-]+|start\.ts)/g),
    ];

    const places = [root, join(root, dirname(path)), join(root, "test")];
    const unknown = [...inCode, ...run]
      .map(([, file]) => file ?? "")
      .filter((file) => !places.some((place) => existsSync(join(place, file))));
    expect(unknown).toEqual([]);
  });
});

describe("docs/", () => {
  const pages = documents.filter((path) => path.startsWith("docs/"));

  test("every page is told of in README.md, and begins with whom it is for", () => {
    const linked = linksOf(read("README.md")).map((link) => link.split("#")[0]);

    expect(pages.filter((page) => !linked.includes(page))).toEqual([]);
    for (const page of pages) expect(read(page), page).toMatch(/^# .+\n\nThis is for you if /);
  });

  test("README.md is a front door", () => {
    expect(read("README.md").split("\n").length).toBeLessThan(210);
  });
});

describe("settings", () => {
  /** Of the tables of commands, and what the Worker alone has. */
  const known = new Set(["SHARDS", "KAFKA_TOPICS"]);
  for (const path of globSync(
    [
      "origin/**/*.ts",
      "edge/local/**/*.ts",
      "edge/endpoint/connection-limits.ts",
      "edge/http/publish-request.ts",
      "edge/shard/links/gathering.ts",
      "doctor/**/*.ts",
      "start.ts",
    ],
    { cwd: root },
  ))
    for (const [, name] of read(path).matchAll(/^ {2,6}([A-Z][A-Z0-9_]*): \{/gm)) known.add(name ?? "");
  const table = read("docs/streams-and-settings.md");

  test("docs/streams-and-settings.md has all of them", () => {
    const missing = [...known].filter((name) => name !== "SHARDS" && !table.includes(`\`${name}\``));

    expect(known.size).toBeGreaterThan(20);
    expect(missing).toEqual([]);
  });

  test.each(documents.filter((path) => path.startsWith("docs/") || path === "README.md"))(
    "%s names no other",
    (path) => {
      const named = [...read(path).matchAll(/(?:`|export |^)([A-Z]+(?:_[A-Z]+)+)(?:=|`)/gm)];

      expect(named.map(([, name]) => name ?? "").filter((name) => !known.has(name))).toEqual([]);
    },
  );
});

describe("examples", () => {
  test("the streams.json of docs/streams-and-settings.md is one", () => {
    const [example = ""] = blocksOf(read("docs/streams-and-settings.md"), "json");

    const result = parseStreams(example);
    expect(result.ok && result.streams.all.map(({ topic }) => topic)).toEqual(["quotes"]);
  });

  test.each(["README.md", "docs/client.md", "docs/many-endpoints.md", "docs/publishing.md"])(
    "what %s imports of the client's package is there",
    async (path) => {
      const imports = blocksOf(read(path), "ts").flatMap((block) => [
        ...block.matchAll(/import \{ ([\w, ]+) \} from "@distributary\/client(\/\w+)?";/g),
      ]);

      expect(imports.length).toBeGreaterThan(0);
      for (const [, names = "", entry = ""] of imports) {
        const exported: object = await import(join(root, "shared/client", entry, "index.ts"));
        for (const name of names.split(", ")) expect(exported).toHaveProperty(name);
      }
    },
  );

  test("the vectors that PROTOCOL.md lists are those that there are", () => {
    const listed = linksOf(read("shared/PROTOCOL.md")).filter((link) => link.startsWith("vectors/"));
    const present = globSync("shared/vectors/*.json", { cwd: root });

    expect(listed.sort()).toEqual(present.map((path) => relative("shared", path)).sort());
  });
});
