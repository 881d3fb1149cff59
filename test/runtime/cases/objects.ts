/** Cases of objects: requests, calls, errors, how they begin and end, and what outlives their memory. */
import type { Case } from "./case.ts";

export const OBJECTS: readonly Case[] = [
  {
    title: "an object's name gives its id, always the same",
    run: (probing) => probing.get(`/id?name=${encodeURIComponent("/quotes/AAPL é")}`),
    expected: {
      text: "5dcceab929617191e5d8ec491737eb74ed61b4c4db485e4a8900d4d43f7aed18",
      name: "/quotes/AAPL é",
    },
  },
  {
    title: "a request reaches an object with method and body, and its answer whoever asked",
    run: (probing) => probing.get("/ask?name=plain&plain=1"),
    expected: { status: 418, socket: true, said: { method: "POST", body: "a body" } },
  },
  {
    title: "an error of an object's is its asker's, by its message",
    run: (probing) => probing.get("/ask?name=failing&fail=1"),
    expected: "RangeError: no answer",
  },
  {
    title: "errors of calls keep their kind, and say that they come from elsewhere",
    run: async (probing) =>
      Promise.all(["TypeError", "own"].map((how) => probing.outcome("errors", "fail", how))),
    expected: [
      { error: "TypeError: no such type", remote: true },
      { error: "Error: with more", code: 8, remote: true },
    ],
  },
  {
    title: "an error goes from an object through another one",
    run: (probing) => probing.call("asks", "askOther", "asked"),
    expected: "TypeError no such type",
  },
  {
    title: "what isn't a method can't be called",
    run: async (probing) =>
      Promise.all(
        ["nothing", "constructor", "notes", "life", "webSocketMessage"].map(async (method) => {
          const outcome = (await probing.outcome("methods", method)) as { readonly error?: string };
          return outcome.error === undefined ? "called" : outcome.error.split(":")[0];
        }),
      ),
    expected: ["TypeError", "TypeError", "TypeError", "TypeError", "TypeError"],
  },
  {
    title: "what is given to a call, and what it gives back, are copies",
    run: (probing) => probing.call("gives", "give", { list: [1, { two: "2" }], nothing: null }),
    expected: { list: [1, { two: "2" }], nothing: null },
  },
  {
    title: "a constructor that fails is an error of each request, and of no other object",
    run: async (probing) => [
      await probing.outcome("broken", "whichLife"),
      await probing.outcome("broken", "whichLife"),
      await probing.call("beside broken", "sockets"),
    ],
    expected: [{ error: "Error: it can't be made" }, { error: "Error: it can't be made" }, 0],
  },
  {
    title: "blockConcurrencyWhile holds up all that comes until it has ended",
    run: async (probing) => {
      const [, notes] = await Promise.all([
        probing.get("/ask?name=blocked&plain=1"),
        probing.call("blocked", "noted"),
      ]);
      return notes;
    },
    expected: ["begins", "has begun", "request"],
  },
  {
    title: "blockConcurrencyWhile that fails ends that life of the object",
    run: (probing) => probing.outcome("blocked in vain", "noted"),
    expected: { error: "Error: it can't begin" },
  },
  {
    title:
      "an object that ends itself fails what waits for it, breaks its sockets, and begins anew with what is stored",
    async run(probing) {
      const client = await probing.client("crashes");
      await probing.call("crashes", "write", "kept");
      const life = await probing.call("crashes", "whichLife");
      const crashed = await probing.outcome("crashes", "crash");
      const heard = await client.hears(1);
      const next = await probing.call("crashes", "whichLife");
      return [
        crashed,
        heard,
        life === next,
        await probing.call("crashes", "stored"),
        await probing.call("crashes", "sockets"),
      ];
    },
    expected: [{ error: "Error: crashed for a test" }, ['closed 1006 ""'], false, ["kept"], 0],
  },
  {
    title: "what an object that has ended had still to do does nothing any more",
    async run(probing) {
      const client = await probing.client("ghost");
      await probing.call("ghost", "haunt");
      await probing.outcome("ghost", "crash");
      await new Promise((resolve) => setTimeout(resolve, 500));
      return [client.heard, await probing.call("ghost", "stored")];
    },
    expected: [['closed 1006 ""'], []],
  },
  {
    title: "the Worker that fails answers 500",
    run: async (probing) => (await fetch(`${probing.url}/fails`)).status,
    expected: 500,
  },
];

/** What takes an object out of memory. */
export const ASLEEP: readonly Case[] = [
  {
    title: "attachments, tags and sockets outlive the object's memory",
    async run(probing) {
      const client = await probing.client("sleeps", "&tag=bed");
      client.say("keep:safe", "life:");
      const [life] = await client.hears(1);
      await probing.evict("sleeps");
      client.say("kept:", "tags:", "life:");
      const [, kept, tags, next] = await client.hears(4);
      return [kept, tags, life === next, await probing.call("sleeps", "sockets", "bed")];
    },
    expected: ['{"kept":"safe"}', '["bed"]', false, 1],
  },
  {
    title: "a close wakes the object, with what is attached",
    async run(probing) {
      const client = await probing.client("woken", "&tag=bed");
      client.say("keep:safe", "life:");
      await client.hears(1);
      await probing.evict("woken");
      client.socket.close(4003, "up");
      return probing.notes("woken", 1, "answer");
    },
    expected: [
      'closed 4003 "up" clean, counted of 1, tags bed, {"kept":"safe"}',
      "send: done",
      "answer: done",
    ],
  },
  {
    title: "pings are answered without waking the object, and when is noted",
    async run(probing) {
      const client = await probing.client("pings");
      client.say("life:");
      const [life] = await client.hears(1);
      const before = await probing.call("pings", "pinged");
      await probing.evict("pings");
      client.say("ping", "ping ", "life:");
      const heard = await client.hears(3);
      const notes = await probing.notes("pings", 1, "message life");
      return [before, heard[1], heard[2] === life, notes, await probing.call("pings", "pinged")];
    },
    expected: [[false], "pong", false, ["message ping ", "message life:"], [true]],
  },
  {
    title: "rows outlive the object's memory, and are its own",
    async run(probing) {
      await probing.call("keeps", "write", "kept");
      await probing.evict("keeps");
      return [await probing.call("keeps", "stored"), await probing.call("keeps nothing", "stored")];
    },
    expected: [["kept"], []],
  },
];
