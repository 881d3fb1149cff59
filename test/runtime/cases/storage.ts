/** Cases of what objects store. */
import { eventually } from "../../support/deadline.ts";
import type { Case } from "./case.ts";

export const STORAGE: readonly Case[] = [
  {
    title: "rows are read as they were written",
    run: async (probing) => [
      await probing.call("rows", "write", "one"),
      await probing.call("rows", "write", "two"),
    ],
    expected: [
      { written: 1, read: 1, rows: ["one"] },
      { written: 1, read: 2, rows: ["one", "two"] },
    ],
  },
  {
    title: "SQL that is wrong is an error that names SQLite's",
    run: (probing) => probing.call("wrong", "wrongSql"),
    expected: ["SQLITE_ERROR", "SQLITE_ERROR", "SQLITE_ERROR"],
  },
  {
    title: "what a call wrote before it failed",
    run: async (probing) => [
      await probing.outcome("half", "writeAndFail", "half"),
      await probing.call("half", "stored"),
    ],
    expected: [{ error: "Error: it fails after it has written", remote: true }, ["half"]],
  },
  {
    title: "what a handler of a message wrote before it failed",
    async run(probing) {
      const client = await probing.client("half heard");
      client.say("writeAndFail:half", "say:next");
      await client.hears(1);
      return probing.call("half heard", "stored");
    },
    expected: ["half"],
  },
  {
    title: "what was written in the turn in which an object ends itself",
    run: async (probing) => [
      await probing.outcome("aborts", "writeAndAbort", "lost?"),
      await probing.call("aborts", "stored"),
    ],
    expected: [{ error: "Error: ended by itself" }, []],
  },
  {
    title: "what is told to have been written is stored, whatever ends the object then",
    async run(probing) {
      const client = await probing.client("gate", "&write=1");
      client.say("write:two");
      const heard = [...(await client.hears(2))];
      await probing.outcome("gate", "crash");
      return [heard, await probing.call("gate", "stored")];
    },
    expected: [
      ["written", "written two"],
      ["with a socket", "two"],
    ],
  },
  {
    title: "what can't be committed ends the object, and nothing that came after it leaves",
    async run(probing) {
      const client = await probing.client("in vain");
      client.say("writeInVain:");
      await client.hears(1);
      await eventually(
        () => client.heard.some((one) => one.startsWith("closed")),
        "that the connection ends",
      );
      // What was sent before it was written may have left.
      return [client.heard.filter((one) => one === "written in vain").length < 2, client.heard.at(-1)];
    },
    expected: [true, 'closed 1006 ""'],
  },
];
