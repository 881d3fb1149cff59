import { describe, expect, test } from "vitest";
import { readSettings } from "../../../shared/node/settings.ts";

const command = {
  usage: "npm run it",
  does: "Does it.",
  settings: {
    SOME_FOLDER: { means: "Where.", default: "here" },
    NAME: { means: "Who." },
    KEY: { means: "What only the two of us know.", secret: true },
    SOME_FRIENDS: { means: "With whom.", flag: "with", repeated: true },
  },
  switches: { quick: "Sooner." },
} as const;

const read = (env: Record<string, string>, ...args: string[]) => readSettings(command, env, args);

describe("settings", () => {
  test("come from flags before the environment, and from the environment before the default", () => {
    const values = (env: Record<string, string>, ...args: string[]) => {
      const given = read(env, ...args);
      return given.kind === "given" ? given.values : given;
    };

    expect(values({})).toEqual({
      SOME_FOLDER: "here",
      NAME: undefined,
      KEY: undefined,
      SOME_FRIENDS: undefined,
    });
    expect(values({ SOME_FOLDER: "there", NAME: "Ann" })).toMatchObject({
      SOME_FOLDER: "there",
      NAME: "Ann",
    });
    expect(values({ SOME_FOLDER: "there" }, "--some-folder", "yonder")).toMatchObject({
      SOME_FOLDER: "yonder",
    });
  });

  test("an empty text counts as unset", () => {
    expect(read({ SOME_FOLDER: "", NAME: "" }, "--some-folder=")).toMatchObject({
      values: { SOME_FOLDER: "here", NAME: undefined },
    });
  });

  test("a flag can have a name of its own, and be given several times", () => {
    expect(read({ SOME_FRIENDS: "Ann,Ben" })).toMatchObject({ values: { SOME_FRIENDS: "Ann,Ben" } });
    expect(read({ SOME_FRIENDS: "Ann" }, "--with", "Ben", "--with=Cy")).toMatchObject({
      values: { SOME_FRIENDS: "Ben,Cy" },
    });
    expect(read({}, "--some-friends", "Ann")).toMatchObject({ kind: "misused" });
  });

  test("a switch is off unless it is given", () => {
    expect(read({})).toMatchObject({ switches: { quick: false } });
    expect(read({}, "--quick")).toMatchObject({ switches: { quick: true } });
  });

  test("a secret has no flag: arguments can be seen by everyone on the machine", () => {
    expect(read({ KEY: "k" })).toMatchObject({ values: { KEY: "k" } });
    expect(read({}, "--key", "k")).toEqual({
      kind: "misused",
      problem: "Unknown option '--key' (--help lists all flags)",
    });
  });

  test("of a command that reads no variables come from flags alone, and its help says no more", () => {
    const flagsOnly = { ...command, flagsOnly: true } as const;
    const help = readSettings(flagsOnly, {}, ["--help"]);

    expect(readSettings(flagsOnly, { NAME: "Ann", SOME_FOLDER: "there" }, [])).toMatchObject({
      values: { NAME: undefined, SOME_FOLDER: "here" },
    });
    expect(help.kind === "help" ? help.text : "").toContain("\n  --some-folder …\n      Where.\n");
  });

  test("the help names every setting, flag and default", () => {
    expect(read({}, "--help")).toEqual({
      kind: "help",
      text: `npm run it

Does it.

  SOME_FOLDER, --some-folder …
      Where.
      Default: here
  NAME, --name …
      Who.
  KEY
      What only the two of us know.
  SOME_FRIENDS, --with …
      With whom.
  --quick
      Sooner.
  --help
      This text.
`,
    });
  });
});
