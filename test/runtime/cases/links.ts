/** Cases of sockets between objects, and between the Worker and one. */
import { eventually } from "../../support/deadline.ts";
import type { Case } from "./case.ts";

export const LINKS: readonly Case[] = [
  {
    title: "an object dials another: what was sent before it listened comes first, and all in order",
    async run(probing) {
      await probing.call("dials", "dial", "dialled", ["say:1", "bytes:3", "say:2"]);
      await probing.notes("dials", 4, "heard");
      return [
        await probing.call("dials", "noted"),
        await probing.call("dialled", "noted"),
        await probing.call("dialled", "tags"),
      ];
    },
    expected: [
      ["heard welcome", "heard 1", "heard 3 bytes, from 7 on", "heard 2"],
      ["request", "message say:1", "message bytes:3", "message say:2"],
      [["dialled"]],
    ],
  },
  {
    title: "what was sent on a link counts as unsent within the turn, and not when it has come",
    async run(probing) {
      const unsent = (await probing.call("backs up", "dial", "backed up", [
        "x".repeat(1_000),
        "y",
      ])) as number;
      await probing.notes("backed up", 2, "message");
      const later = await eventually(
        async () => (await probing.call("backs up", "unsent")) === 0,
        "all was sent",
      );
      return [unsent >= 1_001, later];
    },
    expected: [true, true],
  },
  {
    title: "a link is closed from where it was dialled",
    async run(probing) {
      await probing.call("closes link", "dial", "link closed");
      await probing.call("closes link", "closeLink", 4007, "done");
      const notes = await probing.notes("link closed", 1, "answer");
      return [
        notes,
        await probing.notes("closes link", 1, "link closed"),
        await probing.call("closes link", "sayOnLink", "late"),
      ];
    },
    expected: [
      ["request", 'closed 4007 "done" clean, counted of 1, tags dialled, null', "send: done", "answer: done"],
      ["heard welcome", "heard still there?", 'link closed 4007 "answered" clean', "answer: done"],
      "refused",
    ],
  },
  {
    title: "a link is closed by the object that was dialled",
    async run(probing) {
      await probing.call("hears close", "dial", "closes it", ["close:4008 no"]);
      return [await probing.notes("hears close", 1, "answer"), await probing.notes("closes it", 1, "closed")];
    },
    expected: [
      ["heard welcome", 'link closed 4008 "no" clean', "answer: done"],
      [
        "request",
        "message close:4008 no",
        'closed 4008 "no" clean, counted of 1, tags dialled, null',
        "send: refused",
        "answer: done",
      ],
    ],
  },
  {
    title: "a link breaks with the object that dialled",
    async run(probing) {
      await probing.call("dialler crashes", "dial", "hears of it");
      await probing.outcome("dialler crashes", "crash");
      return probing.notes("hears of it", 1, "closed");
    },
    expected: [
      "request",
      'closed 1006 "WebSocket disconnected without sending Close frame." broken, counted of 1, tags dialled, null',
      "send: done",
      "answer: done",
    ],
  },
  {
    title: "a link breaks with the object that was dialled",
    async run(probing) {
      await probing.call("hears break", "dial", "crashes off");
      await probing.outcome("crashes off", "crash");
      return probing.notes("hears break", 1, "link closed");
    },
    expected: [
      "heard welcome",
      'link closed 1006 "WebSocket disconnected without sending Close frame." broken',
      "answer: done",
    ],
  },
  {
    title: "the Worker dials an object for a client that speaks no WebSocket",
    run: (probing) => probing.get("/join?name=joined&say=say:1&say=bytes:2&say=close:4010+over"),
    expected: ["welcome", "1", "2 bytes, from 7 on", "closed 4010 over"],
  },
];
